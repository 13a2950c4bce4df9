// An operator that is set up wrongly: it says what is wrong and what to do, changes nothing, and goes on by itself where waiting can mend it.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { annotations } from '../../src/api/names.ts';
import { type Aws, startAws } from '../aws/aws.ts';
import { readAudit, writesOf } from '../bed/audit.ts';
import { findBinaries } from '../bed/binaries.ts';
import { type Children, createChildren } from '../bed/children.ts';
import { type Kube, startKube } from '../bed/kube.ts';
import { freePorts } from '../bed/ports.ts';
import { accountID, createOperatorRole, operatorID, region } from '../stage/account.ts';
import { operatorBundle } from '../stage/bundle.ts';
import {
  apply,
  applyCRDs,
  applyNamespace,
  installOperatorAccount,
  manifestsIn,
  operatorAccount,
  operatorNamespace,
  pathOf,
} from '../stage/cluster.ts';
import { type OperatorProcess, operatorProcess } from '../stage/operator-process.ts';
import { until } from '../stage/wait.ts';

interface Ended {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs it to its end; one that goes on is killed after ten seconds, and has no code then. */
async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return await new Promise((resolve) => {
    const options = { env: { HOME: '/nonexistent', ...env }, timeout: 10_000 };
    execFile(process.execPath, [operatorBundle(), ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      resolve({ code: typeof code === 'number' ? code : undefined, stdout, stderr });
    });
  });
}

describe('a setting that cannot be', () => {
  it.each<[string, readonly string[], Readonly<Record<string, string>>, readonly string[]]>([
    ['a number out of range', ['--workers=0'], {}, ['--workers takes a whole number of 1 or more, not "0"']],
    ['a word for a number', [], { IAMDB_POOL_SIZE: 'many' }, ['--pool-size takes a whole number', '"many"']],
    [
      'a word for true or false',
      ['--leader-elect=maybe'],
      {},
      ['--leader-elect takes true or false, not "maybe"'],
    ],
    ['an unknown argument', ['--wrokers=3'], {}, ['unknown argument --wrokers=3', 'workers']],
    ['a setting without its value', ['--namespace'], {}, ['--namespace needs a value: --namespace=...']],
    [
      'an unknown log level',
      ['--log-level=loud'],
      {},
      ['--log-level takes trace, debug, info, warn or error'],
    ],
    [
      'an operator id that no label can hold',
      ['--operator-id=My_Cluster'],
      {},
      ['--operator-id takes at most 63 of a-z, 0-9, - and .'],
    ],
    ['a mirror that is no URL', ['--trust-store-url=s3://mirror'], {}, ['--trust-store-url takes an http']],
    [
      'some namespaces and no name of its own',
      ['--watch-namespaces=payments'],
      {},
      ['--watch-namespaces needs --operator-id'],
    ],
    ['an address without a port', ['--listen-address=localhost'], {}, ['--listen-address takes host:port']],
    [
      'a port that is none',
      ['--listen-address=:65536'],
      {},
      ['--listen-address takes host:port', '":65536"'],
    ],
    [
      'no API server at all',
      ['--listen-address='],
      {},
      ['no kubeconfig was found and this is not a pod; set KUBECONFIG'],
    ],
    [
      'a kubeconfig that is missing',
      ['--listen-address='],
      { KUBECONFIG: '/nonexistent/config' },
      ['/nonexistent/config', 'check KUBECONFIG'],
    ],
  ])(
    '%s ends it at once with 1, what is wrong and what it takes on stderr, and nothing else',
    async (_, args, env, says) => {
      const { code, stdout, stderr } = await run(args, env);
      expect(code).toBe(1);
      for (const text of says) expect(stderr).toContain(text);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(stdout).toBe('');
    },
  );

  it('an address that is taken ends it with 1 and names the address', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await run([`--listen-address=127.0.0.1:${port}`]);
    taken.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`--listen-address=127.0.0.1:${port} cannot be used`);
    expect(stderr).toContain('address already in use');
  });
});

describe('a cluster that is not as it should be', () => {
  let children: Children;
  let kube: Kube;
  let aws: Aws;
  let count = 0;
  let operator: OperatorProcess | undefined;
  const account = `system:serviceaccount:${operatorNamespace}:${operatorAccount}`;

  beforeAll(async () => {
    children = createChildren();
    kube = await startKube({ binaries: await findBinaries(), children });
    aws = await startAws({ region, accountId: accountID });
    // The account alone: no right is bound to it, and there are no CRDs.
    await applyNamespace(kube, operatorNamespace);
    await apply(kube, {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: operatorAccount, namespace: operatorNamespace },
    });
  });
  afterEach(async () => {
    await operator?.stop();
    operator = undefined;
    await expectNothingChanged();
  });
  /** Whatever it was told, it wrote nothing but its Lease, refused requests included, and nothing in AWS. */
  async function expectNothingChanged(): Promise<void> {
    expect(aws.calls.filter(({ writes }) => writes)).toEqual([]);
    const written = writesOf(account, await readAudit(kube.auditLogFile));
    expect(written.filter(({ objectRef }) => objectRef?.resource !== 'leases')).toEqual([]);
  }
  afterAll(async () => {
    await kube.stop();
    await aws.close();
    await children.stop();
  });

  async function start(
    options: { readonly settings?: Readonly<Record<string, string>>; readonly token?: string } = {},
  ): Promise<OperatorProcess> {
    const folder = children.guard.folder(`operator-${(count += 1)}`);
    const token = options.token ?? (await kube.serviceAccountToken(operatorNamespace, operatorAccount));
    await kube.kubeconfig(`${folder}/kubeconfig`, token);
    operator = operatorProcess({
      children,
      folder,
      kubeconfig: `${folder}/kubeconfig`,
      env: aws.environment(aws.createAccessKey(operatorRole())),
      settings: {
        'operator-id': operatorID,
        namespace: operatorNamespace,
        'listen-address': '',
        'time-scale': '0.05',
        ...options.settings,
      },
    });
    await operator.start();
    return operator;
  }
  const operatorRole = () => aws.iamState().roles.get('iamdb-operator')?.arn ?? createOperatorRole(aws, []);

  /** Until the log tells that trouble together with that remedy. */
  async function untilTold(
    { log }: OperatorProcess,
    what: string,
    subject: string,
    why: RegExp,
    remedy: RegExp,
  ): Promise<void> {
    await until(
      `the log to tell ${what} of ${subject} with ${String(remedy)}`,
      () =>
        log().some(
          (line) =>
            line['what'] === what &&
            line['subject'] === subject &&
            why.test(String((line['err'] as { readonly message?: unknown } | undefined)?.message)) &&
            remedy.test(String(line['remedy'])),
        ),
      { seen: () => log().slice(-3) },
    );
  }
  const untilSynced = async ({ log }: OperatorProcess) => {
    await until('the caches to be synced', () => log().some(({ msg }) => msg === 'caches synced'), {
      seen: () => log().slice(-3),
    });
  };

  it('without rights: the log names the right that is missing and the chart that brings it, /readyz says 503, and it waits', async () => {
    const [port = 0] = await freePorts(1);
    const running = await start({ settings: { 'listen-address': `127.0.0.1:${port}` } });
    await untilTold(
      running,
      'list-failed',
      'iamdatabases',
      /iamdatabases\.iamdb\.dev is forbidden: User "system:serviceaccount:iamdb-system:iamdb-operator" cannot list/,
      /ClusterRole and the Role of the Helm chart/,
    );
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, 'caches are not synced\n']);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect(running.running()).toBe(true);
  });

  it('told to stop while it waits, it ends in order with 0 and complains of nothing', async () => {
    const running = await start();
    await untilTold(running, 'list-failed', 'iamdatabases', /is forbidden/, /Helm chart/);
    process.kill(running.pid() ?? 0, 'SIGTERM');
    await until('its end', () => !running.running());
    expect(running.exitCode()).toBe(0);
    expect(running.output()).not.toContain('could not start');
  });

  it('without rights and without --operator-id: it ends with 1, because it could not even name itself, and says so', async () => {
    const running = await start({ settings: { 'operator-id': '' } });
    await until('its end', () => !running.running());
    expect(running.exitCode()).toBe(1);
    expect(running.output()).toMatch(
      /^the operator could not start: namespace kube-system, whose uid is the default of --operator-id, could not be read: .* is forbidden: .* Helm chart/m,
    );
  });

  it('without CRDs: the log says how to install them; it goes on by itself once they are there', async () => {
    await installOperatorAccount(kube);
    const running = await start();
    const how = /kubectl apply --server-side -f crds\//;
    await untilTold(running, 'list-failed', 'iamdatabases', /status 404/, how);
    await untilTold(running, 'list-failed', 'iamdatabaseusers', /status 404/, how);
    expect(running.log().some(({ msg }) => msg === 'leading')).toBe(false);
    await applyCRDs(kube);
    await untilSynced(running);
  });

  describe('and has rights and CRDs', () => {
    beforeAll(async () => {
      await installOperatorAccount(kube);
      await applyCRDs(kube);
    });

    it('in a namespace where its Role does not hold: the log names the right to the Lease, and it never leads', async () => {
      const running = await start({ settings: { namespace: 'kube-public' } });
      await untilTold(
        running,
        'lease-attempt-failed',
        'iamdb-operator',
        /leases\.coordination\.k8s\.io .* is forbidden/,
        /the Role of the Helm chart, in the namespace of --namespace/,
      );
      expect(running.running()).toBe(true);
      expect(running.log().some(({ msg }) => msg === 'leading')).toBe(false);
    });

    it('with a token that the API server does not know: the log says to check the token, and it waits', async () => {
      const running = await start({ token: 'no-such-token' });
      await untilTold(
        running,
        'list-failed',
        'iamdatabases',
        /Unauthorized/,
        /check the ServiceAccount's token/,
      );
      expect(running.running()).toBe(true);
      expect(running.output()).not.toContain('no-such-token');
    });

    it('while the API server is away: the log names its address, and it goes on by itself once it is back', async () => {
      const token = await kube.serviceAccountToken(operatorNamespace, operatorAccount);
      await kube.pause();
      const running = await start({ token });
      await untilTold(
        running,
        'list-failed',
        'iamdatabases',
        /the connection to the API server failed/,
        new RegExp(`The API server at ${kube.url} does not answer`),
      );
      await kube.resume();
      await untilSynced(running);
    });

    it('while the API server is away, without --operator-id: it ends with 1 and names the address', async () => {
      const folder = children.guard.folder('unreachable');
      const [port = 0] = await freePorts(1);
      const cluster = { server: `https://127.0.0.1:${port}` };
      await writeFile(
        `${folder}/config`,
        JSON.stringify({
          'current-context': 'a',
          clusters: [{ name: 'a', cluster }],
          users: [{ name: 'a', user: { token: 'unused' } }],
          contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
        }),
      );
      const { code, stderr } = await run(['--listen-address='], { KUBECONFIG: `${folder}/config` });
      expect(code).toBe(1);
      expect(stderr).toContain(`The API server at https://127.0.0.1:${port} does not answer`);
      expect(stderr).toContain('the default of --operator-id');
    });

    it('beside another installation of the same operator id: the log names its namespace and what to do, /readyz says 503 and no metric that it leads; it leads once that one is gone', async () => {
      const lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: {
          name: `iamdb-operator-${operatorID}`,
          namespace: 'other-install',
          annotations: { [annotations.works]: 'true' },
        },
        spec: {
          holderIdentity: 'somebody',
          leaseDurationSeconds: 3600,
          acquireTime: '2020-01-01T00:00:00.000000Z',
          renewTime: new Date().toISOString().replace('Z', '000Z'),
        },
      };
      await applyNamespace(kube, 'other-install');
      await apply(kube, lease);
      const [port = 0] = await freePorts(1);
      // A lease that a busy machine renews in time.
      const settings = { 'listen-address': `127.0.0.1:${port}`, 'time-scale': '0.5' };
      const running = await start({ settings });
      const ops = async (path: string) => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`);
        return { status: answer.status, text: await answer.text() };
      };
      const master = 'leader_election_master_status{name="iamdb-operator"}';
      const told = 'another installation has the same operator id; nothing is done beside it';
      await until('the log to tell of it', () =>
        running
          .log()
          .some(
            ({ msg, otherNamespace, remedy }) =>
              msg === told &&
              otherNamespace === 'other-install' &&
              String(remedy).includes('another --operator-id'),
          ),
      );
      expect(running.log().some(({ msg }) => msg === 'leading')).toBe(false);
      expect(await ops('/readyz')).toEqual({
        status: 503,
        text: 'it is not known to be the only installation of its operator id; the log says more\n',
      });
      expect((await ops('/metrics')).text).toContain(`${master} 0\n`);
      // As the log advises: given back it would count a while longer.
      await kube.request({ method: 'DELETE', path: pathOf(lease), expect: 200 });
      await until('leading', () => running.log().some(({ msg }) => msg === 'leading'));
      expect(await ops('/readyz')).toEqual({ status: 200, text: 'ok, leader\n' });
      expect((await ops('/metrics')).text).toContain(`${master} 1\n`);
    });

    it('with CRDs older than the operator: the log names the fields and the command, nothing is read by them, and it goes on once they are upgraded', async () => {
      const old = JSON.parse(JSON.stringify(manifestsIn('crds/iamdb.dev_iamdatabaseusers.yaml')[0])) as {
        readonly apiVersion: string;
        readonly kind: string;
        readonly metadata: { readonly name: string };
        readonly spec: {
          readonly versions: readonly {
            readonly schema: {
              readonly openAPIV3Schema: {
                readonly properties: { readonly spec: { readonly properties: Record<string, unknown> } };
              };
            };
          }[];
        };
      };
      delete old.spec.versions[0]?.schema.openAPIV3Schema.properties.spec.properties['expirationTime'];
      await apply(kube, old);
      const served = async () =>
        JSON.stringify((await kube.request({ path: '/openapi/v3/apis/iamdb.dev/v1alpha1' })).body).includes(
          'expirationTime',
        );
      await until('the older schema to be served', async () => !(await served()));
      const running = await start();
      await until('the log to name the field', () =>
        running
          .log()
          .some(
            ({ missing, remedy }) =>
              JSON.stringify(missing) === '["IamDatabaseUser.spec.expirationTime"]' &&
              String(remedy).includes('kubectl apply --server-side -f crds/'),
          ),
      );
      expect(running.log().some(({ msg }) => msg === 'caches synced')).toBe(false);
      await applyCRDs(kube);
      await untilSynced(running);
    });

    it('with everything in place it leads', async () => {
      const running = await start();
      await untilSynced(running);
      await until('leading', () => running.log().some(({ msg }) => msg === 'leading'));
    });

    it('a kubeconfig that cannot be understood is not quoted: it holds a token', async () => {
      const folder = children.guard.folder('broken');
      await writeFile(`${folder}/config`, 'users: [{ user: { token: hidden-token\n');
      const { code, stderr } = await run(['--listen-address='], { KUBECONFIG: `${folder}/config` });
      expect(code).toBe(1);
      expect(stderr).toContain('not a kubeconfig in YAML or JSON; check KUBECONFIG');
      expect(stderr).not.toContain('hidden-token');
    });
  });
});
