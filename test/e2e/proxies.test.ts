// RDS Proxies in front of a database: users log in through them as well, and what is wrong with one is told.
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accountID, region } from '../stage/account.ts';
import { createPublicRoot, type StagedProxy, startProxy } from '../stage/proxy.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let proxy: StagedProxy;
const user = userManifest('checkout');
const username = 'payments_checkout';

const arnOn = (resourceID: string) =>
  `arn:aws:rds-db:${region}:${accountID}:dbuser:${resourceID}/${username}`;
const database = (...names: readonly string[]) =>
  stage.iamDatabase({
    spec: {
      resync: { policy: 'Periodic', intervalSeconds: 30 },
      target: {
        type: 'Cluster',
        cluster: { identifier: 'orders-prod', region },
        proxies: names.map((name) => ({ name })),
      },
    },
  });
const serverID = () => stage.database.gate.server.resourceId;
const dataOf = async (name: string): Promise<Readonly<Record<string, string>>> =>
  (await scene.configMap('payments', name))?.data ?? {};
const bundle = async () => await dataOf(`rds-ca-${region}`);
const connection = async () => await dataOf('checkout-connection');
const namesIn = (pem: string) =>
  [...pem.matchAll(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g)].map(
    ([one]) => /^CN=(.*)$/m.exec(new X509Certificate(one).subject)?.[1] ?? '',
  );

beforeAll(async () => {
  const root = await createPublicRoot();
  stage = await startStage({ settings: quickSettings, extraRoots: root.certificatePem });
  scene = sceneOf(stage);
  proxy = await startProxy(stage, {
    name: 'orders-proxy',
    root,
    roleMay: [`arn:aws:rds-db:${region}:${accountID}:dbuser:${serverID()}/payments_*`],
  });
  await stage.operator.start();
  await scene.apply(database());
  await scene.apply(user);
  await scene.untilReady(user);
});
afterAll(async () => {
  await proxy.stop();
  await stage.stop();
});

// Each goes on where the one before ended.
describe('a proxy that is added to a database', () => {
  it('is no way in before', async () => {
    expect(await bundle()).not.toHaveProperty('public-bundle.pem');
    expect(await connection()).not.toHaveProperty('PGHOST_PROXY');
    await expect(proxy.login(username, (await bundle())['ca.crt'] ?? '')).rejects.toThrow(/certificate/);
  });

  it('joins the ARNs, the trust bundle and the connection of each user', async () => {
    await scene.apply(database('orders-proxy'));
    const both = [arnOn(serverID()), arnOn(proxy.resourceID)];
    await until(
      'both ids in the policy',
      () => scene.allowedARNs('payments-checkout').toSorted().join() === both.toSorted().join(),
      { seen: () => scene.allowedARNs('payments-checkout') },
    );
    await until('the proxy in the connection', async () => 'PGHOST_PROXY' in (await connection()));
    await until('public roots in the bundle', async () => 'public-bundle.pem' in (await bundle()));
    await until('both ARNs in the status', async () => {
      const { resourceARNs = [] } = (await scene.read(user))?.status ?? {};
      return resourceARNs.join() === both.join();
    });
    await scene.untilReady(user);

    expect(await connection()).toMatchObject({ PGHOST_PROXY: proxy.endpoint, PGPORT_PROXY: '5432' });
    const names = new Set(namesIn((await bundle())['ca.crt'] ?? ''));
    for (const name of [1, 2, 3, 4].map((number) => `Amazon Root CA ${number}`)) {
      expect(names).toContain(name);
    }
    expect(names).toContain('Starfield Services Root Certificate Authority - G2');
    expect(names).toContain(`Amazon RDS ${region} Root CA RSA2048 G1`);
  });

  it('lets the workload in, verified by the bundle that the operator keeps', async () => {
    expect(await proxy.login(username, (await bundle())['ca.crt'] ?? '')).toBe(username);
    expect(await scene.login(username)).toBe(username);
    await expect(proxy.login(username, (await bundle())[`${region}-bundle.pem`] ?? '')).rejects.toThrow(
      /certificate/,
    );
  });

  it('leaves no other way to change the target', async () => {
    await expect(
      scene.apply(
        stage.iamDatabase({
          spec: {
            target: {
              type: 'Cluster',
              cluster: { identifier: 'another', region },
              proxies: [{ name: 'orders-proxy' }],
            },
          },
        }),
      ),
    ).rejects.toThrow(/target is immutable but for proxies/);
  });
});

describe('a proxy whose role may not log in to the database', () => {
  const deny = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: '*' }] };

  it('is told to the users with the statement that it lacks; the database itself lets them in', async () => {
    stage.aws.putInlinePolicy(proxy.roleARN, 'connect', deny);
    const { message } = await scene.untilCondition(user, 'PolicyReady', 'False', 'ProxyRoleLacksConnect');
    await scene.untilCondition(user, 'Ready', 'False', 'ProxyRoleLacksConnect');
    await expect(proxy.login(username, (await bundle())['ca.crt'] ?? '')).rejects.toThrow(
      /authentication failed/,
    );
    expect(await scene.login(username)).toBe(username);
    expect((await scene.condition(user, 'AccessVerified'))?.status).toBe('True');

    const [statement = ''] = /\{.*\}/.exec(message) ?? [];
    expect(JSON.parse(statement)).toEqual({
      Effect: 'Allow',
      Action: 'rds-db:connect',
      Resource: [arnOn(serverID())],
    });
    stage.aws.putInlinePolicy(proxy.roleARN, 'connect', {
      Version: '2012-10-17',
      Statement: [JSON.parse(statement) as object],
    });
    await scene.untilReady(user);
    expect(await proxy.login(username, (await bundle())['ca.crt'] ?? '')).toBe(username);
  });
});

describe('a proxy that cannot be used', () => {
  const told = async (reason: string) =>
    (await scene.untilCondition(database(), 'TargetResolved', 'False', reason)).message;
  const recovers = async () => {
    await scene.untilCondition(database(), 'TargetResolved', 'True');
    await scene.untilReady(database());
    await until('the ARN of the proxy', () =>
      scene.allowedARNs('payments-checkout').includes(arnOn(proxy.resourceID)),
    );
  };
  const loses = async () =>
    await until('no ARN of the proxy', () => scene.allowedARNs('payments-checkout').length === 1);

  it('because it logs in with passwords is refused, and takes nothing from the database itself', async () => {
    stage.aws.rds.modifyProxy('orders-proxy', { defaultAuthScheme: 'NONE' });
    expect(await told('ProxyUsesSecrets')).toContain('--default-auth-scheme IAM_AUTH');
    await loses();
    await until('no proxy in the connection', async () => !('PGHOST_PROXY' in (await connection())));
    await until('the trouble in the status of the user', async () =>
      (await scene.condition(user, 'DatabaseResolved'))?.message.includes('Secrets Manager'),
    );
    await scene.untilReady(user);
    expect(await scene.login(username)).toBe(username);
    stage.aws.rds.modifyProxy('orders-proxy', { defaultAuthScheme: 'IAM_AUTH' });
    await recovers();
  });

  it('because it stands in front of another database', async () => {
    stage.aws.rds.createCluster({ identifier: 'another' });
    stage.aws.rds.modifyProxy('orders-proxy', { target: { kind: 'cluster', identifier: 'another' } });
    expect(await told('ProxyTargetsElsewhere')).toContain('register-db-proxy-targets');
    await loses();
    stage.aws.rds.modifyProxy('orders-proxy', { target: { kind: 'cluster', identifier: 'orders-prod' } });
    await recovers();
  });

  it('because it is suspended keeps its ARNs: it is still itself', async () => {
    stage.aws.rds.modifyProxy('orders-proxy', { status: 'suspended' });
    await told('ProxyNotReady');
    await scene.lookAgain(user);
    expect(scene.allowedARNs('payments-checkout')).toContain(arnOn(proxy.resourceID));
    stage.aws.rds.modifyProxy('orders-proxy', { status: 'available' });
    await recovers();
  });

  it.each([
    [
      'stands nowhere for a moment',
      { target: { kind: 'instance', identifier: 'gone' } },
      'ProxyTargetsElsewhere',
    ],
    ['is not shown for a moment', { region: 'us-east-1' }, 'ProxyNotFound'],
  ] as const)(
    'because it %s is told, and keeps its ARNs and its place in the connection',
    async (_, change, reason) => {
      stage.aws.rds.modifyProxy('orders-proxy', change);
      await told(reason);
      await scene.lookAgain(user);
      expect(scene.allowedARNs('payments-checkout')).toContain(arnOn(proxy.resourceID));
      expect(await connection()).toMatchObject({ PGHOST_PROXY: proxy.endpoint });
      stage.aws.rds.modifyProxy('orders-proxy', {
        region,
        target: { kind: 'cluster', identifier: 'orders-prod' },
      });
      await recovers();
    },
  );

  it('because AWS knows none of that name; the others go on', async () => {
    await scene.apply(database('orders-proxy', 'orders-porxy'));
    expect(await told('ProxyNotFound')).toContain('orders-porxy');
    await scene.lookAgain(user);
    expect(scene.allowedARNs('payments-checkout')).toContain(arnOn(proxy.resourceID));
    await scene.apply(database('orders-proxy'));
    await recovers();
  });

  it('or one that is added brings keys of their own where there are several', async () => {
    const second = stage.aws.rds.createProxy({
      name: 'orders-second',
      roleArn: proxy.roleARN,
      target: { kind: 'cluster', identifier: 'orders-prod' },
    });
    await scene.apply(database('orders-proxy', 'orders-second'));
    await until('the second proxy', async () => 'PGHOST_PROXY_ORDERS_SECOND' in (await connection()));
    expect(await connection()).toMatchObject({
      PGHOST_PROXY: proxy.endpoint,
      PGHOST_PROXY_ORDERS_PROXY: proxy.endpoint,
      PGHOST_PROXY_ORDERS_SECOND: second.endpoint,
    });
    await scene.apply(database('orders-proxy'));
    await until('no second proxy', async () => !('PGHOST_PROXY_ORDERS_SECOND' in (await connection())));
  });

  it('or is taken out of the declaration, is out of the ARNs again', async () => {
    await scene.apply(database());
    await loses();
    await until('no proxy in the connection', async () => !('PGHOST_PROXY' in (await connection())));
    await scene.untilReady(user);
  });
});

describe('a Multi-AZ cluster', () => {
  it('serves its users as an Aurora cluster does', async () => {
    stage.aws.rds.modifyCluster('orders-prod', { engine: 'postgres', engineVersion: '17.5' });
    await until('the engine in the status', async () => {
      const found = await scene.read<{ readonly status?: { readonly engine?: string } }>(database());
      return found?.status?.engine === 'postgres';
    });
    const another = userManifest('multi-az');
    await scene.apply(another);
    await scene.untilCondition(another, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(another);
    await scene.untilReady(database());
    expect(await scene.login('payments_multi_az')).toBe('payments_multi_az');
    expect(await dataOf('multi-az-connection')).toMatchObject({
      PGHOST: stage.database.endpoint.host,
      PGHOST_READER: stage.database.readerEndpoint.host,
    });
  });
});
