// Text from anywhere made fit for an event or a log line: one line, no hidden characters, bounded.

/** Control, format (bidirectional overrides, zero width), line and paragraph separators, and broken surrogates. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const escapeCharacter = (character: string) =>
  `\\u{${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}}`;

/** Escapes what cannot be seen and clips to `maxBytes` of UTF-8, never inside a character. */
export function plainText(text: string, maxBytes: number): string {
  // Clipped first as well, so that a huge text is not escaped in full.
  const escaped = text.slice(0, maxBytes).replaceAll(HIDDEN, escapeCharacter);
  const isWhole = text.length <= maxBytes && Buffer.byteLength(escaped) <= maxBytes;
  if (isWhole) return escaped;
  const ellipsis = '...';
  let clipped = '';
  let bytes = ellipsis.length;
  for (const character of escaped) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    clipped += character;
  }
  return clipped + ellipsis;
}
