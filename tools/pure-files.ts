// Which sources are pure (no effect, clock, randomness or environment): what the architecture test holds and mutation tests measure.
const impure =
  /(^|\/)(resource|access|rehearsal|transaction|end-sessions|reassign|known-roles|port|server)\.ts$/;
const pureReconcile =
  /^src\/reconcile\/(allow|claim|contributions|ending|events|expiry|glob|loss|mode|names|next-look|owner|standing|status|suspension)\.ts$/;

/** Of a source's path from the project's root. */
export const isPure = (file: string): boolean =>
  file.startsWith('src/api/') ||
  (file.startsWith('src/resources/') && !impure.test(file)) ||
  pureReconcile.test(file);
