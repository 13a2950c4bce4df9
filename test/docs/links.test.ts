// Links between pages lead somewhere, and each block of code says who checks it.
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocks, pageOf, pages, placeOf, projectPath, root } from './pages.ts';

/** Marks that a language's blocks may have; a language that is not here may not be used. */
const marksOf: Readonly<Record<string, readonly string[]>> = {
  // run: by run.test.ts. helm: rendered by Helm. npm: the script exists. cli: run by commands.test.ts, without a cluster.
  // aws: needs AWS, or a database there. cluster: needs what Helm installed; npm run test:cluster does the like.
  sh: ['run', 'helm', 'npm', 'cli', 'kustomize', 'aws', 'cluster'],
  // Without a mark whole manifests, tried on an API server; as: so is this, and it is the file that commands of the page read.
  yaml: ['', 'as', 'values', 'of', 'parse', 'file'],
  json: ['', 'trust'],
  // Run on PostgreSQL and rolled back; later: needs a user that the operator has made.
  sql: ['', 'later'],
  // Shown, not typed.
  text: [''],
  mermaid: [''],
  // Judged by promtool where the alerts are tested.
  promql: [''],
  // Word for word in the file that is named.
  js: ['file'],
  python: ['file'],
  go: ['file'],
  java: ['file'],
  lua: ['file'],
};

describe('a page', () => {
  it('is found, with blocks, links and names', () => {
    expect(pages.length).toBeGreaterThan(20);
    const {
      blocks: found,
      anchors,
      links,
      names,
    } = pageOf('x.md', '# A `b` c\n[l](y.md#z)\n```sh run\n# no heading\n```\n# A b c\n');
    expect(found).toEqual([
      { page: 'x.md', line: 3, language: 'sh', marks: ['run'], text: '# no heading\n' },
    ]);
    expect([...anchors]).toEqual(['a-b-c', 'a-b-c-1']);
    expect([links, names].map((some) => some.map(({ text }) => text))).toEqual([['y.md#z'], ['b']]);
  });

  it.each(pages.map((page) => [page.path, page] as const))(
    'has only links that lead somewhere: %s',
    (_, page) => {
      const broken = page.links.filter(({ text }) => {
        if (/^(https|mailto):/.test(text)) return false;
        const [file = '', anchor] = text.split('#');
        const target = file === '' ? page.path : projectPath(resolve(root, dirname(page.path), file));
        if (!existsSync(join(root, target))) return true;
        return (
          anchor !== undefined && pages.find(({ path }) => path === target)?.anchors.has(anchor) !== true
        );
      });
      expect(broken).toEqual([]);
    },
  );
});

it('each block says who checks it', () => {
  const unmarked = blocks.filter(({ language, marks }) => {
    const allowed = marksOf[language];
    if (allowed === undefined) return true;
    const [first = ''] = marks;
    return !allowed.includes(first.split('=')[0] ?? '');
  });
  expect(unmarked.map((block) => `${placeOf(block)} ${[block.language, ...block.marks].join(' ')}`)).toEqual(
    [],
  );
});

it('each document is reached from the README', () => {
  const reached = new Set(['README.md']);
  for (let before = 0; before !== reached.size; ) {
    before = reached.size;
    for (const page of pages.filter(({ path }) => reached.has(path))) {
      for (const { text } of page.links.filter((link) => !/^(https|mailto):|^#/.test(link.text))) {
        reached.add(projectPath(resolve(root, dirname(page.path), text.split('#')[0] ?? '')));
      }
    }
  }
  const own = pages.map(({ path }) => path).filter((path) => /^docs\/(?!adr\/)|^[A-Z]+\.md$/.test(path));
  expect(own.filter((path) => !reached.has(path) && path !== 'AGENTS.md')).toEqual([]);
});
