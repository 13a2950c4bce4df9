// STS: temporary credentials of a role, and who the operator itself is.
import { AssumeRoleCommand, GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import { Failure } from '../../reconcile/kernel/failure.ts';
import { Secret } from '../../reconcile/kernel/secret.ts';
import type { AccessPorts } from '../../resources/access/access.ts';
import { type OnCall, recorded } from './calls.ts';

export function sts(options: {
  /** A client for the regional endpoint; kept by the caller. */
  readonly clientFor: (region: string) => STSClient;
  readonly onCall: OnCall;
}): Pick<AccessPorts, 'assumeRole' | 'callerARN'> {
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
      const { AccessKeyId, SecretAccessKey, SessionToken } = Credentials ?? {};
      if (AccessKeyId === undefined || SecretAccessKey === undefined || SessionToken === undefined) {
        throw incomplete('sts:AssumeRole');
      }
      return new Secret({
        accessKeyId: AccessKeyId,
        secretAccessKey: SecretAccessKey,
        sessionToken: SessionToken,
      });
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
