// The unit tests as mutation tests run them: without those that read sources as text, which is another one while it is mutated.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts'],
    exclude: [
      'src/api/conditions.test.ts',
      'src/systems/**',
      'src/controller/**',
      'src/ops/**',
      'src/*.test.ts',
    ],
    isolate: false,
    testTimeout: 20_000,
  },
});
