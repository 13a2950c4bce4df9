// moto behind the front of the strict stand-in: signatures, permissions, faults and the record of calls stay, the answers are moto's.
import { IAMClient } from '@aws-sdk/client-iam';
import { CreateDBClusterCommand, RDSClient } from '@aws-sdk/client-rds';
import type { Backend, BackendAnswer, BackendRequest, Mirror } from '../aws/backend.ts';
import { emptyState, findRole, type IamState } from '../aws/iam/state.ts';
import type { Children } from '../bed/children.ts';
import { pullIam, pushIam } from './iam-mirror.ts';
import { startMotoServer } from './server.ts';

/** It fails at the first when asked for pages, and does not know the second: test/moto/contract.test.ts. */
const lacks: ReadonlySet<string> = new Set(['DescribeBlueGreenDeployments', 'DescribeDBProxyTargets']);

export interface Moto {
  readonly url: string;
  readonly backend: Backend;
  /** With the endpoints and the resource id that moto gives it. */
  createCluster(wish: {
    readonly identifier: string;
    readonly engineVersion: string;
    readonly port: number;
  }): Promise<{
    readonly resourceID: string;
    readonly host: string;
    readonly readerHost: string;
  }>;
}

export async function startMoto(options: {
  readonly children: Children;
  readonly accountID: string;
  readonly region: string;
  readonly progress?: (text: string) => void;
}): Promise<Moto> {
  const url = await startMotoServer(options.children, options.accountID, options.progress);
  const configuration = {
    region: options.region,
    endpoint: url,
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'unused' },
  };
  const iam = new IAMClient(configuration);
  let alike: IamState = emptyState;
  let line: Promise<unknown> = Promise.resolve();
  /** One after the other, so that what is read back is what the answer before left. */
  const inLine = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = line.then(work);
    line = mine.catch(() => {});
    return await mine;
  };

  const answer = async (request: BackendRequest, mirror: Mirror): Promise<BackendAnswer> => {
    const latest = mirror.latest();
    if (latest !== alike) await pushIam(iam, alike, latest);
    alike = latest;
    const given = await forward(url, request);
    if (request.service === 'iam' && request.writes) {
      alike = await pullIam(iam, latest);
      mirror.replace(alike);
    }
    if (request.service === 'sts' && given.status === 200) learn(request, given.xml, mirror);
    return given;
  };

  return {
    url,
    backend: async (request, mirror) =>
      lacks.has(request.action) ? undefined : await inLine(() => answer(request, mirror)),
    createCluster: async ({ identifier, engineVersion, port }) => {
      const { DBCluster } = await new RDSClient(configuration).send(
        new CreateDBClusterCommand({
          DBClusterIdentifier: identifier,
          Engine: 'aurora-postgresql',
          EngineVersion: engineVersion,
          Port: port,
          MasterUsername: 'postgres',
          MasterUserPassword: 'never-used',
          EnableIAMDatabaseAuthentication: true,
        }),
      );
      const { DbClusterResourceId: resourceID, Endpoint: host, ReaderEndpoint: readerHost } = DBCluster ?? {};
      if (resourceID === undefined || host === undefined || readerHost === undefined) {
        throw new Error('moto made a cluster without a resource id or endpoints');
      }
      return { resourceID, host, readerHost };
    },
  };
}

async function forward(url: string, { headers, body }: BackendRequest): Promise<BackendAnswer> {
  const answer = await fetch(url, {
    method: 'POST',
    // It finds the service and the region in the signature's scope.
    headers: {
      'content-type': headers['content-type'] ?? '',
      authorization: headers.authorization ?? '',
    },
    body,
  });
  const xml = await answer.text();
  const errorCode = answer.status === 200 ? undefined : textOf(xml, 'Code');
  return { status: answer.status, xml, errorCode };
}

/** The gate judges tokens by the keys that STS gave, so it has to know them. */
function learn({ parameters }: BackendRequest, xml: string, mirror: Mirror): void {
  const accessKeyId = textOf(xml, 'AccessKeyId');
  const roleARN = parameters.optional('RoleArn') ?? '';
  const role = findRole(mirror.latest(), roleARN.slice(roleARN.lastIndexOf('/') + 1));
  if (accessKeyId === undefined || role === undefined) return;
  const sessionPolicy = parameters.optional('Policy');
  mirror.learn(accessKeyId, {
    secretAccessKey: textOf(xml, 'SecretAccessKey') ?? '',
    sessionToken: textOf(xml, 'SessionToken') ?? '',
    principal: textOf(xml, 'Arn') ?? '',
    expiresAt: new Date(textOf(xml, 'Expiration') ?? 0),
    userId: `${role.id}:${parameters.optional('RoleSessionName') ?? ''}`,
    ...(sessionPolicy === undefined ? {} : { sessionPolicy }),
  });
}

function textOf(xml: string, element: string): string | undefined {
  const text = new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1];
  return text?.replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>');
}
