// How long an answer of somebody else is waited for, where a test run shortens every wait.

const floorMs = 3_000;

/**
 * A factor shortens what passes by itself. Who has to answer is as slow as ever, a busy machine too, so a limit is not
 * shortened below three seconds; milliseconds.
 */
export const scaledLimit = (limitMs: number, factor: number): number =>
  Math.max(limitMs * factor, Math.min(limitMs, floorMs));
