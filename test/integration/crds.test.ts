// What the real API server makes of the two kinds: what it fills in, refuses and prints.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { userARNs } from '../../src/reconcile/user-arns.ts';
import { type RdsDirectory, resolveTarget } from '../../src/resources/target/resource.ts';
import { findBinaries } from '../bed/binaries.ts';
import { createChildren } from '../bed/children.ts';
import { type Kube, startKube } from '../bed/kube.ts';
import { applyCRDs } from '../stage/cluster.ts';

type Json = { readonly [key: string]: unknown };

const children = createChildren();
let kube: Kube;

beforeAll(async () => {
  kube = await startKube({ binaries: await findBinaries({ progress: console.log }), children });
  await applyCRDs(kube);
}, 900_000);
afterAll(async () => {
  await kube.stop();
  await children.stop();
}, 30_000);

const api = '/apis/iamdb.dev/v1alpha1';
const users = `${api}/namespaces/default/iamdatabaseusers`;
const databases = `${api}/iamdatabases`;
const arn = 'arn:aws:iam::111122223333:role/payments-checkout';

const userSpec = (over: Json = {}): Json => ({
  databaseRef: { name: 'orders' },
  username: 'payments_checkout',
  principals: [{ roleARN: arn }],
  ...over,
});
const rule = (over: Json = {}): Json => ({
  namespaces: { names: ['payments'] },
  usernames: ['payments_*'],
  principals: ['arn:aws:iam::111122223333:role/payments-*'],
  ...over,
});
const databaseSpec = (over: Json = {}): Json => ({
  target: { type: 'Cluster', cluster: { identifier: 'orders-prod', region: 'ap-northeast-2' } },
  admin: { username: 'iamdb_admin' },
  ...over,
});
const explicit = (over: Json = {}): Json => ({
  host: 'orders.example.com',
  region: 'ap-northeast-2',
  accountID: '111122223333',
  resourceIDs: ['cluster-ABC'],
  ...over,
});

interface Stored {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly spec: Json;
  readonly status: Json;
}
interface Answer {
  readonly status: number;
  readonly body: Stored & { readonly message?: string };
}

const object = (kind: string, name: string, spec: Json): Json => ({
  apiVersion: 'iamdb.dev/v1alpha1',
  kind,
  metadata: { name },
  spec,
});
const kindOf = (path: string) => (path === users ? 'IamDatabaseUser' : 'IamDatabase');

/** As `kubectl apply --dry-run=server`: judged, filled in, not kept. */
const judged = (path: string, spec: Json): Promise<Answer> =>
  kube.request<Answer['body']>({
    method: 'POST',
    path: `${path}?dryRun=All&fieldValidation=Strict`,
    body: object(kindOf(path), 'judged', spec),
  });

/** What the API server says against it; empty where it takes it. */
async function objection(path: string, spec: Json): Promise<string> {
  const { status, body } = await judged(path, spec);
  return status === 201 ? '' : `${status} ${body.message}`;
}

const create = async (path: string, name: string, spec: Json): Promise<Stored> =>
  (await kube.request<Stored>({ method: 'POST', path, body: object(kindOf(path), name, spec), expect: 201 }))
    .body;

/** What it says against a merge patch of the spec of an object that is there. */
async function objectionToChange(path: string, name: string, spec: Json): Promise<string> {
  const { status, body } = await kube.request<{ readonly message?: string }>({
    method: 'PATCH',
    path: `${path}/${name}?dryRun=All`,
    body: { spec },
  });
  return status === 200 ? '' : `${status} ${body.message}`;
}

const withLongName = (length: number, spec: Json) =>
  kube.request<Answer['body']>({
    method: 'POST',
    path: `${users}?dryRun=All`,
    body: object('IamDatabaseUser', 'x'.repeat(length), spec),
  });

describe('an IamDatabaseUser', () => {
  it('gets what it does not say', async () => {
    const { spec, status } = (await judged(users, userSpec())).body;
    expect(spec).toEqual({
      ...userSpec(),
      memberOf: [],
      connectionLimit: -1,
      trustBundle: {},
      connection: { type: 'ConfigMap' },
      probe: { as: 'Auto' },
      settings: {},
      deletionPolicy: 'Delete',
      mode: 'Enforce',
      suspend: false,
    });
    expect(status).toEqual({ observedGeneration: -1 });
  });

  it.each([
    'payments_checkout',
    'Payments.Checkout-1@eu',
    '_x',
    'x'.repeat(63),
    'pgbouncer',
    'postgres_exporter',
    'allowed',
    'iamdb_admin',
  ])('may have the user name %s', async (username) => {
    expect(await objection(users, userSpec({ username }))).toBe('');
  });

  it.each([
    'pg_x',
    'PG_monitor',
    'rdsadmin',
    'iamdb_definer',
    'Iamdb_Rehearsal_0123456789ab',
    'rds_iam',
    'RDSx',
    'public',
    'PUBLIC',
    'none',
    'all',
    'replication',
    'user',
    'User',
    'postgres',
  ])('may not have the reserved user name %s, and is told what to use instead', async (username) => {
    expect(await objection(users, userSpec({ username }))).toMatch(
      /reserved by PostgreSQL, RDS or the operator.*as prefix/,
    );
  });

  it.each(['a/b', 'a:b', 'a*b', 'a?b', 'a$b', 'ü', 'a b', '1a', '-a', 'a+b', 'a\nb', "a'b"])(
    'may not have the user name %j, and is told which characters may stand there',
    async (username) => {
      expect(await objection(users, userSpec({ username }))).toContain('use a letter or _ first');
    },
  );

  it.each<[string, Json, string]>([
    ['a user name of 64 characters', { username: 'x'.repeat(64) }, 'may not be more than 63'],
    ['an empty user name', { username: '' }, 'spec.username'],
    ['no principal', { principals: [] }, 'spec.principals'],
    ['17 principals', { principals: Array.from({ length: 17 }, () => ({ roleARN: arn })) }, 'at most 16'],
    [
      'a wildcard in a principal',
      { principals: [{ roleARN: 'arn:aws:iam::111122223333:role/*' }] },
      'roleARN',
    ],
    [
      'a principal that is a user',
      { principals: [{ roleARN: 'arn:aws:iam::111122223333:user/x' }] },
      'roleARN',
    ],
    ['a principal without an account', { principals: [{ roleARN: 'arn:aws:iam:::role/x' }] }, 'roleARN'],
    ['a principal that says nothing', { principals: [{}] }, 'exactly one of roleARN and serviceAccount'],
    [
      'a principal that is two',
      { principals: [{ roleARN: arn, serviceAccount: { name: 'checkout' } }] },
      'exactly one of roleARN and serviceAccount',
    ],
    ['a ServiceAccount without a name', { principals: [{ serviceAccount: {} }] }, 'serviceAccount.name'],
    [
      'a ServiceAccount of another namespace',
      { principals: [{ serviceAccount: { name: 'checkout', namespace: 'billing' } }] },
      'unknown field',
    ],
    ['a group twice', { memberOf: ['a', 'a'] }, 'Duplicate value'],
    ['an empty group', { memberOf: [''] }, 'spec.memberOf'],
    ['no database to connect to, but a list', { connectDatabases: [] }, 'spec.connectDatabases'],
    ['a connection limit below none', { connectionLimit: -2 }, 'spec.connectionLimit'],
    [
      'a connection of another type',
      { connection: { type: 'Secret' } },
      'supported values: "ConfigMap", "None"',
    ],
    ['a proof by somebody else', { probe: { as: 'Root' } }, 'supported values: "Auto"'],
    ['a ConfigMap name that there cannot be', { trustBundle: { configMapName: 'a..b' } }, 'configMapName'],
    ['a ConfigMap name in upper case', { connection: { configMapName: 'DB' } }, 'configMapName'],
    ['a field that there is not', { password: 'x' }, 'unknown field "spec.password"'],
    ['a host', { host: 'evil.example.com' }, 'unknown field "spec.host"'],
    ['a Secret', { secretRef: { name: 'x' } }, 'unknown field "spec.secretRef"'],
  ])('may not have %s', async (_what, over, expected) => {
    expect(await objection(users, userSpec(over))).toContain(expected);
  });

  it.each(['databaseRef', 'username', 'principals'])('must have %s', async (field) => {
    const { [field]: _, ...rest } = userSpec();
    expect(await objection(users, rest)).toContain(`spec.${field}: Required value`);
  });

  it('may not have a name that is too long for its ConfigMap, unless it names one', async () => {
    expect((await withLongName(242, userSpec())).status).toBe(201);
    expect((await withLongName(243, userSpec())).body.message).toContain('set spec.connection.configMapName');
    expect((await withLongName(243, userSpec({ connection: { configMapName: 'db' } }))).status).toBe(201);
  });

  it.each<[string, Json, string]>([
    [
      'databaseRef',
      { databaseRef: { name: 'other' } },
      'databaseRef is immutable: create another IamDatabaseUser',
    ],
    ['username', { username: 'payments_other' }, 'username is immutable: create another IamDatabaseUser'],
    ['username by its case alone', { username: 'Payments_checkout' }, 'username is immutable'],
    ['databaseRef by leaving it out', { databaseRef: null }, 'spec.databaseRef: Required value'],
  ])('keeps its %s', async (_field, change, expected) => {
    await kube.request({ method: 'DELETE', path: `${users}/kept` });
    await create(users, 'kept', userSpec());
    expect(await objectionToChange(users, 'kept', change)).toContain(expected);
    expect(await objectionToChange(users, 'kept', { connectionLimit: 5, memberOf: ['a'] })).toBe('');
  });
});

describe('an IamDatabase', () => {
  it('gets what it does not say', async () => {
    const { spec, status } = (await judged(databases, databaseSpec())).body;
    expect(spec).toEqual({
      ...databaseSpec(),
      database: 'postgres',
      role: { delivery: 'Managed' },
      policy: { delivery: 'Managed' },
      admin: { username: 'iamdb_admin', authentication: 'IAM' },
      allow: [],
      trustedOperatorIDs: [],
      probe: { policy: 'Periodic', intervalSeconds: 3600 },
      resync: { policy: 'Periodic', intervalSeconds: 600 },
      onPermissionLost: { graceSeconds: 300 },
      orphanOnUnreachable: false,
      mode: 'Enforce',
      suspend: false,
    });
    expect(status).toEqual({ observedGeneration: -1 });
  });

  it('gets the port of an explicit target', async () => {
    const { spec } = (
      await judged(databases, databaseSpec({ target: { type: 'Explicit', explicit: explicit() } }))
    ).body;
    expect(spec['target']).toEqual({
      type: 'Explicit',
      explicit: explicit({ port: 5432 }),
    });
  });

  const named = { identifier: 'orders-prod', region: 'ap-northeast-2' };
  it.each<[string, Json]>([
    ['a cluster', { type: 'Cluster', cluster: named }],
    ['an instance', { type: 'Instance', instance: named }],
    ['an explicit target', { type: 'Explicit', explicit: explicit() }],
  ])('may be %s', async (_what, target) => {
    expect(await objection(databases, databaseSpec({ target }))).toBe('');
  });

  it.each<[string, Json]>([
    ['nothing but a type', { type: 'Cluster' }],
    ['the field of another type', { type: 'Cluster', instance: named }],
    ['the field of another type as well', { type: 'Instance', instance: named, cluster: named }],
    ['a cluster as explicit', { type: 'Explicit', cluster: named }],
    ['all there is', { type: 'Explicit', explicit: explicit(), cluster: named, instance: named }],
  ])('may not have in its target %s', async (_what, target) => {
    expect(await objection(databases, databaseSpec({ target }))).toContain(
      'fill exactly the field that type names: cluster, instance or explicit',
    );
  });

  it.each<[string, Json, string]>([
    [
      'a target of another type',
      { target: { type: 'Proxy' } },
      'supported values: "Cluster", "Instance", "Explicit"',
    ],
    [
      'a region that there cannot be',
      { target: { type: 'Cluster', cluster: { identifier: 'a', region: 'Seoul' } } },
      'region',
    ],
    [
      'an account of 11 digits',
      { target: { type: 'Explicit', explicit: explicit({ accountID: '11112222333' }) } },
      'accountID',
    ],
    [
      'a resource id with a wildcard',
      { target: { type: 'Explicit', explicit: explicit({ resourceIDs: ['cluster-*'] }) } },
      'resourceIDs',
    ],
    [
      'no resource id',
      { target: { type: 'Explicit', explicit: explicit({ resourceIDs: [] }) } },
      'resourceIDs',
    ],
    ['a host with a path', { target: { type: 'Explicit', explicit: explicit({ host: 'a/b' }) } }, 'host'],
    [
      'a role to assume that is a pattern',
      { assumeRole: { arn: 'arn:aws:iam::111122223333:role/*' } },
      'spec.assumeRole.arn',
    ],
    [
      'an external id that AWS does not take',
      { assumeRole: { arn, externalID: 'a b' } },
      'spec.assumeRole.externalID',
    ],
    [
      'an explicit target in another account than the role to assume',
      {
        target: { type: 'Explicit', explicit: explicit({ accountID: '444455556666' }) },
        assumeRole: { arn },
      },
      'target.explicit has to be in the account and partition of assumeRole.arn',
    ],
    [
      'an explicit target in another partition than the role to assume',
      {
        target: { type: 'Explicit', explicit: explicit({ partition: 'aws-cn' }) },
        assumeRole: { arn },
      },
      'target.explicit has to be in the account and partition of assumeRole.arn',
    ],
    ['no admin', { admin: undefined }, 'admin is required unless role.delivery is SQL or None'],
    ['another delivery of roles', { role: { delivery: 'Inline' } }, 'spec.role.delivery'],
    ['an admin without a name', { admin: { username: '' } }, 'spec.admin.username'],
    [
      'a Secret without its name',
      { admin: { username: 'a', authentication: 'Secret' } },
      'secretRef goes with authentication Secret, and only with it',
    ],
    [
      'the name of a Secret with IAM',
      { admin: { username: 'a', secretRef: { name: 'x' } } },
      'secretRef goes with authentication Secret, and only with it',
    ],
    [
      'the name of a Secret with ManagedSecret',
      { admin: { username: 'a', authentication: 'ManagedSecret', secretRef: { name: 'x' } } },
      'secretRef goes with authentication Secret, and only with it',
    ],
    [
      'a managed secret where RDS is not asked',
      {
        target: { type: 'Explicit', explicit: explicit() },
        admin: { username: 'a', authentication: 'ManagedSecret' },
      },
      'needs a target that RDS is asked about',
    ],
    [
      'a Secret of another namespace',
      { admin: { username: 'a', authentication: 'Secret', secretRef: { name: 'x', namespace: 'y' } } },
      'unknown field "spec.admin.secretRef.namespace"',
    ],
    [
      'a rule for no namespace in particular',
      { allow: [rule({ namespaces: {} })] },
      'an empty rule would admit every namespace',
    ],
    ['a delivery that there is not', { policy: { delivery: 'Terraform' } }, 'supported values: "Managed"'],
    ['a tag of AWS', { policy: { tags: { 'AWS:x': 'y' } } }, 'are not yours to set'],
    ['a tag of the operator', { policy: { tags: { 'iamdb.dev/scope': 'y' } } }, 'are not yours to set'],
    ['a tag that IAM refuses', { policy: { tags: { 'a*': 'y' } } }, 'a key of tags has'],
    ['a tag whose value IAM refuses', { policy: { tags: { a: 'x,y' } } }, 'policy.tags'],
    [
      '21 tags',
      { policy: { tags: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`t${i}`, 'x'])) } },
      'at most 20',
    ],
    ['a rule with an empty list of namespaces', { allow: [rule({ namespaces: { names: [] } })] }, 'names'],
    [
      'a rule with a selector without labels',
      { allow: [rule({ namespaces: { selector: { matchLabels: {} } } })] },
      'matchLabels',
    ],
    [
      'a rule with an empty selector',
      { allow: [rule({ namespaces: { selector: {} } })] },
      'matchLabels: Required value',
    ],
    [
      'a rule without usernames',
      { allow: [{ ...rule(), usernames: undefined }] },
      'usernames: Required value',
    ],
    ['a rule with no username', { allow: [rule({ usernames: [] })] }, 'usernames'],
    [
      'a rule without principals',
      { allow: [{ ...rule(), principals: undefined }] },
      'principals: Required value',
    ],
    [
      'a wildcard for the account',
      { allow: [rule({ principals: ['arn:aws:iam::*:role/x'] })] },
      'principals',
    ],
    ['a wildcard for everything', { allow: [rule({ principals: ['*'] })] }, 'principals'],
    [
      'a wildcard for the kind of principal',
      { allow: [rule({ principals: ['arn:aws:iam::111122223333:*'] })] },
      'principals',
    ],
    ['a username with a question mark', { allow: [rule({ usernames: ['a?'] })] }, 'usernames'],
    ['a rule for nobody', { allow: [rule({ maxUsers: 0 })] }, 'maxUsers'],
    [
      'a resync without pause',
      { resync: { policy: 'Periodic', intervalSeconds: 1 } },
      'resync.intervalSeconds',
    ],
    ['a proof without pause', { probe: { intervalSeconds: 1 } }, 'probe.intervalSeconds'],
    ['a port that there cannot be', { connectTo: { host: 'a', port: 65536 } }, 'connectTo.port'],
    ['an operator id that cannot be one', { trustedOperatorIDs: ['A/B'] }, 'trustedOperatorIDs'],
    ['a mode that there is not', { mode: 'Pretend' }, 'spec.mode'],
    ['a resync of no kind', { resync: { policy: 'Never' } }, 'resync.policy'],
    ['a field that there is not', { grants: [] }, 'unknown field "spec.grants"'],
  ])('may not have %s', async (_what, over, expected) => {
    expect(await objection(databases, databaseSpec(over))).toContain(expected);
  });

  it.each<[string, Json]>([
    ['a rule by names', { allow: [rule()] }],
    ['a rule by labels', { allow: [rule({ namespaces: { selector: { matchLabels: { team: 'pay' } } } })] }],
    [
      'a rule by both',
      { allow: [rule({ namespaces: { names: ['a'], selector: { matchLabels: { team: 'pay' } } } })] },
    ],
    [
      'a role with a path and a wildcard',
      { allow: [rule({ principals: ['arn:aws:iam::111122223333:role/teams/*/app-*'] })] },
    ],
    [
      'an admin with a Secret',
      { admin: { username: 'a', authentication: 'Secret', secretRef: { name: 'x' } } },
    ],
    ['a role to assume', { assumeRole: { arn, externalID: 'one+two=3,@:/-' } }],
    [
      'an explicit target in the account of the role to assume',
      { target: { type: 'Explicit', explicit: explicit() }, assumeRole: { arn } },
    ],
    ['an admin whose password RDS keeps', { admin: { username: 'a', authentication: 'ManagedSecret' } }],
    ['no admin, with SQL', { admin: undefined, role: { delivery: 'SQL' } }],
    ['no admin, with None', { admin: undefined, role: { delivery: 'None' } }],
    ['another address to dial', { connectTo: { host: '10.0.0.1', port: 6432 } }],
  ])('may have %s', async (_what, over) => {
    expect(await objection(databases, databaseSpec(over))).toBe('');
  });

  it.each<[string, Json, string]>([
    [
      'target',
      { target: { cluster: { identifier: 'other' } } },
      'target is immutable but for proxies: create another IamDatabase',
    ],
    ['region', { target: { cluster: { region: 'eu-west-1' } } }, 'target is immutable'],
    [
      'target beside a change of its proxies',
      { target: { cluster: { identifier: 'other' }, proxies: [{ name: 'orders-proxy' }] } },
      'target is immutable but for proxies',
    ],
    [
      'admin',
      { admin: { username: 'other' } },
      'admin.username is immutable: the roles it created belong to it',
    ],
  ])('keeps its %s', async (_field, change, expected) => {
    await kube.request({ method: 'DELETE', path: `${databases}/kept` });
    await create(databases, 'kept', databaseSpec());
    expect(await objectionToChange(databases, 'kept', change)).toContain(expected);
    expect(await objectionToChange(databases, 'kept', { allow: [rule()], suspend: true })).toBe('');
  });

  it.each<[string, Json]>([
    ['host', { host: 'other.example.com' }],
    ['port', { port: 5433 }],
    ['region', { region: 'eu-west-1' }],
    ['account', { accountID: '444455556666' }],
    ['resource ids', { resourceIDs: ['cluster-OTHER'] }],
    ['resource ids without one more', { resourceIDs: ['cluster-ABC', 'cluster-OTHER'] }],
    ['host beside a change of its partition', { host: 'other.example.com', partition: null }],
  ])('keeps of an explicit target its %s', async (_field, change) => {
    await kube.request({ method: 'DELETE', path: `${databases}/told` });
    await create(databases, 'told', databaseSpec({ target: { type: 'Explicit', explicit: explicit() } }));
    expect(await objectionToChange(databases, 'told', { target: { explicit: change } })).toContain(
      'target is immutable but for proxies',
    );
  });

  it('may drop the partition that was once filled in, or set it right', async () => {
    // As it is stored where the schema had a default: in the regions of China too.
    const told = explicit({ region: 'cn-north-1', partition: 'aws' });
    await create(databases, 'filled', databaseSpec({ target: { type: 'Explicit', explicit: told } }));
    for (const partition of ['aws-cn', null]) {
      expect(await objectionToChange(databases, 'filled', { target: { explicit: { partition } } })).toBe('');
    }
    await create(databases, 'unfilled', databaseSpec({ target: { type: 'Explicit', explicit: explicit() } }));
    const change = { target: { explicit: { partition: 'aws' } } };
    expect(await objectionToChange(databases, 'unfilled', change)).toBe('');
  });

  it('may give its admin another name where the one of before is told, and only that one', async () => {
    await create(databases, 'rotated', databaseSpec());
    const renamed = (rotatedFrom: string) => ({ admin: { username: 'iamdb_admin_2', rotatedFrom } });
    expect(await objectionToChange(databases, 'rotated', renamed('somebody'))).toContain(
      'admin.username is immutable',
    );
    expect(await objectionToChange(databases, 'rotated', renamed('iamdb_admin_2'))).toContain(
      'admin.username is immutable',
    );
    expect(await objectionToChange(databases, 'rotated', renamed('iamdb_admin'))).toBe('');
    expect(
      await objectionToChange(databases, 'rotated', { admin: { rotatedFrom: 'iamdb_admin' } }),
    ).toContain('admin.rotatedFrom is the name of before');
    // Told beforehand, or long afterwards, it changes nothing.
    expect(await objectionToChange(databases, 'rotated', { admin: { rotatedFrom: 'older' } })).toBe('');
  });

  it('keeps its admin where nobody uses it, too: no other can take its place that way', async () => {
    await create(databases, 'administered', databaseSpec());
    for (const delivery of ['SQL', 'None', 'Managed']) {
      const change = (admin?: null) => ({ role: { delivery }, ...(admin === null ? { admin } : {}) });
      expect(await objectionToChange(databases, 'administered', change(null))).toContain(
        'admin stays once it is there',
      );
      expect(await objectionToChange(databases, 'administered', change())).toBe('');
    }
    await create(databases, 'unadministered', databaseSpec({ admin: undefined, role: { delivery: 'SQL' } }));
    const change = { admin: { username: 'iamdb_admin' }, role: { delivery: 'Managed' } };
    expect(await objectionToChange(databases, 'unadministered', change)).toBe('');
  });

  it('may get proxies, others, and none', async () => {
    await create(databases, 'proxied', databaseSpec());
    for (const proxies of [[{ name: 'orders-proxy' }], [{ name: 'a-1' }, { name: 'b' }], [], null]) {
      expect(await objectionToChange(databases, 'proxied', { target: { proxies } })).toBe('');
    }
  });

  it.each([
    ['with a name that RDS has for none', [{ name: 'Orders' }], 'proxies[0].name'],
    ['with a wildcard', [{ name: 'orders*' }], 'proxies[0].name'],
    ['without a name', [{}], 'proxies[0].name'],
    ['twice the same', [{ name: 'a' }, { name: 'a' }], 'Duplicate value'],
    ['too many', Array.from({ length: 9 }, (_, place) => ({ name: `p${place}` })), 'must have at most 8'],
  ])('does not take proxies %s', async (_what, proxies, expected) => {
    await create(databases, 'misproxied', databaseSpec());
    expect(await objectionToChange(databases, 'misproxied', { target: { proxies } })).toContain(expected);
    await kube.request({ method: 'DELETE', path: `${databases}/misproxied` });
  });

  it('does not take proxies with type Explicit, where nobody looks them up', async () => {
    await create(databases, 'explicit', databaseSpec({ target: { type: 'Explicit', explicit: explicit() } }));
    const change = { target: { proxies: [{ name: 'orders-proxy' }] } };
    expect(await objectionToChange(databases, 'explicit', change)).toContain('explicit.resourceIDs');
  });

  it('keeps the account of its role, once it has one, and may change all else of it', async () => {
    await kube.request({ method: 'DELETE', path: `${databases}/reached` });
    const reached = (account: string, externalID = 'one') => ({
      assumeRole: { arn: `arn:aws:iam::${account}:role/iamdb`, externalID },
    });
    await create(databases, 'own', databaseSpec());
    for (const account of ['444455556666', '111122223333']) {
      expect(await objectionToChange(databases, 'own', reached(account))).toContain('stays absent');
    }
    await create(databases, 'reached', databaseSpec(reached('444455556666')));
    expect(await objectionToChange(databases, 'reached', reached('444455556666', 'two'))).toBe('');
    expect(await objectionToChange(databases, 'reached', reached('111122223333'))).toContain(
      'the account of assumeRole.arn is immutable',
    );
    expect(await objectionToChange(databases, 'reached', { assumeRole: null })).toContain('assumeRole stays');
  });

  it('may change how its admin logs in', async () => {
    await create(databases, 'mended', databaseSpec());
    const change = { admin: { authentication: 'Secret', secretRef: { name: 'x' } } };
    expect(await objectionToChange(databases, 'mended', change)).toBe('');
  });
});

const ready = (over: Json) => ({
  type: 'Ready',
  status: 'False',
  reason: 'Conflict',
  message: 'Another one holds it.',
  lastTransitionTime: '2026-03-01T00:00:00Z',
  ...over,
});

const report = async (path: string, status: Json) =>
  await kube.request({ method: 'PATCH', path: `${path}/status`, body: { status }, expect: 200 });

describe('kubectl get', () => {
  interface Table {
    readonly columnDefinitions: readonly { readonly name: string; readonly priority: number }[];
    readonly rows: readonly { readonly cells: readonly unknown[] }[];
  }
  const table = async (path: string): Promise<Table> => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    return (await kube.request<Table>({ path, accept, expect: 200 })).body;
  };
  it('tells the story of a user, and more with -o wide', async () => {
    await create(users, 'story', userSpec());
    const conditions = [ready({}), ready({ type: 'AccessVerified', status: 'Unknown', reason: 'Waiting' })];
    await report(`${users}/story`, {
      observedGeneration: 1,
      conditions,
      resourceARNs: ['arn:one', 'arn:two'],
    });
    const { columnDefinitions, rows } = await table(`${users}/story`);
    expect(columnDefinitions.map(({ name, priority }) => `${name}${priority > 0 ? ' (wide)' : ''}`)).toEqual([
      'Name',
      'Database',
      'Username',
      'Ready',
      'Access',
      'Status',
      'Age',
      'ARN (wide)',
      'Message (wide)',
    ]);
    const [name, database, username, isReady, access, status, , arns, message] = rows[0]?.cells ?? [];
    expect({ name, database, username, isReady, access, status, arns, message }).toEqual({
      name: 'story',
      database: 'orders',
      username: 'payments_checkout',
      isReady: 'False',
      access: 'Unknown',
      status: 'Conflict',
      arns: 'arn:one',
      message: 'Another one holds it.',
    });
  });

  it('finds the users of a database, in whatever namespace', async () => {
    await create(
      users,
      'of-billing',
      userSpec({ databaseRef: { name: 'billing' }, username: 'payments_of' }),
    );
    await create(users, 'of-others', userSpec({ databaseRef: { name: 'others' }, username: 'payments_of' }));
    const { body } = await kube.request<{ readonly items: readonly Stored[] }>({
      path: `${api}/iamdatabaseusers?fieldSelector=spec.databaseRef.name%3Dbilling`,
      expect: 200,
    });
    expect(body.items.map(({ metadata }) => metadata.name)).toEqual(['of-billing']);
  });

  it('tells the story of a database', async () => {
    await create(databases, 'story', databaseSpec());
    await report(`${databases}/story`, {
      conditions: [ready({ reason: 'TargetMissing' })],
      endpoint: 'db.example.com',
    });
    const { columnDefinitions, rows } = await table(`${databases}/story`);
    expect(columnDefinitions.map(({ name }) => name)).toEqual([
      'Name',
      'Type',
      'Ready',
      'Status',
      'Age',
      'Endpoint',
      'Message',
    ]);
    expect(rows[0]?.cells.slice(1, 4)).toEqual(['Cluster', 'False', 'TargetMissing']);
    expect(rows[0]?.cells[5]).toBe('db.example.com');
  });

  it('knows both kinds by a short name that is no category', async () => {
    const { body } = await kube.request<{
      readonly resources: readonly {
        readonly name: string;
        readonly shortNames?: readonly string[];
        readonly categories?: readonly string[];
        readonly namespaced: boolean;
      }[];
    }>({ path: api, expect: 200 });
    // Which of the two comes first is as it happens.
    const kinds = body.resources
      .filter(({ name }) => !name.includes('/'))
      .toSorted((a, b) => a.name.length - b.name.length);
    expect(
      kinds.map(({ name, shortNames, categories, namespaced }) => ({
        name,
        shortNames,
        categories,
        namespaced,
      })),
    ).toEqual([
      { name: 'iamdatabases', shortNames: ['iamdb'], categories: ['iamdb-all'], namespaced: false },
      { name: 'iamdatabaseusers', shortNames: ['iamdbu'], categories: ['iamdb-all'], namespaced: true },
    ]);
  });
});

const conditionsOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    type: `T${i}`,
    status: 'True',
    reason: 'R',
    message: '',
    lastTransitionTime: '2026-03-01T00:00:00Z',
  }));

const reported = async (status: Json): Promise<string> => {
  const answer = await kube.request<{ readonly message?: string }>({
    method: 'PATCH',
    path: `${users}/reported/status?dryRun=All`,
    body: { status },
  });
  return answer.status === 200 ? '' : (answer.body.message ?? '');
};

const arnOf = (name: string) => `arn:aws:rds:eu-west-1:111122223333:${name}`;
const largest: RdsDirectory = {
  cluster: (identifier) =>
    Promise.resolve({
      arn: arnOf(`cluster:${identifier}`),
      resourceID: `cluster-${identifier.toUpperCase()}`,
      engine: 'aurora-postgresql',
      engineVersion: '17.5',
      status: 'available',
      endpoint: `${identifier}.example.com`,
      port: 5432,
      iamAuthentication: true,
    }),
  instance: () => Promise.resolve(undefined),
  proxy: (name) =>
    Promise.resolve({
      arn: arnOf(`db-proxy:prx-${name}`),
      status: 'available',
      endpoint: `${name}.example.com`,
      roleARN: arn,
      endToEndIAM: true,
    }),
  proxyTargets: () => Promise.resolve([{ kind: 'Cluster', identifier: 'blue' }]),
  deployments: () =>
    Promise.resolve([{ source: arnOf('cluster:blue'), target: arnOf('cluster:green'), status: 'AVAILABLE' }]),
};

describe('the status', () => {
  beforeAll(async () => {
    await create(users, 'reported', userSpec());
  });

  it('cannot be written with the spec, nor the spec with the status', async () => {
    const created = await kube.request<Stored>({
      method: 'POST',
      path: users,
      body: { ...object('IamDatabaseUser', 'boasting', userSpec()), status: { verifiedAs: 'a liar' } },
      expect: 201,
    });
    expect(created.body.status).toEqual({ observedGeneration: -1 });
    const { body } = await kube.request<Stored>({
      method: 'PATCH',
      path: `${users}/boasting/status`,
      body: { spec: { connectionLimit: 7 }, status: { verifiedAs: 'me' } },
      expect: 200,
    });
    expect(body.spec['connectionLimit']).toBe(-1);
    expect(body.status).toEqual({ observedGeneration: -1, verifiedAs: 'me' });
  });

  it('takes every condition that there is, with the longest message', async () => {
    const conditions = conditionsOf(12).map((one) => ({ ...one, message: '漢'.repeat(1_024) }));
    expect(await reported({ conditions })).toBe('');
  });

  it('takes the ARNs of a user on the largest target: as many proxies as there may be, and both servers of a deployment', async () => {
    const proxies = Array.from({ length: 8 }, (_, place) => ({ name: `p${place}` }));
    const cluster = { identifier: 'blue', region: 'eu-west-1' };
    expect(await objection(databases, databaseSpec({ target: { type: 'Cluster', cluster, proxies } }))).toBe(
      '',
    );
    const target = await resolveTarget(
      largest,
      { type: 'Cluster', cluster, proxies },
      AbortSignal.timeout(10_000),
    );
    const resourceARNs = userARNs('x'.repeat(63), target);
    expect(resourceARNs).toHaveLength(10);
    expect(await reported({ resourceARNs })).toBe('');
  });

  it('takes no condition twice', async () => {
    expect(await reported({ conditions: [...conditionsOf(1), ...conditionsOf(1)] })).toContain(
      'Duplicate value',
    );
  });

  it('takes an echo of 128 characters and no longer one', async () => {
    expect(await reported({ lastHandledReconcileAt: 'x'.repeat(128) })).toBe('');
    expect(await reported({ lastHandledReconcileAt: 'x'.repeat(129) })).not.toBe('');
  });
});
