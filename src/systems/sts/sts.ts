// STS: temporary credentials of a role, and who the operator itself is.
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  type Credentials,
  GetCallerIdentityCommand,
  type STSClient,
} from '@aws-sdk/client-sts';
import { Failure } from '../../kernel/failure.ts';
import { Secret } from '../../kernel/secret.ts';
import type { AccessPorts, AwsCredentials } from '../../resources/access/access.ts';
import { type OnCall, recorded } from './calls.ts';

export function sts(options: {
  /** A client for the regional endpoint; kept by the caller. */
  readonly clientFor: (region: string) => STSClient;
  readonly onCall: OnCall;
}): Pick<AccessPorts, 'assumeRole' | 'assumeRoleWithWebIdentity' | 'callerARN'> {
  const { clientFor, onCall } = options;
  return {
    async assumeRole({ roleARN, region, sessionName, policy, durationSeconds }, signal) {
      const call = { service: 'sts', operation: 'AssumeRole', region, of: `on ${roleARN}` } as const;
      const { Credentials } = await recorded(call, onCall, async () =>
        clientFor(region).send(
          new AssumeRoleCommand({
            RoleArn: roleARN,
            RoleSessionName: sessionName,
            Policy: policy,
            DurationSeconds: durationSeconds,
          }),
          { abortSignal: signal },
        ),
      );
      return complete(Credentials, 'sts:AssumeRole');
    },

    async assumeRoleWithWebIdentity(
      { roleARN, region, sessionName, policy, durationSeconds, token },
      signal,
    ) {
      const operation = 'AssumeRoleWithWebIdentity';
      const call = { service: 'sts', operation, region, of: `on ${roleARN}` } as const;
      const { Credentials } = await recorded(call, onCall, async () => {
        try {
          return await clientFor(region).send(
            new AssumeRoleWithWebIdentityCommand({
              RoleArn: roleARN,
              RoleSessionName: sessionName,
              Policy: policy,
              DurationSeconds: durationSeconds,
              WebIdentityToken: token.reveal(),
            }),
            { abortSignal: signal },
          );
        } catch (thrown) {
          throw aboutTheToken(thrown) ?? thrown;
        }
      });
      return complete(Credentials, `sts:${operation}`);
    },

    async callerARN(region, signal) {
      const call = { service: 'sts', operation: 'GetCallerIdentity', region, of: `in ${region}` } as const;
      const { Arn } = await recorded(call, onCall, async () =>
        clientFor(region).send(new GetCallerIdentityCommand({}), { abortSignal: signal }),
      );
      if (Arn === undefined) throw incomplete('sts:GetCallerIdentity');
      return Arn;
    },
  };
}

function incomplete(action: string): Failure {
  return new Failure('unavailable', 'AwsUnavailable', `AWS answered ${action} incompletely.`);
}

function complete(given: Credentials | undefined, action: string): Secret<AwsCredentials> {
  const { AccessKeyId, SecretAccessKey, SessionToken } = given ?? {};
  if (AccessKeyId === undefined || SecretAccessKey === undefined || SessionToken === undefined) {
    throw incomplete(action);
  }
  return new Secret({
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
  });
}

/** Errors that only this call has: the token is refused, or its issuer could not be asked for its keys. */
function aboutTheToken(thrown: unknown): Failure | undefined {
  const name = thrown instanceof Error ? thrown.name.replace(/Exception$/, '') : '';
  if (name === 'InvalidIdentityToken' || name === 'IDPRejectedClaim' || name === 'ExpiredToken') {
    const message = 'AWS does not accept the token of the ServiceAccount.';
    return new Failure('denied', 'AccessDenied', message, { cause: thrown });
  }
  if (name === 'IDPCommunicationError') {
    const message = "AWS could not ask the cluster's OIDC issuer for its keys; the operator looks again.";
    return new Failure('unavailable', 'AwsUnavailable', message, { cause: thrown });
  }
  return undefined;
}
