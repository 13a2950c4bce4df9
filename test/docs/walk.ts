// Goes through a page as its reader does: files are written, parts of objects are set, commands are run where they stand.
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { createWorkloadRole } from '../stage/account.ts';
import { applyNamespace } from '../stage/cluster.ts';
import { checkoutRole, type Scene, serviceAccount } from '../stage/scene.ts';
import type { Stage } from '../stage/stage.ts';
import { type Block, markOf, type Page, placeOf, root } from './pages.ts';

export const isRun = ({ language, marks }: Block) => language === 'sh' && marks[0] === 'run';

/** What a page takes for granted, beyond the operator and the examples. */
const given: Readonly<Record<string, (stage: Stage, scene: Scene) => Promise<void>>> = {
  'docs/how-to/adopt-users.md': async ({ aws, database }) => {
    createWorkloadRole(aws, 'payments-legacy');
    await database.postgres.sql(`CREATE ROLE payments_legacy LOGIN PASSWORD 'of-before';
      GRANT payments_legacy TO iamdb_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
  },
  'docs/how-to/passwords-to-iam.md': async (_, scene) => {
    await scene.apply(serviceAccount('orders-app', checkoutRole));
  },
  'gitops/argocd/README.md': async ({ bed }, scene) => {
    await applyNamespace(bed.kube, 'argocd');
    await scene.apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'argocd-cm', namespace: 'argocd' },
    });
  },
};

export async function walk(page: Page, stage: Stage, scene: Scene): Promise<void> {
  await given[page.path]?.(stage, scene);
  const folder = cloneOf(stage, page.path.replaceAll('/', '_'));
  for (const block of page.blocks) {
    const file = markOf(block, 'as');
    if (file !== undefined) writeFileSync(join(folder, file), block.text);
    else if (block.marks.includes('run')) {
      await (isRun(block) ? run(block, folder, stage) : set(block, stage, scene)).catch((error: unknown) => {
        throw new Error(`${placeOf(block)}: ${String(error)}`);
      });
    }
  }
}

/** A folder in which paths of the clone lead where they do there, and what is written stays apart. */
function cloneOf(stage: Stage, name: string): string {
  const folder = stage.bed.folder(name);
  for (const entry of readdirSync(root).filter((one) => one !== '.demo' && one !== '.git')) {
    symlinkSync(join(root, entry), join(folder, entry));
  }
  mkdirSync(join(folder, '.demo'));
  writeFileSync(join(folder, '.demo/env'), `export KUBECONFIG='${stage.kubeconfig}'\n`);
  return folder;
}

async function run({ text }: Block, folder: string, stage: Stage): Promise<void> {
  const env = { PATH: process.env['PATH'], HOME: folder, KUBECONFIG: stage.kubeconfig };
  const running = promisify(execFile)('bash', ['-c', `set -euo pipefail\n${text}`], {
    cwd: folder,
    env,
    timeout: 60_000,
  });
  // What a person types where they are asked.
  running.child.stdin?.end('correct-horse\n');
  await running;
}

/** A part of the example database. */
async function set(block: Block, stage: Stage, scene: Scene): Promise<void> {
  if (markOf(block, 'of') !== 'IamDatabase') throw new Error('only parts of the IamDatabase are set');
  await scene.patch(stage.iamDatabase(), parse(block.text) as object);
}
