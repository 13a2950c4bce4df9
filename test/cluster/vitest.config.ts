// Apart from the other tests: these install into whatever cluster KUBECONFIG names, so they run only when they are asked for.
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  test: {
    name: 'cluster',
    include: ['test/cluster/**/*.test.ts'],
    pool: 'forks',
    // Progress as it comes.
    disableConsoleIntercept: true,
    // Each goes on where the one before ended.
    bail: 1,
    testTimeout: 240_000,
    hookTimeout: 240_000,
    teardownTimeout: 60_000,
  },
});
