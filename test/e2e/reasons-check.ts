// Runs after each end-to-end file: what test/e2e/reasons.ts says of it has to have been seen. A setup file of the project.
import { basename } from 'node:path';
import { afterAll, type RunnerTask, type RunnerTestSuite } from 'vitest';
import type { Reason } from '../../src/api/conditions.ts';
import { missingFor } from '../stage/reasons-seen.ts';
import { reasonsShownIn } from './reasons.ts';

// eslint-disable-next-line no-empty-pattern -- vitest wants its fixtures destructured, and none is needed
afterAll(({}, file) => {
  // Of a file that failed, or of a part of it (-t), nothing can be said.
  if (!hasPassed(file)) return;
  const name = basename(file.file.name, '.test.ts');
  const missing = Object.entries(reasonsShownIn).flatMap(([reason, shownIn]) =>
    shownIn === name ? (missingFor(reason as Reason) ?? []) : [],
  );
  if (missing.length > 0) throw new Error(`test/e2e/reasons.ts names ${name}, but ${missing.join('; ')}`);
});

const hasPassed = (task: RunnerTask | RunnerTestSuite): boolean =>
  task.type === 'suite' ? task.tasks.every(hasPassed) : task.result?.state === 'pass';
