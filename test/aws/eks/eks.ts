// EKS clusters and their Pod Identity associations: what tests set up, and the two actions that read it.
import { randomBytes } from 'node:crypto';
import type { Action } from '../action.ts';
import { AwsError } from '../errors.ts';
import type { Parameters } from '../query.ts';

export interface Association {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly roleArn: string;
  readonly targetRoleArn?: string;
  readonly disableSessionTags?: boolean;
}

interface Kept extends Association {
  readonly id: string;
  readonly createdAt: number;
}

/** By cluster, by id. */
export type EksState = Map<string, Map<string, Kept>>;

export interface EksFixtures {
  createCluster(name: string): void;
  /** One for each ServiceAccount at most; gives its id. */
  associate(cluster: string, association: Association): string;
  /** As UpdatePodIdentityAssociation does it: the id stays. */
  reassociate(cluster: string, id: string, change: Partial<Association>): void;
  disassociate(cluster: string, id: string): void;
}

interface EksAccount {
  readonly partition: string;
  readonly accountId: string;
  readonly state: EksState;
  now(): number;
  pageSize(): number;
}

export function createEksFixtures({ state, now }: Pick<EksAccount, 'state' | 'now'>): EksFixtures {
  return {
    createCluster: (name) => {
      state.set(name, new Map());
    },
    associate: (cluster, association) => {
      const all = clusterOf(state, cluster);
      const { namespace, serviceAccount } = association;
      if (
        [...all.values()].some((one) => one.namespace === namespace && one.serviceAccount === serviceAccount)
      )
        throw new Error(`Association already exists: ${namespace}/${serviceAccount}`);
      const id = `a-${randomBytes(9).toString('hex').slice(0, 17)}`;
      all.set(id, { ...association, id, createdAt: Math.floor(now() / 1000) });
      return id;
    },
    reassociate: (cluster, id, change) => {
      const all = clusterOf(state, cluster);
      all.set(id, { ...associationOf(all, id), ...change });
    },
    disassociate: (cluster, id) => {
      if (!clusterOf(state, cluster).delete(id)) throw new Error(`no association ${id}`);
    },
  };
}

const notFound = (message: string) => new AwsError('ResourceNotFoundException', 404, message);

function clusterOf(state: EksState, name: string): Map<string, Kept> {
  const found = state.get(name);
  if (found === undefined) throw notFound(`No cluster found for name: ${name}.`);
  return found;
}

function associationOf(all: ReadonlyMap<string, Kept>, id: string): Kept {
  const found = all.get(id);
  if (found === undefined) throw notFound(`The specified pod identity association was not found: ${id}`);
  return found;
}

export function eksActions({
  partition,
  accountId,
  state,
  pageSize,
}: Omit<EksAccount, 'now'>): Record<string, Action> {
  const arn = (region: string, resource: string) => `arn:${partition}:eks:${region}:${accountId}:${resource}`;
  const ask = (action: string, resource: string) => [
    { action: `eks:${action}`, resource, described: resource },
  ];
  const shown = (cluster: string, region: string, { id, namespace, serviceAccount }: Kept) => ({
    clusterName: cluster,
    namespace,
    serviceAccount,
    associationArn: arn(region, `podidentityassociation/${cluster}/${id}`),
    associationId: id,
  });
  const json = (value: object) => ({ json: JSON.stringify(value) });

  return {
    ListPodIdentityAssociations: {
      writes: false,
      parameters: ['clusterName', 'namespace', 'serviceAccount', 'maxResults', 'nextToken'],
      asks: (parameters, region) =>
        ask('ListPodIdentityAssociations', arn(region, `cluster/${parameters.required('clusterName')}`)),
      run: (parameters, { region }) => {
        const cluster = parameters.required('clusterName');
        const most = Math.min(parameters.integer('maxResults', { min: 1, max: 100 }) ?? 100, pageSize());
        const wanted = [...clusterOf(state, cluster).values()]
          .filter((one) => isWanted(one, parameters))
          .toSorted((a, b) => (a.id < b.id ? -1 : 1));
        const after = lastOf(parameters.optional('nextToken'));
        const rest = wanted.filter(({ id }) => id > after);
        const page = rest.slice(0, most);
        const last = page.at(-1);
        return json({
          associations: page.map((one) => shown(cluster, region, one)),
          ...(last === undefined || page.length === rest.length
            ? {}
            : { nextToken: Buffer.from(`after:${last.id}`).toString('base64') }),
        });
      },
    },

    DescribePodIdentityAssociation: {
      writes: false,
      parameters: ['clusterName', 'associationId'],
      asks: (parameters, region) => {
        const [cluster, id] = [parameters.required('clusterName'), parameters.required('associationId')];
        return ask('DescribePodIdentityAssociation', arn(region, `podidentityassociation/${cluster}/${id}`));
      },
      run: (parameters, { region }) => {
        const cluster = parameters.required('clusterName');
        const kept = associationOf(clusterOf(state, cluster), parameters.required('associationId'));
        const { roleArn, targetRoleArn, disableSessionTags = false, createdAt } = kept;
        return json({
          association: {
            ...shown(cluster, region, kept),
            roleArn,
            ...(targetRoleArn === undefined ? {} : { targetRoleArn, externalId: 'external' }),
            disableSessionTags,
            tags: {},
            createdAt,
            modifiedAt: createdAt,
          },
        });
      },
    },
  };
}

const isWanted = (one: Kept, parameters: Parameters): boolean =>
  (parameters.optional('namespace') ?? one.namespace) === one.namespace &&
  (parameters.optional('serviceAccount') ?? one.serviceAccount) === one.serviceAccount;

function lastOf(token: string | undefined): string {
  if (token === undefined) return '';
  const [, id] = /^after:(a-[0-9a-f]{17})$/.exec(Buffer.from(token, 'base64').toString('utf8')) ?? [];
  if (id === undefined) throw new AwsError('InvalidParameterException', 400, 'The nextToken is not valid.');
  return id;
}
