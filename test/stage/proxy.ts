// An RDS Proxy with end-to-end IAM in front of the stage's database: known to RDS, with a role of its own, and a gate to log in at.
import { Signer } from '@aws-sdk/rds-signer';
import { Client } from 'pg';
import { type RdsGate, startRdsGate } from '../bed/rds-gate.ts';
import { type Authority, createAuthority } from '../bed/x509.ts';
import { accountID, region } from './account.ts';
import { checkoutRole } from './scene.ts';
import { authorityOf, type Stage } from './stage.ts';

/** Named like one of the public roots: proxies' certificates do not come from RDS's own authorities. */
export const createPublicRoot = async (): Promise<Authority> =>
  await createAuthority({
    subject: { commonName: 'Amazon Root CA 1', organization: 'Amazon' },
    keyType: 'p-256',
  });

export interface StagedProxy {
  readonly name: string;
  readonly resourceID: string;
  readonly endpoint: string;
  readonly roleARN: string;
  readonly gate: RdsGate;
  /** Logs in through it as the workload does, trusting what `ca` holds; answers with current_user. */
  login(username: string, ca: string): Promise<string>;
  stop(): Promise<void>;
}

/**
 * It lets in who may connect on its own id, if its role may connect as the same user on the database's: both are judged by
 * the policies as they stand. The refusal's text is that of the database.
 */
export async function startProxy(
  { aws, database }: Stage,
  options: { readonly name: string; readonly root: Authority; readonly roleMay: readonly string[] },
): Promise<StagedProxy> {
  const { name, root } = options;
  const role = aws.createRole({
    name: `${name}-role`,
    trustPolicy: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'rds.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    },
    ...(options.roleMay.length === 0 ? {} : { policies: { connect: allowing(options.roleMay) } }),
  });
  const { resourceId, endpoint } = aws.rds.createProxy({
    name,
    roleArn: role.arn,
    target: { kind: 'cluster', identifier: 'orders-prod' },
  });
  const authority = authorityOf(aws);
  const gate = await startRdsGate({
    upstream: database.postgres,
    endpoints: [{ host: endpoint, port: 5432 }],
    server: { partition: 'aws', region, accountId: accountID, resourceId },
    certificate: await root.issue({
      subject: { commonName: endpoint.slice(0, 64) },
      keyType: 'p-256',
      dnsNames: [endpoint],
      usage: 'server',
    }),
    aws: {
      ...authority,
      authorize: async (request) =>
        (await authority.authorize(request)) &&
        (await authority.authorize({
          principal: role.arn,
          action: 'rds-db:connect',
          resource: request.resource.replace(resourceId, database.gate.server.resourceId),
        })),
    },
  });
  return {
    name,
    resourceID: resourceId,
    endpoint,
    roleARN: role.arn,
    gate,
    login: async (username, ca) => {
      const { sessionToken, ...key } = aws.createAccessKey(checkoutRole);
      const credentials = { ...key, ...(sessionToken === undefined ? {} : { sessionToken }) };
      const password = await new Signer({
        credentials,
        hostname: endpoint,
        port: 5432,
        region,
        username,
      }).getAuthToken();
      return await askWhoIAm({ port: gate.port, user: username, password, ca, servername: endpoint });
    },
    stop: () => gate.stop(),
  };
}

/** A policy that allows to connect on these ARNs. */
export const allowing = (resources: readonly string[]) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'rds-db:connect', Resource: resources }],
});

async function askWhoIAm(as: {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly ca: string;
  readonly servername: string;
}): Promise<string> {
  const client = new Client({
    host: '127.0.0.1',
    port: as.port,
    database: 'orders',
    user: as.user,
    password: as.password,
    ssl: { ca: as.ca, servername: as.servername },
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ readonly who: string }>('select current_user as who');
    return rows[0]?.who ?? '';
  } finally {
    await client.end().catch(() => {});
  }
}
