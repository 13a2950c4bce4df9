// Every name that a page may mention in backticks, taken from where it is defined.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conditionTypes, reasons } from '../../src/api/conditions.ts';
import { databaseSchema } from '../../src/api/database-schema.ts';
import { eventReasons } from '../../src/api/event-reasons.ts';
import { annotations, labels, userFinalizer } from '../../src/api/names.ts';
import { userSchema } from '../../src/api/user-schema.ts';
import { settings } from '../../src/config.ts';
import { tagKeys } from '../../src/resources/policy/names.ts';
import { values } from '../../tools/generate/chart-settings.ts';
import { isGroup, type Values } from '../../tools/generate/chart-values.ts';
import { root } from './pages.ts';

interface Schema {
  readonly type?: unknown;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

const schemas: readonly Schema[] = [databaseSchema, userSchema];

/** `spec.allow[].adopt` and everything above it. */
function fieldsOf(schema: Schema, prefix = ''): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
    `${prefix}${name}`,
    ...fieldsOf(field.items ?? field, `${prefix}${name}${field.items === undefined ? '' : '[]'}.`),
  ]);
}

const enumsOf = (schema: Schema): readonly string[] => [
  ...(schema.enum ?? []),
  ...Object.values(schema.properties ?? {}).flatMap(enumsOf),
  ...(schema.items === undefined ? [] : enumsOf(schema.items)),
];

const valuePaths = (tree: Values, prefix = ''): readonly string[] =>
  Object.entries(tree).flatMap(([name, entry]) => [
    `${prefix}${name}`,
    ...(isGroup(entry) ? valuePaths(entry.below, `${prefix}${name}.`) : []),
  ]);

export const fields: readonly string[] = [
  ...new Set([...schemas.flatMap((schema) => fieldsOf(schema)), ...valuePaths(values)]),
];

/** Words with a capital: conditions, reasons, values of fields. */
export const words: ReadonlySet<string> = new Set([
  ...Object.keys(conditionTypes),
  ...Object.keys(reasons),
  ...Object.keys(eventReasons),
  ...schemas.flatMap(enumsOf),
  'Enforce',
  'Plan',
  'True',
  'False',
  'Unknown',
  'IamDatabase',
  'IamDatabaseUser',
]);

const cliFolder = join(root, 'src/cli');
const cliSources = existsSync(cliFolder) ? readdirSync(cliFolder).filter((name) => name.endsWith('.ts')) : [];

/** Of the operator, and of the command line. */
export const arguments_: ReadonlySet<string> = new Set([
  ...Object.keys(settings).map((name) => `--${name}`),
  ...cliSources.flatMap((name) =>
    [...readFileSync(join(cliFolder, name), 'utf8').matchAll(/--[a-z][a-z-]+/g)].map(
      ([argument]) => argument,
    ),
  ),
]);

const opsSources = readdirSync(join(root, 'src/ops')).filter((name) => !name.endsWith('.test.ts'));

export const metrics: ReadonlySet<string> = new Set(
  opsSources.flatMap((name) =>
    [...readFileSync(join(root, 'src/ops', name), 'utf8').matchAll(/\b[a-z]+(?:_[a-z]+)+\b/g)].map(
      ([metric]) => metric,
    ),
  ),
);

export const marks: ReadonlySet<string> = new Set([
  ...Object.values(annotations),
  ...Object.values(labels),
  tagKeys.scope,
  userFinalizer,
  'iamdb.dev/v1alpha1',
]);

const actionsIn = (file: string): readonly string[] =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/"([a-z-]+:[A-Za-z]+)"/g)].map(
    ([, action = '']) => action,
  );

export const actions: ReadonlySet<string> = new Set([
  ...actionsIn('docs/reference/operator-policy.json'),
  ...actionsIn('docs/reference/operator-policy-inline.json'),
]);

interface Package {
  readonly scripts: Readonly<Record<string, string>>;
}

export const scripts: ReadonlySet<string> = new Set(
  Object.keys((JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Package).scripts),
);
