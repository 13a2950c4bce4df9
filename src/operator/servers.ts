// The PostgreSQL servers that IamDatabases lead to: one pool of admin connections for each.
import type { IamDatabase } from '../api/objects.ts';
import { adminOf } from '../reconcile/admin.ts';
import type { RoleServer } from '../resources/role/resource.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import type { AdminPasswords } from './admin-password.ts';
import { openServer, type PostgresServer, type ServerOptions } from '../systems/postgres/server.ts';

export interface Servers {
  /** The open server if nothing about it changed, else a new one; the old one is closed once its work is done. */
  open(database: IamDatabase, target: ResolvedTarget): RoleServer;
  close(database: string): void;
  closeAll(): Promise<void>;
}

export function servers(options: {
  readonly passwords: Pick<AdminPasswords, 'of'>;
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

  const close = (name: string) => {
    const found = open.get(name);
    open.delete(name);
    found?.server.close().catch(options.onError);
  };

  return {
    open: (database, target) => {
      const { name } = database.metadata;
      const { assumeRole, connectTo } = database.spec;
      const admin = adminOf(database.spec);
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
        authentication: admin.authentication === 'IAM' ? 'IAM' : 'Secret',
        password: async () => await options.passwords.of(database, target),
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
