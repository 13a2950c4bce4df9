// Lines of the log, as a reader gets them.
import { expect, it } from 'vitest';
import { createLog } from './log.ts';

it('each line of a pass names object and pass, and nothing that another line said', async () => {
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => lines.push(line) });
  const reconcile = log.passes('sweep', async () => {
    log.warn({ remedy: 'do this' }, 'first');
    log.info({}, 'second');
    return await Promise.resolve({});
  });
  await reconcile('all', AbortSignal.timeout(1_000));
  log.info({}, 'after');
  const read = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const ofThePass = ['controller', 'object', 'reconcileID'];
  expect(read).toMatchObject([{ controller: 'sweep', object: 'all', remedy: 'do this' }, {}, {}, {}]);
  const fields = (line: object) => Object.keys(line).filter((name) => name !== 'time');
  expect(read.map(fields)).toEqual([
    ['level', ...ofThePass, 'remedy', 'msg'],
    ['level', ...ofThePass, 'msg'],
    ['level', ...ofThePass, 'durationMs', 'msg'],
    ['level', 'msg'],
  ]);
});
