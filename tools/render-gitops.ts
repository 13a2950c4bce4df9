// Writes what of gitops/ is derived: the chart for Kustomize, and the scripts for Argo CD's ConfigMap. Tests say when they are stale.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { argoFile, renderArgo } from '../test/docs/argo.ts';
import { baseFile, renderBase } from '../test/docs/base.ts';

for (const [file, text] of [
  [argoFile, renderArgo()],
  [baseFile, await renderBase()],
] as const) {
  writeFileSync(resolve(import.meta.dirname, '..', file), text);
  console.log(`wrote ${file}`);
}
