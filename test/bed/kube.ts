/**
 * A real API server: etcd and kube-apiserver on free loopback ports, RBAC on, with an audit log that tests can count.
 *
 * No controller manager runs: namespaces get no default ServiceAccount, nothing is garbage collected through owner
 * references, and a deleted namespace stays until `deleteNamespace` plays that controller's part.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { KubeBinaries } from './binaries.ts';
import type { Child, Children } from './children.ts';
import { writeKubeFiles } from './kube-files.ts';
import { createKubeHttp } from './kube-http.ts';
import type { KubeHttp, KubeRequest } from './kube-http.ts';
import { deleteNamespace } from './kube-namespace.ts';
import { freePorts } from './ports.ts';

export interface Kube {
  readonly url: string;
  readonly caPem: string;
  /** Of a member of system:masters: for setting up only, never for the operator. */
  readonly adminToken: string;
  readonly serviceAccountIssuer: string;
  /** What the tokens of that issuer are signed with. */
  readonly serviceAccountPublicKeyPem: string;
  /** One JSON line for each request, in the file before the request is answered. */
  readonly auditLogFile: string;
  /** Requests as the administrator, or with the token given. */
  readonly request: KubeHttp;
  /** Writes a kubeconfig for the administrator, or for the token given; by way of a relay of the bed where one is given. */
  kubeconfig(path: string, token?: string, relayURL?: string): Promise<void>;
  /** TokenRequest: a token of that ServiceAccount, for the API server itself unless audiences are given. */
  serviceAccountToken(
    namespace: string,
    name: string,
    audiences?: readonly string[],
    expirationSeconds?: number,
  ): Promise<string>;
  /** Deletes a namespace with everything in it, waiting for finalizers as the namespace controller would. */
  deleteNamespace(name: string): Promise<void>;
  /** Forgets the history before now, so that a watch from an older version is answered 410. */
  compact(): Promise<void>;
  /** The API server goes and comes back on the same port with the same objects. */
  restart(): Promise<void>;
  /** The API server is gone until `resume`; etcd stays. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface KubeOptions {
  readonly binaries: KubeBinaries;
  readonly children: Children;
  readonly apiAudiences?: readonly string[];
}

export const serviceAccountIssuer = 'https://oidc.iamdb.test/bed';

const readyWithinMs = 60_000;
const attempts = 3;

export async function startKube(options: KubeOptions): Promise<Kube> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      // Between finding a free port and taking it, another program may have come first.
      if (attempt === attempts || !String(error).includes('address already in use')) throw error;
    }
  }
}

async function startOnce({ binaries, children, apiAudiences }: KubeOptions): Promise<Kube> {
  const folder = children.guard.folder('kube');
  const [apiPort = 0, etcdPort = 0, etcdPeerPort = 0] = await freePorts(3);
  const url = `https://127.0.0.1:${apiPort}`;
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const adminToken = randomBytes(24).toString('hex');
  const files = await writeKubeFiles(folder, adminToken);
  const auditLogFile = join(folder, 'audit.log');
  writeFileSync(auditLogFile, '');
  const http = createKubeHttp(url, files.caPem, adminToken);

  const etcd = await children.start({
    command: binaries.etcd,
    args: [
      `--data-dir=${join(folder, 'etcd')}`,
      '--unsafe-no-fsync',
      '--log-level=error',
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=http://127.0.0.1:${etcdPeerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${etcdPeerPort}`,
      `--initial-cluster=default=http://127.0.0.1:${etcdPeerPort}`,
    ],
    logFile: join(folder, 'etcd.log'),
    stopSignal: 'SIGKILL',
  });

  const startApiserver = async (): Promise<Child> => {
    const child = await children.start({
      command: binaries.kubeApiserver,
      args: [
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        `--secure-port=${apiPort}`,
        `--tls-cert-file=${files.certificate}`,
        `--tls-private-key-file=${files.key}`,
        `--token-auth-file=${files.tokens}`,
        '--authorization-mode=RBAC',
        `--service-account-issuer=${serviceAccountIssuer}`,
        `--service-account-signing-key-file=${files.signingKey}`,
        `--service-account-key-file=${files.signingKey}`,
        `--api-audiences=${(apiAudiences ?? [serviceAccountIssuer, 'sts.amazonaws.com']).join(',')}`,
        '--service-cluster-ip-range=10.96.0.0/16',
        // Without its controller this plugin only refuses pods for want of a default ServiceAccount.
        '--disable-admission-plugins=ServiceAccount',
        `--audit-policy-file=${files.auditPolicy}`,
        `--audit-log-path=${auditLogFile}`,
        '--audit-log-mode=blocking',
        '--shutdown-delay-duration=0s',
      ],
      logFile: join(folder, 'kube-apiserver.log'),
      stopSignal: 'SIGKILL',
    });
    await untilReady(http, [etcd, child]);
    return child;
  };

  let apiserver: Child;
  try {
    apiserver = await startApiserver();
  } catch (error) {
    await etcd.stop();
    throw error;
  }

  return {
    url,
    caPem: files.caPem,
    adminToken,
    serviceAccountIssuer,
    serviceAccountPublicKeyPem: files.signingPublicKeyPem,
    auditLogFile,
    request: http,

    async kubeconfig(path, token = adminToken, relayURL) {
      // JSON is YAML.
      const content = {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'bed',
        clusters: [
          {
            name: 'bed',
            cluster:
              relayURL === undefined
                ? { server: url, 'certificate-authority-data': Buffer.from(files.caPem).toString('base64') }
                : { server: relayURL, 'insecure-skip-tls-verify': true },
          },
        ],
        users: [{ name: 'bed', user: { token } }],
        contexts: [{ name: 'bed', context: { cluster: 'bed', user: 'bed' } }],
      };
      await writeFile(path, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
    },

    async serviceAccountToken(namespace, name, audiences = [], expirationSeconds = 3_600) {
      const answer = await http<{ status: { token: string } }>({
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { audiences, expirationSeconds },
        },
        expect: 201,
      });
      return answer.body.status.token;
    },

    deleteNamespace: (name) => deleteNamespace(http, name),

    async compact() {
      const key = Buffer.from('compact_rev_key').toString('base64');
      const range = await etcdCall<{ header: { revision: string } }>(etcdUrl, 'kv/range', { key });
      await etcdCall(etcdUrl, 'kv/compaction', { revision: range.header.revision, physical: true });
    },

    async restart() {
      await apiserver.stop();
      apiserver = await startApiserver();
    },
    async pause() {
      await apiserver.stop();
    },
    async resume() {
      if (!apiserver.running()) apiserver = await startApiserver();
    },

    async stop(signal) {
      await apiserver.stop(signal);
      await etcd.stop(signal);
      await http.close();
    },
  };
}

async function untilReady(http: KubeHttp, children: readonly Child[]): Promise<void> {
  const deadline = Date.now() + readyWithinMs;
  const readyz: KubeRequest = { path: '/readyz' };
  for (;;) {
    const fallen = children.find((child) => !child.running());
    if (fallen !== undefined) throw new Error(`a server of the bed ended at once:\n${fallen.lastOutput()}`);
    const status = await http(readyz).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 200) return;
    if (Date.now() > deadline) {
      const logs = children.map((child) => child.lastOutput()).join('\n');
      throw new Error(`kube-apiserver was not ready within ${readyWithinMs / 1_000} s:\n${logs}`);
    }
    await wait(25);
  }
}

async function etcdCall<T>(url: string, call: string, body: unknown): Promise<T> {
  const response = await fetch(`${url}/v3/${call}`, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`etcd answered ${response.status} to ${call}: ${await response.text()}`);
  return (await response.json()) as T;
}
