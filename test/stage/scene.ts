// What tests on the stage do and look at: objects, conditions, events, policies, logins.
import { randomUUID } from 'node:crypto';
import type { Condition, ConditionType } from '../../src/api/conditions.ts';
import { annotations } from '../../src/api/names.ts';
import type { IamDatabase, IamDatabaseUser } from '../../src/api/objects.ts';
import { Signer } from '@aws-sdk/rds-signer';
import { Client } from 'pg';
import type { Kube } from '../bed/kube.ts';
import { accountID, region } from './account.ts';
import { apply, pathOf } from './cluster.ts';
import { noteCondition, noteGone } from './reasons-seen.ts';
import type { Stage } from './stage.ts';
import { until } from './wait.ts';

export const checkoutRole = `arn:aws:iam::${accountID}:role/payments-checkout`;

/** Settings for tests that wait for timers: a resync of 30 s, the shortest there is, comes after 1.5 s. */
export const quickSettings = {
  'time-scale': '0.05',
  'leader-elect': 'false',
  'iam-writes-per-second': '0',
  'iam-reads-per-second': '0',
} as const;

export interface UserManifest {
  readonly apiVersion: 'iamdb.dev/v1alpha1';
  readonly kind: 'IamDatabaseUser';
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** An IamDatabaseUser for namespace payments that the stage's database allows. */
export function userManifest(
  name = 'checkout',
  spec: Readonly<Record<string, unknown>> = {},
  namespace = 'payments',
): UserManifest {
  return {
    apiVersion: 'iamdb.dev/v1alpha1',
    kind: 'IamDatabaseUser',
    metadata: { name, namespace },
    spec: {
      databaseRef: { name: 'orders' },
      username: `payments_${name.replaceAll('-', '_')}`,
      memberOf: ['orders_readwrite'],
      principals: [{ roleARN: checkoutRole }],
      ...spec,
    },
  };
}

/** As Helm or Git applies it; without a role it has no annotation. */
export const serviceAccount = (name: string, roleARN?: string, namespace = 'payments') => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: {
    name,
    namespace,
    ...(roleARN === undefined ? {} : { annotations: { 'eks.amazonaws.com/role-arn': roleARN } }),
  },
});

interface Named {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export interface Scene {
  apply(manifest: object): Promise<void>;
  /** Merge patch as the administrator. */
  patch(manifest: Named, patch: object): Promise<void>;
  delete(manifest: Named): Promise<void>;
  /** Undefined once it is gone. */
  read<T = IamDatabaseUser>(manifest: Named): Promise<T | undefined>;
  condition(manifest: Named, type: ConditionType): Promise<Condition | undefined>;
  /** Waits until the condition has that status (and reason) for the present generation. */
  untilCondition(
    manifest: Named,
    type: ConditionType,
    status: Condition['status'],
    reason?: string,
    withinMs?: number,
  ): Promise<Condition>;
  /** Waits until the message of the condition matches, for the present generation; answers with it. */
  untilTold(manifest: Named, type: ConditionType, message: RegExp): Promise<string>;
  untilReady(manifest: Named, withinMs?: number): Promise<void>;
  untilGone(manifest: Named, withinMs?: number): Promise<void>;
  events(reason: string): Promise<readonly { readonly note: string; readonly about: string }[]>;
  untilEvent(manifest: Named, reason: string, note: RegExp): Promise<void>;
  configMap(
    namespace: string,
    name: string,
  ): Promise<{ readonly data: Readonly<Record<string, string>> } | undefined>;
  /** ARNs that the policies attached to an IAM role allow to connect to. */
  allowedARNs(roleName: string): readonly string[];
  /** Logs in as the workload does; answers with current_user. */
  login(username: string, roleARN?: string): Promise<string>;
  /** Logs in through the gate as people with a password do; answers with session_user. */
  loginByPassword(username: string, password: string): Promise<string>;
  /** Asks for another look and waits until one that began afterwards is reported. */
  lookAgain(manifest: Named): Promise<void>;
  /** Asks for a look and does not wait: one that cannot look answers no request. */
  askForLook(manifest: Named): Promise<string>;
}

export function sceneOf(stage: Stage): Scene {
  const { kube } = stage.bed;
  const read = async <T = IamDatabaseUser>(manifest: Named): Promise<T | undefined> => {
    const { status, body } = await kube.request<T>({ path: pathOf(manifest) });
    return status === 404 ? undefined : body;
  };
  const conditionOf = async (manifest: Named, type: ConditionType) => {
    const object = await read<IamDatabaseUser | IamDatabase>(manifest);
    const found = object?.status?.conditions?.find((one) => one.type === type);
    // What was said of an older generation says nothing about this one.
    return found !== undefined && found.observedGeneration === object?.metadata.generation
      ? { condition: found, isDeleted: object.metadata.deletionTimestamp !== undefined }
      : undefined;
  };
  const askForLook = async (manifest: Named) => {
    const asked = randomUUID();
    const metadata = { annotations: { [annotations.reconcileRequestedAt]: asked } };
    await kube.request({ method: 'PATCH', path: pathOf(manifest), body: { metadata }, expect: 200 });
    return asked;
  };
  /** Of the present generation, and noted as seen. */
  const untilSo = async (
    manifest: Named,
    type: ConditionType,
    wanted: {
      readonly what: string;
      readonly isSo: (condition: Condition) => boolean;
      readonly withinMs?: number | undefined;
    },
  ): Promise<Condition> => {
    const { what, isSo, withinMs = 20_000 } = wanted;
    const found = await until(
      `${type} of ${manifest.metadata.name} to be ${what}`,
      async () => {
        const one = await conditionOf(manifest, type);
        return one !== undefined && isSo(one.condition) ? one : undefined;
      },
      { withinMs, seen: async () => (await read(manifest))?.status },
    );
    noteCondition(keyOf(manifest), found.condition, found.isDeleted);
    return found.condition;
  };
  const untilCondition: Scene['untilCondition'] = async (manifest, type, status, reason, withinMs) => {
    const isSo = (one: Condition) => one.status === status && (reason === undefined || one.reason === reason);
    return await untilSo(manifest, type, { what: `${status} ${reason ?? ''}`, isSo, withinMs });
  };

  return {
    apply: (manifest) => apply(kube, manifest as Named),
    patch: async (manifest, patch) => {
      await kube.request({ method: 'PATCH', path: pathOf(manifest), body: patch, expect: 200 });
    },
    delete: async (manifest) => {
      await kube.request({ method: 'DELETE', path: pathOf(manifest) });
    },
    read,
    condition: async (manifest, type) => (await conditionOf(manifest, type))?.condition,
    untilCondition,
    untilTold: async (manifest, type, message) => {
      const isSo = (one: Condition) => message.test(one.message);
      return (await untilSo(manifest, type, { what: `told as ${message}`, isSo })).message;
    },
    untilReady: async (manifest, withinMs) => {
      await untilCondition(manifest, 'Ready', 'True', undefined, withinMs);
    },
    untilGone: async (manifest, withinMs = 20_000) => {
      await until(`${manifest.metadata.name} to be gone`, async () => (await read(manifest)) === undefined, {
        withinMs,
        seen: () => read(manifest),
      });
      noteGone(keyOf(manifest));
    },
    events: (reason) => eventsOf(kube, reason),
    untilEvent: async ({ metadata: { name } }, reason, note) => {
      await until(
        `an event ${reason} about ${name}`,
        async () =>
          (await eventsOf(kube, reason)).some((event) => event.about === name && note.test(event.note)),
        { seen: () => eventsOf(kube, reason) },
      );
    },
    configMap: async (namespace, name) =>
      await read({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name } }),
    allowedARNs: (roleName) => allowedARNs(stage, roleName),
    login: (username, roleARN = checkoutRole) => loginAs(stage, username, roleARN),
    loginByPassword: (username, password) => enter(stage, { username, password, ask: 'session_user' }),
    askForLook,
    lookAgain: async (manifest) => {
      const asked = await askForLook(manifest);
      await until(
        `a look at ${manifest.metadata.name}`,
        async () => (await read(manifest))?.status?.lastHandledReconcileAt === asked,
      );
    },
  };
}

const keyOf = ({ kind, metadata: { namespace = '', name } }: Named) => `${kind} ${namespace}/${name}`;

async function eventsOf(kube: Kube, reason: string) {
  const { body } = await kube.request<{
    readonly items: readonly {
      readonly reason: string;
      readonly note: string;
      readonly regarding: { readonly name: string };
    }[];
  }>({ path: '/apis/events.k8s.io/v1/events', expect: 200 });
  return body.items
    .filter((event) => event.reason === reason)
    .map(({ note, regarding }) => ({ note, about: regarding.name }));
}

function allowedARNs({ aws }: Stage, roleName: string): readonly string[] {
  const { roles, policies } = aws.iamState();
  const attached = roles.get(roleName.toLowerCase())?.attached ?? [];
  return [...policies.values()]
    .filter(({ arn }) => attached.includes(arn))
    .flatMap(({ versions, defaultVersionId }) => versions.filter(({ id }) => id === defaultVersionId))
    .flatMap(({ document }) => {
      const { Statement } = JSON.parse(document) as {
        readonly Statement: readonly { readonly Resource: readonly string[] }[];
      };
      return Statement.flatMap(({ Resource }) => Resource);
    });
}

async function loginAs(stage: Stage, username: string, roleARN: string): Promise<string> {
  const { accessKeyId, secretAccessKey, sessionToken } = stage.aws.createAccessKey(roleARN);
  const { host: hostname, port } = stage.database.endpoint;
  const credentials = {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
  const password = await new Signer({ credentials, hostname, port, region, username }).getAuthToken();
  return await enter(stage, { username, password, ask: 'current_user' });
}

async function enter(
  { database, bed }: Stage,
  as: {
    readonly username: string;
    readonly password: string;
    readonly ask: 'current_user' | 'session_user';
  },
): Promise<string> {
  const client = new Client({
    host: '127.0.0.1',
    port: database.gate.port,
    database: 'orders',
    user: as.username,
    password: as.password,
    ssl: { ca: bed.trust.current.roots.join(''), servername: database.endpoint.host },
    connectionTimeoutMillis: 10_000,
  });
  // A session ended by the server is an answer here, not a crash.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ readonly answer: string }>(`select ${as.ask} as answer`);
    return rows[0]?.answer ?? '';
  } finally {
    await client.end().catch(() => {});
  }
}
