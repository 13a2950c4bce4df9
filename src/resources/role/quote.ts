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

/** A body in dollar quotes, for people to read; the tag must not end it early. */
export function block(body: string): string {
  if (body.includes('$iamdb$')) throw new Error('not a body for dollar quotes');
  return `DO $iamdb$ BEGIN\n${body}\nEND $iamdb$;`;
}
