import { beforeEach, describe, expect, it } from 'vitest';
import { Failure } from '../kernel/failure.ts';
import type { PodIdentity, PodIdentityPort } from '../reconcile/principals.ts';
import { createPodIdentities, noPodIdentities, type PodIdentities } from './pod-identities.ts';

const { signal } = new AbortController();
const to = (name: string): PodIdentity => {
  const roleARN = `arn:aws:iam::111122223333:role/${name}`;
  return { roleARN, podRoleARN: roleARN, hasSessionTags: true };
};
const [one, two] = [to('one'), to('two')];
const denied = new Failure('denied', 'AccessDenied', 'No.');

let inAws: Map<string, { id: string; leadsTo: PodIdentity | undefined }>;
let broken: { list?: Failure; describe?: Failure };
let described: string[];
let changes: (readonly [string, string | undefined])[];
let noted: string[];
let identities: PodIdentities;
const put = (account: string, id: string, leadsTo: PodIdentity | undefined = one) =>
  inAws.set(account, { id, leadsTo });
const look = (...accounts: string[]) => identities.look(accounts, signal);
const reason = (account: string) => {
  const found = identities.of(account);
  return found instanceof Failure ? found.reason : found?.roleARN;
};

beforeEach(() => {
  inAws = new Map();
  broken = {};
  described = [];
  changes = [];
  noted = [];
  const port: PodIdentityPort = {
    list: () =>
      broken.list === undefined
        ? Promise.resolve(new Map([...inAws].map(([account, { id }]) => [account, id])))
        : Promise.reject(broken.list),
    describe: (id) => {
      described.push(id);
      if (broken.describe !== undefined) return Promise.reject(broken.describe);
      return Promise.resolve([...inAws.values()].find((entry) => entry.id === id)?.leadsTo);
    },
  };
  identities = createPodIdentities({
    port,
    onChange: (account, was) => changes.push([account, was?.roleARN]),
    note: (failure) => noted.push(failure.reason),
  });
});

describe('an association', () => {
  it('is not known before the first look, whatever the ServiceAccount', () => {
    expect(reason('a/x')).toBe('Progressing');
  });

  it('is known after it, as is that there is none; only those asked for are described', async () => {
    put('a/x', '1');
    put('a/y', '2', two);
    await look('a/x', 'a/none');
    expect(identities.of('a/x')).toEqual(one);
    expect(identities.of('a/none')).toBeUndefined();
    expect(reason('a/y')).toBe('Progressing');
    expect(described).toEqual(['1']);
    expect(identities.associatedWith(one.roleARN)).toEqual(['a/x']);
    expect(identities.associatedWith(two.roleARN)).toEqual([]);
    expect(changes).toEqual([]);
  });

  it('is not looked for where nobody names a ServiceAccount', async () => {
    await look();
    expect(reason('a/x')).toBe('Progressing');
  });

  it('that leads elsewhere is told with the role it led to', async () => {
    put('a/x', '1');
    await look('a/x');
    put('a/x', '1', two);
    await look('a/x');
    expect(reason('a/x')).toBe(two.roleARN);
    expect(changes).toEqual([['a/x', one.roleARN]]);
    expect(identities.associatedWith(one.roleARN)).toEqual([]);
    await look('a/x');
    expect(changes).toHaveLength(1);
  });

  it('that is made anew is told once it is described, though another saw it first', async () => {
    put('a/x', '1');
    await look('a/x');
    put('a/x', '2', two);
    await look('a/other');
    expect(reason('a/x')).toBe('Progressing');
    expect(changes).toEqual([]);
    await look('a/x');
    expect(changes).toEqual([['a/x', one.roleARN]]);
  });

  it('that goes is told, and so is the first one', async () => {
    await look('a/x');
    put('a/x', '1');
    await look('a/x');
    expect(changes).toEqual([['a/x', undefined]]);
    inAws.clear();
    await look('a/other');
    expect(identities.of('a/x')).toBeUndefined();
    expect(changes).toEqual([
      ['a/x', undefined],
      ['a/x', one.roleARN],
    ]);
    expect(identities.associatedWith(one.roleARN)).toEqual([]);
  });

  it('that was there before the first look is news to nobody when it is described', async () => {
    put('a/x', '1');
    await look('a/other');
    await look('a/x');
    expect(changes).toEqual([]);
  });

  it('is told once, though several look at the same time', async () => {
    put('a/x', '1');
    await look('a/x');
    put('a/x', '1', two);
    put('a/y', '2');
    await Promise.all([look('a/x', 'a/y'), look('a/x', 'a/y'), look('a/x')]);
    expect(changes.toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ['a/x', one.roleARN],
      ['a/y', undefined],
    ]);
  });

  it('stays as it was seen last while AWS does not answer', async () => {
    put('a/x', '1');
    await look('a/x');
    broken = { list: denied, describe: denied };
    await look('a/x', 'a/y');
    expect(reason('a/x')).toBe(one.roleARN);
    expect(identities.of('a/y')).toBeUndefined();
    expect(noted).toEqual(['AccessDenied', 'AccessDenied']);
    expect(changes).toEqual([]);
  });

  it('that was never seen is unknown, for the reason that AWS gave', async () => {
    broken.list = denied;
    await look('a/x');
    expect(reason('a/x')).toBe('AccessDenied');
    broken = { describe: denied };
    put('a/x', '1');
    await look('a/x');
    expect(reason('a/x')).toBe('AccessDenied');
    broken = {};
    await look('a/x');
    expect(reason('a/x')).toBe(one.roleARN);
    expect(changes).toEqual([]);
  });

  it('that is gone between the list and its description is not known until the next look', async () => {
    put('a/x', '1');
    await look('a/x');
    inAws.set('a/x', { id: '1', leadsTo: undefined });
    await look('a/x');
    expect(reason('a/x')).toBe('Progressing');
  });
});

it('there are none where Pod Identity is not used', async () => {
  await noPodIdentities.look(['a/x'], signal);
  expect(noPodIdentities.of('a/x')).toBeUndefined();
  expect(noPodIdentities.associatedWith(one.roleARN)).toEqual([]);
});
