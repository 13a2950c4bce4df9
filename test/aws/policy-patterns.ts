// Wildcards and variables of IAM policies.

/** Values by condition key, the keys in lower case. */
export type RequestContext = ReadonlyMap<string, readonly string[]>;

/** Stands before a character that came out of a variable, where it is no wildcard. */
const literalMark = '\u0000';

/** `*` stands for any text, `?` for one character; nothing else is special. */
export function matchesGlob(pattern: string, text: string): boolean {
  // Without regular expressions, because a pattern with many stars makes those exponential.
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    const literal = pattern[p] === literalMark;
    const wanted = literal ? pattern[p + 1] : pattern[p];
    if (!literal && wanted === '*') {
      star = p++;
      resume = t;
    } else if (wanted !== undefined && (wanted === text[t] || (!literal && wanted === '?'))) {
      p += literal ? 2 : 1;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/**
 * The resource of a statement against the one asked for. The first five parts of an ARN are matched one by one,
 * the last part as a whole, so a star there crosses `/` and `:`.
 */
export function matchesResource(pattern: string, resource: string): boolean {
  if (pattern === '*') return true;
  const wanted = arnParts(pattern);
  const actual = arnParts(resource);
  if (wanted.length < 6 && pattern.endsWith('*')) return matchesGlob(pattern, resource);
  return (
    wanted.length === actual.length && wanted.every((part, index) => matchesGlob(part, actual[index] ?? ''))
  );
}

/** The six parts of an ARN; fewer where the text has fewer. */
export function arnParts(arn: string): readonly string[] {
  const parts = arn.split(':');
  return parts.length <= 6 ? parts : [...parts.slice(0, 5), parts.slice(5).join(':')];
}

/** Puts the request's values in for `${key}`; undefined where the request has no single value for one. */
export function substituteVariables(pattern: string, context: RequestContext): string | undefined {
  let missing = false;
  const substituted = pattern.replaceAll(/\$\{([^}]*)\}/g, (_, name: string) => {
    if (name === '*' || name === '?' || name === '$') return literalMark + name;
    const [key = '', fallback] = name.split(',').map((part) => part.trim());
    const values = context.get(key.toLowerCase());
    const value = values?.length === 1 ? values[0] : fallback?.replace(/^'(.*)'$/, '$1');
    if (value === undefined) missing = true;
    return (value ?? '').replaceAll(/[^]/g, (unit) => literalMark + unit);
  });
  return missing ? undefined : substituted;
}

/** The same text where wildcards have no meaning. */
export function withoutMarks(text: string): string {
  return text.replaceAll(literalMark, '');
}
