// Commands that need no cluster: Helm renders what the pages install, scripts exist, policies parse, SQL runs.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { operatorPolicyCommand } from '../../src/cli/operator-policy.ts';
import { parsePolicy } from '../aws/policy-document.ts';
import { createChildren } from '../bed/children.ts';
import { type Postgres, startPostgres } from '../bed/postgres.ts';
import { type ChartValues, chartFolder, helm, noHelm } from '../chart/helm.ts';
import { scripts } from './known.ts';
import { type Block, blocks, blocksIn, markOf, pages, placeOf, root } from './pages.ts';
import { commandsOf, wordsOf } from './shell.ts';

const named = (some: readonly Block[]) => some.map((block) => [placeOf(block), block] as const);

describe.skipIf(noHelm)('Helm', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'iamdb-docs-'));
    // `values=NAME` is the file that a command of the same page reads, or of one that follows the installation.
    for (const block of blocksIn('yaml').filter((one) => markOf(one, 'values') !== undefined)) {
      writeFileSync(fileOf(folder, block.page, markOf(block, 'values') ?? ''), block.text);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(named(blocksIn('sh', 'helm')))('renders what is installed at %s', async (_, block) => {
    const commands = commandsOf(block.text).filter((command) => command.startsWith('helm '));
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) {
      const rendered = await helm.run([
        ...templateArguments(command, block.page, folder),
        '--kube-version',
        '1.36.3',
      ]);
      expect(rendered).toContain('kind: Deployment');
    }
  });

  it.each(named(blocksIn('yaml').filter(({ marks }) => marks[0]?.split('=')[0] === 'values')))(
    'takes the values at %s',
    async (_, block) => {
      expect((await helm.render(parse(block.text) as ChartValues)).length).toBeGreaterThan(0);
    },
  );
});

const fileOf = (folder: string, page: string, name: string) =>
  join(folder, `${page.replaceAll('/', '_')}-${name}`);

/** The page's own, or the file that was written at the installation. */
const valuesOf = (folder: string, page: string, name: string) =>
  [page, 'docs/install-eks.md'].map((one) => fileOf(folder, one, name)).find(existsSync) ?? name;

/** Of `helm template`, with the chart of this tree, for `helm install`, `helm upgrade` or `helm upgrade --install`. */
function templateArguments(command: string, page: string, folder: string): readonly string[] {
  const [, verb, ...rest] = wordsOf(command);
  if (verb !== 'install' && verb !== 'upgrade')
    throw new Error(`${page}: helm ${verb} is not for the mark helm`);
  const args = rest.filter(
    (word) =>
      !['--wait', '--install', '--create-namespace', '--atomic', '--rollback-on-failure'].includes(word),
  );
  return [
    'template',
    ...args.flatMap((word, place) => {
      if (word === '--version' || args[place - 1] === '--version') return [];
      if (args[place - 1] === '--values') return [valuesOf(folder, page, word)];
      return [/^oci:|^charts\/iamdb-operator$/.test(word) ? chartFolder : word];
    }),
  ];
}

it.each(named(blocksIn('sh')))('is a script that bash can read: %s', (_, { text }) => {
  const { status, stderr } = spawnSync('bash', ['-n'], { input: text, encoding: 'utf8' });
  expect(status, stderr).toBe(0);
});

it.each(named(blocksIn('sh', 'npm')))('names scripts that exist: %s', (_, { text }) => {
  for (const command of commandsOf(text)) {
    const [, , script] = /^npm (run )?([a-z:]+)/.exec(command) ?? [];
    expect([...scripts, 'ci']).toContain(script);
  }
});

const cli = join(root, 'src/cli/main.ts');
it.for(named(blocksIn('sh', 'cli')))('is printed by the command line: %s', ([, { text }], { skip }) => {
  skip(!existsSync(cli), 'kubectl iamdb is not there yet');
  for (const command of commandsOf(text)) {
    const [, , ...args] = wordsOf(command.replace(/ > \S+$/, ''));
    const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expect(stdout).not.toBe('');
  }
});

function printed(block: Block | undefined): string {
  const args = wordsOf(commandsOf(block?.text ?? '')[0]?.replace(/ > \S+$/, '') ?? '').slice(2);
  return spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' }).stdout;
}

it('makes an admin with a password no member of rds_iam, where passwords are refused', () => {
  const told = blocks.filter(({ page }) => page === 'docs/admin-role.md');
  const before = (setting: string) => {
    const end = told.findIndex(({ language, text }) => language === 'yaml' && text.includes(setting));
    return told.slice(0, end).findLast(({ marks }) => marks[0] === 'cli');
  };
  const joins = 'GRANT rds_iam TO "iamdb_admin"';
  expect(printed(before('authentication: IAM'))).toContain(joins);
  expect(printed(before('authentication: Secret'))).toContain('iamdb_admin');
  expect(printed(before('authentication: Secret'))).not.toContain(joins);
});

it.each(operatorPolicyCommand(() => undefined).options.map(({ long }) => long ?? ''))(
  'says beside the policy what its option %s is for',
  (option) => {
    const page = readFileSync(join(root, 'docs/install-eks.md'), 'utf8');
    expect(page).toMatch(new RegExp(`${option}[ \`]`));
  },
);

it.each(named(blocksIn('json')))('is a policy: %s', (_, { text, marks }) => {
  expect(() => parsePolicy(text, marks.includes('trust') ? 'trust' : 'identity')).not.toThrow();
});

const quoted = blocks.filter((block) => markOf(block, 'file') !== undefined);
it.each(named(quoted))('stands word for word in its file: %s', (_, block) => {
  expect(readFileSync(join(root, markOf(block, 'file') ?? ''), 'utf8')).toContain(block.text.trimEnd());
});

describe('PostgreSQL', () => {
  const children = createChildren();
  let postgres: Postgres;
  beforeAll(async () => {
    postgres = await startPostgres({ major: 17, children });
    // As the master of RDS, who is no superuser.
    await postgres.sql(`CREATE ROLE master LOGIN CREATEROLE CREATEDB;
      GRANT rds_iam, orders_owner, orders_readwrite, orders_readonly, rds_superuser TO master WITH ADMIN OPTION`);
  });
  afterAll(() => children.stop());

  it('makes the groups and then the admin on a new database, in the order of the page', async () => {
    const client = new Client(postgres.superuser);
    await client.connect();
    try {
      await client.query(
        'BEGIN; DROP ROLE orders_readwrite, orders_readonly; SET SESSION AUTHORIZATION master',
      );
      const told = blocks.filter(({ page }) => page === 'docs/admin-role.md');
      for (const block of told.slice(0, told.findIndex(({ marks }) => marks[0] === 'cli') + 1)) {
        const text = block.language === 'sql' ? block.text : printed(block);
        await client.query(text.replaceAll(/^(?:BEGIN|COMMIT);$/gm, ''));
      }
      const { rows } = await client.query(`SELECT roleid::regrole::text AS role FROM pg_auth_members
        WHERE member = 'iamdb_admin'::regrole AND admin_option ORDER BY 1`);
      expect(rows).toEqual(['orders_readonly', 'orders_readwrite', 'rds_iam'].map((role) => ({ role })));
    } finally {
      await client.end();
    }
  });

  const withSQL = pages.filter((page) =>
    page.blocks.some(({ language, marks }) => language === 'sql' && marks.length === 0),
  );
  it.each(withSQL.map((page) => [page.path, page] as const))('runs the SQL of %s', async (_, page) => {
    const client = new Client({ ...postgres.superuser, database: 'orders' });
    await client.connect();
    try {
      const told = page.blocks.filter(({ language, marks }) => language === 'sql' && marks.length === 0);
      await client.query('BEGIN');
      // What a page makes is not there yet.
      for (const [, role] of told.flatMap(({ text }) => [...text.matchAll(/^CREATE ROLE (\w+)/gm)])) {
        await client.query(`DROP ROLE IF EXISTS ${role}`);
      }
      await client.query('SET SESSION AUTHORIZATION master');
      for (const block of told) {
        await client.query(block.text).catch((error: unknown) => {
          throw new Error(`${placeOf(block)}: ${String(error)}`);
        });
      }
    } finally {
      await client.end();
    }
    expect(await postgres.sql(`SELECT 1 FROM pg_roles WHERE rolname = 'iamdb_admin'`)).toEqual([]);
  });
});
