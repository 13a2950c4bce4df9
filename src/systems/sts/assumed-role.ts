// Credentials of a role that the operator assumes, as a provider for SDK clients, which ask again before they end.
import type { STSClient } from '@aws-sdk/client-sts';
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers';
import type { AssumeRole } from '../../api/schema.ts';
import { Failure } from '../../kernel/failure.ts';
import { assumeStatement } from '../../resources/access/verdict.ts';
import { connections, type ProxyEnvironment } from '../connections.ts';
import { type OnCall, recorded } from './calls.ts';

export type CredentialProvider = STSClient['config']['credentials'];

/** The longest session that a session gets (role chaining), which is what the operator's own identity mostly is. */
const sessionSeconds = 3_600;

/** Rejects with a Failure; of reason AssumeRoleRefused where the role's trust or the operator's own policy says no. */
export function assumedRole(options: {
  readonly role: AssumeRole;
  readonly region: string;
  /** Names the session, as it is seen in CloudTrail. */
  readonly operatorID: string;
  /** The operator's own. */
  readonly master: CredentialProvider;
  readonly callerARN: () => Promise<string>;
  readonly proxyEnv: ProxyEnvironment;
  readonly onCall: OnCall;
}): CredentialProvider {
  const { role, region, operatorID, master, callerARN, proxyEnv, onCall } = options;
  const ask = fromTemporaryCredentials({
    masterCredentials: master,
    params: {
      RoleArn: role.arn,
      RoleSessionName: `iamdb-${operatorID}`.slice(0, 64),
      DurationSeconds: sessionSeconds,
      ...(role.externalID === undefined ? {} : { ExternalId: role.externalID }),
    },
    // No pass's signal reaches this call.
    clientConfig: {
      region,
      requestHandler: { connectionTimeout: 3_000, requestTimeout: 10_000, ...connections(proxyEnv) },
    },
  });
  const call = { service: 'sts', operation: 'AssumeRole', region, of: `on ${role.arn}` } as const;
  return async () => {
    try {
      return await recorded(call, onCall, ask);
    } catch (thrown) {
      const isRefused = thrown instanceof Failure && thrown.kind === 'denied';
      throw isRefused ? refused(role, await callerARN().catch(() => undefined), thrown) : thrown;
    }
  };
}

function refused({ arn, externalID }: AssumeRole, callerARN: string | undefined, cause: Failure): Failure {
  return new Failure(
    'denied',
    'AssumeRoleRefused',
    `AWS does not let the operator assume ${arn} (spec.assumeRole). The role has to exist, its trust policy to hold ${assumeStatement(callerARN, externalID)} and the operator's own policy to allow sts:AssumeRole and sts:TagSession on it.`,
    { cause },
  );
}
