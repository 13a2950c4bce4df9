// What a person has to do about an error of the API server, for the log: the one place where these sentences are.
import { KubeError } from './kube-error.ts';

/** Undefined for what comes and goes by itself, and for what is no error of the API server. */
export function remedyFor(error: unknown, server: string): string | undefined {
  // A Failure has it as its cause.
  if (!(error instanceof KubeError))
    return error instanceof Error ? remedyFor(error.cause, server) : undefined;
  const { status, reason, details } = error;
  if (reason === 'ConnectionFailed' || reason === 'Timeout') {
    return `The API server at ${server} does not answer, or not with a certificate that is trusted: check the network, NetworkPolicies and the kubeconfig.`;
  }
  if (status === 401 || reason === 'NoCredentials') {
    return "The API server does not accept the operator's credentials: check the ServiceAccount's token in the pod, or the user in the kubeconfig.";
  }
  if (status === 403) {
    return "Give the operator's ServiceAccount the ClusterRole and the Role of the Helm chart, in the namespace of --namespace, and their bindings.";
  }
  // Of an object that is gone its name is told, of a kind that is missing none.
  if (status === 404 && details?.name === undefined) {
    return 'Install the CRDs: kubectl apply --server-side -f crds/ (the Helm chart does it, unless crds.install is false).';
  }
  return undefined;
}
