// The one way in which names and texts get into a statement.

/** Doubled quotes are all that can end a quoted identifier; NUL cannot be sent at all. */
export function identifier(name: string): string {
  if (name === '' || name.includes('\0')) throw new Error('not a PostgreSQL identifier');
  return `"${name.replaceAll('"', '""')}"`;
}

/** With a backslash in it as E'', so that it means the same whatever standard_conforming_strings says. */
export function literal(text: string): string {
  if (text.includes('\0')) throw new Error('not a PostgreSQL string');
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? `E${quoted}` : quoted;
}

/** As an array of PostgreSQL. */
export const texts = (list: readonly string[]): string => `ARRAY[${list.map(literal).join(', ')}]::text[]`;

/** A body that people are to read, in dollar quotes that it cannot end. */
export function dollarQuoted(body: string): string {
  if (body.includes('\0')) throw new Error('not a PostgreSQL string');
  let tag = '$iamdb$';
  for (let n = 1; body.includes(tag); n += 1) tag = `$iamdb${n}$`;
  return `${tag}${body}${tag}`;
}

/** Statements of plpgsql, to be run once. */
export const block = (body: string): string => `DO ${dollarQuoted(` BEGIN\n${body}\nEND `)};`;
