// A real PostgreSQL behind the RDS gate, and the operator's own connections to it as different admins.
import { Signer } from '@aws-sdk/rds-signer';
import { Client } from 'pg';
import { Secret } from '../../src/kernel/secret.ts';
import { openServer, type PostgresServer, type ServerOptions } from '../../src/systems/postgres/server.ts';
import { createChildren } from '../bed/children.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type Postgres, startPostgres } from '../bed/postgres.ts';
import { type RdsGate, startRdsGate } from '../bed/rds-gate.ts';
import { createRdsTrust } from '../bed/rds-trust.ts';

const region = 'ap-northeast-2';
export const host = `orders-prod.cluster-cabcdefghijk.${region}.rds.amazonaws.com`;
export const port = 5432;
const keys = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret-of-the-user' };

export interface Look {
  readonly login: boolean;
  readonly limit: number;
  readonly comment: string | null;
  /** Each with its grantor. */
  readonly groups: readonly (readonly [group: string, grantor: string])[] | null;
  readonly connect: readonly string[] | null;
}

export interface RoleBed {
  readonly postgres: Postgres;
  readonly gate: RdsGate;
  readonly ca: string;
  readonly dial: { readonly host: string; readonly port: number };
  token(username: string): Promise<Secret<string>>;
  /** As the operator connects; closed with the bed. */
  open(
    admin: { readonly username: string; readonly password?: string },
    more?: Partial<ServerOptions>,
  ): PostgresServer;
  /** What there is of a role, for comparing; undefined where there is none. */
  look(username: string): Promise<Look | undefined>;
  /** The groups of a role, rds_iam among them, each as often as it was granted. */
  groupsOf(username: string): Promise<readonly string[]>;
  /** A session of a user that is let in without a password, as the gate would let it in with a token. */
  enter(username: string): Promise<Client>;
  /** Whether its password, and it alone, lets it in: a member of rds_iam is let in here whatever it says. */
  isPasswordLogin(username: string, password: string): Promise<boolean>;
  /** A person's own session, straight to the server. */
  person(user?: string, password?: string): Promise<Client>;
  stop(): Promise<void>;
}

export async function startRoleBed(major: PostgresMajor): Promise<RoleBed> {
  const children = createChildren();
  const [postgres, trust] = await Promise.all([startPostgres({ major, children }), createRdsTrust(region)]);
  const gate = await startRdsGate({
    upstream: postgres,
    endpoints: [{ host, port }],
    server: { partition: 'aws', region, accountId: '111122223333', resourceId: 'cluster-ABC' },
    certificate: await trust.issue([host]),
    aws: {
      credentials: {
        lookup: () => ({
          secretAccessKey: keys.secretAccessKey,
          principal: 'arn:aws:iam::111122223333:role/r',
        }),
      },
      authorize: () => true,
    },
  });
  const ca = trust.roots.join('');
  const dial = { host: '127.0.0.1', port: gate.port };
  const servers: PostgresServer[] = [];
  const people: Client[] = [];
  const look = async (username: string): Promise<Look | undefined> => {
    const [row] = await postgres.sql<{ found: Look }>(looking(username));
    return row?.found;
  };
  const session = async (user: string, password: string, database: string): Promise<Client> => {
    const client = new Client({ ...postgres.superuser, user, password, database });
    client.on('error', () => {});
    await client.connect();
    people.push(client);
    return client;
  };
  const logsIn = async (user: string, password: string) => {
    const client = new Client({ ...postgres.superuser, user, password });
    client.on('error', () => {});
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  };
  const token = async (username: string) =>
    new Secret(
      await new Signer({ hostname: host, port, region, username, credentials: keys }).getAuthToken(),
    );

  return {
    postgres,
    gate,
    ca,
    dial,
    token,
    open({ username, password }, more = {}) {
      const server = openServer({
        host,
        port,
        dial,
        username,
        authentication: password === undefined ? 'IAM' : 'Secret',
        password: async () => (password === undefined ? await token(username) : new Secret(password)),
        ca: async () => await Promise.resolve(ca),
        poolSize: 4,
        ...more,
      });
      servers.push(server);
      return server;
    },
    look,
    groupsOf: async (username) => (await look(username))?.groups?.map(([group]) => group) ?? [],
    enter: async (username) => await session(username, '', 'orders'),
    person: async (user = postgres.superuser.user, password = postgres.superuser.password) =>
      await session(user, password, 'postgres'),
    isPasswordLogin: async (username, password) =>
      (await logsIn(username, password)) && !(await logsIn(username, 'wrong')),
    async stop() {
      await Promise.all(people.map((client) => client.end()));
      await Promise.all(servers.map((server) => server.close()));
      await gate.stop();
      await children.stop();
    },
  };
}

const looking = (username: string) => `SELECT json_build_object(
  'login', rolcanlogin,
  'limit', rolconnlimit,
  'comment', shobj_description(r.oid, 'pg_authid'),
  'groups', (SELECT json_agg(json_build_array(g.rolname, by.rolname) ORDER BY g.rolname, by.rolname)
    FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles by ON by.oid = m.grantor
    WHERE m.member = r.oid),
  'connect', (SELECT json_agg(d.datname ORDER BY d.datname) FROM pg_database d, aclexplode(d.datacl) x
    WHERE x.grantee = r.oid AND x.privilege_type = 'CONNECT')
) AS found FROM pg_roles r WHERE rolname = '${username}'`;
