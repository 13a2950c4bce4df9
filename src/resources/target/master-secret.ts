// The secret in which RDS keeps the master user's password: whether it can be asked for, and what is in it.
import { Failure } from '../../kernel/failure.ts';
import { Secret } from '../../kernel/secret.ts';
import type { ServerFacts, Target } from './target.ts';

/** As Describe tells it. Its status is one of creating, active, rotating, impaired. */
export interface MasterSecretFacts {
  readonly arn?: string;
  readonly status?: string;
}

export interface MasterSecret {
  readonly arn: string;
  readonly region: string;
  /** RDS can no longer rotate it; what is in it may be true still. */
  readonly impaired: boolean;
}

/** The names that RDS gives to the secrets it keeps: what the operator may read ends there. */
const kept =
  /^arn:aws[a-z-]{0,13}:secretsmanager:([a-z0-9-]+):[0-9]{12}:secret:rds!(cluster|db)-[A-Za-z0-9/_+=.@-]+$/;

export function judgeMasterSecret(
  { type, cluster, instance }: Target,
  facts: ServerFacts | undefined,
): MasterSecret | Failure {
  const named = type === 'Cluster' ? cluster : type === 'Instance' ? instance : undefined;
  if (named === undefined) {
    return missing(
      'admin.authentication ManagedSecret needs a target that RDS is asked about: spec.target.type Cluster or Instance. Use IAM or Secret.',
    );
  }
  const kind = type === 'Cluster' ? 'cluster' : 'instance';
  const what = `${kind} ${named.identifier} in ${named.region}`;
  const { arn = '', status } = facts?.masterSecret ?? {};
  const region = kept.exec(arn)?.[1];
  if (status === 'creating') {
    return new Failure(
      'unavailable',
      'ManagedSecretUnavailable',
      `RDS is creating the master secret of ${what}; the operator looks again by itself.`,
    );
  }
  if (region === undefined) {
    return missing(
      `RDS does not keep the master password of ${what} in Secrets Manager. aws rds modify-db-${kind} --db-${kind}-identifier ${named.identifier} --region ${named.region} --manage-master-user-password --apply-immediately; or use authentication IAM or Secret.`,
    );
  }
  return { arn, region, impaired: status === 'impaired' };
}

const missing = (message: string) => new Failure('missing', 'ManagedSecretUnavailable', message);

/** Nothing of the text reaches a message, not even where it is not as it should be. */
export function passwordIn(text: Secret<string>, { arn }: MasterSecret, username: string): Secret<string> {
  const found = fieldsOf(text.reveal());
  if (typeof found['password'] !== 'string' || found['password'] === '') {
    return refuse(`The master secret ${arn} holds no password in the form that RDS gives it.`);
  }
  if (found['username'] !== username) {
    return refuse(
      `The master secret ${arn} is that of another user than spec.admin.username, "${username}": with ManagedSecret the admin is the master user (MasterUsername in aws rds describe-db-clusters or describe-db-instances).`,
    );
  }
  return new Secret(found['password']);
}

function refuse(message: string): never {
  throw missing(message);
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return { ...(JSON.parse(text) as object | null) };
  } catch {
    // The error would quote the text.
    return {};
  }
}

/** What is said where it could not be read, or its password was refused: why that may be, and what to do. */
export const impairedAdvice =
  'RDS says that this master secret is impaired: it can no longer rotate it, as where its KMS key is disabled or deleted, or where the rights of RDS to key or secret were taken away. Restore these, then rotate it: aws secretsmanager rotate-secret --secret-id';
