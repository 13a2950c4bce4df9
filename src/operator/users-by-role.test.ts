import { describe, expect, it } from 'vitest';
import { aUser, accountID, begun, roleARN } from '../../test/builders/objects.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import { Failure } from '../kernel/failure.ts';
import { createStore } from '../controller/store.ts';
import { type ServiceAccountObject, serviceAccountIndexes, serviceAccountView } from './service-accounts.ts';
import { userIndexes, usersByRole } from './users-by-role.ts';

const other = `arn:aws:iam::${accountID}:role/payments-other`;
const user = (name: string, ...principals: IamDatabaseUser['spec']['principals']) =>
  aUser({ metadata: { name }, spec: { principals } });
const by = (name: string) => ({ serviceAccount: { name } });

/** `associations`: roles by ServiceAccount, or why they are not known. */
function usersOf(
  users: readonly IamDatabaseUser[],
  accounts: Readonly<Record<string, string | undefined>>,
  associations: Readonly<Record<string, string | Failure>> = {},
) {
  const report = () => {};
  const userStore = createStore<IamDatabaseUser, keyof typeof userIndexes>({ indexes: userIndexes, report });
  const accountStore = createStore<ServiceAccountObject, 'role'>({ indexes: serviceAccountIndexes, report });
  for (const one of users) userStore.upsert(one);
  for (const [name, role] of Object.entries(accounts)) {
    const metadata = { name, namespace: 'payments', uid: name, resourceVersion: '1' };
    accountStore.upsert({ metadata, roleARN: role });
  }
  const { naming, possible } = usersByRole(
    userStore,
    accountStore,
    serviceAccountView(accountStore, {
      of: (account) => {
        const found = associations[account.replace('payments/', '')];
        return typeof found === 'string'
          ? { roleARN: found, podRoleARN: found, hasSessionTags: true }
          : found;
      },
      associatedWith: (role) =>
        Object.entries(associations).flatMap(([name, found]) => (found === role ? [`payments/${name}`] : [])),
    }),
  )(roleARN);
  const names = (some: readonly IamDatabaseUser[]) => some.map(({ metadata }) => metadata.name).toSorted();
  return { naming: names(naming), possible: names(possible) };
}

describe('the users of an IAM role are', () => {
  it('those that name it, by themselves or by a ServiceAccount, each once', () => {
    const users = [
      user('a', { roleARN }),
      user('b', by('sa')),
      user('c', { roleARN }, by('sa')),
      user('d', { roleARN: other }),
      user('e', by('else')),
    ];
    expect(usersOf(users, { sa: roleARN, else: other }).naming).toEqual(['a', 'b', 'c']);
  });

  it('not those of a ServiceAccount of that name in another namespace', () => {
    const stranger = aUser({ metadata: { namespace: 'billing' }, spec: { principals: [by('sa')] } });
    expect(usersOf([stranger], { sa: roleARN })).toEqual({ naming: [], possible: [] });
  });

  it('possibly those of a ServiceAccount whose role is not known, once they have begun', () => {
    const users = [
      begun(user('gone', by('gone'))),
      begun(user('bare', { roleARN: other }, by('bare'))),
      begun(user('known', by('sa'))),
      begun(user('named', { roleARN: other })),
      user('new', by('gone')),
    ];
    expect(usersOf(users, { sa: other, bare: undefined }).possible).toEqual(['bare', 'gone']);
  });

  it('those by an association, which stands before the annotation', () => {
    const users = [user('a', by('sa')), user('b', by('both')), user('c', by('moved'), { roleARN })];
    const accounts = { sa: undefined, both: roleARN, moved: roleARN };
    expect(usersOf(users, accounts, { sa: roleARN, both: other, moved: other }).naming).toEqual(['a', 'c']);
  });

  it('possibly those whose association is not known, annotated or not', () => {
    const failure = new Failure('unavailable', 'Progressing', 'Not looked at yet.');
    const users = [begun(user('a', by('sa'))), begun(user('b', by('bare')))];
    expect(usersOf(users, { sa: roleARN, bare: undefined }, { sa: failure, bare: failure })).toEqual({
      naming: [],
      possible: ['a', 'b'],
    });
  });

  it('and not possibly what they are for certain', () => {
    const both = begun(user('both', { roleARN }, by('gone')));
    expect(usersOf([both], {})).toEqual({ naming: ['both'], possible: [] });
  });
});
