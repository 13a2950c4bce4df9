// The workflow files: they parse, name scripts that exist, pin what they use and take few rights.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import { helm, noHelm } from '../chart/helm.ts';
import { scripts } from './known.ts';
import { root } from './pages.ts';

interface Step {
  readonly name?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly uses?: string;
  readonly run?: string;
}
interface Workflow {
  readonly on: object;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly 'timeout-minutes'?: number;
        readonly needs?: string;
        readonly permissions?: Readonly<Record<string, string>>;
        readonly steps: readonly Step[];
      }
    >
  >;
}

const folder = join(root, '.github/workflows');
const texts = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
const stepsOf = ({ jobs }: Workflow) => Object.values(jobs).flatMap(({ steps }) => steps);

it('there are four', () => {
  expect(texts.map(([name]) => name).toSorted()).toEqual(['ci.yml', 'kind.yml', 'release.yml', 'weekly.yml']);
});

it('what no change waits for runs each week, and by hand', () => {
  const workflow = parseDocument(readFileSync(join(folder, 'weekly.yml'), 'utf8')).toJS() as Workflow;
  expect(workflow.on).toEqual({ schedule: [{ cron: '17 3 * * 1' }], workflow_dispatch: null });
  const run = stepsOf(workflow).flatMap((step) => step.run ?? []);
  expect(run).toEqual(['npm run test:moto', 'npm run mutation']);
});

describe.each(texts)('%s', (_, text) => {
  const document = parseDocument(text);
  const workflow = document.toJS() as Workflow;

  it('parses, and ends by itself', () => {
    expect(document.errors).toEqual([]);
    for (const job of Object.values(workflow.jobs)) expect(job['timeout-minutes']).toBeGreaterThan(0);
  });

  it('names npm scripts that exist', () => {
    const named = stepsOf(workflow).flatMap(({ run = '' }) =>
      [...run.matchAll(/\bnpm (?:run )?([a-z:]+)/g)].map(([, script = '']) => script),
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((script) => !scripts.has(script))).toEqual([]);
  });

  it('pins each action by its commit, and says which release that is', () => {
    const pinned = /^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
    const lines = text.split('\n').map((line) => line.trim().replace(/^- /, ''));
    const uses = lines.filter((line) => line.startsWith('uses:'));
    expect(uses).toHaveLength(stepsOf(workflow).filter((step) => step.uses !== undefined).length);
    expect(uses.filter((line) => !pinned.test(line))).toEqual([]);
  });

  it('may read, and no more where nothing is released', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    const more = Object.entries(workflow.jobs).filter(([, { permissions }]) => permissions !== undefined);
    expect(more.map(([name]) => name)).toEqual('image' in workflow.jobs ? ['image'] : []);
  });

  it('holds scripts that bash can read, and no expression inside of one', () => {
    for (const { run = '' } of stepsOf(workflow)) {
      expect(spawnSync('bash', ['-n'], { input: run, encoding: 'utf8' }).stderr).toBe('');
      // What an expression is replaced by would be run as shell.
      expect(run).not.toContain('${{');
    }
  });
});

describe('what runs the tests', () => {
  it.each(texts.filter(([, text]) => /run: npm test$/m.test(text)))('has the history: %s', (_, text) => {
    const { jobs } = parseDocument(text).toJS() as Workflow;
    const checkout = jobs['test']?.steps.find(({ uses }) => uses?.startsWith('actions/checkout@'));
    expect(checkout?.with?.['fetch-depth']).toBe(0);
  });
});

describe.skipIf(noHelm)('a released chart', () => {
  it('installs the image of its release', async () => {
    const text = readFileSync(join(folder, 'release.yml'), 'utf8');
    const step = stepsOf(parseDocument(text).toJS() as Workflow).find(
      ({ name }) => name === 'name the image in the chart',
    );
    const copy = mkdtempSync(join(tmpdir(), 'iamdb-release-'));
    try {
      const chart = join(copy, 'charts/iamdb-operator');
      cpSync(join(root, 'charts/iamdb-operator'), chart, { recursive: true });
      const env = { PATH: process.env['PATH'] ?? '', IMAGE: 'ghcr.io/owner/iamdb-operator' };
      const { status } = spawnSync('bash', ['-e', '-c', step?.run ?? 'exit 1'], { cwd: copy, env });
      expect(status).toBe(0);
      const deployment = (await helm.render({}, chart)).find(({ kind }) => kind === 'Deployment');
      expect(JSON.stringify(deployment)).toMatch(/"image":"ghcr\.io\/owner\/iamdb-operator:\d+\.\d+\.\d+"/);
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});
