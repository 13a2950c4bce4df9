// What the page for DBAs types to find out whether a script is the operator's.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aDatabase, aTarget, aUser } from '../builders/objects.ts';
import { aWorld } from '../builders/world.ts';
import { reconcileUser } from '../../src/reconcile/user.ts';
import { blocksIn, pages } from './pages.ts';

/** Named for macOS, which has no sha256sum; made in Perl, so that some of us have it too. */
const forMac = pages
  .find(({ path }) => path === 'docs/how-to/sql-by-dbas.md')
  ?.names.find(({ text }) => text.startsWith('shasum '))?.text;
const noShasum = spawnSync('bash', ['-c', 'command -v shasum']).status !== 0;
const programs: readonly (readonly [string, string | undefined])[] = [
  ['sha256sum', 'sha256sum --check --strict'],
  ...(noShasum ? [] : [['shasum', forMac] as const]),
];

const [block, ...others] = blocksIn('sh').filter(({ text }) => text.includes('sha256sum'));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'iamdb-sql-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function told() {
  const world = aWorld();
  world.known.set('orders', { target: aTarget(), admin: 'NotUsed', server: undefined });
  world.put(aDatabase({ spec: { role: { delivery: 'SQL' } } }), aUser());
  await reconcileUser('payments/checkout', world, new AbortController().signal);
  const script = world.configMaps.kept.get('payments/checkout-sql')?.data['role.sql'] ?? '';
  const { message = '' } = world.stored().status?.conditions?.find(({ type }) => type === 'RoleReady') ?? {};
  return { script, message };
}

/** What the page says, with a kubectl that answers as the API server would. */
function check(program: string | undefined, script: string, message: string): string {
  writeFileSync(join(folder, 'configmap'), script);
  writeFileSync(join(folder, 'iamdatabaseuser'), message);
  const kubectl = 'kubectl() { cat "$2"; }';
  const typed = block?.text.replace('sha256sum --check --strict', program ?? 'none is named');
  const text = `set -euo pipefail\n${kubectl}\n${typed}`;
  return execFileSync('bash', ['-c', text], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
}

describe.each(programs)('the check by %s', (_, program) => {
  it('takes the script that the operator wrote', async () => {
    const { script, message } = await told();
    expect(others).toEqual([]);
    expect(check(program, script, message)).toBe('role.sql: OK\n');
  });

  it('refuses one that was edited, and one of which no checksum is told', async () => {
    const { script, message } = await told();
    expect(() => check(program, `${script}GRANT rds_superuser TO payments_checkout;\n`, message)).toThrow(
      'did NOT match',
    );
    expect(() => check(program, script, 'somebody else creates them.')).toThrow('no properly formatted');
  });
});
