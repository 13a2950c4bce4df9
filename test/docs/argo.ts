// The scripts for Argo CD: where they stand, their tests, and the ConfigMap that holds all of them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { root } from './pages.ts';

export const argoFile = 'gitops/argocd/argocd-cm.yaml';
export const argoKinds = ['IamDatabase', 'IamDatabaseUser'] as const;
export type ArgoKind = (typeof argoKinds)[number];
export const argoActions = ['reconcile', 'suspend', 'resume'] as const;

const folderOf = (kind: ArgoKind) => join(root, 'gitops/argocd/resource_customizations/iamdb.dev', kind);

export const argoText = (kind: ArgoKind, path: string) => readFileSync(join(folderOf(kind), path), 'utf8');
export const argoYAML = (kind: ArgoKind, path: string): unknown => parse(argoText(kind, path));

export function renderArgo(): string {
  const data = Object.fromEntries(
    argoKinds.flatMap((kind) => [
      [`resource.customizations.health.iamdb.dev_${kind}`, argoText(kind, 'health.lua')],
      [`resource.customizations.actions.iamdb.dev_${kind}`, actionsOf(kind)],
    ]),
  );
  const head = '# Rendered from resource_customizations by node tools/render-gitops.ts; do not edit.\n';
  const metadata = { name: 'argocd-cm', namespace: 'argocd' };
  return head + stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, { lineWidth: 0 });
}

const actionsOf = (kind: ArgoKind) =>
  stringify(
    {
      'discovery.lua': argoText(kind, 'actions/discovery.lua'),
      definitions: argoActions.map((name) => ({
        name,
        'action.lua': argoText(kind, `actions/${name}/action.lua`),
      })),
    },
    { lineWidth: 0 },
  );
