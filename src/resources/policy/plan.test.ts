// What is done about the policies of an IAM role, for every state they can be found in.
import { describe, expect, test } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { documentSize } from './document.ts';
import { tagKeys, tagsOf } from './names.ts';
import { planPolicy } from './plan.ts';
import type { DesiredPolicy, ObservedPolicies, ObservedShard, PolicyChange } from './policy.ts';
import {
  after,
  arnOf,
  present,
  roleARN,
  shard,
  sight,
  unknown,
  wish,
  working,
} from '../../../test/builders/policy-fixtures.ts';

function changes(desired: DesiredPolicy, observed: ObservedPolicies): readonly PolicyChange[] {
  const plan = planPolicy(desired, observed);
  if ('refused' in plan) throw plan.refused;
  return plan;
}

function refusal(desired: DesiredPolicy, observed: ObservedPolicies): string {
  const plan = planPolicy(desired, observed);
  return 'refused' in plan ? plan.refused.reason : `not refused: ${JSON.stringify(plan)}`;
}

/** Applies what is planned until nothing is left; tells what was done. */
function run(
  desired: DesiredPolicy,
  start: ObservedPolicies,
): { end: ObservedPolicies; done: PolicyChange[] } {
  let end = start;
  const done: PolicyChange[] = [];
  for (let round = 0; round < 5; round++) {
    const plan = changes(desired, end);
    if (plan.length === 0) return { end, done };
    for (const change of plan) {
      end = after(end, change);
      done.push(change);
    }
  }
  throw new Error('It never ends.');
}

/** Like run, for what ends in a refusal. */
function runUntilRefused(desired: DesiredPolicy, start: ObservedPolicies) {
  let end = start;
  const done: PolicyChange[] = [];
  for (let round = 0; round < 5; round++) {
    const plan = planPolicy(desired, end);
    if ('refused' in plan || plan.length === 0) return { end, done };
    for (const change of plan) {
      end = after(end, change);
      done.push(change);
    }
  }
  throw new Error('It never ends.');
}

const doing = (plan: readonly PolicyChange[]): string[] => plan.map((change) => change.do);

describe('a new IAM role', () => {
  test('gets one policy with the exact ARNs, in two writes', () => {
    const plan = changes(wish([present('a'), present('b', 'cluster-ABC', 'prx-1')]), sight([]));
    expect(doing(plan)).toEqual(['create', 'attach']);
    expect(plan[0]).toMatchObject({
      arns: [arnOf('a'), arnOf('b'), arnOf('b', 'prx-1')],
      tags: tagsOf({ operatorID: 'op', roleARN }, 'all'),
    });
  });

  test.for([
    ['nobody', []],
    ['a suspended user', [unknown('a')]],
    ['a leaving user', [{ state: 'absent', username: 'a', arns: [arnOf('a')] }]],
  ] as const)('gets nothing for %s, whatever the role', ([, contributions]) => {
    expect(changes(wish(contributions), sight([]))).toEqual([]);
    expect(changes(wish(contributions), sight([], { role: { exists: false } }))).toEqual([]);
    const reserved = 'arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_1';
    expect(changes(wish(contributions, { roleARN: reserved }), sight([]))).toEqual([]);
  });

  test('that does not exist gets nothing made', () => {
    expect(refusal(wish([present('a')]), sight([], { role: { exists: false } }))).toBe('RoleNotFound');
  });

  test.for([
    'arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_1',
    'arn:aws:iam::111122223333:role/AWSReservedSSO_Admin_1',
    'arn:aws:iam::111122223333:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS',
  ])('that AWS keeps for itself is refused: %s', (reserved) => {
    expect(refusal(wish([present('a')], { roleARN: reserved }), sight([]))).toBe('RoleNotAttachable');
  });

  test('whose attachments are used up is refused before anything is called', () => {
    const role = { exists: true, attachedPolicies: 10 } as const;
    const plan = planPolicy(wish([present('a')]), sight([], { role }));
    expect(plan).toMatchObject({ refused: { reason: 'QuotaExceeded' } });
    expect('refused' in plan && plan.refused.message).toContain('10 of at most 10');
  });

  test('is refused while a stranger has the name', () => {
    const foreign = [{ number: 0, policyARN: 'arn:aws:iam::111122223333:policy/iamdb/op/x' }];
    expect(refusal(wish([present('a')]), sight([], { foreign }))).toBe('ForeignPolicy');
  });

  test.for(['*', 'a*', '${aws:username}', 'a/b'])('is never given a wildcard: %s', (username) => {
    expect(refusal(wish([present(username)]), sight([]))).toBe('InternalError');
  });

  test('is never given the ARN of another user name', () => {
    const lying = { state: 'present', username: 'a', arns: [arnOf('b')] } as const;
    expect(refusal(wish([lying]), sight([]))).toBe('InternalError');
    const both = { state: 'present', username: 'a', arns: [arnOf('a'), arnOf('b')] } as const;
    expect(refusal(wish([both]), sight([]))).toBe('InternalError');
  });
});

describe('drift', () => {
  const desired = wish([present('a'), present('b')]);
  const both = [arnOf('a'), arnOf('b')];

  test('there is none: nothing is done', () => {
    expect(changes(desired, sight([shard(0, both)]))).toEqual([]);
  });

  test.for([
    ['policy deleted', [], ['create', 'attach']],
    ['policy detached', [shard(0, both, { attached: false })], ['attach']],
    ['statement edited', [shard(0, both, { exact: false })], ['write']],
    ['an ARN taken out', [shard(0, [arnOf('a')])], ['write']],
    ['an ARN put in', [shard(0, [...both, arnOf('x')])], ['write']],
    ['document emptied', [shard(0, [], { exact: false })], ['write']],
    ['edited and detached', [shard(0, both, { exact: false, attached: false })], ['write', 'attach']],
    ['attached to another role', [shard(0, both, { others: [{ kind: 'Role', name: 'x' }] })], ['detach']],
    ['attached to a person', [shard(0, both, { others: [{ kind: 'User', name: 'eve' }] })], ['detach']],
    ['tag of the manager lost', [shard(0, both, { tags: tagsBut(tagKeys.managedBy) })], ['tag']],
  ] as const)('%s: repaired', ([, shards, expected]) => {
    const { end, done } = run(desired, sight(shards));
    expect(doing(done)).toEqual(expected);
    expect([...working(end)].toSorted()).toEqual(both);
  });

  test('five versions: the oldest that is not the default goes first', () => {
    const full = shard(0, [arnOf('a')], {
      versionIDs: ['v3', 'v4', 'v9', 'v10', 'v11'],
      defaultVersionID: 'v3',
    });
    expect(changes(desired, sight([full])).slice(0, 1)).toEqual([
      { do: 'delete-version', policyARN: full.policyARN, versionID: 'v4' },
    ]);
    const { end, done } = run(desired, sight([full]));
    expect(doing(done)).toEqual(['delete-version', 'write', 'delete-version']);
    expect(end.shards[0]?.versionIDs).toEqual(['v3', 'v10', 'v11', 'v12']);
  });

  test('the role is gone and comes back: the policy waits and is attached again', () => {
    const waiting = shard(0, both, { attached: false });
    expect(refusal(desired, sight([waiting], { role: { exists: false } }))).toBe('RoleNotFound');
    expect(doing(changes(desired, sight([waiting])))).toEqual(['attach']);
  });
});

describe('versions of a policy', () => {
  const ids = (count: number) => Array.from({ length: count }, (_, i) => `v${i + 1}`);
  const kept = (count: number) =>
    shard(0, [arnOf('a')], { versionIDs: ids(count), defaultVersionID: `v${count}` });
  const desired = wish([present('a'), present('b')]);

  test.for([
    [1, ['write']],
    [2, ['write']],
    [3, ['write']],
    [4, ['write', 'delete-version v1']],
    [5, ['delete-version v1', 'write', 'delete-version v2']],
  ] as const)('of %i: a new one leaves room for the next', ([count, expected]) => {
    const plan = changes(desired, sight([kept(count)]));
    expect(plan.map((one) => (one.do === 'delete-version' ? `${one.do} ${one.versionID}` : one.do))).toEqual(
      expected,
    );
    expect(run(desired, sight([kept(count)])).end.shards[0]?.versionIDs?.length).toBeLessThan(5);
  });

  test('that are not known are nothing to plan with', () => {
    const unseen = shard(0, [arnOf('a')], { versionIDs: undefined });
    expect(doing(changes(desired, sight([unseen])))).toEqual(['write']);
  });

  test('are not deleted without a new one, however many there are', () => {
    expect(changes(wish([present('a')]), sight([kept(5)]))).toEqual([]);
  });

  test('one resource id after the other is in force without a deletion before it', () => {
    let observed = sight([kept(1)]);
    for (let round = 0; round < 12; round++) {
      const plan = changes(wish([present('a', `cluster-${round}`)]), observed);
      expect(plan[0]?.do).toBe('write');
      for (const change of plan) observed = after(observed, change);
      expect([...working(observed)]).toEqual([arnOf('a', `cluster-${round}`)]);
    }
  });

  test('make room only once everybody of the role has access, and strangers have none by our policies', () => {
    const eve = [{ kind: 'User', name: 'eve' }] as const;
    const full = fullShard(0);
    const first = { ...full, exact: false, versionIDs: ids(4), defaultVersionID: 'v4', others: eve };
    const second = shard(1, [arnOf('z')], {
      versionIDs: ids(4),
      defaultVersionID: 'v4',
      exact: false,
      attached: false,
    });
    const users = [...full.arns.map(userOf), present('z'), ...fullShard(2).arns.map(userOf)];
    const plan = doing(changes(wish(users), sight([first, second])));
    expect(plan.filter((what) => what === 'write')).toHaveLength(2);
    expect(plan).toContain('create');
    expect(plan.slice(-2)).toEqual(['delete-version', 'delete-version']);
    expect(plan.slice(0, -2)).not.toContain('delete-version');
    expect(plan.slice(0, -2)).toContain('detach');
  });
});

describe('an ARN that stands in two policies', () => {
  const desired = wish([present('a')]);
  const [first, second] = [0, 1].map((number) => shard(number, [arnOf('a')])) as [
    ObservedShard,
    ObservedShard,
  ];

  test.for<[string, ObservedShard, ObservedShard, number]>([
    ['where it is attached', { ...first, attached: false }, second, 1],
    ['where it is as it was written', { ...first, exact: false }, second, 1],
    ['where it is attached, though edited', { ...first, attached: false }, { ...second, exact: false }, 1],
    ['in the first, where both work', second, first, 0],
    ['in the first, where neither works', { ...second, attached: false }, { ...first, attached: false }, 0],
  ])('stays %s, and the other policy goes', ([, one, other, staying]) => {
    const { end, done } = run(desired, sight([one, other]));
    expect(end.shards.map(({ number }) => number)).toEqual([staying]);
    const touched = done.filter(({ do: what }) => what !== 'attach' && what !== 'write');
    expect(new Set(touched.map(({ policyARN }) => policyARN))).toEqual(
      new Set([first, second].filter(({ number }) => number !== staying).map(({ policyARN }) => policyARN)),
    );
  });
});

describe('what is taken away', () => {
  test('the last user leaves: detached, old versions deleted, policy deleted', () => {
    const old = shard(0, [arnOf('a')], { versionIDs: ['v1', 'v2', 'v3'], defaultVersionID: 'v3' });
    const { end, done } = run(wish([]), sight([old]));
    expect(doing(done)).toEqual(['detach', 'delete-version', 'delete-version', 'delete']);
    expect(end.shards).toEqual([]);
  });

  test('deletion needs no role', () => {
    const left = shard(0, [arnOf('a')], { attached: false });
    expect(doing(changes(wish([]), sight([left], { role: { exists: false } })))).toEqual(['delete']);
  });

  test('one that a stranger attached elsewhere ends for the role first, and is deleted in the end', () => {
    const spread = shard(0, [arnOf('a')], { others: [{ kind: 'User', name: 'eve' }] });
    const { end, done } = run(wish([]), sight([spread]));
    expect(done[0]).toMatchObject({ do: 'detach', entity: { kind: 'Role', name: 'checkout' } });
    expect(end.shards).toEqual([]);
  });

  test('comes before anybody else is let in, but for what a stranger may have made impossible', () => {
    const waiting = shard(1, [arnOf('b')], { attached: false });
    const desired = wish([present('b')]);
    const gone = shard(0, [arnOf('a')]);
    expect(doing(changes(desired, sight([gone, waiting])))).toEqual(['detach', 'delete', 'attach']);
    const spread = { ...gone, others: [{ kind: 'User', name: 'eve' }] } as const;
    expect(doing(changes(desired, sight([spread, waiting])))).toEqual([
      'detach',
      'attach',
      'detach',
      'delete',
    ]);
  });

  test('needs neither a look at the role nor one at the versions', () => {
    const unseen = shard(0, [arnOf('a'), arnOf('b')], { versionIDs: undefined });
    expect(doing(changes(wish([present('a')]), sight([unseen], { role: undefined })))).toEqual(['write']);
  });

  test('an unknown contribution keeps what is observed, and adds nothing', () => {
    const observed = sight([shard(0, [arnOf('a'), arnOf('a', 'db-OLD'), arnOf('b')])]);
    const { end } = run(wish([unknown('a')]), observed);
    expect([...working(end)]).toEqual([arnOf('a'), arnOf('a', 'db-OLD')]);
  });

  test('one whose database is known does not hold on to what its namesake on another server leaves', () => {
    const mine = arnOf('a');
    const theirs = arnOf('a', 'cluster-OTHER');
    const observed = sight([shard(0, [mine, theirs])]);
    const leaving = { state: 'absent', username: 'a', arns: [theirs] } as const;
    const known = { state: 'unknown', username: 'a', arns: [mine] } as const;
    expect(run(wish([known, leaving]), observed).end.shards[0]?.arns).toEqual([mine]);
    // An old id of its own database is nobody's to take away while it is suspended.
    expect(changes(wish([known]), observed)).toEqual([]);
  });

  test('nor to what a namesake on another known server left without a word', () => {
    const [mine, theirs] = [arnOf('a'), arnOf('a', 'cluster-OTHER')];
    const known = { state: 'unknown', username: 'a', arns: [mine] } as const;
    const resourceIDs = new Set(['cluster-ABC', 'cluster-OTHER']);
    const { end } = run(wish([known], { resourceIDs }), sight([shard(0, [mine, theirs])]));
    expect(end.shards[0]?.arns).toEqual([mine]);
  });

  test('a role that cannot be looked at gets nothing attached, and what is to be taken away is', () => {
    const failure = new Failure('denied', 'AccessDenied', 'No.');
    const observed = sight([shard(0, [arnOf('gone')])], { role: { exists: 'unknown', failure } });
    const desired = wish([present('new')]);
    const { end, done } = runUntilRefused(desired, observed);
    expect(end.shards.flatMap(({ arns }) => arns)).not.toContain(arnOf('gone'));
    expect(done.filter((change) => change.do === 'attach')).toEqual([]);
  });

  test('of two users of one name, on two servers, one that is unknown keeps both', () => {
    const observed = sight([shard(0, [arnOf('a'), arnOf('a', 'db-X')])]);
    const leaving = { state: 'absent', username: 'a', arns: [arnOf('a', 'db-X')] } as const;
    expect(changes(wish([unknown('a'), leaving]), observed)).toEqual([]);
    expect([...working(run(wish([present('a'), leaving]), observed).end)]).toEqual([arnOf('a')]);
  });

  test('a partial view removes nothing, and repairs and adds', () => {
    const observed = sight([shard(0, [arnOf('a'), arnOf('gone')], { attached: false })]);
    const { end } = run(wish([present('b')], { complete: false }), observed);
    expect([...working(end)].toSorted()).toEqual([arnOf('a'), arnOf('b'), arnOf('gone')]);
    const leaving = { state: 'absent', username: 'a', arns: [arnOf('a')] } as const;
    expect(changes(wish([leaving], { complete: false }), sight([shard(0, [arnOf('a')])]))).toEqual([]);
  });

  test('ending one user is not held up by a quota that another one needs', () => {
    const full = fullShard(0);
    const role = { exists: true, attachedPolicies: 10 } as const;
    const stay = full.arns.slice(1).map(userOf);
    const more = Array.from({ length: 60 }, (_, i) => present(`more${i}`));
    let observed = sight([full], { role });
    for (const change of changes(wish([...stay, ...more]), observed)) observed = after(observed, change);
    expect(working(observed).has(full.arns[0] ?? '')).toBe(false);
    expect(refusal(wish([...stay, ...more]), observed)).toBe('QuotaExceeded');
  });

  test("a stranger's policy of the next name does not hold up an ending either", () => {
    const full = fullShard(0);
    const foreign = [{ number: 1, policyARN: 'arn:aws:iam::111122223333:policy/iamdb/op/x' }];
    const rest = [...full.arns.slice(1), ...Array.from({ length: 5 }, (_, i) => arnOf(`new-${i}`))].map(
      userOf,
    );
    let observed = sight([full], { foreign });
    for (const change of changes(wish(rest), observed)) observed = after(observed, change);
    expect(working(observed).has(full.arns[0] ?? '')).toBe(false);
    expect(refusal(wish(rest), observed)).toBe('ForeignPolicy');
  });
});

describe('what is let go', () => {
  const released = (username: string): DesiredPolicy['contributions'][number] => ({
    state: 'released',
    username,
    arns: [arnOf(username)],
  });

  test('stays allowed in the same policy, in one write that takes nothing from anybody', () => {
    const start = sight([shard(0, [arnOf('a'), arnOf('b')])]);
    const { end, done } = run(wish([present('a'), released('b')]), start);
    expect(done).toMatchObject([
      { do: 'write', arns: [arnOf('a')], released: [arnOf('b')], added: [], removed: [] },
    ]);
    expect(working(end)).toEqual(new Set([arnOf('a'), arnOf('b')]));
  });

  test('is not removed once its object is gone, nor with the last user, nor where it is said to be absent', () => {
    const left = shard(0, [arnOf('a')], { released: [arnOf('b')] });
    const absent = { state: 'absent', username: 'b', arns: [arnOf('b')] } as const;
    for (const contributions of [[], [absent]]) {
      const { end } = run(wish(contributions), sight([left]));
      expect(working(end)).toEqual(new Set([arnOf('b')]));
      expect(changes(wish(contributions), end)).toEqual([]);
    }
  });

  test('is not attached again by us', () => {
    const left = shard(0, [], { released: [arnOf('b')], attached: false, exact: true });
    expect(changes(wish([]), sight([left]))).toEqual([]);
  });

  test('is taken back in its place by a user that wants it again', () => {
    const start = sight([shard(0, [], { released: [arnOf('b')], exact: true })]);
    const { end, done } = run(wish([present('b')]), start);
    expect(doing(done)).toEqual(['write']);
    expect(end.shards[0]).toMatchObject({ arns: [arnOf('b')], released: [], attached: true });
  });

  test('that makes the document too long moves somebody else, who keeps access all the while', () => {
    const arns = ['a', 'b', 'c'].map((name) => arnOf(name));
    const full = sight([shard(0, arns)]);
    const start = { ...full, quotas: { ...full.quotas, policySize: documentSize(arns) } };
    const wanted = wish([present('a'), present('b'), released('c')]);
    const { end } = run(wanted, start);
    expect(working(end)).toEqual(new Set(arns));
    expect(end.shards.flatMap((one) => one.released)).toEqual([arnOf('c')]);
  });
});

describe('a policy that somebody else detaches again and again', () => {
  const contested = new Set([shard(0, []).policyARN]);
  const detached = shard(0, [arnOf('a')], { attached: false });

  test('is attached no more, and it is said who may do that', () => {
    const desired = wish([present('a')], { contested });
    expect(refusal(desired, sight([detached]))).toBe('DetachedByOthers');
    const plan = planPolicy(desired, sight([detached]));
    expect('refused' in plan && plan.refused.message).toContain('DetachRolePolicy in CloudTrail');
  });

  test('does not keep the others of the role from what they need', () => {
    const other = shard(1, [arnOf('b')], { attached: false });
    const desired = wish([present('a'), present('b')], { contested });
    expect(doing(changes(desired, sight([detached, other])))).toEqual(['attach']);
  });

  test('is fine once it is attached, and loses who leaves all the same', () => {
    const attached = { ...detached, attached: true };
    expect(changes(wish([present('a')], { contested }), sight([attached]))).toEqual([]);
    const left = { state: 'absent', username: 'a', arns: [arnOf('a')] } as const;
    expect(doing(changes(wish([left], { contested }), sight([detached])))).toEqual(['delete']);
  });

  test('is another matter than a role that does not exist', () => {
    const gone = sight([detached], { role: { exists: false } });
    expect(refusal(wish([present('a')], { contested }), gone)).toBe('RoleNotFound');
  });
});

describe('tags that the owners want', () => {
  const tags = { Team: 'payments', cost: '1' };
  const own = tagsOf({ operatorID: 'op', roleARN }, 'all');
  const tagged = (more: Record<string, string>) =>
    changes(wish([present('a')], { tags }), sight([shard(0, [arnOf('a')], { tags: { ...own, ...more } })]));

  test('are on a policy from the start', () => {
    const [create] = changes(wish([present('a')], { tags }), sight([]));
    expect(create).toMatchObject({ do: 'create', tags: { ...own, ...tags } });
  });

  test.for([
    ['lost', {}],
    ['changed', { Team: 'billing', cost: '1' }],
  ] as const)('are put right when %s', ([, found]) => {
    expect(tagged(found)).toMatchObject([{ do: 'tag', tags: { ...own, ...tags } }]);
  });

  test('are fine beside others, and in any case of their keys, as IAM sees them', () => {
    expect(tagged({ ...tags, other: 'x' })).toEqual([]);
    expect(tagged({ team: 'payments', COST: '1' })).toEqual([]);
  });

  test('cannot change whose policy it is', () => {
    const [create] = changes(wish([present('a')], { tags: { [tagKeys.operatorID]: 'x' } }), sight([]));
    expect(create).toMatchObject({ tags: own });
  });

  test("do not record today's scope with a policy of another one", () => {
    const found = shard(0, [arnOf('a'), arnOf('theirs')], { tags: { ...own, [tagKeys.scope]: 'ns:x' } });
    expect(changes(wish([present('a')], { tags }), sight([found]))).toEqual([
      { do: 'tag', policyARN: found.policyARN, tags },
    ]);
  });

  test('are nothing to a policy that goes', () => {
    const left = { state: 'absent', username: 'a', arns: [arnOf('a')] } as const;
    const { done } = run(wish([left], { tags }), sight([shard(0, [arnOf('a')])]));
    expect(doing(done)).not.toContain('tag');
  });
});

describe('a policy written under another scope', () => {
  const other = { tags: tagsOf({ operatorID: 'op', roleARN }, 'ns:payments') };
  const observed = sight([shard(0, [arnOf('a'), arnOf('theirs')], other)]);

  test('keeps what no contribution speaks of', () => {
    expect(changes(wish([present('a')]), observed)).toEqual([]);
  });

  test('gives up what is absent on evidence', () => {
    const leaving = { state: 'absent', username: 'a', arns: [arnOf('a')] } as const;
    expect([...working(run(wish([leaving]), observed).end)]).toEqual([arnOf('theirs')]);
  });

  test('takes nothing new under its old scope: that gets a policy of its own', () => {
    const { end, done } = run(wish([present('a'), present('new')]), observed);
    expect(doing(done)).toEqual(['create', 'attach']);
    expect(end.shards.map(({ arns }) => arns)).toEqual([[arnOf('a'), arnOf('theirs')], [arnOf('new')]]);
  });

  test("becomes today's once all that it holds is accounted for, before anything is added", () => {
    const desired = wish([present('a'), unknown('theirs'), present('new')]);
    const { end, done } = run(desired, observed);
    expect(doing(done)).toEqual(['tag', 'write']);
    expect(end.shards[0]?.tags[tagKeys.scope]).toBe('all');
  });
});

describe('many users of one role', () => {
  const thousand = Array.from({ length: 1000 }, (_, i) =>
    present(`user_${String(i).padStart(12, '0')}`, 'cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
  );
  const roomy = sight([], { quotas: { policySize: 6144, versions: 5, attachedPerRole: 20 } });

  test('1,000 fit into 18 shards, none too long, and one more rewrites one of them', () => {
    const { end } = run(wish(thousand), roomy);
    expect(end.shards.length).toBe(18);
    expect(working(end).size).toBe(1000);
    for (const { arns } of end.shards) expect(documentSize(arns)).toBeLessThanOrEqual(6144);
    const plan = changes(wish([...thousand, present('aaa')]), end);
    expect(doing(plan)).toEqual(['write']);
  });

  test('a tenth leaving rewrites each shard at most once and moves nobody', () => {
    const { end } = run(wish(thousand), roomy);
    const plan = changes(wish(thousand.filter((_, i) => i % 10 > 0)), end);
    expect(doing(plan).every((what) => what === 'write')).toBe(true);
    expect(plan.every((change) => change.do !== 'write' || change.added.length === 0)).toBe(true);
    expect(new Set(plan.map(({ policyARN }) => policyARN)).size).toBe(plan.length);
  });

  test('with room for 10 policies the first 10 shards work and the rest is refused', () => {
    let observed = sight([]);
    for (const change of changes(wish(thousand), observed)) observed = after(observed, change);
    expect(observed.shards.length).toBe(10);
    expect(refusal(wish(thousand), observed)).toBe('QuotaExceeded');
  });

  test('a gap in the numbers is filled', () => {
    const shards = [fullShard(0), fullShard(2)];
    const stay = shards.flatMap(({ arns }) => arns.map(userOf));
    const [first] = changes(wish([...stay, present('z')]), sight(shards));
    expect(first).toMatchObject({ do: 'create', number: 1 });
  });
});

test('who moves out of a policy that is too long loses access at no step, whatever else is moved', () => {
  const quotas = {
    policySize: documentSize(['a', 'b', 'c'].map((name) => arnOf(name))),
    versions: 5,
    attachedPerRole: 9,
  };
  const tooLong = shard(
    0,
    ['a', 'b', 'c', 'e'].map((name) => arnOf(name)),
  );
  const edited = shard(
    1,
    ['f', 'g', 'h'].map((name) => arnOf(name)),
    { exact: false },
  );
  const double = shard(2, [arnOf('f')], { exact: false });
  let observed = sight([tooLong, edited, double], { quotas });
  const everybody = [...working(observed)];
  for (const change of changes(wish(everybody.map(userOf)), observed)) {
    observed = after(observed, change);
    expect(everybody.filter((arn) => !working(observed).has(arn))).toEqual([]);
  }
  for (const { arns } of observed.shards) expect(documentSize(arns)).toBeLessThanOrEqual(quotas.policySize);
});

function fullShard(number: number): ReturnType<typeof shard> {
  const arns: string[] = [];
  for (let i = 0; ; i++) {
    const next = arnOf(`s${number}_${String(i).padStart(30, '0')}`);
    if (documentSize([...arns, next]) > 6144) return shard(number, arns);
    arns.push(next);
  }
}

function userOf(arn: string): DesiredPolicy['contributions'][number] {
  return { state: 'present', username: arn.slice(arn.indexOf('/') + 1), arns: [arn] };
}

function tagsBut(key: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tagsOf({ operatorID: 'op', roleARN }, 'all')).filter(([name]) => name !== key),
  );
}
