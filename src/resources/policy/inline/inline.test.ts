import { describe, expect, it } from 'vitest';
import {
  type DesiredInline,
  describeInline,
  type InlineChange,
  inlineNotEnabled,
  inlineDocument,
  inlineHolds,
  inlineLimit,
  type ObservedInline,
  onlyReleasingInline,
  planInline,
  readInline,
} from './inline.ts';
import { arnOf, present, unknown, wish as policyWish } from '../../../../test/builders/policy-fixtures.ts';
import type { Contribution } from '../policy.ts';

const wish = (contributions: readonly Contribution[], more: Partial<DesiredInline> = {}): DesiredInline => ({
  ...policyWish(contributions),
  ...more,
});
const role = { exists: true, attachedPolicies: 0 } as const;
const nothing: ObservedInline = { ...readInline(undefined), role };
const holding = (users: readonly string[], more: Partial<ObservedInline> = {}): ObservedInline => ({
  ...readInline(inlineDocument({ arns: users.map((user) => arnOf(user)), released: [] }, 'all')),
  role,
  ...more,
});
const leaving = (username: string): Contribution => ({ state: 'absent', username, arns: [arnOf(username)] });
/** What is done, and with which users. */
const plan = (desired: DesiredInline, observed: ObservedInline) => {
  const planned = planInline(desired, observed);
  if ('refused' in planned) return planned.refused.reason;
  return planned.map((change) =>
    change.do === 'put' ? change.arns.map((arn) => arn.slice(arn.lastIndexOf('/') + 1)).join(' ') : change.do,
  );
};

describe('the inline policy of a role', () => {
  it.each<[string, DesiredInline, ObservedInline, unknown]>([
    ['is made for a user', wish([present('a')]), nothing, ['a']],
    ['is made for nobody', wish([unknown('a')]), nothing, []],
    ['takes another user', wish([present('a'), present('b')]), holding(['a']), ['a b']],
    ['takes another user while one leaves', wish([present('b')]), holding(['a']), ['b']],
    ['is as it should be', wish([present('a')]), holding(['a']), []],
    ['loses who leaves', wish([present('a'), leaving('b')]), holding(['a', 'b']), ['a']],
    ['loses who has no object', wish([present('a')]), holding(['a', 'b']), ['a']],
    ['keeps who is not known', wish([present('a'), unknown('b')]), holding(['b']), ['a b']],
    ['goes with its last user', wish([leaving('a')]), holding(['a']), ['remove']],
    ['is put right when it was edited', wish([present('a')]), holding(['a'], { exact: false }), ['a']],
    ['is not touched while the view is partial', wish([], { complete: false }), holding(['a']), []],
    [
      'is not made on a role that does not exist',
      wish([present('a')]),
      { ...nothing, role: { exists: false } },
      'RoleNotFound',
    ],
    ['keeps what another scope wrote', wish([]), holding(['a'], { scope: '0' }), []],
    [
      'is refused beside what another scope wrote',
      wish([present('b')]),
      holding(['a'], { scope: '0' }),
      'ForeignPolicy',
    ],
    [
      'is no matter of a role that does not exist where nobody needs it',
      wish([unknown('a')]),
      { ...nothing, role: { exists: false } },
      [],
    ],
    [
      'is written though the role was not looked at, where it is there already',
      wish([present('a'), present('b')]),
      holding(['a'], { role: undefined }),
      ['a b'],
    ],
    [
      'is refused beside what another scope wrote, though one of them is ours',
      wish([present('a'), present('c')]),
      holding(['a', 'b'], { scope: '0' }),
      'ForeignPolicy',
    ],
    [
      'takes another user while the view is partial',
      wish([present('b')], { complete: false }),
      holding(['a']),
      ['a b'],
    ],
    ['stays empty while the view is partial', wish([], { complete: false }), holding([]), []],
    [
      'is not there for users of a role without any',
      wish([], { complete: true }),
      { ...nothing, role: undefined },
      [],
    ],
    [
      'is written under our scope with the next user',
      wish([present('a')]),
      holding([], { scope: '0' }),
      ['a'],
    ],
    ['takes over what it accounts for', wish([present('a')]), holding(['a'], { scope: '0' }), ['a']],
    ['loses who leaves, whoever wrote it', wish([leaving('a')]), holding(['a'], { scope: '0' }), ['remove']],
  ])('%s', (_sentence, desired, observed, expected) => {
    expect(plan(desired, observed)).toEqual(expected);
  });

  it('has room for what IAM admits and says so of the rest, which costs nobody else anything', () => {
    const users = Array.from({ length: 200 }, (_, i) => `user_${String(i).padStart(6, '0')}`);
    const desired = wish(users.map((user) => present(user)));
    const [put] = planInline(desired, nothing) as readonly { readonly arns: readonly string[] }[];
    const text = inlineDocument({ arns: put?.arns ?? [], released: [] }, 'all');
    expect(text.length).toBeLessThanOrEqual(inlineLimit);
    expect(text.length).toBeGreaterThan(inlineLimit - 120);
    expect(plan(desired, { ...readInline(text), role })).toBe('QuotaExceeded');
  });

  it('is filled to the last character that IAM admits', () => {
    const users: string[] = [];
    const sizeWith = (last: string) =>
      inlineDocument({ arns: [...users, last].map((user) => arnOf(user)), released: [] }, 'all').length;
    while (sizeWith('x'.repeat(63)) <= inlineLimit) users.push(`u${String(users.length).padStart(4, '0')}`);
    const spare = inlineLimit - sizeWith('x');
    const withOneOf = (length: number) =>
      plan(wish([...users, 'x'.repeat(length)].map((user) => present(user))), holding(users));
    expect(withOneOf(1 + spare)).toHaveLength(1);
    expect(withOneOf(2 + spare)).toBe('QuotaExceeded');
  });

  it('is never given the ARN of another user name', () => {
    const lying: Contribution = { state: 'present', username: 'a', arns: [arnOf('b')] };
    expect(plan(wish([lying]), nothing)).toBe('InternalError');
  });

  it('of another scope takes no user for whom there would be no room either', () => {
    const users = Array.from({ length: 200 }, (_, i) => `user_${String(i).padStart(6, '0')}`);
    const [put] = planInline(wish(users.map((user) => present(user))), nothing) as readonly {
      readonly arns: readonly string[];
    }[];
    const text = inlineDocument({ arns: put?.arns ?? [], released: [] }, 'other');
    expect(plan(wish([present('z'.repeat(63))]), { ...readInline(text), role })).toBe('ForeignPolicy');
  });

  it('reads back exactly what it writes, encoded by IAM or not, and nothing else', () => {
    const arns = [arnOf('a'), arnOf('b')];
    const text = inlineDocument({ arns, released: [arnOf('c')] }, 'all');
    const read = readInline(text);
    expect(read).toMatchObject({ exists: true, arns, released: [arnOf('c')], exact: true });
    expect(inlineHolds(read, arns)).toBe(true);
    expect(inlineHolds(read, [arnOf('z')])).toBe(false);
    expect(inlineHolds(read, [arnOf('a'), arnOf('z')])).toBe(false);
    expect(inlineHolds(read, [])).toBe(false);
    expect(inlineHolds({ ...read, exact: false }, arns)).toBe(false);
    expect(readInline(text.replace('"Allow"', '"Deny"')).exact).toBe(false);
    expect(readInline('{}')).toMatchObject({ exists: true, arns: [], exact: false });
  });

  it('keeps what was let go, and takes it back for a user that wants it again', () => {
    const released: Contribution = { state: 'released', username: 'a', arns: [arnOf('a')] };
    const left = { ...readInline(inlineDocument({ arns: [], released: [arnOf('a')] }, 'all')), role };
    expect(planInline(wish([released]), left)).toEqual([]);
    expect(planInline(wish([]), left)).toEqual([]);
    expect(planInline(wish([present('a')]), left)).toEqual([
      { do: 'put', arns: [arnOf('a')], released: [], added: [arnOf('a')], removed: [] },
    ]);
  });

  it('lets go of who is to keep the access, which plan mode does too', () => {
    const released: Contribution = { state: 'released', username: 'a', arns: [arnOf('a')] };
    const observed = holding(['a', 'b']);
    const desired = wish([released, unknown('b')], { complete: false });
    const planned = planInline(desired, observed);
    expect(planned).toMatchObject([{ do: 'put', arns: [arnOf('b')], released: [arnOf('a')], removed: [] }]);
    expect(onlyReleasingInline(planned, observed)).toEqual(planned);
    expect(onlyReleasingInline(planInline(wish([present('c')]), nothing), nothing)).toEqual([]);
    expect(onlyReleasingInline([{ do: 'remove' }], observed)).toEqual([]);
    const refused = planInline(wish([present('b')]), { ...nothing, role: { exists: false } });
    expect(onlyReleasingInline(refused, nothing)).toEqual([]);
  });
});

describe('what is told of the inline policy of a role', () => {
  const desired = wish([]);
  const name = `iamdb-${desired.operatorID}`;
  const roleName = desired.roleARN.slice(desired.roleARN.lastIndexOf('/') + 1);
  const put = { do: 'put', arns: [], released: [], added: [], removed: [] } as const;

  it.each<[InlineChange, readonly string[]]>([
    [{ do: 'remove' }, ['delete']],
    [put, ['write the document anew']],
    [{ ...put, added: [arnOf('a')] }, [`allow rds-db:connect on ${arnOf('a')}`]],
    [{ ...put, removed: [arnOf('b')] }, [`no longer allow rds-db:connect on ${arnOf('b')}`]],
    [
      { ...put, added: [arnOf('a')], removed: [arnOf('b')] },
      [`allow rds-db:connect on ${arnOf('a')}`, `no longer allow rds-db:connect on ${arnOf('b')}`],
    ],
  ])('is a line for each thing that is done: %o', (change, lines) => {
    expect(describeInline(change, desired)).toEqual(
      lines.map((line) => `IAM: inline policy ${name} of ${roleName}: ${line}`),
    );
  });

  it('is why there is no room, and what to do', () => {
    const users = Array.from({ length: 200 }, (_, i) => present(`user_${String(i).padStart(6, '0')}`));
    const [first] = planInline(wish(users), nothing) as readonly { readonly arns: readonly string[] }[];
    const full = { ...readInline(inlineDocument({ arns: first?.arns ?? [], released: [] }, 'all')), role };
    expect(planInline(wish(users), full)).toMatchObject({
      refused: {
        kind: 'invalid',
        reason: 'QuotaExceeded',
        message: `The inline policy of ${roleName} has no room for another user: IAM admits 10,240 characters of inline policies on a role. Use spec.policy.delivery Managed, or spread users over more roles.`,
      },
    });
  });

  it('is that another cluster has the same id', () => {
    expect(planInline(wish([present('b')]), holding(['a'], { scope: '0' }))).toMatchObject({
      refused: {
        kind: 'conflict',
        reason: 'ForeignPolicy',
        message: `The inline policy ${name} of ${roleName} holds users of another cluster with the same operator id. Give each cluster an operator id of its own, or delete that policy.`,
      },
    });
  });

  it('is how to have it where it is not switched on', () => {
    expect([inlineNotEnabled.kind, inlineNotEnabled.reason, inlineNotEnabled.message]).toEqual([
      'invalid',
      'InlineNotEnabled',
      'The IamDatabase asks for inline policies, which this operator is not set up to keep. Use spec.policy.delivery Managed, or ask the platform team for --inline-policies.',
    ]);
  });
});
