// The chart as a base for Kustomize: rendered with its defaults, without what only Helm reads.
import { stringify } from 'yaml';
import { helm, type Manifest, releaseNamespace } from '../chart/helm.ts';

export const baseFile = 'gitops/base/operator.yaml';

const ofHelm = new Set(['helm.sh/chart', 'app.kubernetes.io/managed-by', 'helm.sh/resource-policy']);

export async function renderBase(): Promise<string> {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: releaseNamespace } };
  const manifests = [namespace, ...(await helm.render()).map(withoutHelm)];
  const head = '# Rendered from the chart by node tools/render-gitops.ts; do not edit.\n';
  return head + manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n');
}

function withoutHelm(value: Manifest): Manifest {
  return strip(value) as Manifest;
}

/** Labels stand in templates too. */
function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strip);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name]) => !ofHelm.has(name));
  return Object.fromEntries(kept.map(([name, one]) => [name, strip(one)]));
}
