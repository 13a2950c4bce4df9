// Secrets Manager: the text of one secret, as it is now.
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Failure } from '../../kernel/failure.ts';
import { Secret } from '../../kernel/secret.ts';
import { type OnCall, recorded } from '../sts/calls.ts';

/** Throws a Failure in which there is nothing of the secret. */
export interface SecretTexts {
  read(of: { readonly arn: string; readonly region: string }, signal: AbortSignal): Promise<Secret<string>>;
}

const operation = 'GetSecretValue';
const unreadable: ReadonlyMap<string, string> = new Map([
  ['ResourceNotFoundException', 'does not exist, or its first version is not there yet'],
  ['InvalidRequestException', 'is marked for deletion'],
  ['DecryptionFailure', 'cannot be decrypted: look whether its KMS key is enabled'],
  ['DecryptionFailureException', 'cannot be decrypted: look whether its KMS key is enabled'],
]);

export function secretTexts(options: {
  /** A client for the region; kept by the caller. */
  readonly clientFor: (region: string) => SecretsManagerClient;
  /** The role of spec.assumeRole that the clients' credentials are of; undefined: the operator's own. */
  readonly by?: string | undefined;
  readonly onCall: OnCall;
}): SecretTexts {
  return {
    async read({ arn, region }, signal) {
      const of = `on ${arn} (with kms:Decrypt, where a key of your own encrypts it)`;
      const call = { service: 'secretsmanager', operation, region, of, by: options.by } as const;
      const { SecretString: text } = await recorded(call, options.onCall, async () =>
        options.clientFor(region).send(new GetSecretValueCommand({ SecretId: arn }), { abortSignal: signal }),
      ).catch((thrown: unknown) => {
        throw explained(thrown, arn);
      });
      if (text === undefined) throw unavailable(arn, 'holds no text', undefined);
      return new Secret(text);
    },
  };
}

function explained(thrown: unknown, arn: string): unknown {
  const cause = thrown instanceof Failure ? thrown.cause : undefined;
  const why = cause instanceof Error ? unreadable.get(cause.name) : undefined;
  return why === undefined ? thrown : unavailable(arn, why, cause);
}

const unavailable = (arn: string, why: string, cause: unknown) =>
  new Failure('missing', 'ManagedSecretUnavailable', `The master secret ${arn} ${why}.`, { cause });
