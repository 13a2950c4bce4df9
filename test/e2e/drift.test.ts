// What is changed behind the operator's back is put right within one resync, and told; what is other people's stays.
import {
  AttachRolePolicyCommand,
  CreatePolicyVersionCommand,
  DetachRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientsFor } from '../aws/clients.ts';
import type { ManagedPolicy } from '../aws/iam/state.ts';
import { operatorID } from '../stage/account.ts';
import { picture } from '../stage/picture.ts';
import { checkoutRole, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

const timeScale = 0.06;
/** The shortest resync there is comes after 2 s; the rest is for passes, the event and IAM's own delays on a busy machine. */
const oneResyncMs = 30_000 * 1.1 * timeScale + 18_000;
let stage: Stage;
let scene: Scene;
let theirPolicies: readonly ManagedPolicy[];
const user = userManifest('checkout', { connectionLimit: 7 });
const connection = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'payments', name: 'checkout-connection' },
};
const bundle = { ...connection, metadata: { namespace: 'payments', name: 'rds-ca-ap-northeast-2' } };

const iam = () => clientsFor(stage.aws, stage.aws.administrator).iam;
const sql = async (text: string) => await stage.database.postgres.sql(text);
const ours = () =>
  [...stage.aws.iamState().policies.values()].filter(
    ({ tags }) => tags.get('iamdb.dev/role-arn') === checkoutRole,
  );
function ourPolicy() {
  const [policy] = ours();
  if (policy === undefined) throw new Error('there is no policy for the role');
  return policy;
}

beforeAll(async () => {
  stage = await startStage({
    usualPostgres: 18,
    settings: {
      'time-scale': String(timeScale),
      'leader-elect': 'false',
      'iam-writes-per-second': '0',
      'iam-reads-per-second': '0',
    },
  });
  scene = sceneOf(stage);
  await sql('REVOKE CONNECT ON DATABASE orders FROM PUBLIC');
  await sql(`GRANT CONNECT ON DATABASE orders TO ${stage.admin.username} WITH GRANT OPTION`);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase({ spec: { resync: { policy: 'Periodic', intervalSeconds: 30 } } }));
  await scene.apply(user);
  await scene.untilCondition(user, 'AccessVerified', 'True');
  await scene.untilReady(user);
  await addOtherPeoplesThings();
});
afterAll(() => stage.stop());

const someDocument = (resource: string) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: resource }],
});

async function addOtherPeoplesThings(): Promise<void> {
  const { name } = ourPolicy();
  const decoys = [
    { name: `${name}x`, path: `/iamdb/${operatorID}/` },
    { name: name.replace(/\d+$/, (number) => String(Number(number) + 1)), path: `/iamdb/${operatorID}/` },
    { name: `${name}-other`, path: `/iamdb/${operatorID}-2/` },
    { name: 'iamdb-by-hand', path: '/' },
  ];
  const document = someDocument('arn:aws:s3:::decoy/*');
  const extra = { name: 'people-extra', path: '/' };
  theirPolicies = [extra, ...decoys].map((decoy) =>
    stage.aws.createPolicy({ ...decoy, document, tags: { team: 'pay' } }),
  );
  await iam().send(
    new AttachRolePolicyCommand({ RoleName: 'payments-checkout', PolicyArn: theirPolicies[0]?.arn }),
  );
  stage.aws.createRole({
    name: 'payments-stranger',
    trustPolicy: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    },
  });
  stage.aws.putInlinePolicy(checkoutRole, 'people-inline', someDocument('arn:aws:s3:::inline/*'));
  // By the superuser, so not by the operator's admin.
  await sql('GRANT orders_readonly TO payments_checkout');
  await sql('GRANT CONNECT ON DATABASE postgres TO payments_checkout');
  await scene.patch(connection, {
    metadata: { labels: { team: 'pay' }, annotations: { 'example.com/note': 'by hand' } },
  });
}

const drifts: readonly {
  readonly what: string;
  readonly change: () => Promise<unknown>;
  /** The link that the event names, and what it says was done. */
  readonly told: string;
  /** What goes with the thing itself. */
  readonly loses?: 'what others had added to the ConfigMap';
}[] = [
  {
    what: 'the policy deleted',
    change: async () => stage.aws.losePolicy(ourPolicy().arn),
    told: 'PolicyReady was not as declared any more; repaired: create, attach.',
  },
  {
    what: 'the attachment removed',
    change: () =>
      iam().send(new DetachRolePolicyCommand({ RoleName: 'payments-checkout', PolicyArn: ourPolicy().arn })),
    told: 'PolicyReady was not as declared any more; repaired: attach.',
  },
  {
    what: 'the attachment moved to another role, and somebody asks for a look',
    change: async () => {
      stage.aws.moveAttachment(ourPolicy().arn, 'payments-checkout', 'payments-stranger');
      await scene.lookAgain(user);
    },
    told: 'PolicyReady was not as declared any more; repaired: attach, detach.',
  },
  {
    what: 'the statement edited away',
    change: () =>
      iam().send(
        new CreatePolicyVersionCommand({
          PolicyArn: ourPolicy().arn,
          PolicyDocument: JSON.stringify(someDocument('arn:aws:s3:::instead/*')),
          SetAsDefault: true,
        }),
      ),
    told: 'PolicyReady was not as declared any more; repaired: write.',
  },
  {
    what: 'rds_iam revoked',
    change: () => sql(`REVOKE rds_iam FROM payments_checkout GRANTED BY ${stage.admin.username}`),
    told: 'RoleReady was not as declared any more; repaired: grant rds_iam.',
  },
  {
    what: 'a group membership revoked',
    change: () => sql(`REVOKE orders_readwrite FROM payments_checkout GRANTED BY ${stage.admin.username}`),
    told: 'RoleReady was not as declared any more; repaired: grant group.',
  },
  {
    what: 'LOGIN taken',
    change: () => sql('ALTER ROLE payments_checkout NOLOGIN'),
    told: 'RoleReady was not as declared any more; repaired: allow login.',
  },
  {
    what: 'the connection limit changed',
    change: () => sql('ALTER ROLE payments_checkout CONNECTION LIMIT 3'),
    told: 'RoleReady was not as declared any more; repaired: limit connections.',
  },
  {
    what: 'CONNECT revoked',
    change: () =>
      sql(`SET ROLE ${stage.admin.username}; REVOKE CONNECT ON DATABASE orders FROM payments_checkout`),
    told: 'RoleReady was not as declared any more; repaired: grant connect.',
  },
  {
    what: 'the connection ConfigMap edited',
    change: () => scene.patch(connection, { data: { PGHOST: 'elsewhere.example.com', PGSSLMODE: null } }),
    told: 'ConnectionReady was not as declared any more; repaired: replace.',
  },
  {
    what: 'the connection ConfigMap deleted',
    change: () => scene.delete(connection),
    told: 'ConnectionReady was not as declared any more; repaired: create.',
    loses: 'what others had added to the ConfigMap',
  },
  {
    what: 'the trust bundle deleted',
    change: () => scene.delete(bundle),
    told: 'TrustBundleReady was not as declared any more; repaired: create.',
  },
];

/** What others had added to the connection ConfigMap goes with it. */
function withoutTheirs(before: Awaited<ReturnType<typeof picture>>): typeof before {
  const { name } = connection.metadata;
  const { [name]: whole, ...others } = before.configMaps;
  const { team: _label, ...labels } = whole?.labels ?? {};
  const { 'example.com/note': _note, ...annotations } = whole?.annotations ?? {};
  return { ...before, configMaps: { ...others, [name]: { data: whole?.data ?? {}, labels, annotations } } };
}

describe('behind the back of the operator', () => {
  it.each(drifts)('$what: repaired within one resync, and told', async ({ change, told, loses }) => {
    const toldNow = async () =>
      (await scene.events('DriftRepaired')).some(({ about, note }) => about === 'checkout' && note === told);
    expect(await toldNow()).toBe(false);
    const before = await picture(stage);
    await change();
    await until(`the event "${told}"`, toldNow, {
      withinMs: oneResyncMs,
      seen: () => scene.events('DriftRepaired'),
    });
    const after = await picture(stage);
    expect(after).toEqual(loses === undefined ? before : withoutTheirs(before));
    await scene.untilReady(user);
    expect(await scene.login('payments_checkout')).toBe('payments_checkout');
  });

  it('what other people made is as they made it', async () => {
    const { policies, roles } = stage.aws.iamState();
    const names = new Set(theirPolicies.map(({ name }) => name));
    expect([...policies.values()].filter(({ name }) => names.has(name))).toEqual(theirPolicies);
    const role = roles.get('payments-checkout');
    expect(role?.attached).toContain(theirPolicies[0]?.arn);
    expect([...(role?.inline.keys() ?? [])]).toEqual(['people-inline']);
    const { memberships, connect } = await picture(stage);
    expect(memberships).toContainEqual(expect.objectContaining({ role: 'orders_readonly', by: 'postgres' }));
    expect(connect).toContainEqual(expect.objectContaining({ datname: 'postgres', by: 'postgres' }));
  });

  it('nothing is told of what was not changed', async () => {
    expect((await scene.events('DriftRepaired')).map(({ note }) => note).toSorted()).toEqual(
      drifts.map(({ told }) => told).toSorted(),
    );
  });
});
