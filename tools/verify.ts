// The one gate: everything that can be judged without a server, each step with its time.
import { spawnSync } from 'node:child_process';

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['generated files fresh', 'node', 'tools/generate.ts', '--check'],
  ['types', 'tsc', '-p', '.'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['format', 'biome', 'format', '.'],
  ['unused code', 'knip'],
  ['architecture', 'vitest', 'run', '--project', 'architecture', '--reporter', 'dot'],
];

let failed = 0;
for (const [name, command, ...args] of steps) {
  const began = performance.now();
  const done = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const ok = done.status === 0;
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (!ok) {
    failed += 1;
    console.log(`${done.error?.message ?? ''}${done.stdout ?? ''}${done.stderr ?? ''}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
