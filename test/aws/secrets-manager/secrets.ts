// Secrets Manager as far as its readers see it: secrets that RDS keeps, read by name or ARN, rotated by tests.
import { randomBytes } from 'node:crypto';
import type { Action, Ask } from '../action.ts';
import { AwsError } from '../errors.ts';

interface KeptSecret {
  readonly name: string;
  readonly arn: string;
  readonly region: string;
  readonly text: string;
  readonly versionID: string;
  /** ARN of a KMS key of the account's own that encrypts it. */
  readonly kmsKey: string | undefined;
  /** Why it cannot be read, where that is so. */
  readonly broken: 'undecryptable' | 'deleted' | undefined;
}

export interface SecretsFixtures {
  /** As RDS makes one; answers with its ARN, which ends in six letters of its own. */
  createSecret(secret: {
    readonly name: string;
    readonly text: string;
    readonly region?: string;
    readonly kmsKey?: string;
  }): string;
  /** Another text, or another reason not to give it, under the same ARN. */
  modifySecret(arn: string, changes: Partial<Pick<KeptSecret, 'text' | 'broken'>>): void;
}

export type SecretsState = Map<string, KeptSecret>;

export function createSecretsFixtures(
  state: SecretsState,
  { region, accountId, partition }: { region: string; accountId: string; partition: string },
): SecretsFixtures {
  return {
    createSecret: ({ name, text, region: own = region, kmsKey }) => {
      const arn = `arn:${partition}:secretsmanager:${own}:${accountId}:secret:${name}-${randomText()}`;
      state.set(arn, { name, arn, region: own, text, kmsKey, versionID: versionID(), broken: undefined });
      return arn;
    },
    modifySecret: (arn, changes) => {
      const secret = state.get(arn);
      if (secret === undefined) throw new Error(`${arn} does not exist`);
      state.set(arn, { ...secret, versionID: versionID(), ...changes });
    },
  };
}

export function secretsActions(
  state: SecretsState,
  { accountId, partition }: { accountId: string; partition: string },
): Record<string, Action> {
  const find = (id: string, region: string) =>
    [...state.values()].find((one) => one.region === region && (one.arn === id || one.name === id));
  return {
    GetSecretValue: {
      writes: false,
      parameters: ['SecretId'],
      asks: (parameters, region) => {
        const id = parameters.required('SecretId');
        const found = find(id, region);
        // Whether it exists is nothing that the unauthorized are told.
        const resource =
          found?.arn ??
          (id.startsWith('arn:')
            ? id
            : `arn:${partition}:secretsmanager:${region}:${accountId}:secret:${id}`);
        return [
          { action: 'secretsmanager:GetSecretValue', resource, described: resource },
          ...(found?.kmsKey === undefined ? [] : [decrypting(found.kmsKey, region)]),
        ];
      },
      run: (parameters, { region }) => {
        const secret = find(parameters.required('SecretId'), region);
        if (secret === undefined) {
          throw new AwsError(
            'ResourceNotFoundException',
            400,
            "Secrets Manager can't find the specified secret.",
          );
        }
        if (secret.broken === 'deleted') {
          throw new AwsError(
            'InvalidRequestException',
            400,
            "You can't perform this operation on the secret because it was marked for deletion.",
          );
        }
        if (secret.broken === 'undecryptable') {
          throw new AwsError(
            'DecryptionFailure',
            400,
            "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
          );
        }
        return {
          ARN: secret.arn,
          Name: secret.name,
          VersionId: secret.versionID,
          SecretString: secret.text,
        };
      },
    },
  };
}

/** Secrets Manager asks KMS as the caller, and KMS is told by whom. */
const decrypting = (key: string, region: string): Ask => ({
  action: 'kms:Decrypt',
  resource: key,
  described: key,
  context: new Map([['kms:viaservice', [`secretsmanager.${region}.amazonaws.com`]]]),
});

const versionID = () => randomBytes(16).toString('hex');
const randomText = () => randomBytes(6).toString('base64url').replaceAll(/[-_]/g, 'x').slice(0, 6);
