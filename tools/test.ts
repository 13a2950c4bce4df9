// Every test, real parts included, and one closing line that machines can read.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinaries } from '../test/bed/binaries.ts';
import { findPromtool } from '../test/chart/find-promtool.ts';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numFailedTestSuites: number;
}

const wanted = process.argv.slice(2);
// What takes minutes to build is built before the first test has a time limit, one after the other, in sight of who waits.
// What cannot be had is said here, and by the tests that need it.
if (wanted.length === 0) {
  const progress = (text: string) => console.error(text);
  await findBinaries({ progress }).catch((error: unknown) => progress(String(error)));
  await findPromtool(progress);
}

const folder = mkdtempSync(join(tmpdir(), 'iamdb-test-'));
const json = join(folder, 'report.json');
const child = spawn(
  'vitest',
  ['run', '--reporter', 'default', '--reporter', 'json', `--outputFile.json=${json}`, ...wanted],
  { stdio: 'inherit' },
);
process.on('SIGINT', () => {}); // vitest gets it from the terminal and ends its servers itself
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
  try {
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
    // A file that does not load has no test that could fail, nor has an error outside of all tests: they count as one.
    const broken = report.numFailedTests === 0 ? Math.max(report.numFailedTestSuites, code === 0 ? 0 : 1) : 0;
    const skipped = report.numPendingTests > 0 ? `, ${report.numPendingTests} skipped` : '';
    console.log(`${report.numPassedTests} passed, ${report.numFailedTests + broken} failed${skipped}`);
  } catch {
    console.log('0 passed, 1 failed');
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
