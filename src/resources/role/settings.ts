// Settings of a role: how their values are compared and written.
import { literal } from './quote.ts';

/** Name to value, as wished or as `pg_db_role_setting` has it. */
export type Settings = Readonly<Record<string, string>>;

/**
 * The value as it stands in ALTER ROLE ... SET. PostgreSQL takes one text for search_path as the name of one schema, so its
 * elements are given one by one.
 */
export function valueSQL(name: string, value: string): string {
  const parts = name === 'search_path' ? schemasIn(value) : [value];
  return parts.map((part) => literal(part)).join(', ');
}

/** PostgreSQL keeps a value as it was given, but a list of schemas with quotation marks where it wants them. */
export function isSameValue(name: string, wished: string, found: string | undefined): boolean {
  if (found === undefined) return false;
  if (name !== 'search_path') return wished === found;
  const [a, b] = [schemasIn(wished), schemasIn(found)];
  return a.length === b.length && a.every((schema, index) => schema === b[index]);
}

/** Names in order, as PostgreSQL reads such a list: in lower case unless in quotation marks. */
function schemasIn(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"]|"")*)"|([^\s,"][^,"]*)/g)].map(([, quoted, plain = '']) =>
    quoted === undefined ? plain.trim().toLowerCase() : quoted.replaceAll('""', '"'),
  );
}

/** `name=value`, as PostgreSQL lists them. */
export function settingsIn(list: readonly string[]): Settings {
  return Object.fromEntries(
    list.map((entry) => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}
