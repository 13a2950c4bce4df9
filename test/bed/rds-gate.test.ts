import { connect } from 'node:net';
import { Signer } from '@aws-sdk/rds-signer';
import { Client } from 'pg';
import type { ClientConfig } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AuthorizeRequest, Credential } from './aws-authority.ts';
import { createChildren } from './children.ts';
import { createIamAdmin, createPasswordAdmin } from './postgres-admin.ts';
import { startPostgres } from './postgres.ts';
import type { Postgres } from './postgres.ts';
import type { PostgresMajor } from './postgres-program.ts';
import { startRdsGate } from './rds-gate.ts';
import type { RdsGate } from './rds-gate.ts';
import { createRdsTrust } from './rds-trust.ts';
import type { RdsTrust } from './rds-trust.ts';

const region = 'ap-northeast-2';
const endpoint = { host: `orders-prod.cluster-cabcdefghijk.${region}.rds.amazonaws.com`, port: 5432 };
const reader = { host: `orders-prod.cluster-ro-cabcdefghijk.${region}.rds.amazonaws.com`, port: 5432 };
const role = 'arn:aws:iam::111122223333:role/payments-checkout';
const longLived: Credential = { secretAccessKey: 'secret-of-the-user', principal: role };
const issued: Credential = {
  secretAccessKey: 'secret-of-the-session',
  sessionToken: 'S/+='.repeat(450),
  principal: role,
  sessionPolicy: '{"Statement":[]}',
  expiresAt: new Date('2100-01-01T00:00:00Z'),
};
const refusedText = 'PAM authentication failed for user "checkout"';

const token = (
  changes: Partial<{
    hostname: string;
    port: number;
    region: string;
    username: string;
    key: string;
    secret: string;
  }> = {},
): Promise<string> => {
  const key = changes.key ?? 'AKIATEST';
  const { secretAccessKey, sessionToken } = key.startsWith('ASIA') ? issued : longLived;
  return new Signer({
    hostname: endpoint.host,
    port: endpoint.port,
    region,
    username: 'checkout',
    credentials: {
      accessKeyId: key,
      secretAccessKey: changes.secret ?? secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
    ...changes,
  }).getAuthToken();
};

describe.each<PostgresMajor>([14, 17])('the RDS gate before PostgreSQL %i', (major) => {
  const children = createChildren();
  let postgres: Postgres;
  let trust: RdsTrust;
  let gate: RdsGate;
  let asked: AuthorizeRequest[] = [];
  let allowed = true;
  let minutesAhead = 0;
  let credentials: ReadonlyMap<string, Credential> = new Map();

  beforeAll(async () => {
    [postgres, trust] = await Promise.all([startPostgres({ major, children }), createRdsTrust(region)]);
    gate = await startRdsGate({
      upstream: postgres,
      endpoints: [endpoint, reader],
      server: { partition: 'aws', region, accountId: '111122223333', resourceId: 'cluster-ABC' },
      certificate: await trust.issue([endpoint.host, reader.host]),
      clock: () => new Date(Date.now() + minutesAhead * 60_000),
      aws: {
        credentials: { lookup: (accessKeyId) => credentials.get(accessKeyId) },
        authorize: (request) => {
          asked.push(request);
          return allowed;
        },
      },
    });
    await postgres.sql('CREATE ROLE checkout LOGIN; GRANT rds_iam TO checkout');
    await createPasswordAdmin(postgres, 'password_admin', 'right');
  }, 60_000);
  afterAll(async () => {
    await gate.stop();
    await children.stop();
  });
  beforeEach(() => {
    asked = [];
    allowed = true;
    minutesAhead = 0;
    credentials = new Map([
      ['AKIATEST', longLived],
      ['ASIATEST', issued],
    ]);
    gate.setModes({ iamAuthentication: 'on', delayMs: 0, dropAfterBytes: undefined, readOnly: false });
  });

  const config = (password: string, changes: ClientConfig = {}): ClientConfig => ({
    host: '127.0.0.1',
    port: gate.port,
    user: 'checkout',
    database: 'orders',
    password,
    ssl: { ca: [...trust.roots], servername: endpoint.host, minVersion: 'TLSv1.2', rejectUnauthorized: true },
    ...changes,
  });

  const open = async (password: string, changes?: ClientConfig): Promise<Client> => {
    const client = new Client(config(password, changes));
    client.on('error', () => {});
    await client.connect();
    return client;
  };

  const login = async (password: string, changes?: ClientConfig): Promise<string> => {
    try {
      const client = await open(password, changes);
      const { rows } = await client.query<{ who: string }>('SELECT current_user AS who');
      await client.end();
      return rows[0]?.who ?? 'nobody';
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return 'code' in error ? `${String(error.code)} ${error.message}` : error.message;
    }
  };

  it('lets a right token in over verify-full, and asks IAM for exactly that user of that resource', async () => {
    expect(await login(await token())).toBe('checkout');
    expect(asked).toEqual([
      {
        principal: role,
        action: 'rds-db:connect',
        resource: 'arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:cluster-ABC/checkout',
      },
    ]);
    expect(gate.logins.at(-1)).toMatchObject({
      user: 'checkout',
      by: 'token',
      outcome: 'accepted',
      tls: true,
    });
  });

  it('takes a token for the reader endpoint as well', async () => {
    expect(await login(await token({ hostname: reader.host }))).toBe('checkout');
  });

  it('takes a token with a session token of 1,800 characters, and passes its session policy on', async () => {
    expect(issued.sessionToken).toHaveLength(1_800);
    expect(await login(await token({ key: 'ASIATEST' }))).toBe('checkout');
    expect(asked[0]?.sessionPolicy).toBe(issued.sessionPolicy);
  });

  it('asks about the resource that stands behind the name now', async () => {
    gate.setServer({ resourceId: 'cluster-RESTORED' });
    await login(await token());
    gate.setServer({ resourceId: 'cluster-ABC' });
    expect(asked[0]?.resource).toBe(
      'arn:aws:rds-db:ap-northeast-2:111122223333:dbuser:cluster-RESTORED/checkout',
    );
  });

  const refusals: Record<string, { readonly why: string; readonly make: () => Promise<string> }> = {
    'signed with another secret': { why: 'wrong signature', make: () => token({ secret: 'guessed' }) },
    'for another region': { why: 'wrong region', make: () => token({ region: 'us-east-1' }) },
    'for another user': { why: 'wrong user', make: () => token({ username: 'somebody' }) },
    'for another host': { why: 'wrong host', make: () => token({ hostname: 'db.internal' }) },
    'for another port': { why: 'wrong host', make: () => token({ port: 6432 }) },
    'by an unknown key': { why: 'unknown access key', make: () => token({ key: 'AKIAOTHER' }) },
    'that is no token': { why: 'not a presigned URL', make: async () => 'a password' },
    'of another action': {
      why: 'wrong action',
      make: async () => (await token()).replace('Action=connect', 'Action=drop'),
    },
    'asking for a longer life': {
      why: 'lives longer than 15 minutes',
      make: async () => (await token()).replace('Expires=900', 'Expires=901'),
    },
    'whose life was changed after signing': {
      why: 'wrong signature',
      make: async () => (await token()).replace('Expires=900', 'Expires=800'),
    },
    'cut off': {
      why: 'wrong signature',
      make: async () => (await token()).replace(/(Signature=\w{63})\w/, '$1'),
    },
    'with a parameter twice': {
      why: 'not a presigned URL',
      make: async () => `${await token()}&DBUser=checkout`,
    },
    'with one parameter more': { why: 'wrong signature', make: async () => `${await token()}&X-More=1` },
    'without its session token': {
      why: 'wrong signature',
      make: async () => (await token({ key: 'ASIATEST' })).replace(/X-Amz-Security-Token=[^&]+&/, ''),
    },
    'older than 15 minutes': {
      why: 'expired',
      make: async () => {
        const made = await token();
        minutesAhead = 15.1;
        return made;
      },
    },
    'from the future': {
      why: 'from the future',
      make: async () => {
        const made = await token();
        minutesAhead = -6;
        return made;
      },
    },
    'of credentials that have expired': {
      why: 'credentials expired',
      make: async () => {
        credentials = new Map([['ASIATEST', { ...issued, expiresAt: new Date(Date.now() - 1_000) }]]);
        return await token({ key: 'ASIATEST' });
      },
    },
    'signed by a session whose token is another': {
      why: 'wrong session token',
      make: async () => {
        credentials = new Map([['ASIATEST', { ...issued, sessionToken: 'another' }]]);
        return await token({ key: 'ASIATEST' });
      },
    },
    'that no policy allows': {
      why: 'not authorized',
      make: () => {
        allowed = false;
        return token();
      },
    },
  };

  it.each(Object.keys(refusals))('refuses a token %s, with the one text RDS has for all', async (which) => {
    const made = await refusals[which]?.make();
    expect(await login(made ?? '')).toBe(`28000 ${refusedText}`);
    expect(gate.logins.at(-1)).toMatchObject({ outcome: 'refused', why: refusals[which]?.why });
  });

  it('takes a token that is almost 15 minutes old', async () => {
    const made = await token();
    minutesAhead = 14.9;
    expect(await login(made)).toBe('checkout');
  });

  it('turns members of rds_iam away without TLS, before they could send a token', async () => {
    expect(await login(await token(), { ssl: false })).toBe(
      '28000 pg_hba.conf rejects connection for host "127.0.0.1", user "checkout", database "orders", no encryption',
    );
    expect(asked).toEqual([]);
  });

  it('leaves everybody else to their password', async () => {
    expect(await login('right', { user: 'password_admin' })).toBe('password_admin');
    expect(gate.logins.at(-1)).toMatchObject({ by: 'password', outcome: 'accepted' });
    expect(await login('wrong', { user: 'password_admin' })).toBe(
      '28P01 password authentication failed for user "password_admin"',
    );
    expect(gate.logins.at(-1)).toMatchObject({ by: 'password', outcome: 'refused' });
    expect(await login(await token({ username: 'missing' }), { user: 'missing' })).toMatch(/^28P01 /);
  });

  it('asks a password admin for a token from the moment it reaches rds_iam', async () => {
    await postgres.sql("CREATE ROLE locked LOGIN PASSWORD 'right'");
    expect(await login('right', { user: 'locked' })).toBe('locked');
    await postgres.sql('GRANT checkout TO locked');
    expect(await login('right', { user: 'locked' })).toBe(
      '28000 PAM authentication failed for user "locked"',
    );
  });

  it('leaves members to their password while IAM authentication is off', async () => {
    await createIamAdmin(postgres, 'iam_admin');
    gate.setModes({ iamAuthentication: 'off' });
    const refused = await login(await token(), {});
    expect(refused).toBe('28P01 password authentication failed for user "checkout"');
    await postgres.sql("ALTER ROLE iam_admin PASSWORD 'right'");
    expect(await login('right', { user: 'iam_admin' })).toBe('iam_admin');
  });

  it('answers late in the slow mode', async () => {
    gate.setModes({ delayMs: 300 });
    const before = performance.now();
    expect(await login(await token())).toBe('checkout');
    expect(performance.now() - before).toBeGreaterThan(290);
  });

  it('says no database, not no access, where only the database is missing', async () => {
    expect(await login(await token(), { database: 'nowhere' })).toBe(
      '3D000 database "nowhere" does not exist',
    );
  });

  it('rejects members in the mode that RDS has for it', async () => {
    gate.setModes({ iamAuthentication: 'reject' });
    expect(await login(await token())).toMatch(/^28000 pg_hba.conf rejects connection .* SSL encryption$/);
  });

  it('gets no login from a client that trusts other roots or expects another name', async () => {
    const other = await createRdsTrust(region);
    const before = gate.logins.length;
    expect(await login(await token(), { ssl: { ca: [...other.roots], servername: endpoint.host } })).toMatch(
      /certificate|signature/,
    );
    expect(await login(await token(), { ssl: { ca: [...trust.roots], servername: 'db.internal' } })).toMatch(
      /ERR_TLS_CERT_ALTNAME_INVALID/,
    );
    expect(gate.logins).toHaveLength(before);
  });

  it('passes the end of a session on when the server terminates it', async () => {
    const client = await open(await token());
    const ended = new Promise<Error>((resolve) => client.on('error', resolve));
    expect([...gate.sessions]).toMatchObject([{ user: 'checkout', database: 'orders' }]);
    await postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'checkout'");
    expect(await ended).toMatchObject({ code: '57P01' });
    await expect.poll(() => gate.sessions.size).toBe(0);
  });

  it('passes cancel requests on', async () => {
    const client = await open(await token());
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const slow = client.query('SELECT pg_sleep(30)').catch((error: unknown) => error);
    const running = `SELECT 1 FROM pg_stat_activity WHERE pid = ${rows[0]?.pid} AND query LIKE '%pg_sleep(30)'`;
    await expect.poll(async () => await postgres.sql(running)).toHaveLength(1);
    // A second connection that only carries the key of the first.
    const packet = Buffer.alloc(16);
    const words = [16, 80_877_102, Number(rows[0]?.pid), Number(Reflect.get(client, 'secretKey'))];
    for (const [at, word] of words.entries()) packet.writeInt32BE(word, at * 4);
    connect(gate.port, '127.0.0.1').end(packet);
    expect(await slow).toMatchObject({ code: '57014' });
    await client.end();
  });

  it('shows a reader behind the writer endpoint', async () => {
    gate.setModes({ readOnly: true });
    const client = await open(await token());
    await expect(client.query('CREATE TABLE t ()')).rejects.toMatchObject({ code: '25006' });
    await client.end();
  });

  it('cuts a session after the bytes it was told', async () => {
    gate.setModes({ dropAfterBytes: 10_000 });
    const client = await open(await token());
    await expect(client.query("SELECT repeat('x', 100000)")).rejects.toThrow(/terminated/);
  });

  it('refuses connections while it is closed, and is back on the same port', async () => {
    await gate.close();
    expect(await login(await token())).toMatch(/ECONNREFUSED/);
    await gate.open();
    expect(await login(await token())).toBe('checkout');
  });

  it('serves a new certificate from the next connection on', async () => {
    const next = await createRdsTrust(region, 2);
    gate.setCertificate(await next.issue([endpoint.host]));
    expect(await login(await token())).toMatch(/certificate|signature/);
    expect(await login(await token(), { ssl: { ca: [...next.roots], servername: endpoint.host } })).toBe(
      'checkout',
    );
  });
});
