// The real SDK clients pointed at the stand-in, for tests of it and of what uses it.
import { EKSClient } from '@aws-sdk/client-eks';
import { IAMClient } from '@aws-sdk/client-iam';
import { RDSClient } from '@aws-sdk/client-rds';
import { STSClient } from '@aws-sdk/client-sts';

interface ClientCredential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface Clients {
  readonly eks: EKSClient;
  readonly iam: IAMClient;
  readonly rds: RDSClient;
  readonly sts: STSClient;
}

/** One attempt per call, so that a test sees each answer. */
export function clientsFor(
  aws: { readonly baseUrl: string; readonly region: string },
  { accessKeyId, secretAccessKey, sessionToken }: ClientCredential,
): Clients {
  const configuration = {
    region: aws.region,
    endpoint: aws.baseUrl,
    credentials: {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
    maxAttempts: 1,
  };
  return {
    eks: new EKSClient(configuration),
    iam: new IAMClient(configuration),
    rds: new RDSClient(configuration),
    sts: new STSClient(configuration),
  };
}
