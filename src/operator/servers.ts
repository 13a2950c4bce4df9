// The PostgreSQL servers that IamDatabases lead to: one pool of admin connections for each.
import type { IamDatabase } from '../api/objects.ts';
import type { AssumeRole } from '../api/schema.ts';
import { Failure } from '../reconcile/kernel/failure.ts';
import { Secret } from '../reconcile/kernel/secret.ts';
import type { TokenFor } from '../resources/access/access.ts';
import type { RoleServer } from '../resources/role/resource.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import type { KubeObject } from '../controller/object.ts';
import { orKubeFailure } from '../systems/kubernetes/failures.ts';
import type { KubeObjects } from '../systems/kubernetes/objects.ts';
import { openServer, type PostgresServer, type ServerOptions } from '../systems/postgres/server.ts';

export interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface Servers {
  /** The open server if nothing about it changed, else a new one; the old one is closed once its work is done. */
  open(database: IamDatabase, target: ResolvedTarget): RoleServer;
  close(database: string): void;
  closeAll(): Promise<void>;
}

export function servers(options: {
  readonly secrets: Pick<KubeObjects<SecretObject>, 'get'>;
  readonly namespace: string;
  /** By the identity by which the operator sees AWS for the database. */
  readonly operatorToken: (of: TokenFor, as: AssumeRole | undefined) => Promise<Secret<string>>;
  readonly roots: (region: string, partition: string, signal: AbortSignal) => Promise<string>;
  readonly poolSize: number;
  readonly timeScale: number;
  readonly mayDial: (address: string) => boolean;
  readonly beforeWrite: () => void;
  readonly onError: (error: unknown) => void;
  readonly onRoundTrip: NonNullable<ServerOptions['onRoundTrip']>;
  /** Told how many admin sessions are open at all servers. */
  readonly onConnections: (open: number) => void;
}): Servers {
  const open = new Map<string, { readonly identity: string; readonly server: PostgresServer }>();
  let connections = 0;

  const passwordOf = (database: IamDatabase, target: ResolvedTarget) => async (): Promise<Secret<string>> => {
    const { username, authentication, secretRef } = database.spec.admin;
    if (authentication === 'IAM') {
      const { endpoint: host, port, region } = target;
      return await options.operatorToken({ host, port, region, username }, database.spec.assumeRole);
    }
    const name = secretRef?.name ?? '';
    const signal = AbortSignal.timeout(10_000);
    const secret = await orKubeFailure(options.secrets.get({ namespace: options.namespace, name }, signal));
    const password = decoded(secret?.data?.['password']);
    if (password === undefined || decoded(secret?.data?.['username']) !== username) {
      throw new Failure(
        'missing',
        'AdminSecretMissing',
        `Secret ${options.namespace}/${name} must hold the keys username (${username}, as in spec.admin) and password.`,
      );
    }
    return new Secret(password);
  };

  const close = (name: string) => {
    const found = open.get(name);
    open.delete(name);
    found?.server.close().catch(options.onError);
  };

  return {
    open: (database, target) => {
      const { name } = database.metadata;
      const { admin, assumeRole, connectTo } = database.spec;
      const { endpoint: host, port, region, partition, serverResourceID } = target;
      const where = [host, port, region, partition, serverResourceID];
      const identity = JSON.stringify([...where, admin, connectTo, assumeRole]);
      const found = open.get(name);
      if (found?.identity === identity) return found.server;
      close(name);
      const server = openServer({
        host,
        port,
        ...(connectTo === undefined ? {} : { dial: connectTo }),
        username: admin.username,
        authentication: admin.authentication,
        password: passwordOf(database, target),
        ca: async () => await options.roots(region, partition, AbortSignal.timeout(10_000)),
        poolSize: options.poolSize,
        timeScale: options.timeScale,
        mayDial: options.mayDial,
        beforeWrite: options.beforeWrite,
        onRoundTrip: options.onRoundTrip,
        onConnection: (change) => {
          connections += change;
          options.onConnections(connections);
        },
      });
      open.set(name, { identity, server });
      return server;
    },
    close,
    closeAll: async () => {
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map(({ server }) => server.close()));
    },
  };
}

const decoded = (base64: string | undefined) =>
  base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
