// Reads policy documents of IAM, whoever wrote them: nothing about their form is taken for granted.

/** `*` any characters, `?` one; in time that no pattern can blow up. */
export function isLike(pattern: string, text: string): boolean {
  let [at, next, star, from] = [0, 0, -1, 0];
  while (at < text.length) {
    const wanted = pattern[next];
    if (wanted === '*') {
      star = next;
      from = at;
      next += 1;
    } else if (wanted === '?' || wanted === text[at]) {
      at += 1;
      next += 1;
    } else if (star >= 0) {
      // The last star takes one character more.
      from += 1;
      at = from;
      next = star + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(next));
}

export function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text.trimStart().startsWith('{') ? text : decodeURIComponent(text));
    return value;
  } catch {
    // Whatever that is, it allows nothing.
    return undefined;
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const field = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);
export const entries = (value: unknown) => (isObject(value) ? Object.entries(value) : []);
export const list = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];
