// Short-lived tokens of ServiceAccounts, by the API server's TokenRequest.
import { Secret } from '../../kernel/secret.ts';
import { noAnswer } from './kube-error.ts';
import { kinds, pathOf } from './resource.ts';
import type { KubeTransport } from './transport.ts';

export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly audiences: readonly string[];
  /** The API server gives 600 at least. */
  readonly expirationSeconds: number;
}

export interface ServiceAccountToken {
  readonly token: Secret<string>;
  /** RFC 3339. */
  readonly expirationTimestamp: string;
}

/** Throws KubeError: 404 if the ServiceAccount does not exist, 403 if the namespace has not opted in. */
export async function requestToken(
  transport: KubeTransport,
  request: TokenRequest,
  signal: AbortSignal,
): Promise<ServiceAccountToken> {
  const { namespace, serviceAccount, audiences, expirationSeconds } = request;
  const { body } = await transport.request({
    method: 'POST',
    path: pathOf(kinds.serviceAccount, { namespace, name: serviceAccount }, 'token'),
    resource: 'serviceaccounts/token',
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences, expirationSeconds },
    },
    signal,
  });
  const { status } = (body ?? {}) as {
    readonly status?: { readonly token?: unknown; readonly expirationTimestamp?: unknown };
  };
  if (typeof status?.token !== 'string' || typeof status.expirationTimestamp !== 'string') {
    throw noAnswer('the API server answered a TokenRequest without a token', 'MalformedAnswer');
  }
  return { token: new Secret(status.token), expirationTimestamp: status.expirationTimestamp };
}
