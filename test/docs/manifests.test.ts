// Every manifest in the documentation and the examples is one that a real API server takes, with the CRDs that ship.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type ApiServer, refusalOf, startApiServer } from '../chart/api-server.ts';
import type { Manifest } from '../chart/helm.ts';
import { applyCRDs, applyNamespace, manifestsIn } from '../stage/cluster.ts';
import { type Block, blocksIn, markOf, placeOf, root } from './pages.ts';

let server: ApiServer;
beforeAll(async () => {
  server = await startApiServer();
  await applyCRDs(server.kube);
  for (const name of ['payments', 'iamdb-system', 'shop']) await applyNamespace(server.kube, name);
});
afterAll(() => server?.stop());

type Tree = Readonly<Record<string, unknown>>;
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `part` over `base`; what it names is taken whole, but for trees. */
function over(base: Tree, part: Tree): Tree {
  const parts = Object.entries(part).map(([name, value]) => {
    const before = base[name];
    return [
      name,
      isTree(before) && isTree(value) && name !== 'target' ? over(before, value) : value,
    ] as const;
  });
  return { ...base, ...Object.fromEntries(parts) };
}

const examples: Readonly<Record<string, string>> = {
  IamDatabase: 'examples/database.yaml',
  IamDatabaseUser: 'examples/user.yaml',
};

function documentsIn(text: string): readonly Tree[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(String(document.errors[0]));
    const value: unknown = document.toJS();
    return isTree(value) ? [value] : [];
  });
}

/** A part of an object (`of=IamDatabase`) stands in the example of that kind. */
function manifestsOf(block: Block): readonly Manifest[] {
  const kind = markOf(block, 'of');
  const found = documentsIn(block.text);
  if (kind === undefined) return found as readonly Manifest[];
  const [example] = manifestsIn(examples[kind] ?? `no example of ${kind}`);
  return found.map((part) => over(example as unknown as Tree, part) as Manifest);
}

const wholes = blocksIn('yaml').filter(
  ({ marks: [first] }) => first === undefined || /^(of|as)=/.test(first),
);
const files = ['examples', 'gitops']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((name) => name.endsWith('.yaml') && !/^gitops\/(argocd|flux|base|overlays)\//.test(name));

const cases: readonly (readonly [string, () => readonly Manifest[]])[] = [
  ...wholes.map((block) => [placeOf(block), () => manifestsOf(block)] as const),
  ...files.map(
    (file) =>
      [file, () => documentsIn(readFileSync(join(root, file), 'utf8')) as readonly Manifest[]] as const,
  ),
];

describe('an API server', () => {
  it.for(cases)('takes what stands at %s', async ([, manifests]) => {
    for (const manifest of manifests()) {
      expect(await refusalOf(server.kube, manifest)).toBeUndefined();
    }
  });

  it('refuses what is mistyped', async () => {
    const [database] = manifestsIn('examples/database.yaml') as readonly unknown[] as readonly Tree[];
    const wrong = over(database ?? {}, { spec: { databse: 'orders' } }) as Manifest;
    expect(await refusalOf(server.kube, wrong)).toContain('databse');
  });
});

it('each manifest that is only parsed can be', () => {
  for (const block of blocksIn('yaml', 'parse'))
    expect(documentsIn(block.text).length, placeOf(block)).toBeGreaterThan(0);
});
