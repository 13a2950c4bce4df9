// What stands in AWS, PostgreSQL and Kubernetes, as a value that two runs can be compared by.
import { createHash } from 'node:crypto';
import type { Stage } from './stage.ts';

type Texts = Readonly<Record<string, string>>;

interface ConfigMap {
  readonly data?: Texts;
  readonly metadata: { readonly name: string; readonly labels?: Texts; readonly annotations?: Texts };
}

/** What of all that stands is in the picture. */
interface Frame {
  /** Of ConfigMaps. */
  readonly namespace: string;
  /** Of database roles, for LIKE. */
  readonly usernames: string;
  /** Stands in the names of IAM roles and policies. */
  readonly iamNames: string;
  /** Names and ids that are others in each run: each is written as its place. */
  readonly names: readonly string[];
}

/** IAM, database roles and ConfigMaps, ours or not. Left out is what a repair or a second run makes anew: versions and times. */
export async function picture({ aws, database, bed }: Stage, frame: Partial<Frame> = {}) {
  const { namespace = 'payments', usernames = 'payments\\_%', iamNames = '', names = [] } = frame;
  const sql = async (text: string) => await database.postgres.sql(text);
  const [role, memberships, connect, configMaps] = await Promise.all([
    sql(`SELECT rolname, rolcanlogin, rolconnlimit, shobj_description(oid, 'pg_authid') AS mark
      FROM pg_roles WHERE rolname LIKE '${usernames}' ORDER BY 1`),
    sql(`SELECT member::regrole::text AS of, roleid::regrole::text AS role, grantor::regrole::text AS by, admin_option
      FROM pg_auth_members WHERE member::regrole::text LIKE '${usernames}' ORDER BY 1, 2, 3`),
    sql(`SELECT datname, x.grantee::regrole::text AS to, x.grantor::regrole::text AS by
      FROM pg_database, aclexplode(datacl) x WHERE x.grantee::regrole::text LIKE '${usernames}' ORDER BY 1, 2, 3`),
    bed.kube.request<{ readonly items: readonly ConfigMap[] }>({
      path: `/api/v1/namespaces/${namespace}/configmaps`,
      expect: 200,
    }),
  ]);
  const { policies, roles } = aws.iamState();
  const found = {
    policies: [...policies.values()]
      .filter(({ arn }) => arn.includes(iamNames))
      .map(({ arn, tags, defaultVersionId, versions }) => ({
        arn,
        tags: [...tags].toSorted(([a], [b]) => (a < b ? -1 : 1)),
        document: versions.find(({ id }) => id === defaultVersionId)?.document,
      }))
      .toSorted((a, b) => (a.arn < b.arn ? -1 : 1)),
    iamRoles: [...roles.values()]
      .filter(({ name }) => name.includes(iamNames))
      .map(({ name, attached, inline }) => ({
        name,
        attached: attached.toSorted(),
        inline: [...inline],
      })),
    role,
    memberships,
    connect,
    configMaps: Object.fromEntries(
      configMaps.body.items.map(({ data, metadata: { name, labels, annotations } }) => [
        name,
        { data: shortened(data), labels, annotations },
      ]),
    ),
  };
  const text = names.reduce((all, name, place) => all.replaceAll(name, `<${place}>`), JSON.stringify(found));
  return JSON.parse(text) as typeof found;
}

/** Certificates would drown the difference between two pictures. */
const shortened = (data: Texts = {}) =>
  Object.fromEntries(
    Object.entries(data).map(([key, value]) => [
      key,
      value.length > 300 ? createHash('sha256').update(value).digest('hex') : value,
    ]),
  );
