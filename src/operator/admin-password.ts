// What the admin logs in with, read anew for each login: a token, a Secret of Kubernetes, or the secret that RDS keeps.
import type { IamDatabase } from '../api/objects.ts';
import type { KubeObject } from '../controller/object.ts';
import { adminOf } from '../reconcile/admin.ts';
import { Failure } from '../kernel/failure.ts';
import { Secret } from '../kernel/secret.ts';
import { impairedAdvice, passwordIn } from '../resources/target/master-secret.ts';
import { findMasterSecret } from '../resources/target/resource.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import { orKubeFailure } from '../systems/kubernetes/failures.ts';
import type { KubeObjects } from '../systems/kubernetes/objects.ts';
import type { AwsAccount } from './account.ts';
import type { Identity } from './identities.ts';

export interface SecretObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface AdminPasswords {
  of(database: IamDatabase, target: ResolvedTarget): Promise<Secret<string>>;
  /** What should be known of how the admin logs in, though it may work; undefined for nothing. */
  adviceOn(spec: IamDatabase['spec'], signal: AbortSignal): Promise<string | undefined>;
}

const withinMs = 10_000;

export function adminPasswords(options: {
  readonly secrets: Pick<KubeObjects<SecretObject>, 'get'>;
  /** Where Secrets are read, whatever an IamDatabase says. */
  readonly namespace: string;
  /** AWS by the identity by which the operator sees it for a database. */
  readonly as: (identity: Identity) => Pick<AwsAccount, 'operatorToken' | 'directory' | 'secretTexts'>;
}): AdminPasswords {
  const { secrets, namespace, as } = options;

  const inKubernetes = async (name: string, username: string) => {
    const secret = await orKubeFailure(secrets.get({ namespace, name }, AbortSignal.timeout(withinMs)));
    const password = decoded(secret?.data?.['password']);
    if (password === undefined || decoded(secret?.data?.['username']) !== username) {
      throw new Failure(
        'missing',
        'AdminSecretMissing',
        `Secret ${namespace}/${name} must hold the keys username (${username}, as in spec.admin) and password.`,
      );
    }
    return new Secret(password);
  };

  const keptByRds = async ({ target, assumeRole }: IamDatabase['spec'], username: string) => {
    const { directory, secretTexts } = as(assumeRole);
    const signal = AbortSignal.timeout(withinMs);
    const secret = await findMasterSecret(directory, target, signal);
    if (secret instanceof Failure) throw secret;
    return passwordIn(await secretTexts.read(secret, signal), secret, username);
  };

  return {
    of: async ({ spec }, { endpoint: host, port, region }) => {
      const { username, authentication, secretRef } = adminOf(spec);
      if (authentication === 'IAM') {
        return await as(spec.assumeRole).operatorToken({ host, port, region, username });
      }
      return authentication === 'ManagedSecret'
        ? await keptByRds(spec, username)
        : await inKubernetes(secretRef?.name ?? '', username);
    },
    adviceOn: async ({ admin, target, assumeRole }, signal) => {
      if (admin?.authentication !== 'ManagedSecret') return undefined;
      const secret = await findMasterSecret(as(assumeRole).directory, target, signal);
      return secret instanceof Failure || !secret.impaired ? undefined : `${impairedAdvice} ${secret.arn}`;
    },
  };
}

const decoded = (base64: string | undefined) =>
  base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
