// The login that proves access: over TLS that is verified in full, through the RDS gate.
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Client } from 'pg';
import { asFailure, type Failure } from '../../src/kernel/failure.ts';
import { Secret } from '../../src/kernel/secret.ts';
import type { LoginRequest } from '../../src/resources/access/access.ts';
import { login } from '../../src/systems/postgres/login.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { createRdsTrust } from '../bed/rds-trust.ts';
import { host, port, type RoleBed, startRoleBed } from './role-bed.ts';

describe.each<PostgresMajor>([14, 16, 17, 18])('on PostgreSQL %i', (major) => {
  let bed: RoleBed;

  beforeAll(async () => {
    bed = await startRoleBed(major);
    await bed.postgres.sql('CREATE ROLE checkout LOGIN; GRANT rds_iam TO checkout');
    await bed.postgres.sql('CREATE DATABASE closed');
    await bed.postgres.sql('REVOKE CONNECT ON DATABASE closed FROM PUBLIC');
  });
  afterAll(async () => await bed.stop());
  afterEach(async () => {
    vi.unstubAllEnvs();
    bed.gate.setModes({ iamAuthentication: 'on', delayMs: 0 });
    await bed.postgres.sql('ALTER ROLE checkout LOGIN CONNECTION LIMIT -1; ALTER ROLE checkout RESET role');
  });

  const request = async (changes: Partial<LoginRequest> = {}): Promise<LoginRequest> => ({
    host,
    port,
    dial: bed.dial,
    database: 'orders',
    username: 'checkout',
    password: await bed.token('checkout'),
    ca: bed.ca,
    signal: AbortSignal.timeout(20_000),
    timeoutMs: 5_000,
    ...changes,
  });

  it('is answered with who it is', async () => {
    expect(await login(await request())).toEqual({
      currentUser: 'checkout',
      sessionUser: 'checkout',
    });
  });

  it('shows an identity that was redirected', async () => {
    await bed.postgres.sql(
      'GRANT orders_readonly TO checkout; ALTER ROLE checkout SET role = orders_readonly',
    );
    expect(await login(await request())).toMatchObject({
      currentUser: 'orders_readonly',
      sessionUser: 'checkout',
    });
  });

  it('does not heed the variables that libpq would', async () => {
    vi.stubEnv('PGOPTIONS', '-c role=postgres');
    vi.stubEnv('PGREPLICATION', 'database');
    vi.stubEnv('PGSSLMODE', 'disable');
    vi.stubEnv('PGSSLNEGOTIATION', 'direct');
    vi.stubEnv('PGHOST', '192.0.2.1');
    vi.stubEnv('PGUSER', 'postgres');
    vi.stubEnv('PGPASSWORD', 'x');
    vi.stubEnv('PGDATABASE', 'nowhere');
    vi.stubEnv('PGAPPNAME', 'somebody');
    expect(await login(await request())).toMatchObject({ currentUser: 'checkout' });
    expect(bed.gate.logins.at(-1)).toMatchObject({ applicationName: 'iamdb-operator', tls: true });
  });

  it.each<[string, () => Promise<Partial<LoginRequest>>, string, string | undefined]>([
    ['a bad token', async () => ({ password: await bed.token('another') }), 'TokenRefused', '28000'],
    [
      'IAM authentication that is off',
      async () => {
        bed.gate.setModes({ iamAuthentication: 'off' });
        return await Promise.resolve({});
      },
      'TokenRefused',
      '28P01',
    ],
    [
      'NOLOGIN',
      async () => {
        await bed.postgres.sql('ALTER ROLE checkout NOLOGIN');
        return {};
      },
      'LoginForbidden',
      '28000',
    ],
    [
      'a connection limit',
      async () => {
        await bed.postgres.sql('ALTER ROLE checkout CONNECTION LIMIT 0');
        return {};
      },
      'LoginForbidden',
      '53300',
    ],
    [
      'a database without CONNECT',
      async () => await Promise.resolve({ database: 'closed' }),
      'LoginForbidden',
      '42501',
    ],
    [
      'a database that is missing',
      async () => await Promise.resolve({ database: 'none' }),
      'LoginForbidden',
      '3D000',
    ],
    [
      'a name that the certificate lacks',
      async () => await Promise.resolve({ host: 'another.name.example' }),
      'CertificateRejected',
      undefined,
    ],
    [
      'an address that the certificate lacks',
      async () => await Promise.resolve({ host: '192.0.2.1' }),
      'CertificateRejected',
      undefined,
    ],
    [
      'an authority that nobody trusts',
      async () => ({ ca: (await createRdsTrust('eu-west-1')).roots.join('') }),
      'CertificateRejected',
      undefined,
    ],
    [
      'a server that does not answer in time',
      async () => {
        bed.gate.setModes({ delayMs: 10_000 });
        return await Promise.resolve({ timeoutMs: 300 });
      },
      'Unreachable',
      undefined,
    ],
    [
      'a pass that ends',
      async () => {
        bed.gate.setModes({ delayMs: 10_000 });
        return await Promise.resolve({ signal: AbortSignal.timeout(300) });
      },
      'Unreachable',
      undefined,
    ],
    [
      'nobody listening',
      async () => await Promise.resolve({ dial: { host: '127.0.0.1', port: 1 } }),
      'Unreachable',
      undefined,
    ],
  ])('tells %s', async (_, changes, reason, sqlState) => {
    await expect(login(await request(await changes()))).rejects.toMatchObject({ reason, sqlState });
  });

  it.each([
    ['the role', 'ALTER ROLE checkout CONNECTION LIMIT 0', /its own connection limit/],
    ['its database', 'ALTER DATABASE orders CONNECTION LIMIT 0', /the limit of its database/],
  ])('tells that it was the limit of %s', async (_, statement, says) => {
    await bed.postgres.sql(statement);
    await expect(login(await request())).rejects.toMatchObject({
      reason: 'LoginForbidden',
      sqlState: '53300',
      message: expect.stringMatching(says),
    });
    await bed.postgres.sql('ALTER DATABASE orders CONNECTION LIMIT -1');
  });

  it('blames nobody where the whole server is full', async () => {
    const [row] = await bed.postgres.sql<{ readonly slots: number }>(
      `SELECT current_setting('max_connections')::int AS slots`,
    );
    const people: Client[] = [];
    const enter = async () => people.push(await bed.person());
    const refusal = async (): Promise<Failure | undefined> =>
      await login(await request()).then(() => undefined, asFailure);
    while (people.length < (row?.slots ?? 0) - 10) await enter();
    // The last places are kept for superusers.
    let failure = await refusal();
    for (let more = 0; failure === undefined && more < 10; more += 1) {
      await enter();
      failure = await refusal();
    }
    await Promise.all(people.map((client) => client.end()));
    expect(failure).toMatchObject({
      reason: 'LoginForbidden',
      sqlState: '53300',
      message: expect.stringContaining('the server is full, or'),
    });
  });

  it('says no byte of the token to a server without TLS', async () => {
    const heard: Buffer[] = [];
    const plain = createServer((socket) => {
      socket.on('data', (bytes) => heard.push(bytes));
      socket.write('N');
    });
    await new Promise<void>((resolve) => {
      plain.listen(0, '127.0.0.1', resolve);
    });
    const dial = { host: '127.0.0.1', port: (plain.address() as AddressInfo).port };
    const password = new Secret('TOKEN-CANARY');
    const failed = login(await request({ dial, password }));
    await expect(failed).rejects.toMatchObject({ reason: 'CertificateRejected' });
    await expect(failed).rejects.not.toMatchObject({ message: expect.stringContaining('CANARY') });
    expect(Buffer.concat(heard).toString('latin1')).not.toContain('CANARY');
    await new Promise((resolve) => {
      plain.close(resolve);
    });
  });
});
