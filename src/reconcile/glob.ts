// The `*` of allow rules, matched in linear time.

/** Whether `pattern` matches all of `text`; `*` stands for any characters, everything else for itself. */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === text;
  const last = rest.pop() ?? '';
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  // Where the pieces would have to overlap, the last one begins before the others end.
  return at <= end;
}

/** Like matchesGlob for an ARN: a `*` never crosses `:` or `/`, and nothing but itself stands for an account. */
export function matchesArn(pattern: string, arn: string): boolean {
  const patterns = pattern.split(/([:/])/);
  const parts = arn.split(/([:/])/);
  // arn : partition : iam : region : account : resource -> the account is the ninth piece, counting separators
  const account = 8;
  return (
    patterns.length === parts.length &&
    patterns.every((piece, i) => (i <= account ? piece === parts[i] : matchesGlob(piece, parts[i] ?? '')))
  );
}
