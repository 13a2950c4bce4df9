import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { conditionTypes, reasons } from '../../src/api/conditions.ts';
import { settings } from '../../src/config.ts';
import { alertFiles } from './alerts.ts';
import { chartFiles } from './chart.ts';
import { crdFiles } from './crds.ts';
import { dashboardFiles } from './dashboard.ts';
import { referenceFiles } from './reference.ts';
import { roleFiles } from './roles.ts';

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly maxItems?: number;
  readonly maxLength?: number;
  readonly maxProperties?: number;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly 'x-kubernetes-list-type'?: string;
}
interface Definition {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly names: { readonly shortNames: readonly string[]; readonly categories: readonly string[] };
    readonly versions: readonly {
      readonly subresources?: unknown;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

const root = join(import.meta.dirname, '../..');
const files = {
  ...crdFiles(),
  ...roleFiles(),
  ...chartFiles(),
  ...referenceFiles(),
  ...alertFiles(),
  ...dashboardFiles(),
};
const definitions = Object.values(crdFiles()).map((text) => parse(text) as Definition);

/** Every field below, with its path. */
function fields(schema: Schema, path: string): readonly (readonly [string, Schema])[] {
  const below = [
    ...Object.entries(schema.properties ?? {}).map(([name, inner]) => [`${path}.${name}`, inner] as const),
    ...(schema.items === undefined ? [] : [[`${path}[]`, schema.items] as const]),
    ...(schema.additionalProperties === undefined
      ? []
      : [[`${path}.*`, schema.additionalProperties] as const]),
  ];
  return below.flatMap(([name, inner]) => [[name, inner] as const, ...fields(inner, name)]);
}

const written = definitions.flatMap(({ metadata, spec }) =>
  spec.versions.flatMap(({ schema }) =>
    ['spec', 'status'].flatMap((part) => {
      const inner = schema.openAPIV3Schema.properties?.[part];
      return inner === undefined ? [] : fields(inner, `${metadata.name} ${part}`);
    }),
  ),
);
const pathsWhere = (wanted: (schema: Schema) => boolean) =>
  written.flatMap(([path, schema]) => (wanted(schema) ? [path] : []));

describe('the generated files', () => {
  it.each(Object.entries(files))('%s is as it stands in the repository', (path, text) => {
    expect(readFileSync(join(root, path), 'utf8')).toBe(text);
  });
});

const isFree = (s: Schema) =>
  s.type === 'string' && s.maxLength === undefined && s.enum === undefined && s.format !== 'date-time';

describe('a CRD', () => {
  it('has fields to look at', () => {
    expect(definitions).toHaveLength(2);
    expect(written.length).toBeGreaterThan(80);
  });

  // Without these the API server refuses CEL for its cost.
  it('bounds every list, text and map', () => {
    expect(pathsWhere((s) => s.type === 'array' && s.maxItems === undefined)).toEqual([]);
    expect(pathsWhere(isFree)).toEqual([]);
    expect(pathsWhere((s) => s.additionalProperties !== undefined && s.maxProperties === undefined)).toEqual(
      [],
    );
  });

  it('says of every list how it is merged', () => {
    expect(pathsWhere((s) => s.type === 'array' && s['x-kubernetes-list-type'] === undefined)).toEqual([]);
  });

  it('reaches every default: each object above one has one itself, or has to be written', () => {
    const deaf = pathsWhere(
      (s) =>
        s.type === 'object' &&
        s.default === undefined &&
        Object.values(s.properties ?? {}).some((inner) => inner.default !== undefined),
    );
    // These are written by whoever wants them.
    expect(deaf.map((path) => path.replace(/^.* /, ''))).toEqual(['spec.target.explicit', 'spec.admin']);
  });

  it('describes every field that people write', () => {
    const silent = written.filter(
      ([path, { description }]) =>
        / spec\./.test(path) && !path.endsWith(']') && !path.endsWith('.*') && description === undefined,
    );
    expect(silent.map(([path]) => path)).toEqual([]);
  });

  it('has a short name that is no category', () => {
    for (const { spec } of definitions) {
      expect(spec.names.shortNames).toHaveLength(1);
      expect(spec.names.categories).not.toContain(spec.names.shortNames[0]);
    }
  });

  it('cannot name a Secret, a URL or a file in what teams write', () => {
    const tenant = written.map(([path]) => path).filter((path) => /^iamdatabaseusers\..* spec/.test(path));
    expect(tenant.length).toBeGreaterThan(15);
    // Schemas, not files.
    const named = tenant.filter((path) => !path.endsWith('.search_path'));
    expect(named.filter((path) => /secret|url|host|file|path|password/i.test(path))).toEqual([]);
  });
});

const page = (name: string) => referenceFiles()[`docs/reference/${name}.md`] ?? '';

describe('the reference', () => {
  it('has every condition, reason and setting', () => {
    const missing = [...Object.keys(conditionTypes), ...Object.keys(reasons)].filter(
      (name) => !page('conditions').includes(`| \`${name}\` |`),
    );
    expect(missing).toEqual([]);
    expect(Object.keys(settings).filter((name) => !page('configuration').includes(`\`--${name}\``))).toEqual(
      [],
    );
  });

  it('has every field that people write', () => {
    const names = written.flatMap(([path]) => {
      const field = path.replace(/^.* /, '');
      return field.endsWith(']') || field.endsWith('.*') ? [] : [`| \`${field}\` |`];
    });
    expect(names.filter((name) => !page('api').includes(name))).toEqual([]);
  });
});
