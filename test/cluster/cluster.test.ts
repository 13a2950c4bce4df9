// The packaged chart and the image on a real cluster: installed, working, upgraded, taken away and put back.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { accountID } from '../stage/account.ts';
import { until } from '../stage/wait.ts';
import { clean } from './cleaning.ts';
import {
  type Chart,
  install,
  leader,
  lintChart,
  operatorPods,
  packageChart,
  rollback,
  uninstall,
  untilLeader,
  untilNoPod,
  upgrade,
} from './installation.ts';
import { apply, holds, kubectl, list, read, refusalOf, reportOf, untilTrue } from './kubectl.ts';
import {
  type AccountReport,
  awsNamespace,
  databaseService,
  type DatabaseReport,
  type JsonWebKey,
  operatorID,
  operatorNamespace,
  release,
  reportPort,
  roleARN,
  teamNamespace,
} from './names.ts';
import { applications, batch, database, image, user, username, workload } from './objects.ts';
import { namespace, serviceAccount, standIns } from './stand-ins.ts';
import { linesOf, loginOnce, workloadPod } from './workload.ts';

const began = Date.now();
const operatorImage = process.env['IAMDB_TEST_OPERATOR_IMAGE'] ?? '';

const untilUser = (name: string) =>
  untilTrue('iamdatabaseuser', name, teamNamespace, 'Ready', 'AccessVerified');
const awsReport = () => reportOf<AccountReport>(awsNamespace, 'aws', reportPort);
const databaseReport = () => reportOf<DatabaseReport>(awsNamespace, databaseService, reportPort);

let chart: Chart;
const step = (text: string) => console.error(`  ${text}`);

beforeAll(async () => {
  step('taking away what an earlier run may have left');
  await clean();
  step('packaging the chart');
  chart = await packageChart();
  step('starting AWS and the database as pods');
  await apply(...[awsNamespace, operatorNamespace, teamNamespace].map(namespace));
  const { issuer } = JSON.parse(await kubectl(['get', '--raw', '/.well-known/openid-configuration'])) as {
    readonly issuer: string;
  };
  const jwks = JSON.parse(await kubectl(['get', '--raw', '/openid/v1/jwks'])) as {
    readonly keys: readonly JsonWebKey[];
  };
  const roles = applications.map((name) => ({ name: `payments-${name}`, serviceAccount: name }));
  await apply(...standIns(image, { issuer, jwks, roles }));
  await apply(
    ...applications.map((name) => serviceAccount(name, roleARN(`payments-${name}`))),
    serviceAccount('stranger', roleARN('payments-stranger')),
  );
  await untilTrue('pod', 'aws', awsNamespace, 'Ready');
  await untilTrue('pod', 'database', awsNamespace, 'Ready');
});

afterAll(async () => {
  chart?.remove();
  step('taking everything away');
  await clean();
  const up = Number(process.env['IAMDB_TEST_CLUSTER_UP'] ?? began);
  step(`${Math.round((Date.now() - up) / 1000)} s since the cluster was up; at most 600 s`);
});

// What went wrong is gone with the namespaces.
afterEach(async ({ task }) => {
  step(`${task.result?.state === 'fail' ? 'FAILED' : 'done'}: ${task.name}`);
  if (task.result?.state !== 'fail') return;
  const looks = [
    ['get', 'pods,events', '-n', operatorNamespace],
    ['get', 'pods,iamdatabaseusers', '-n', teamNamespace],
    ['get', 'pods', '-n', awsNamespace, '-o', 'wide'],
    ['get', 'iamdatabases', '-o', 'yaml'],
    ['logs', '-n', operatorNamespace, '-l', `app.kubernetes.io/instance=${release}`, '--tail=60', '--prefix'],
    ['logs', '-n', awsNamespace, 'aws', '--tail=20'],
    ['logs', '-n', awsNamespace, 'database', '--tail=20'],
  ];
  for (const args of looks)
    console.error(`$ kubectl ${args.join(' ')}\n${await kubectl(args).catch(String)}`);
});

describe('the packaged chart', () => {
  it('is clean for helm lint --strict', async () => {
    expect(await lintChart()).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  it('is installed by helm install --wait where the restricted level is enforced', async () => {
    const root = ['run', 'root', '-n', operatorNamespace, '--image', image, '--dry-run=server'];
    expect(await refusalOf(root)).toContain('violates PodSecurity "restricted');
    const began = performance.now();
    await install(chart, operatorImage);
    step(`installed and ready after ${Math.round(performance.now() - began)} ms`);
    const pods = await operatorPods();
    expect(pods).toHaveLength(2);
    expect(pods.flatMap(({ status }) => status.containerStatuses?.map((one) => one.restartCount))).toEqual([
      0, 0,
    ]);
    await untilLeader();
  });
});

describe('an application', () => {
  it('gets its user by one object', async () => {
    await apply(database);
    await untilTrue('iamdatabase', 'orders', undefined, 'Ready');
    await apply(user('checkout'));
    await untilUser('checkout');
  });

  it('logs in by its ServiceAccount over verify-full, with the connection and the CA that it is given', async () => {
    expect(await loginOnce(workload('checkout', 'checkout'))).toEqual({ user: 'payments_checkout' });
    const { logins } = await databaseReport();
    expect(logins.findLast(({ user: name }) => name === 'payments_checkout')).toMatchObject({
      by: 'token',
      outcome: 'accepted',
      principal: expect.stringContaining(`arn:aws:sts::${accountID}:assumed-role/payments-checkout/`),
    });
  });

  it('does not get the role of another ServiceAccount', async () => {
    const stranger = workload('checkout', 'stranger', { serviceAccount: 'stranger' });
    expect(await loginOnce(stranger)).toEqual({
      error: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
    });
  });

  it('does not log in at a server that another authority vouches for', async () => {
    // The cluster's own authority, which every namespace has.
    const wary = workload('checkout', 'wary', { trustBundle: 'kube-root-ca.crt' });
    expect(await loginOnce(wary)).toEqual({ error: expect.stringContaining('certificate') });
  });
});

describe('two replicas', () => {
  it('lose nothing when the pod that leads is killed in the middle of its work', async () => {
    const killed = await untilLeader();
    const ready = async () =>
      (await list<Parameters<typeof holds>[0] & {}>('iamdatabaseusers', '-n', teamNamespace)).filter((one) =>
        holds(one, 'Ready'),
      ).length;
    const before = await ready();
    await apply(...batch.map(user));
    await until('the first of them', async () => (await ready()) > before, { withinMs: 60_000, everyMs: 50 });
    await kubectl(['delete', 'pod', killed, '-n', operatorNamespace, '--force', '--grace-period=0']);
    const left = batch.length + 1 - (await ready());
    const began = performance.now();
    step(`killed ${killed} while ${left} users were waiting`);
    expect(left, 'users that were waiting when the leader was killed').toBeGreaterThan(0);

    const next = await untilLeader(killed);
    step(`${next} leads after ${Math.round(performance.now() - began)} ms`);
    for (const name of batch) await untilUser(name);
    const { roles } = await databaseReport();
    const { attached } = await awsReport();
    for (const name of batch) {
      expect(roles[username(name)]).toEqual(['orders_readwrite', 'rds_iam']);
      expect(attached[`payments-${name}`]).toHaveLength(1);
    }
    const last = batch.at(-1) ?? '';
    expect(await loginOnce(workload(last, last))).toEqual({ user: username(last) });
  });
});

describe('a new version', () => {
  it('is rolled out and back with logins going on all the while, and work too', async () => {
    await apply(await workloadPod(workload('checkout', 'always', { again: true })));
    const said = async (more: number) => {
      const count = (await linesOf('always').catch(() => [])).length;
      await until(
        `${more} more logins`,
        async () => (await linesOf('always').catch(() => [])).length >= count + more,
        {
          withinMs: 60_000,
          everyMs: 300,
        },
      );
    };
    await said(4);
    const first = new Set((await operatorPods()).map(({ metadata }) => metadata.uid));

    await upgrade(chart, operatorImage, { logLevel: 'debug' });
    const second = await operatorPods();
    expect(second).toHaveLength(2);
    expect(second.every(({ spec }) => spec.containers[0]?.args.includes('--log-level=debug'))).toBe(true);
    expect(second.filter(({ metadata }) => first.has(metadata.uid))).toEqual([]);
    await apply(user('late'));
    await untilUser('late');
    await said(4);

    await rollback(1);
    const third = await operatorPods();
    expect(third).toHaveLength(2);
    expect(third.every(({ spec }) => spec.containers[0]?.args.includes('--log-level=info'))).toBe(true);
    await untilLeader();
    await said(4);

    const lines = await linesOf('always');
    expect(lines.filter((line) => !('user' in line) || line.user !== 'payments_checkout')).toEqual([]);
    step(`${lines.length} logins meanwhile, none refused`);
    await kubectl(['delete', 'pod', 'always', '-n', teamNamespace, '--wait=false']);
  });
});

describe("the operator's account", () => {
  const account = `system:serviceaccount:${operatorNamespace}:${release}`;
  const asOperator = (...args: readonly string[]) => [...args, '--as', account];
  const configMap = (labels: Readonly<Record<string, string>>, where = teamNamespace) =>
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'tried', namespace: where, labels },
    });
  const own = { 'app.kubernetes.io/managed-by': 'iamdb-operator', 'iamdb.dev/operator-id': operatorID };
  const create = asOperator('create', '--dry-run=server', '-f', '-');
  const token = (where: string, name: string, ...options: readonly string[]) =>
    asOperator('create', 'token', name, '-n', where, ...options);
  const forAws = ['--audience=sts.amazonaws.com', '--duration=600s'];

  it('may write ConfigMaps of its own, and no others', async () => {
    const foreign = 'the operator keeps only ConfigMaps with its own label';
    expect(await refusalOf(create, configMap(own))).toBe('taken');
    expect(await refusalOf(create, configMap({}))).toContain(foreign);
    expect(await refusalOf(create, configMap({ ...own, 'iamdb.dev/operator-id': 'other' }))).toContain(
      foreign,
    );
    expect(await refusalOf(create, configMap(own, 'kube-system'))).toContain(
      'the operator keeps no ConfigMap in kube-system',
    );
    const delete_ = asOperator(
      'delete',
      'configmap',
      'kube-root-ca.crt',
      '-n',
      teamNamespace,
      '--dry-run=server',
    );
    expect(await refusalOf(delete_)).toContain(foreign);
  });

  it('may ask for short tokens for AWS where the namespace opted in, and for no others', async () => {
    expect(await refusalOf(token(teamNamespace, 'checkout', ...forAws))).toBe('taken');
    expect(await refusalOf(token(teamNamespace, 'checkout', '--duration=600s'))).toContain(
      'only for tokens for sts.amazonaws.com',
    );
    const long = ['--audience=sts.amazonaws.com', '--duration=3600s'];
    expect(await refusalOf(token(teamNamespace, 'checkout', ...long))).toContain(
      'only for tokens of at most 900 seconds',
    );
    expect(await refusalOf(token(awsNamespace, 'default', ...forAws))).toContain('is forbidden');
  });

  it('may read no Secrets but those of its own namespace', async () => {
    const secrets = (where: string) => asOperator('get', 'secret', 'any', '-n', where, '--ignore-not-found');
    expect(await refusalOf(secrets(operatorNamespace))).toBe('taken');
    expect(await refusalOf(secrets(teamNamespace))).toContain('is forbidden');
  });
});

describe('without the operator', () => {
  it('access goes on, and what people declared is kept', async () => {
    const users = async () => (await list('iamdatabaseusers', '-n', teamNamespace)).length;
    const before = await users();
    await uninstall();
    await untilNoPod();
    expect(await users()).toBe(before);
    expect(await read('iamdatabase', 'orders')).toMatchObject({ spec: { database: 'orders' } });
    expect(await loginOnce(workload('checkout', 'without'))).toEqual({ user: 'payments_checkout' });
  });

  it('and when it is installed again it takes over what is there, and goes on', async () => {
    const { writes } = await awsReport();
    await install(chart, operatorImage);
    await untilLeader();
    const asked = `asked-${writes}`;
    const annotation = `iamdb.dev/reconcile-requested-at=${asked}`;
    await kubectl(['annotate', 'iamdatabaseuser', '--all', '-n', teamNamespace, annotation]);
    for (const name of ['checkout', 'late', ...batch]) {
      await until(
        `a look at ${name}`,
        async () =>
          (
            await read<{ readonly status?: { readonly lastHandledReconcileAt?: string } }>(
              'iamdatabaseuser',
              name,
              teamNamespace,
            )
          )?.status?.lastHandledReconcileAt === asked,
        { withinMs: 60_000, everyMs: 200 },
      );
      await untilUser(name);
    }
    expect((await awsReport()).writes).toBe(writes);
    await apply(user('returning'));
    await untilUser('returning');
    expect(await loginOnce(workload('returning', 'returning'))).toEqual({ user: 'payments_returning' });
  });

  it('ends access when users are deleted, and leaves nothing behind', async () => {
    await kubectl(['delete', 'iamdatabaseuser', '--all', '-n', teamNamespace, '--timeout=150s']);
    await kubectl(['delete', 'iamdatabase', 'orders', '--timeout=60s']);
    expect((await databaseReport()).roles).toEqual({});
    expect(Object.values((await awsReport()).attached).flat()).toEqual([]);
    expect(await leader()).toBeDefined();
  });
});
