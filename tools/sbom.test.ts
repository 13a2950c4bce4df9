// The bill of materials names what is shipped: each package whose code is in the bundle, and nothing that only development needs.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { expect, it } from 'vitest';
import bundles from '../rolldown.config.ts';

const root = resolve(import.meta.dirname, '..');
const file = join(root, 'dist/sbom.cdx.json');

interface Bill {
  readonly bomFormat: string;
  readonly metadata: { readonly component: { readonly name: string } };
  readonly components: readonly { readonly name: string }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

async function packagesInBundles(): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const { output: _, ...input } of bundles) {
    const build = await rolldown({ ...input, cwd: root });
    const { output } = await build.generate({ format: 'esm' });
    await build.close();
    for (const id of output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []))) {
      const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
      if (name !== undefined) names.add(name);
    }
  }
  return [...names].toSorted();
}

it('names each package of the bundle, and none that is only for development', async () => {
  rmSync(file, { force: true });
  const done = spawnSync(process.execPath, [join(root, 'tools/sbom.ts')], { encoding: 'utf8' });
  expect(done.status, done.stderr).toBe(0);
  const text = readFileSync(file, 'utf8');
  const bill = JSON.parse(text) as Bill;
  expect(bill.bomFormat).toBe('CycloneDX');
  expect(bill.metadata.component.name).toBe('iamdb-operator');
  const names = new Set(bill.components.map(({ name }) => name));

  const bundled = await packagesInBundles();
  expect(bundled).toContain('pg');
  expect(bundled.filter((name) => !names.has(name))).toEqual([]);
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  // Types of something shipped may be among them.
  const tools = Object.keys(devDependencies).filter((name) => !name.startsWith('@types/'));
  expect(tools.filter((name) => names.has(name))).toEqual([]);
  expect(
    bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => ref.startsWith('vitest@')),
  ).toEqual([]);

  spawnSync(process.execPath, [join(root, 'tools/sbom.ts')]);
  expect(readFileSync(file, 'utf8')).toBe(text);
}, 120_000);
