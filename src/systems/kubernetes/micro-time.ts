// metav1.MicroTime, which is read back only with exactly six digits after the second.

/** `milliseconds` since 1970. */
export function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z');
}

/** 0 for what is not a time. */
export function fromMicroTime(text: unknown): number {
  const parsed = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(parsed) ? 0 : parsed;
}
