// The pods of AWS and of the database, as manifests.
import type { Manifest } from '../chart/helm.ts';
import {
  type AccountSetup,
  awsNamespace,
  awsPort,
  databasePort,
  databaseService,
  reportPort,
  teamNamespace,
  testLabel,
  trustStorePort,
} from './names.ts';

/** Namespaces hold their pods to the restricted level: what the chart promises has to hold for everything here. */
export const namespace = (name: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { ...testLabel, 'pod-security.kubernetes.io/enforce': 'restricted' } },
});

/** What the restricted level asks for. */
export const podSecurity = {
  runAsNonRoot: true,
  runAsUser: 65_532,
  runAsGroup: 65_532,
  fsGroup: 65_532,
  seccompProfile: { type: 'RuntimeDefault' },
} as const;
export const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const;

export function standIns(image: string, setup: AccountSetup): readonly Manifest[] {
  return [
    standIn('aws', image, { SETUP: JSON.stringify(setup) }),
    service('aws', 'aws', awsPort, reportPort),
    standIn('database', image, {}),
    service(databaseService, 'database', databasePort, reportPort),
    service('trust-store', 'database', trustStorePort),
  ];
}

/** A pod without an owner: what it holds in its memory is the account, so another one in its place would be no help. */
function standIn(name: string, image: string, env: Readonly<Record<string, string>>): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: awsNamespace, labels: { ...testLabel, app: name } },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: podSecurity,
      containers: [
        {
          name,
          image,
          imagePullPolicy: 'IfNotPresent',
          args: [`/app/${name}.mjs`],
          env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
          readinessProbe: { httpGet: { path: '/ready', port: reportPort }, periodSeconds: 1 },
          securityContext: containerSecurity,
          volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
        },
      ],
      volumes: [{ name: 'tmp', emptyDir: {} }],
      terminationGracePeriodSeconds: 5,
    },
  };
}

const service = (name: string, app: string, ...ports: readonly number[]): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: awsNamespace, labels: testLabel },
  spec: {
    selector: { app },
    // They ask each other before they are ready themselves.
    publishNotReadyAddresses: true,
    ports: ports.map((port) => ({ name: `port-${port}`, port, targetPort: port })),
  },
});

/** Annotated as for IRSA. */
export const serviceAccount = (name: string, roleARN: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: {
    name,
    namespace: teamNamespace,
    labels: testLabel,
    annotations: { 'eks.amazonaws.com/role-arn': roleARN },
  },
  automountServiceAccountToken: false,
});
