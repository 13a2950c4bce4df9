// npm run mutation [-- folder or file…]: would a unit test notice if a pure file decided otherwise? Prints the score of each folder.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { Stryker } from '@stryker-mutator/core';
import { isPure } from '../pure-files.ts';

type MutantResult = Awaited<ReturnType<Stryker['runMutationTest']>>[number];

const wanted = 90;
const reports = 'reports/mutation';
const chosen = process.argv.slice(2);
const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((name) => `src/${name.replaceAll('\\', '/')}`)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && isPure(file))
  .filter((file) => chosen.length === 0 || chosen.some((prefix) => file.startsWith(prefix)));
if (files.length === 0) throw new Error(`no pure file begins with ${chosen.join(' or ')}`);

// It works on a copy of the sources, in .stryker-tmp.
const mutants = await new Stryker({
  mutate: files,
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'tools/mutation/vitest.config.ts' },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // A machine that does other things as well must not make a mutant look noticed.
  timeoutMS: 15_000,
  ignorePatterns: [
    '/*',
    ...['src', 'tools', 'test', 'crds', 'charts', 'docs', 'package.json'].map((name) => `!/${name}`),
  ],
  // None, as the copy needs no references rewritten.
  tsconfigFile: 'none.json',
  reporters: ['progress-append-only', 'html'],
  htmlReporter: { fileName: `${reports}/index.html` },
}).runMutationTest();

const isNoticed = ({ status }: MutantResult) => status === 'Killed' || status === 'Timeout';
const isMissed = ({ status }: MutantResult) => status === 'Survived' || status === 'NoCoverage';
const score = (some: readonly MutantResult[]) => {
  const noticed = some.filter(isNoticed).length;
  const all = noticed + some.filter(isMissed).length;
  return { percent: all === 0 ? 100 : (100 * noticed) / all, all };
};
const print = (name: string, { percent, all }: ReturnType<typeof score>) => {
  console.log(`${name.padEnd(34)}${percent.toFixed(1).padStart(6)} % of ${String(all).padStart(4)} mutants`);
};

const fileOf = ({ fileName }: MutantResult) => relative('.', fileName).replaceAll('\\', '/');
for (const [folder, some] of Map.groupBy(mutants, (mutant) => dirname(fileOf(mutant)))) {
  print(folder, score(some));
}
const total = score(mutants);
print('total', total);

mkdirSync(reports, { recursive: true });
const missed = mutants
  .filter(isMissed)
  .map((mutant) => {
    const { location, status, mutatorName, replacement } = mutant;
    const { line, column } = location.start;
    return `${fileOf(mutant)}:${line}:${column} ${status} ${mutatorName} ${replacement.replaceAll(/\s+/g, ' ')}\n`;
  })
  .toSorted();
writeFileSync(`${reports}/missed.txt`, missed.join(''));
console.log(`what no test noticed: ${reports}/missed.txt, and in its place: ${reports}/index.html`);
// Anything that is neither noticed nor missed (a mutant that does not even load) says nothing; no result at all is a failure.
if (total.all === 0 || total.percent < wanted) {
  console.error(`at least ${wanted} % have to be noticed`);
  process.exitCode = 1;
}
