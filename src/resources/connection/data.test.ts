import { describe, expect, it } from 'vitest';
import { assert, property, string, stringMatching } from 'fast-check';
import { type ConnectionInput, connectionData } from './data.ts';

const input: ConnectionInput = {
  endpoint: 'orders.cluster-abc.ap-northeast-2.rds.amazonaws.com',
  port: 5432,
  readerEndpoint: 'orders.cluster-ro-abc.ap-northeast-2.rds.amazonaws.com',
  serverResourceID: 'cluster-ABC',
  username: 'payments_checkout',
  database: 'orders',
  region: 'ap-northeast-2',
  trustBundleName: 'rds-ca-ap-northeast-2',
};

describe('the connection data of a user', () => {
  it('is what libpq and the AWS JDBC wrapper read', () => {
    expect(connectionData(input)).toEqual({
      PGHOST: 'orders.cluster-abc.ap-northeast-2.rds.amazonaws.com',
      PGPORT: '5432',
      PGUSER: 'payments_checkout',
      PGDATABASE: 'orders',
      PGSSLMODE: 'verify-full',
      PGSSLROOTCERT: '/etc/rds-ca/ca.crt',
      PGHOST_READER: 'orders.cluster-ro-abc.ap-northeast-2.rds.amazonaws.com',
      RDS_REGION: 'ap-northeast-2',
      TRUST_BUNDLE: 'rds-ca-ap-northeast-2',
      JDBC_URL:
        'jdbc:aws-wrapper:postgresql://orders.cluster-abc.ap-northeast-2.rds.amazonaws.com:5432/orders?wrapperPlugins=initialConnection,auroraConnectionTracker,failover2,efm2,iam&user=payments_checkout&sslmode=verify-full&sslrootcert=/etc/rds-ca/ca.crt',
    });
  });

  it('has no reader where there is none, and no cluster plugins on an instance', () => {
    const { readerEndpoint: _, ...rest } = input;
    const data = connectionData({ ...rest, serverResourceID: 'db-ABC' });
    expect(data).not.toHaveProperty('PGHOST_READER');
    expect(data['JDBC_URL']).toContain('?wrapperPlugins=efm2,iam&');
  });

  it('names a proxy with its own port, whatever port the database has', () => {
    const proxies = [{ name: 'orders-proxy', endpoint: 'p.proxy-abc.rds.amazonaws.com' }];
    const data = connectionData({ ...input, port: 6000, proxies, firstProxy: 'orders-proxy' });
    expect(data).toMatchObject({
      PGHOST: input.endpoint,
      PGPORT: '6000',
      PGHOST_PROXY: 'p.proxy-abc.rds.amazonaws.com',
      PGPORT_PROXY: '5432',
    });
    expect(Object.keys(data).filter((key) => key.startsWith('PGHOST_PROXY_'))).toEqual([]);
  });

  it('names each of several proxies, and never another one in place of the first', () => {
    const first = { name: 'orders-proxy', endpoint: 'p.proxy-abc.rds.amazonaws.com' };
    const second = { name: 'reports-2', endpoint: 'r.proxy-abc.rds.amazonaws.com' };
    expect(connectionData({ ...input, proxies: [first, second], firstProxy: 'orders-proxy' })).toMatchObject({
      PGHOST_PROXY: first.endpoint,
      PGHOST_PROXY_ORDERS_PROXY: first.endpoint,
      PGHOST_PROXY_REPORTS_2: second.endpoint,
    });
    const without = connectionData({ ...input, proxies: [second], firstProxy: 'orders-proxy' });
    expect(without).not.toHaveProperty('PGHOST_PROXY');
    expect(without).toMatchObject({ PGHOST_PROXY_REPORTS_2: second.endpoint, PGPORT_PROXY: '5432' });
  });

  it('follows the mount path', () => {
    const data = connectionData({ ...input, mountPath: '/certs' });
    expect(data['PGSSLROOTCERT']).toBe('/certs/ca.crt');
    expect(data['JDBC_URL']).toContain('sslrootcert=/certs/ca.crt');
  });

  it('has only keys that fit envFrom, and none that would redirect AWS calls, whatever the values', () => {
    const username = stringMatching(/^[A-Za-z_][A-Za-z0-9_.@-]{0,62}$/);
    const database = string({ unit: 'grapheme', minLength: 1, maxLength: 63 });
    assert(
      property(username, database, (name, db) => {
        const data = connectionData({ ...input, username: name, database: db });
        for (const key of Object.keys(data)) {
          expect(key).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/);
          expect(key).not.toMatch(/^AWS_/);
        }
        const [, path, query] =
          /^jdbc:aws-wrapper:postgresql:\/\/[^/]+\/([^/?#]*)\?([^?#]*)$/.exec(data['JDBC_URL'] ?? '') ?? [];
        expect(decodeURIComponent(path ?? '')).toBe(db);
        expect([...new URLSearchParams(query)]).toEqual([
          ['wrapperPlugins', 'initialConnection,auroraConnectionTracker,failover2,efm2,iam'],
          ['user', name],
          ['sslmode', 'verify-full'],
          ['sslrootcert', '/etc/rds-ca/ca.crt'],
        ]);
      }),
    );
  });

  it('leaves a user name with @ and . readable in the JDBC URL', () => {
    const data = connectionData({ ...input, username: 'svc.checkout@team-a' });
    expect(data['JDBC_URL']).toContain('&user=svc.checkout@team-a&');
    expect(data['PGUSER']).toBe('svc.checkout@team-a');
  });
});
