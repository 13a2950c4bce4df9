// The rules of docs/architecture.md, held against the sources: who may import whom, and what pure files may mention.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isPure } from '../../tools/pure-files.ts';

const root = resolve(import.meta.dirname, '../..');
const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  .map((name) => join('src', name).replaceAll('\\', '/'));

interface Source {
  readonly file: string;
  readonly text: string;
  /** Project files and packages that it imports. */
  readonly imports: readonly string[];
}

const sources: readonly Source[] = files.map((file) => {
  const text = readFileSync(join(root, file), 'utf8');
  const imports = [...text.matchAll(/^(?:import|export)\b[^;]*?from '([^']+)'/gms)].map(([, from = '']) =>
    from.startsWith('.') ? relative(root, resolve(root, dirname(file), from)).replaceAll('\\', '/') : from,
  );
  return { file, text, imports };
});

const inside = (folder: string) => sources.filter(({ file }) => file.startsWith(folder));
const wrong = (some: readonly Source[], allowed: (imported: string, from: string) => boolean) =>
  some.flatMap(({ file, imports }) =>
    imports.filter((imported) => !allowed(imported, file)).map((imported) => `${file} imports ${imported}`),
  );
const isOneOf = (imported: string, ...prefixes: readonly string[]) =>
  prefixes.some((prefix) => imported === prefix || imported.startsWith(prefix));
const sdk = /^(@aws-sdk\/|@smithy\/|@kubernetes\/|pg$|pg-|undici)/;

describe('imports point inwards', () => {
  it('finds the sources at all', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(200);
  });

  it('api imports nothing but itself', () => {
    expect(wrong(inside('src/api/'), (imported) => isOneOf(imported, 'src/api/'))).toEqual([]);
  });

  it('the kernel imports only api', () => {
    const allowed = (imported: string) => isOneOf(imported, 'src/api/', 'src/kernel/');
    expect(wrong(inside('src/kernel/'), allowed)).toEqual([]);
  });

  it('a resource imports api and the kernel, never another resource, never an SDK', () => {
    const allowed = (imported: string, from: string) => {
      const own = from.split('/').slice(0, 3).join('/');
      return isOneOf(imported, 'src/api/', 'src/kernel/', `${own}/`, 'node:crypto', 'node:net');
    };
    expect(wrong(inside('src/resources/'), allowed)).toEqual([]);
  });

  it('reconcile composes resources and knows no system', () => {
    const allowed = (imported: string) =>
      isOneOf(imported, 'src/api/', 'src/kernel/', 'src/resources/', 'src/reconcile/');
    expect(wrong(inside('src/reconcile/'), allowed)).toEqual([]);
  });

  it('the controller core knows nothing of databases', () => {
    const allowed = (imported: string) => isOneOf(imported, 'src/controller/', 'src/kernel/limit.ts');
    expect(wrong(inside('src/controller/'), allowed)).toEqual([]);
  });

  it('only systems import an SDK; the operator creates clients and a kubeconfig', () => {
    const outside = sources.filter(({ file }) => !file.startsWith('src/systems/'));
    const clients = new Set(['src/operator/account.ts', 'src/operator/aws.ts', 'src/operator/operator.ts']);
    expect(wrong(outside, (imported, from) => !sdk.test(imported) || clients.has(from))).toEqual([]);
  });

  it('the command line knows what is decided and what is granted, and reaches nothing', () => {
    const allowed = (imported: string) =>
      isOneOf(imported, 'src/cli/', 'src/api/', 'src/resources/') ||
      imported === 'src/systems/operator-policy.ts' ||
      imported === 'commander';
    expect(wrong(inside('src/cli/'), allowed)).toEqual([]);
    const outside = sources.filter(({ file }) => !file.startsWith('src/cli/'));
    expect(wrong(outside, (imported) => imported !== 'commander' && !isOneOf(imported, 'src/cli/'))).toEqual(
      [],
    );
  });

  it('systems know ports, never how things are composed', () => {
    const allowed = (imported: string) =>
      !isOneOf(imported, 'src/operator/', 'src/ops/', 'src/main', 'src/config');
    expect(wrong(inside('src/systems/'), allowed)).toEqual([]);
  });

  it('only main and config read the environment', () => {
    const readers = sources.filter(({ text }) => /\bprocess\.env\b/.test(text)).map(({ file }) => file);
    expect(readers).toEqual(['src/main.ts']);
  });
});

describe('pure files', () => {
  const pure = sources.filter(({ file }) => isPure(file));

  it('are not async', () => {
    expect(pure.length).toBeGreaterThan(20);
    expect(
      pure.filter(({ text }) => /\basync\b|\bawait\b|\.then\(/.test(text)).map(({ file }) => file),
    ).toEqual([]);
  });

  it('mention no clock, randomness or environment', () => {
    const mention =
      /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.|\bprocess\.|\brandomUUID\b|\brandomBytes\b/;
    expect(pure.filter(({ text }) => mention.test(text)).map(({ file }) => file)).toEqual([]);
  });
});

it('DROP OWNED is never issued', () => {
  const issued = sources.filter(({ text }) =>
    /drop\s+owned/i.test(text.replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '')),
  );
  expect(issued.map(({ file }) => file)).toEqual([]);
});

it('each file opens with a comment saying what it holds', () => {
  expect(sources.filter(({ text }) => !/^(\/\/|\/\*\*) ?\S/.test(text)).map(({ file }) => file)).toEqual([]);
});

it('no file is longer than 300 lines', () => {
  expect(sources.filter(({ text }) => text.split('\n').length > 300).map(({ file }) => file)).toEqual([]);
});
