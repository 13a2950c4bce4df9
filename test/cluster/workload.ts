// An application's pod: its ServiceAccount, the connection ConfigMap by envFrom, the trust bundle as a volume.
import { region } from '../stage/account.ts';
import { until } from '../stage/wait.ts';
import type { Manifest } from '../chart/helm.ts';
import { kubectl, read } from './kubectl.ts';
import {
  awsNamespace,
  awsPort,
  databaseHost,
  databaseService,
  type LoginLine,
  serviceHost,
  teamNamespace,
  testLabel,
} from './names.ts';
import { containerSecurity, podSecurity } from './stand-ins.ts';

export interface Workload {
  readonly name: string;
  readonly image: string;
  readonly serviceAccount: string;
  readonly roleARN: string;
  /** The IamDatabaseUser whose connection it uses. */
  readonly user: string;
  /** Logs in again and again; otherwise once. */
  readonly again?: boolean;
  /** The ConfigMap with the authorities that it trusts; the operator's unless told. */
  readonly trustBundle?: string;
}

/** On EKS the webhook adds this to pods of annotated ServiceAccounts; elsewhere they say it themselves. */
export const webIdentity = (roleARN: string) => ({
  env: Object.entries({
    AWS_REGION: region,
    AWS_ROLE_ARN: roleARN,
    AWS_WEB_IDENTITY_TOKEN_FILE: '/var/run/secrets/aws/token',
    // AWS is a stand-in here.
    ...Object.fromEntries(
      ['IAM', 'STS', 'RDS'].map((name) => [
        `AWS_ENDPOINT_URL_${name}`,
        `http://${serviceHost('aws')}:${awsPort}`,
      ]),
    ),
  }).map(([name, value]) => ({ name, value })),
  volumes: [
    {
      name: 'aws-token',
      projected: {
        sources: [
          {
            serviceAccountToken: { audience: 'sts.amazonaws.com', expirationSeconds: 3600, path: 'token' },
          },
        ],
      },
    },
  ],
  volumeMounts: [{ name: 'aws-token', mountPath: '/var/run/secrets/aws', readOnly: true }],
});

/** The address behind the database's name, which no resolver of a cluster knows. */
async function databaseAlias() {
  const service = await read<{ readonly spec: { readonly clusterIP: string } }>(
    'service',
    databaseService,
    awsNamespace,
  );
  if (service === undefined) throw new Error(`there is no Service ${databaseService}`);
  return { ip: service.spec.clusterIP, hostnames: [databaseHost] };
}

export async function workloadPod(workload: Workload): Promise<Manifest> {
  const { name, image, again = false, user, trustBundle = `rds-ca-${region}` } = workload;
  const identity = webIdentity(workload.roleARN);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: teamNamespace, labels: testLabel },
    spec: {
      serviceAccountName: workload.serviceAccount,
      enableServiceLinks: false,
      hostAliases: [await databaseAlias()],
      restartPolicy: again ? 'Always' : 'Never',
      securityContext: podSecurity,
      containers: [
        {
          name: 'login',
          image,
          imagePullPolicy: 'IfNotPresent',
          args: ['/app/login.mjs', again ? 'again' : 'once'],
          envFrom: [{ configMapRef: { name: `${user}-connection` } }],
          env: identity.env,
          securityContext: containerSecurity,
          volumeMounts: [
            ...identity.volumeMounts,
            { name: 'rds-ca', mountPath: '/etc/rds-ca', readOnly: true },
          ],
        },
      ],
      volumes: [...identity.volumes, { name: 'rds-ca', configMap: { name: trustBundle } }],
      terminationGracePeriodSeconds: 1,
    },
  };
}

/** Starts the pod, waits for its end and answers with its one line. */
export async function loginOnce(workload: Workload): Promise<LoginLine> {
  const { name } = workload;
  await kubectl(['apply', '-f', '-'], JSON.stringify(await workloadPod(workload)));
  const phase = async () =>
    (await read<{ readonly status?: { readonly phase?: string } }>('pod', name, teamNamespace))?.status
      ?.phase;
  await until(`the end of pod ${name}`, async () => ['Succeeded', 'Failed'].includes((await phase()) ?? ''), {
    withinMs: 60_000,
    everyMs: 300,
    seen: () => read<{ readonly status?: unknown }>('pod', name, teamNamespace).then((pod) => pod?.status),
  });
  const [line] = await linesOf(name);
  if (line === undefined) throw new Error(`pod ${name} said nothing`);
  await kubectl(['delete', 'pod', name, '-n', teamNamespace, '--wait=false']);
  return line;
}

/** Everything that it said so far. */
export async function linesOf(name: string): Promise<readonly LoginLine[]> {
  const log = await kubectl(['logs', name, '-n', teamNamespace]);
  return log
    .split('\n')
    .filter((text) => text.startsWith('{') && text.endsWith('}'))
    .map((text) => JSON.parse(text) as LoginLine);
}
