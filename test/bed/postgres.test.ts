import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createChildren } from './children.ts';
import { createIamAdmin, createPasswordAdmin } from './postgres-admin.ts';
import { startPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';
import type { PostgresMajor } from './postgres-program.ts';

describe.each<PostgresMajor>([14, 16, 17, 18])('PostgreSQL %i of the bed', (major) => {
  const children = createChildren();
  let postgres: Postgres;

  beforeAll(async () => {
    postgres = await startPostgres({ major, children });
  }, 60_000);
  afterAll(() => children.stop());

  const answer = async (user: string, password: string, host = '127.0.0.1'): Promise<unknown> => {
    const client = new Client({ host, port: postgres.port, user, password, database: 'orders' });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<{ who: string }>('SELECT current_user AS who')).rows[0]?.who;
    } catch (error) {
      return error instanceof Error && 'code' in error ? error.code : error;
    } finally {
      await client.end();
    }
  };

  it('is that major', async () => {
    const [row] = await postgres.sql<{ version: string }>(
      "SELECT current_setting('server_version') AS version",
    );
    expect(row?.version).toMatch(new RegExp(`^${major}\\.`));
  });

  it('lets members of rds_iam in by TCP, for the gate to judge, and others by password', async () => {
    await createIamAdmin(postgres, 'iam_admin');
    await createPasswordAdmin(postgres, 'password_admin', 'right');
    expect(await answer('iam_admin', '')).toBe('iam_admin');
    expect(await answer('password_admin', 'right')).toBe('password_admin');
    expect(await answer('password_admin', 'wrong')).toBe('28P01');
    expect(await answer('nobody_here', 'x')).toBe('28P01');
  });

  it('asks members for a password on the socket, as RDS does with IAM authentication off', async () => {
    const socket = postgres.socketPath.slice(0, postgres.socketPath.lastIndexOf('/'));
    expect(await answer('iam_admin', 'x', socket)).toBe('28P01');
  });

  it("answers the AWS drivers' questions as Aurora does", async () => {
    await postgres.sql('CREATE ROLE plain LOGIN');
    const rows = await postgres.sql(
      'SET ROLE plain; SELECT server_id, aurora_db_instance_identifier() AS id FROM aurora_replica_status()',
      'orders',
    );
    expect(rows).toEqual([{ server_id: 'orders-prod-1', id: 'orders-prod-1' }]);
  });

  it('keeps its roles and its port over a restart', async () => {
    await postgres.restart();
    expect(await answer('iam_admin', '')).toBe('iam_admin');
  });
});
