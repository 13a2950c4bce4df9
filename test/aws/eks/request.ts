// EKS's REST requests as actions with parameters, as if they had come in the query protocol.
import { type Parameters, parseForm } from '../query.ts';

const path = /^\/clusters\/([^/?]+)\/pod-identity-associations(?:\/([^/?]+))?(?:\?(.*))?$/;

/** Undefined for what is not a request about Pod Identity associations. */
export function parseEksRequest(
  method: string,
  url: string,
): { readonly actionName: string; readonly parameters: Parameters } | undefined {
  const [found, cluster = '', association, query = ''] = path.exec(url) ?? [];
  if (method !== 'GET' || found === undefined) return undefined;
  const parameters = new URLSearchParams(query);
  parameters.append('clusterName', decodeURIComponent(cluster));
  if (association !== undefined) parameters.append('associationId', decodeURIComponent(association));
  return {
    actionName: association === undefined ? 'ListPodIdentityAssociations' : 'DescribePodIdentityAssociation',
    parameters: parseForm(parameters.toString()),
  };
}
