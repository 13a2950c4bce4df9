// Writes what is derived from the sources: CRDs, roles, reference pages. With --check it only says what is stale.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { alertFiles } from './generate/alerts.ts';
import { chartFiles } from './generate/chart.ts';
import { crdFiles } from './generate/crds.ts';
import { dashboardFiles } from './generate/dashboard.ts';
import { referenceFiles } from './generate/reference.ts';
import { roleFiles } from './generate/roles.ts';

const files: Readonly<Record<string, string>> = {
  ...crdFiles(),
  ...roleFiles(),
  ...chartFiles(),
  ...referenceFiles(),
  ...alertFiles(),
  ...dashboardFiles(),
};
const check = process.argv.includes('--check');

const stale = Object.entries(files).filter(
  ([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text,
);
for (const [path, text] of stale) {
  if (check) {
    console.error(`stale: ${path} (npm run generate)`);
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.log(`wrote ${path}`);
  }
}
process.exitCode = check && stale.length > 0 ? 1 : 0;
