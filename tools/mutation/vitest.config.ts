// The unit tests as mutation tests run them: without those that read sources as text, which is another one while it is mutated.
import { defineConfig } from 'vitest/config';
import { QuickestFirst } from './quickest-first.ts';

export default defineConfig({
  test: {
    // Of those over the tools the one that compares what is generated: schemas and reasons are little else.
    include: ['src/**/*.test.ts', 'tools/generate/generate.test.ts'],
    exclude: [
      'src/api/conditions.test.ts',
      'src/systems/**',
      'src/controller/**',
      'src/ops/**',
      'src/*.test.ts',
    ],
    setupFiles: ['tools/mutation/set-up.ts'],
    sequence: { sequencer: QuickestFirst },
    isolate: false,
    testTimeout: 20_000,
  },
});
