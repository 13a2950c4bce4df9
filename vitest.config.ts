// Test projects: what needs no server runs at full speed, what starts servers runs with patience.
import { defineConfig } from 'vitest/config';

const expectations = { poll: { timeout: 20_000 } };
const patient = {
  testTimeout: 60_000,
  hookTimeout: 600_000,
  teardownTimeout: 60_000,
  expect: expectations,
};

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      { test: { name: 'architecture', include: ['test/architecture/**/*.test.ts'] } },
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'tools/**/*.test.ts'],
          testTimeout: 30_000,
          expect: expectations,
        },
      },
      { test: { name: 'bed', include: ['test/bed/**/*.test.ts', 'test/aws/**/*.test.ts'], ...patient } },
      { test: { name: 'integration', include: ['test/integration/**/*.test.ts'], ...patient } },
      // Needs moto, which only npm run test:moto installs.
      ...(process.env['IAMDB_TEST_AWS'] === 'moto'
        ? [{ test: { name: 'moto', include: ['test/moto/**/*.test.ts'], ...patient } }]
        : []),
      { test: { name: 'faults', include: ['test/faults/**/*.test.ts'], ...patient } },
      { test: { name: 'chart', include: ['test/chart/**/*.test.ts'], ...patient } },
      { test: { name: 'docs', include: ['test/docs/**/*.test.ts'], ...patient } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          setupFiles: ['test/e2e/reasons-check.ts'],
          ...patient,
        },
      },
    ],
  },
});
