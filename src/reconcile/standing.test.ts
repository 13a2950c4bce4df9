import { describe, expect, it } from 'vitest';
import { aDatabase, aNamespace, aRule, aTarget, aUser, begun, deleted } from '../../test/builders/objects.ts';
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import type { DatabaseState } from './database-state.ts';
import { Failure } from '../kernel/failure.ts';
import type { Mark } from '../resources/role/mark.ts';
import { contestedServer, isDisallowed, standingOf, type View } from './standing.ts';

const resolved: DatabaseState = {
  target: aTarget(),
  admin: { serverVersion: '17.4' },
  server: undefined,
};

/** Namespace payments is known, orders is resolved and admits it, and no mark was read; unless told otherwise. */
function aView(input: {
  readonly users?: readonly IamDatabaseUser[];
  readonly databases?: readonly IamDatabase[];
  readonly states?: Readonly<Record<string, DatabaseState>>;
  readonly namespaces?: readonly string[];
  /** null: it was read, and there is none. */
  readonly mark?: Mark | null;
}): View {
  const { users = [], databases = [aDatabase()], states = { orders: resolved }, mark } = input;
  const known = input.namespaces ?? ['payments'];
  return {
    operatorID: 'operator-1',
    database: (name) => databases.find(({ metadata }) => metadata.name === name),
    databases: () => databases,
    stateOf: (name) => states[name],
    namespace: (name) => (known.includes(name) ? aNamespace(name) : undefined),
    usersNamed: (username) => users.filter(({ spec }) => spec.username === username),
    usersOf: (name) => users.filter(({ spec }) => spec.databaseRef.name === name),
    serviceAccount: () => undefined,
    markOf: () => (mark === undefined ? undefined : { mark: mark ?? undefined }),
  };
}

/** The state, and the reason where there is one. */
function stand(user: IamDatabaseUser, input: Parameters<typeof aView>[0] = {}): string {
  const standing = standingOf(user, aView({ ...input, users: [user, ...(input.users ?? [])] }));
  return 'failure' in standing ? `${standing.state}: ${standing.failure.reason}` : standing.state;
}

const unresolvedState = (failure: Failure): DatabaseState => ({ ...resolved, target: failure });
const throttled = new Failure('throttled', 'Throttled', 'AWS asks to slow down.');

describe('a user stands', () => {
  const stranger = aUser({ metadata: { namespace: 'billing' } });

  it.each<[string, string, IamDatabaseUser, Parameters<typeof aView>[0]]>([
    ['eligible where everything fits', 'eligible', aUser(), {}],
    ['unresolved without an IamDatabase', 'unresolved: DatabaseNotFound', aUser(), { databases: [] }],
    ['unresolved before the database was looked at', 'unresolved: Progressing', aUser(), { states: {} }],
    [
      'unresolved while its target is not, though it would not be allowed either',
      'unresolved: Throttled',
      stranger,
      { states: { orders: unresolvedState(throttled) } },
    ],
    [
      'unresolved, not refused, before its namespace was seen',
      'unresolved: Progressing',
      aUser(),
      { namespaces: [] },
    ],
    [
      'refused where it is not allowed',
      'refused: NamespaceNotAllowed',
      stranger,
      { namespaces: ['billing'] },
    ],
    [
      'refused with the name of the admin',
      'refused: UsernameNotAllowed',
      aUser(),
      {
        databases: [aDatabase({ spec: { admin: { username: 'payments_checkout', authentication: 'IAM' } } })],
      },
    ],
    [
      'refused with the name of the admin that another IamDatabase uses on that server',
      'refused: UsernameNotAllowed',
      aUser(),
      {
        databases: [
          aDatabase(),
          aDatabase({
            metadata: { name: 'again' },
            spec: { admin: { username: 'payments_checkout', authentication: 'IAM' } },
          }),
        ],
        states: { orders: resolved, again: resolved },
      },
    ],
    [
      'eligible with the name of an admin on another server',
      'eligible',
      aUser(),
      {
        databases: [
          aDatabase(),
          aDatabase({
            metadata: { name: 'other' },
            spec: { admin: { username: 'payments_checkout', authentication: 'IAM' } },
          }),
        ],
        states: {
          orders: resolved,
          other: { ...resolved, target: aTarget({ serverResourceID: 'db-OTHER' }) },
        },
      },
    ],
    [
      'unresolved, and does not begin, where the database is being deleted',
      'unresolved: Terminating',
      aUser(),
      { databases: [deleted(aDatabase())] },
    ],
    [
      'eligible still where the database is being deleted, if it has begun',
      'eligible',
      begun(aUser()),
      { databases: [deleted(aDatabase())] },
    ],
  ])('%s', (_sentence, expected, user, input) => {
    expect(stand(user, input)).toBe(expected);
  });
});

describe('a refusal or an open question', () => {
  const standing = (user: IamDatabaseUser, input: Parameters<typeof aView>[0] = {}) =>
    standingOf(user, aView({ users: [user], ...input }));

  it.each<[string, IamDatabaseUser, Parameters<typeof aView>[0], string, string]>([
    [
      'names the IamDatabase that is missing',
      aUser(),
      { databases: [] },
      'missing',
      'There is no IamDatabase named orders.',
    ],
    [
      'is a step on the way before the database was looked at',
      aUser(),
      { states: {} },
      'unavailable',
      'The database was not looked at yet.',
    ],
    [
      'is a step on the way before the namespace was',
      aUser(),
      { namespaces: [] },
      'unavailable',
      'The namespace was not looked at yet.',
    ],
    [
      'says that a database which is being deleted admits nobody new',
      aUser(),
      { databases: [deleted(aDatabase())] },
      'unavailable',
      'IamDatabase orders is being deleted and admits nobody new.',
    ],
    [
      "names the operator's admin",
      aUser({ spec: { username: 'payments_admin' } }),
      { databases: [aDatabase({ spec: { admin: { username: 'payments_admin', authentication: 'IAM' } } })] },
      'invalid',
      'User name "payments_admin" is the operator\'s admin on this server.',
    ],
    [
      'names the further database that nobody admits it to',
      aUser({ spec: { connectDatabases: ['orders', 'reports'] } }),
      {},
      'invalid',
      'connectDatabases names "reports", and no IamDatabase of this server with that spec.database admits this object.',
    ],
  ])('%s', (_sentence, user, input, kind, message) => {
    expect(standing(user, input)).toMatchObject({ failure: { kind, message } });
  });

  it("is the owner's only where it is surely the owner who does not allow it", () => {
    const by = (user: IamDatabaseUser, input: Parameters<typeof aView>[0]) => {
      const judged = standing(user, input);
      return judged.state === 'refused' ? judged.by : judged.state;
    };
    const reports = aUser({ spec: { connectDatabases: ['reports'] } });
    const admin = aDatabase({ spec: { admin: { username: 'payments_checkout', authentication: 'IAM' } } });
    expect(by(aUser(), { databases: [aDatabase({ spec: { allow: [] } })] })).toBe('owner');
    expect(by(reports, {})).toBe('owner');
    expect(by(reports, { databases: [aDatabase(), aDatabase({ metadata: { name: 'unseen' } })] })).toBe(
      'others',
    );
    expect(by(aUser(), { databases: [admin] })).toBe('others');
    expect(isDisallowed(aUser(), aView({ databases: [aDatabase({ spec: { allow: [] } })] }))).toBe(true);
    expect(isDisallowed(aUser(), aView({ databases: [admin] }))).toBe(false);
    expect(isDisallowed(aUser(), aView({ databases: [] }))).toBe(false);
    expect(isDisallowed(aUser(), aView({}))).toBe(false);
  });
});

it('an admin of each database of the server is reserved, where the operator has one', () => {
  const byOthers = aDatabase({ metadata: { name: 'by-others' } });
  const { admin: _none, ...spec } = byOthers.spec;
  const databases = [aDatabase(), { ...byOthers, spec }];
  const standing = standingOf(
    aUser(),
    aView({ databases, states: { orders: resolved, 'by-others': resolved } }),
  );
  expect(standing).toMatchObject({ state: 'eligible', reservedUsernames: ['iamdb_admin'] });
});

it('the database of its own, named once more, needs no other IamDatabase that admits it', () => {
  const own = aUser({ spec: { connectDatabases: ['orders'] } });
  expect(stand(own, { databases: [aDatabase()] })).toBe('eligible');
});

const at = (name: string, day: number) =>
  aUser({
    metadata: { name, creationTimestamp: `2026-01-0${day}T00:00:00Z` },
    spec: { username: `payments_${name}` },
  });

const allowing = (...maxUsers: readonly (number | undefined)[]) => ({
  databases: [
    aDatabase({
      spec: { allow: maxUsers.map((max) => aRule(max === undefined ? {} : { maxUsers: max })) },
    }),
  ],
});

describe('maxUsers', () => {
  const [first, second, third] = [at('first', 1), at('second', 2), at('third', 3)];
  it.each<[string, string, IamDatabaseUser, Parameters<typeof aView>[0]]>([
    ['admits the first of one', 'eligible', first, { ...allowing(1), users: [second] }],
    ['refuses the second of one', 'refused: TooManyUsers', second, { ...allowing(1), users: [first] }],
    ['admits the second of two', 'eligible', second, { ...allowing(2), users: [first, third] }],
    [
      'never refuses who has begun, though there are too many',
      'eligible',
      begun(third),
      { ...allowing(1), users: [begun(first), begun(second)] },
    ],
    [
      'counts who has begun before who is older',
      'refused: TooManyUsers',
      first,
      { ...allowing(1), users: [begun(third)] },
    ],
    [
      'does not count who leaves without having begun',
      'eligible',
      second,
      { ...allowing(1), users: [deleted(first)] },
    ],
    [
      'counts who leaves and is not gone yet',
      'refused: TooManyUsers',
      second,
      { ...allowing(1), users: [deleted(begun(first))] },
    ],
    [
      'does not count users of another namespace',
      'eligible',
      second,
      {
        ...allowing(1),
        users: [aUser({ metadata: { name: 'x', namespace: 'billing' } })],
        namespaces: ['payments', 'billing'],
      },
    ],
    [
      'is no limit where another rule has none',
      'eligible',
      second,
      { ...allowing(1, undefined), users: [first] },
    ],
    ['is the sum where two rules have one', 'eligible', second, { ...allowing(1, 1), users: [first] }],
    [
      'is not taken up by whoever another rule admits without limit',
      'eligible',
      second,
      {
        databases: [
          aDatabase({
            spec: {
              allow: [
                aRule({ namespaces: { names: ['billing'] } }),
                aRule({ namespaces: { names: ['payments', 'billing'] }, maxUsers: 1 }),
              ],
            },
          }),
        ],
        users: [
          begun(
            aUser({ metadata: { name: 'x', namespace: 'billing' }, spec: { username: 'payments_billing' } }),
          ),
        ],
        namespaces: ['payments', 'billing'],
      },
    ],
    [
      'refuses where each of two rules is full',
      'refused: TooManyUsers',
      third,
      { ...allowing(1, 1), users: [first, second] },
    ],
  ])('%s', (_sentence, expected, user, input) => {
    expect(stand(user, input)).toBe(expected);
  });

  it('counts, beside who has begun, only who is older, and never itself', () => {
    const waits = { ...allowing(1), users: [first, second, third] };
    expect(
      [first, second, third].map((one) =>
        stand(one, { ...waits, users: waits.users.filter((other) => other !== one) }),
      ),
    ).toEqual(['eligible', 'refused: TooManyUsers', 'refused: TooManyUsers']);
  });

  it('does not count it itself, where it is known already to have begun', () => {
    const view = aView({ ...allowing(1), users: [begun(first)] });
    expect(standingOf(first, view).state).toBe('eligible');
  });

  it('counts no users of another database of the same rules', () => {
    const elsewhere = { ...first, spec: { ...first.spec, databaseRef: { name: 'other' } } };
    expect(stand(second, { ...allowing(1), users: [elsewhere] })).toBe('eligible');
  });

  it('says how many there may be', () => {
    const standing = standingOf(second, aView({ ...allowing(1), users: [first, second] }));
    expect(standing).toMatchObject({
      by: 'owner',
      failure: {
        kind: 'invalid',
        message: 'Each rule of IamDatabase orders that admits this object is full (maxUsers 1).',
      },
    });
    const two = standingOf(third, aView({ ...allowing(1, 1), users: [first, second, third] }));
    expect(two).toMatchObject({ failure: { message: expect.stringContaining('maxUsers 1 and 1') } });
  });
});

describe('where another object asks for the same user name', () => {
  const other = aUser({ metadata: { name: 'other', creationTimestamp: '2026-01-02T00:00:00Z' } });
  const older = aUser({ metadata: { name: 'older', creationTimestamp: '2025-01-01T00:00:00Z' } });
  /** Of the role that they ask for, as it would be written for `other` on this server. */
  const named: Mark = {
    operatorID: 'operator-1',
    namespaceUID: 'uid-payments',
    namespace: 'payments',
    name: 'other',
    uid: 'uid-payments-other',
    serverResourceID: 'cluster-ABC',
    groups: [],
    databases: [],
    settings: [],
  };
  const trusting = { databases: [aDatabase({ spec: { trustedOperatorIDs: ['operator-0'] } })] };
  const again = { ...other, spec: { ...other.spec, databaseRef: { name: 'again' } } };
  const trustingAgain = aDatabase({
    metadata: { name: 'again' },
    spec: { trustedOperatorIDs: ['operator-0'] },
  });

  it.each<[string, string, IamDatabaseUser, Parameters<typeof aView>[0]]>([
    ['it is contested until the mark was read', 'contested', aUser(), { users: [other] }],
    ['the older holds it', 'eligible', aUser(), { users: [other], mark: null }],
    ['the younger does not', 'refused: Conflict', aUser(), { users: [older], mark: null }],
    ['the marked holds it', 'refused: Conflict', aUser(), { users: [other], mark: named }],
    [
      'the older holds it where the mark names nobody who asks',
      'eligible',
      aUser(),
      { users: [other], mark: { ...named, namespace: 'gone', name: 'gone' } },
    ],
    [
      'the marked holds it, though it was made anew, on a restored copy of the server',
      'refused: Conflict',
      aUser(),
      { users: [other], mark: { ...named, uid: 'uid-of-its-first-life', serverResourceID: 'cluster-OLD' } },
    ],
    [
      'the older holds it where another namespace of that name is marked',
      'eligible',
      aUser(),
      { users: [other], mark: { ...named, namespaceUID: 'uid-of-an-earlier-namespace' } },
    ],
    [
      'the older holds it where another operator marked the role',
      'eligible',
      aUser(),
      { users: [other], mark: { ...named, operatorID: 'operator-0' } },
    ],
    [
      'whom an operator marked that its database trusts holds it, though its namespace was another one',
      'refused: Conflict',
      aUser(),
      {
        ...trusting,
        users: [other],
        mark: { ...named, operatorID: 'operator-0', namespaceUID: 'uid-in-the-old-cluster' },
      },
    ],
    [
      'so does the one itself, though an older one was applied first',
      'eligible',
      other,
      {
        ...trusting,
        users: [older],
        mark: { ...named, operatorID: 'operator-0', namespaceUID: 'uid-in-the-old-cluster' },
      },
    ],
    [
      'whom an operator marked that its own IamDatabase trusts holds it, whatever the other one trusts',
      'refused: Conflict',
      aUser(),
      {
        users: [again],
        databases: [aDatabase(), trustingAgain],
        states: { orders: resolved, again: resolved },
        mark: { ...named, operatorID: 'operator-0' },
      },
    ],
    [
      'no trust of another IamDatabase helps it',
      'eligible',
      aUser(),
      {
        users: [other],
        databases: [aDatabase(), trustingAgain],
        states: { orders: resolved, again: resolved },
        mark: { ...named, operatorID: 'operator-0' },
      },
    ],
    [
      'one that is leaving holds it until it is gone',
      'refused: Conflict',
      aUser(),
      { users: [deleted(begun(other))], mark: named },
    ],
    [
      'one that leaves without having begun does not compete',
      'eligible',
      aUser(),
      { users: [deleted(older)] },
    ],
    [
      'one that is leaving another server does not compete',
      'eligible',
      aUser(),
      {
        users: [deleted(begun({ ...older, spec: { ...older.spec, databaseRef: { name: 'other' } } }))],
        databases: [aDatabase(), aDatabase({ metadata: { name: 'other' } })],
        states: {
          orders: resolved,
          other: { ...resolved, target: aTarget({ serverResourceID: 'db-OTHER' }) },
        },
      },
    ],
    [
      'one that is leaving a database that nobody can find does not compete',
      'eligible',
      aUser(),
      {
        users: [deleted(begun({ ...older, spec: { ...older.spec, databaseRef: { name: 'lost' } } }))],
        states: { orders: resolved, lost: unresolvedState(throttled) },
      },
    ],
    [
      'one that is leaving a database that was never looked at does not compete',
      'eligible',
      aUser(),
      { users: [deleted(begun({ ...older, spec: { ...older.spec, databaseRef: { name: 'new' } } }))] },
    ],
    [
      'one that is not allowed does not compete',
      'eligible',
      aUser(),
      {
        users: [
          aUser({
            metadata: { name: 'older', namespace: 'billing', creationTimestamp: '2025-01-01T00:00:00Z' },
          }),
        ],
        namespaces: ['payments', 'billing'],
      },
    ],
    [
      'one whose database is not resolved does not compete',
      'eligible',
      aUser(),
      {
        users: [
          aUser({
            metadata: { name: 'older', creationTimestamp: '2025-01-01T00:00:00Z' },
            spec: { databaseRef: { name: 'lost' } },
          }),
        ],
      },
    ],
    [
      'a suspended one competes',
      'refused: Conflict',
      aUser(),
      { users: [{ ...older, spec: { ...older.spec, suspend: true } }], mark: null },
    ],
    [
      'one on another server does not compete',
      'eligible',
      aUser(),
      {
        users: [{ ...older, spec: { ...older.spec, databaseRef: { name: 'other' } } }],
        databases: [aDatabase(), aDatabase({ metadata: { name: 'other' } })],
        states: {
          orders: resolved,
          other: { ...resolved, target: aTarget({ serverResourceID: 'db-OTHER' }) },
        },
      },
    ],
    [
      'one that reaches the same server by another IamDatabase competes',
      'refused: Conflict',
      aUser(),
      {
        users: [{ ...older, spec: { ...older.spec, databaseRef: { name: 'again' } } }],
        databases: [aDatabase(), aDatabase({ metadata: { name: 'again' } })],
        states: { orders: resolved, again: resolved },
        mark: null,
      },
    ],
  ])('%s', (_sentence, expected, user, input) => {
    expect(stand(user, input)).toBe(expected);
  });

  it('names the holder and what to do', () => {
    const standing = standingOf(aUser(), aView({ users: [aUser(), older], mark: null }));
    expect(standing).toMatchObject({
      by: 'others',
      failure: { kind: 'conflict', message: expect.stringMatching(/payments\/older holds.*[Uu]se another/) },
    });
  });

  it('knows the server whose role has to be asked, contested or decided', () => {
    const users = [aUser(), other];
    expect(contestedServer(aUser(), aView({ users }))).toBe('cluster-ABC');
    expect(contestedServer(aUser(), aView({ users, mark: named }))).toBe('cluster-ABC');
    expect(contestedServer(aUser(), aView({ users: [aUser()] }))).toBeUndefined();
    expect(contestedServer(aUser(), aView({ users, databases: [] }))).toBeUndefined();
  });
});
