// Login tokens for rds-db:connect, signed locally: no call to AWS.
import { Signer, type SignerConfig } from '@aws-sdk/rds-signer';
import { Secret } from '../../kernel/secret.ts';
import type { AccessPorts, TokenFor } from '../../resources/access/access.ts';
import { awsFailure } from './aws-failure.ts';

/** A token of exactly these credentials, as assumed for a proof. */
export const signToken: AccessPorts['signToken'] = async ({ credentials, ...of }) =>
  await tokenWith(credentials.reveal(), of);

/**
 * Tokens of the operator's own identity, for its admin and for proofs as the operator. `credentials` is a provider
 * function: only then does the signer refresh those that end before the token would.
 */
export function operatorTokens(
  credentials: Extract<NonNullable<SignerConfig['credentials']>, (...args: never) => unknown>,
): (of: TokenFor) => Promise<Secret<string>> {
  return async (of) => await tokenWith(credentials, of);
}

async function tokenWith(
  credentials: NonNullable<SignerConfig['credentials']>,
  { host, port, region, username }: TokenFor,
): Promise<Secret<string>> {
  // RDS knows its endpoints in lower case only.
  const signer = new Signer({ credentials, hostname: host.toLowerCase(), port, region, username });
  try {
    return new Secret(await signer.getAuthToken());
  } catch (thrown) {
    throw awsFailure(thrown, { action: 'rds-db:connect', of: `in ${region}` });
  }
}
