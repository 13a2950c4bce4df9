// The policies of an IAM role against the strict AWS stand-in, under the operator's own minimal policy.
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DeleteRoleCommand,
  DetachRolePolicyCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  ListEntitiesForPolicyCommand,
  ListPoliciesCommand,
  ListPolicyVersionsCommand,
  SetDefaultPolicyVersionCommand,
  UntagPolicyCommand,
} from '@aws-sdk/client-iam';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { converge, type Outcome } from '../../src/kernel/converge.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { documentOf, readDocument } from '../../src/resources/policy/document.ts';
import { namePrefix, shardARN, shardName, tagKeys, tagsOf } from '../../src/resources/policy/names.ts';
import type {
  Contribution,
  DesiredPolicy,
  ObservedPolicies,
  PolicyChange,
} from '../../src/resources/policy/policy.ts';
import { policyResource } from '../../src/resources/policy/resource.ts';
import { realClock } from '../../src/systems/iam/clock.ts';
import { iamPace, type IamSettings, type IamSystem, iamSystem } from '../../src/systems/iam/iam.ts';
import { operatorPolicy } from '../../src/systems/operator-policy.ts';
import { type Aws, startAws } from '../aws/aws.ts';
import { clientsFor } from '../aws/clients.ts';

const accountId = '111122223333';
const roleARN = `arn:aws:iam::${accountId}:role/team/checkout`;
const owner = { operatorID: 'op', roleARN };
const published = operatorPolicy({
  partition: 'aws',
  accountID: accountId,
  operatorID: 'op',
  principals: [`arn:aws:iam::${accountId}:role/team/*`, `arn:aws:iam::${accountId}:role/nobody`],
  admins: [],
});
const first = shardARN(owner, 0);
const trustPolicy = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: { Service: 'pods.eks.amazonaws.com' }, Action: 'sts:AssumeRole' },
  ],
};

let aws: Aws;
let admin: ReturnType<typeof clientsFor>['iam'];
let opened: IamSystem[];

beforeEach(async () => {
  aws = await startAws({ region: 'ap-northeast-2', accountId });
  admin = clientsFor(aws, aws.administrator).iam;
  opened = [];
  aws.createRole({ name: 'checkout', path: '/team/', trustPolicy });
  aws.createUser({
    name: 'operator',
    policies: {
      operator: published,
    },
  });
});

afterEach(async () => {
  for (const system of opened) system.close();
  await aws.close();
});

/** A new one knows nothing, as after a restart. */
function start(settings: IamSettings = {}): IamSystem {
  const { accessKeyId, secretAccessKey } = aws.createAccessKey(`arn:aws:iam::${accountId}:user/operator`);
  const system = iamSystem({
    client: { region: aws.region, endpoint: aws.baseUrl, credentials: { accessKeyId, secretAccessKey } },
    pace: iamPace({ reads: undefined, writes: undefined }),
    ...settings,
    timing: { freshMs: 0, listEveryMs: 0, retryMs: 1, requestTimeoutMs: 2_000, ...settings.timing },
  });
  opened.push(system);
  return system;
}

function arnOf(username: string, resourceID = 'cluster-ABC'): string {
  return `arn:aws:rds-db:ap-northeast-2:${accountId}:dbuser:${resourceID}/${username}`;
}

const present = (username: string): Contribution => ({ state: 'present', username, arns: [arnOf(username)] });

function wish(usernames: readonly string[], more: Partial<DesiredPolicy> = {}): DesiredPolicy {
  return {
    ...owner,
    scope: 'all',
    contributions: usernames.map(present),
    resourceIDs: new Set(),
    complete: true,
    ...more,
  };
}

function pass(system: IamSystem, desired: DesiredPolicy): Promise<Outcome<ObservedPolicies, PolicyChange>> {
  return converge(policyResource(system), desired, 'Enforce', AbortSignal.timeout(20_000));
}

async function reason(outcome: Promise<Outcome<ObservedPolicies, PolicyChange>>): Promise<string> {
  const settled = await outcome;
  return 'failure' in settled ? settled.failure.reason : settled.result;
}

/** Passes until the wish is found to hold, as the work queue would. */
async function settle(system: IamSystem, desired: DesiredPolicy): Promise<readonly string[]> {
  const seen: string[] = [];
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline) {
    const outcome = await pass(system, desired);
    if (outcome.result === 'converged') return seen;
    seen.push('failure' in outcome ? outcome.failure.reason : outcome.result);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`It does not settle: ${seen.join(', ')}`);
}

/** Whether the role may log in, as the stand-in judges tokens. */
function mayConnect(username: string): boolean {
  return aws.authorize({ principal: roleARN, action: 'rds-db:connect', resource: arnOf(username) });
}

async function allowed(policyARN = first): Promise<readonly string[]> {
  const { Policy } = await admin.send(new GetPolicyCommand({ PolicyArn: policyARN }));
  const { PolicyVersion } = await admin.send(
    new GetPolicyVersionCommand({ PolicyArn: policyARN, VersionId: Policy?.DefaultVersionId }),
  );
  return readDocument(PolicyVersion?.Document ?? '').arns;
}

async function policies(): Promise<readonly string[]> {
  const { Policies } = await admin.send(new ListPoliciesCommand({ Scope: 'Local' }));
  return (Policies ?? []).map(({ Arn = '' }) => Arn);
}

async function versions(): Promise<readonly string[]> {
  const { Versions } = await admin.send(new ListPolicyVersionsCommand({ PolicyArn: first }));
  return (Versions ?? []).map(({ VersionId = '' }) => VersionId);
}

async function deleteFirst(): Promise<void> {
  await admin.send(new DetachRolePolicyCommand({ PolicyArn: first, RoleName: 'checkout' }));
  const [, ...old] = await versions();
  for (const VersionId of old)
    await admin.send(new DeletePolicyVersionCommand({ PolicyArn: first, VersionId }));
  await admin.send(new DeletePolicyCommand({ PolicyArn: first }));
}

const version = (document: string): Promise<unknown> =>
  admin.send(
    new CreatePolicyVersionCommand({ PolicyArn: first, PolicyDocument: document, SetAsDefault: true }),
  );

async function look(): Promise<unknown> {
  const { Policies = [] } = await admin.send(new ListPoliciesCommand({ Scope: 'Local' }));
  return Promise.all(
    Policies.map(async ({ Arn = '' }) => {
      const { Policy } = await admin.send(new GetPolicyCommand({ PolicyArn: Arn }));
      const entities = await admin.send(new ListEntitiesForPolicyCommand({ PolicyArn: Arn }));
      return { Policy, roles: entities.PolicyRoles, arns: await allowed(Arn) };
    }),
  );
}

const actions = (): readonly string[] => aws.calls.map(({ action }) => action);

describe('a new user with a role of its own', () => {
  test('costs two writes and may log in; one more pass writes nothing and reads once', async () => {
    const system = start();
    expect((await pass(system, wish(['a']))).result).toBe('changed');
    expect(aws.countWrites()).toBe(2);
    expect(mayConnect('a')).toBe(true);
    expect(mayConnect('b')).toBe(false);
    aws.clearCalls();
    expect((await pass(system, wish(['a']))).result).toBe('converged');
    expect(actions()).toEqual(['ListPolicies']);
  });

  test('reads the role before it makes anything, and reads twice for it', async () => {
    await pass(start(), wish(['a']));
    const reads = actions().filter((action) => /Role/.test(action) && action !== 'AttachRolePolicy');
    expect(reads.toSorted()).toEqual(['GetRole', 'ListAttachedRolePolicies']);
    expect(actions().indexOf('GetRole')).toBeLessThan(actions().indexOf('CreatePolicy'));
  });

  test('whose role does not exist makes nothing', async () => {
    const other = { ...wish(['a']), roleARN: `arn:aws:iam::${accountId}:role/nobody` };
    expect(await reason(pass(start(), other))).toBe('RoleNotFound');
    expect(aws.countWrites()).toBe(0);
  });

  test('whose role is not one that the operator may look at is told so, and that it may not exist', async () => {
    const other = { ...wish(['a']), roleARN: `arn:aws:iam::${accountId}:role/elsewhere` };
    const outcome = await pass(start(), other);
    expect(outcome).toMatchObject({ failure: { reason: 'AccessDenied', kind: 'denied' } });
    expect('failure' in outcome && outcome.failure.message).toMatch(/does not exist, or .* does not name it/);
    expect(aws.countWrites()).toBe(0);
  });

  test('whose role has that name at another path makes nothing', async () => {
    const other = { ...wish(['a']), roleARN: `arn:aws:iam::${accountId}:role/team/sub/checkout` };
    expect(await reason(pass(start(), other))).toBe('RoleNotFound');
    expect(aws.countWrites()).toBe(0);
  });

  test('whose role has no room for another policy is refused without a write', async () => {
    aws.limits.attachedPoliciesPerRole = 1;
    await attachStrange('full');
    const { accessKeyId } = allowSummary();
    expect(accessKeyId).not.toBe('');
    expect(await reason(pass(start(), wish(['a'])))).toBe('QuotaExceeded');
    expect(aws.countWrites()).toBe(2);
  });

  test('without the right to read quotas hears of it from AWS, and leaves nothing once deleted', async () => {
    const { Version, Statement } = published;
    const reduced = Statement.map((statement) => ({
      ...statement,
      Action: statement.Action.filter((action) => action !== 'iam:GetAccountSummary'),
    }));
    aws.putInlinePolicy(`arn:aws:iam::${accountId}:user/operator`, 'operator', {
      Version,
      Statement: reduced,
    });
    aws.limits.attachedPoliciesPerRole = 1;
    await attachStrange('full');
    const system = start();
    expect(await reason(pass(system, wish(['a'])))).toBe('QuotaExceeded');
    expect(actions().filter((action) => action === 'AttachRolePolicy').length).toBe(2);
    await settle(system, wish([]));
    expect(await policies()).toEqual([`arn:aws:iam::${accountId}:policy/full`]);
  });
});

describe('a second user of the same role', () => {
  test('is added in one write; leaving takes one; the last one leaves nothing', async () => {
    const system = start();
    await pass(system, wish(['a']));
    aws.clearCalls();
    await pass(system, wish(['a', 'b']));
    expect(aws.countWrites()).toBe(1);
    expect(mayConnect('b')).toBe(true);
    await pass(system, wish(['b']));
    expect([mayConnect('a'), mayConnect('b')]).toEqual([false, true]);
    expect((await pass(system, wish([]))).result).toBe('changed');
    expect(await policies()).toEqual([]);
    expect((await pass(system, wish([]))).result).toBe('converged');
  });

  test('a listing may be old, but never older than a write of our own', async () => {
    const system = start({ timing: { freshMs: 600_000 } });
    for (const users of [['a'], ['a', 'b'], ['b'], []]) {
      expect((await pass(system, wish(users))).result).toBe('changed');
    }
    aws.clearCalls();
    expect((await pass(system, wish([]))).result).toBe('converged');
    expect(actions()).toEqual([]);
  });

  test('the oldest version goes once a newer one is in force, so that the next need not wait for it', async () => {
    const system = start();
    const users: string[] = [];
    for (const next of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
      users.push(next);
      expect((await pass(system, wish(users))).result).toBe('changed');
    }
    expect(actions()).not.toContain('ListPolicyVersions');
    expect(await versions()).toEqual(['v8', 'v7', 'v6', 'v5']);
    expect(users.every(mayConnect)).toBe(true);
    // After a restart the versions are counted before one is made.
    const restarted = start();
    expect((await pass(restarted, wish([...users, 'i']))).result).toBe('changed');
    await settle(restarted, wish([]));
    expect(await policies()).toEqual([]);
  });
});

test('a new resource id is in force after two calls, however often it changes', async () => {
  const system = start();
  await settle(system, wish(['a', 'b']));
  const madeBy = (id: string): DesiredPolicy => ({
    ...wish([]),
    contributions: ['a', 'b'].map((username) => ({
      state: 'present',
      username,
      arns: [arnOf(username, id)],
    })),
  });
  for (let round = 0; round < 7; round++) {
    aws.clearCalls();
    expect((await pass(system, madeBy(`cluster-${round}`))).result).toBe('changed');
    const calls = actions().filter((action) => action !== 'ListPolicies');
    expect(calls.slice(0, 2)).toEqual(['GetPolicy', 'CreatePolicyVersion']);
    expect(calls.slice(2)).toEqual(round < 3 ? [] : ['DeletePolicyVersion']);
    expect(await allowed()).toEqual([arnOf('a', `cluster-${round}`), arnOf('b', `cluster-${round}`)]);
  }
  expect(await versions()).toHaveLength(4);

  // Room that could not be made fails nothing of what was given, and the next change makes it first.
  const lift = aws.faults.add({ service: 'iam', action: 'DeletePolicyVersion', error: 'AccessDenied' });
  expect((await pass(system, madeBy('cluster-7'))).result).toBe('changed');
  lift();
  expect(await versions()).toHaveLength(5);
  expect((await pass(system, madeBy('cluster-8'))).result).toBe('changed');
  expect(await allowed()).toEqual([arnOf('a', 'cluster-8'), arnOf('b', 'cluster-8')]);
  expect(await versions()).toHaveLength(4);
});

describe('drift made behind our back', () => {
  const desired = wish(['a', 'b']);
  /** `daily`: its count of attachments stays the same, so a running operator sees it only when it looks again. */
  const editions: readonly (readonly [string, () => Promise<unknown>, 'daily'?])[] = [
    ['the policy deleted', () => deleteFirst()],
    [
      'the policy detached',
      () => admin.send(new DetachRolePolicyCommand({ PolicyArn: first, RoleName: 'checkout' })),
    ],
    ['a statement taken out', () => version(documentOf([arnOf('a')]))],
    ['everything allowed', () => version(documentOf([arnOf('a')]).replace(arnOf('a'), '*'))],
    [
      'another version made the default',
      async () => {
        await version(documentOf([arnOf('a'), arnOf('b')]));
        await admin.send(new SetDefaultPolicyVersionCommand({ PolicyArn: first, VersionId: 'v1' }));
      },
    ],
    [
      'attached to another role too',
      async () => {
        aws.createRole({ name: 'other', path: '/team/', trustPolicy });
        await admin.send(new AttachRolePolicyCommand({ PolicyArn: first, RoleName: 'other' }));
      },
    ],
    [
      'exchanged from one role to another',
      async () => {
        aws.createRole({ name: 'other', path: '/team/', trustPolicy });
        await admin.send(new DetachRolePolicyCommand({ PolicyArn: first, RoleName: 'checkout' }));
        await admin.send(new AttachRolePolicyCommand({ PolicyArn: first, RoleName: 'other' }));
      },
      'daily',
    ],
    [
      'the role deleted and made again',
      async () => {
        await admin.send(new DetachRolePolicyCommand({ PolicyArn: first, RoleName: 'checkout' }));
        await admin.send(new DeleteRoleCommand({ RoleName: 'checkout' }));
        aws.createRole({ name: 'checkout', path: '/team/', trustPolicy });
      },
    ],
  ];

  test.for(editions)(
    '%s: repaired by a running operator and by a restarted one',
    async ([, edit, noticed]) => {
      const system = start(noticed === 'daily' ? { timing: { lookAgainMs: 0 } } : {});
      for (const one of [system, undefined]) {
        await settle(system, wish(['a']));
        await settle(system, desired);
        await edit();
        await settle(one ?? start(), desired);
        expect([mayConnect('a'), mayConnect('b'), mayConnect('stranger')]).toEqual([true, true, false]);
        const { PolicyRoles } = await admin.send(new ListEntitiesForPolicyCommand({ PolicyArn: first }));
        expect(PolicyRoles?.map(({ RoleName }) => RoleName)).toEqual(['checkout']);
        await settle(system, wish([]));
        await admin.send(new DeleteRoleCommand({ RoleName: 'other' })).catch(() => {});
      }
    },
  );
});

describe('an attachment that was moved to another role, so that there are as many as before', () => {
  const swap = () => {
    aws.createRole({ name: 'other', path: '/team/', trustPolicy });
    aws.moveAttachment(first, 'checkout', 'other');
  };

  test('is noticed at the next look after attachments were read again, and not at each look', async () => {
    const time = { passedMs: 0 };
    const clock = { ...realClock, now: () => Date.now() + time.passedMs };
    const system = start({ clock });
    await settle(system, wish(['a']));
    await settle(system, wish(['a']));
    swap();
    await settle(system, wish(['a']));
    const readAgain = async (passedMs: number) => {
      time.passedMs = passedMs;
      const before = aws.calls.length;
      await system.readAttachmentsAgain([first, `${first}-unheard-of`], AbortSignal.timeout(10_000));
      return aws.calls.length - before;
    };
    // IAM may not show yet what was just written.
    expect(await readAgain(30_000)).toBe(0);
    expect(mayConnect('a')).toBe(false);
    expect(await readAgain(90_000)).toBe(1);
    await settle(system, wish(['a']));
    expect(mayConnect('a')).toBe(true);
    expect(await readAgain(100_000)).toBe(0);
    expect(aws.iamState().roles.get('other')?.attached).toEqual([]);
  });

  test('is noticed at the next look where what is remembered is forgotten', async () => {
    const system = start();
    await settle(system, wish(['a']));
    swap();
    system.forget(namePrefix({ operatorID: 'other', roleARN }));
    await settle(system, wish(['a']));
    expect(mayConnect('a')).toBe(false);
    system.forget(namePrefix(owner));
    await settle(system, wish(['a']));
    expect(mayConnect('a')).toBe(true);
  });
});

describe('what is not ours', () => {
  test('a policy of our name at our path without our tags is not touched', async () => {
    const made = {
      PolicyName: shardName(owner, 0),
      Path: '/iamdb/op/',
      PolicyDocument: documentOf([arnOf('x')]),
    };
    await admin.send(new CreatePolicyCommand(made));
    const before = await look();
    expect(await reason(pass(start(), wish(['a'])))).toBe('ForeignPolicy');
    expect(await reason(pass(start(), wish([])))).toBe('converged');
    expect(await look()).toEqual(before);
  });

  test.for(['/', '/elsewhere/'])('a policy of our name at %s is not touched', async (path) => {
    const made = {
      PolicyName: shardName(owner, 0).toUpperCase(),
      Path: path,
      PolicyDocument: documentOf([arnOf('x')]),
    };
    await admin.send(new CreatePolicyCommand(made));
    const before = await look();
    const system = start({ timing: { settleMs: 0 } });
    expect(await reason(pass(system, wish(['a'])))).toBe('ForeignPolicy');
    expect(await look()).toEqual(before);
  });

  test('one that loses our tags while it is looked at is not changed any more', async () => {
    const system = start();
    await settle(system, wish(['a', 'b']));
    await admin.send(new UntagPolicyCommand({ PolicyArn: first, TagKeys: [tagKeys.operatorID] }));
    const before = await look();
    // The tags that it remembers are ours still; they are read again before anything is taken away.
    expect(await reason(pass(system, wish(['a'])))).toBe('ForeignPolicy');
    expect(await reason(pass(system, wish([])))).toBe('converged');
    expect(await look()).toEqual(before);
  });

  test('one that was deleted and made again between the look and the change is looked at again', async () => {
    const system = start();
    await settle(system, wish(['a']));
    const resource = policyResource(system);
    const signal = AbortSignal.timeout(10_000);
    const observed = await resource.observe(wish([]), signal);
    const plan = resource.plan(wish([]), observed);
    await deleteFirst();
    const made = {
      PolicyName: shardName(owner, 0),
      Path: '/iamdb/op/',
      PolicyDocument: documentOf([arnOf('x')]),
    };
    const Tags = Object.entries(tagsOf(owner, 'all')).map(([Key, Value]) => ({ Key, Value }));
    await admin.send(new CreatePolicyCommand({ ...made, Tags }));
    const changes = 'refused' in plan ? [] : plan;
    expect(changes.length).toBeGreaterThan(0);
    await expect(resource.apply(changes, wish([]), observed, signal)).rejects.toThrow('changed while');
    expect(await allowed()).toEqual([arnOf('x')]);
  });

  test('one that was deleted and made again by a stranger is not taken for ours', async () => {
    const system = start();
    await settle(system, wish(['a']));
    await admin.send(new DetachRolePolicyCommand({ PolicyArn: first, RoleName: 'checkout' }));
    await admin.send(new DeletePolicyCommand({ PolicyArn: first }));
    const made = {
      PolicyName: shardName(owner, 0),
      Path: '/iamdb/op/',
      PolicyDocument: documentOf([arnOf('x')]),
    };
    await admin.send(new CreatePolicyCommand(made));
    expect(await reason(pass(system, wish(['a'])))).toBe('ForeignPolicy');
    expect(await allowed()).toEqual([arnOf('x')]);
  });
});

describe('what is not known', () => {
  test('stays: a suspended user after a restart, and everything under a partial view', async () => {
    await settle(start(), wish(['a', 'b']));
    const restarted = start();
    await settle(restarted, wish(['c'], { complete: false }));
    expect(await allowed()).toEqual([arnOf('a'), arnOf('b'), arnOf('c')]);
    const suspended = wish(['c'], { contributions: [present('c'), { state: 'unknown', username: 'a' }] });
    await settle(restarted, suspended);
    expect(await allowed()).toEqual([arnOf('a'), arnOf('c')]);
  });

  test('stays under a policy that an operator of another scope wrote', async () => {
    await settle(start(), wish(['a', 'b'], { scope: 'ns:x' }));
    const widened = start();
    await settle(widened, wish(['a', 'c']));
    expect([mayConnect('a'), mayConnect('b'), mayConnect('c')]).toEqual([true, true, true]);
    // Once somebody answers for it, the policy is taken over.
    await settle(widened, wish(['a', 'b', 'c']));
    await settle(widened, wish(['a', 'c']));
    expect(mayConnect('b')).toBe(false);
  });
});

describe('AWS in a bad mood', () => {
  test('throttling is waited out within a pass, slower with each', async () => {
    aws.faults.add({ service: 'iam', action: 'CreatePolicy', error: 'Throttling', times: 2 });
    expect((await pass(start(), wish(['a']))).result).toBe('changed');
    expect(actions().filter((action) => action === 'CreatePolicy').length).toBe(3);
  });

  test('throttling without end is told as such', async () => {
    aws.faults.add({ service: 'iam', action: 'CreatePolicy', error: 'Throttling', times: 99 });
    expect(await reason(pass(start(), wish(['a'])))).toBe('Throttled');
  });

  test.for([
    ['AccessDenied', 'AccessDenied'],
    ['InvalidClientTokenId', 'AccessDenied'],
    ['ExpiredToken', 'AwsUnavailable'],
    ['ServiceUnavailable', 'AwsUnavailable'],
    ['InternalFailure', 'AwsUnavailable'],
    ['reset', 'AwsUnavailable'],
    ['LimitExceeded', 'QuotaExceeded'],
    ['ConcurrentModification', 'NotVisibleYet'],
    ['EntityTemporarilyUnmodifiable', 'NotVisibleYet'],
  ] as const)(
    '%s at a write is told as %s after one try, and the next pass ends well',
    async ([error, told]) => {
      for (const action of ['CreatePolicy', 'AttachRolePolicy', 'CreatePolicyVersion']) {
        const system = start();
        if (action === 'CreatePolicyVersion') await settle(system, wish(['a']));
        const desired = action === 'CreatePolicyVersion' ? wish(['a', 'b']) : wish(['a']);
        aws.clearCalls();
        aws.faults.add({ service: 'iam', action, error });
        expect(await pass(system, desired)).toMatchObject({ result: 'failed', failure: { reason: told } });
        expect(actions().filter((one) => one === action).length).toBe(1);
        await settle(system, desired);
        expect(desired.contributions.every(({ username }) => mayConnect(username))).toBe(true);
        await settle(system, wish([]));
      }
      expect(await policies()).toEqual([]);
    },
  );

  test('a right that is missing is named, and nothing of what AWS wrote is shown', async () => {
    aws.faults.add({ service: 'iam', action: 'AttachRolePolicy', error: 'AccessDenied' });
    const outcome = await pass(start(), wish(['a']));
    const message = 'failure' in outcome ? outcome.failure.message : '';
    expect(message).toContain('iam:AttachRolePolicy');
    expect(message).not.toContain('identity-based');
  });

  test.for([
    'CreatePolicy',
    'AttachRolePolicy',
    'CreatePolicyVersion',
    'DetachRolePolicy',
    'DeletePolicy',
    'DeletePolicyVersion',
  ])(
    'an answer to %s that is lost after it took effect is answered by looking, not by sending it again',
    async (action) => {
      const system = start();
      aws.faults.add({ service: 'iam', action, error: 'resetAfterEffect' });
      await settle(system, wish(['a']));
      await settle(system, wish(['a', 'b']));
      expect(await allowed()).toEqual([arnOf('a'), arnOf('b')]);
      const made = actions().filter((one) => one === 'CreatePolicyVersion').length;
      expect(made).toBe(1);
      await settle(system, wish([]));
      expect(aws.faults.pending()).toEqual([]);
      expect(await policies()).toEqual([]);
    },
  );

  test('a write that does not answer ends with the time limit', async () => {
    aws.faults.add({ service: 'iam', action: 'AttachRolePolicy', error: 'timeout' });
    const system = start({ timing: { requestTimeoutMs: 200 } });
    expect(await reason(pass(system, wish(['a'])))).toBe('AwsUnavailable');
    await settle(system, wish(['a']));
    expect(mayConnect('a')).toBe(true);
  });

  test('a read is sent again after a reset', async () => {
    aws.faults.add({ service: 'iam', action: 'ListPolicies', error: 'reset', times: 2 });
    expect((await pass(start(), wish(['a']))).result).toBe('changed');
  });

  test('whoever no longer leads writes nothing', async () => {
    const system = start({
      beforeWrite: () => {
        throw new Failure('unavailable', 'Progressing', 'Another replica leads.');
      },
    });
    expect(await reason(pass(system, wish(['a'])))).toBe('Progressing');
    expect(aws.countWrites()).toBe(0);
  });

  test('whoever ceased to lead while a call was made ready does not send it', async () => {
    let asked = 0;
    const system = start({
      beforeWrite: () => {
        asked += 1;
        if (asked === 2) throw new Failure('unavailable', 'Progressing', 'Another replica leads.');
      },
    });
    expect(await reason(pass(system, wish(['a'])))).toBe('Progressing');
    expect(aws.countWrites()).toBe(0);
    await settle(system, wish(['a']));
    expect(mayConnect('a')).toBe(true);
  });

  test('calls are told one by one, with status', async () => {
    const seen: string[] = [];
    aws.faults.add({ service: 'iam', action: 'CreatePolicy', error: 'Throttling' });
    await pass(
      start({ onCall: ({ operation, status }) => seen.push(`${operation} ${status}`) }),
      wish(['a']),
    );
    expect(seen).toContain('CreatePolicy 400');
    expect(seen).toContain('CreatePolicy 200');
  });
});

describe('IAM that shows changes late', () => {
  test('is waited for: each change is made once, and Ready is not told before it shows', async () => {
    aws.propagationDelayMs = 1_000;
    const system = start();
    expect(await reason(pass(system, wish(['a'])))).toBe('NotVisibleYet');
    await settle(system, wish(['a']));
    expect(mayConnect('a')).toBe(true);
    await settle(system, wish(['a', 'b']));
    expect(mayConnect('b')).toBe(true);
    expect(actions().filter((action) => action === 'CreatePolicy').length).toBe(1);
    expect(actions().filter((action) => action === 'CreatePolicyVersion').length).toBe(1);
    await settle(system, wish([]));
    expect(actions().filter((action) => action === 'DeletePolicy').length).toBe(1);
    aws.propagationDelayMs = 0;
    expect(await policies()).toEqual([]);
  });

  test('an operator restarted right after CreatePolicy finds its own policy, and calls nobody a stranger', async () => {
    aws.propagationDelayMs = 500;
    aws.faults.add({ service: 'iam', action: 'AttachRolePolicy', error: 'reset' });
    await pass(start(), wish(['a']));
    const seen = await settle(start(), wish(['a']));
    expect(seen).not.toContain('ForeignPolicy');
    expect(mayConnect('a')).toBe(true);
  });
});

describe('many users', () => {
  test('1,000 of one role in shards; adding one rewrites one policy; restarting writes nothing; deleting leaves nothing', async () => {
    aws.limits.attachedPoliciesPerRole = 20;
    const users = Array.from({ length: 1000 }, (_, i) => `user_${i}`);
    const system = start();
    expect((await pass(system, wish(users))).result).toBe('changed');
    expect(users.every(mayConnect)).toBe(true);
    aws.clearCalls();
    expect((await pass(system, wish([...users, 'one_more']))).result).toBe('changed');
    expect(aws.countWrites()).toBe(1);
    aws.clearCalls();
    expect((await pass(start(), wish([...users, 'one_more']))).result).toBe('converged');
    expect(aws.countWrites()).toBe(0);
    await settle(system, wish([]));
    expect(await policies()).toEqual([]);
  });

  test('100 roles at once share their listings, page by page', async () => {
    aws.pageSize = 30;
    const roles = Array.from({ length: 100 }, (_, i) =>
      aws.createRole({ name: `r${i}`, path: '/team/', trustPolicy }),
    );
    const system = start({ timing: { listEveryMs: 50 } });
    const outcomes = await Promise.all(
      roles.map(({ arn }) => pass(system, { ...wish(['a']), roleARN: arn })),
    );
    expect(new Set(outcomes.map(({ result }) => result))).toEqual(new Set(['changed']));
    expect(aws.countWrites()).toBe(200);
    expect(actions().filter((action) => action === 'ListPolicies').length).toBeLessThan(60);
    aws.clearCalls();
    const again = await Promise.all(roles.map(({ arn }) => pass(system, { ...wish(['a']), roleARN: arn })));
    expect(new Set(again.map(({ result }) => result))).toEqual(new Set(['converged']));
    expect(new Set(actions())).toEqual(new Set(['ListPolicies']));
    expect(actions().length).toBeLessThanOrEqual(4);
  });
});

async function attachStrange(name: string): Promise<void> {
  const made = { PolicyName: name, PolicyDocument: documentOf([arnOf('x')]), Tags: [] };
  const { Policy } = await admin.send(new CreatePolicyCommand(made));
  await admin.send(new AttachRolePolicyCommand({ PolicyArn: Policy?.Arn, RoleName: 'checkout' }));
}

function allowSummary(): { accessKeyId: string } {
  aws.putInlinePolicy(`arn:aws:iam::${accountId}:user/operator`, 'summary', {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'iam:GetAccountSummary', Resource: '*' }],
  });
  return aws.createAccessKey(`arn:aws:iam::${accountId}:user/operator`);
}
