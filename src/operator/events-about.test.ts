import { expect, it } from 'vitest';
import { aUser } from '../../test/builders/objects.ts';
import type { Occurrence } from '../controller/events.ts';
import { createLog } from '../ops/log.ts';
import { eventsAbout } from './events-about.ts';

it('what warns is in the log as well, where nobody in the namespace can write', () => {
  const lines: string[] = [];
  const sent: Occurrence[] = [];
  const recorder = { record: (one: Occurrence) => sent.push(one), stop: async () => {} };
  const event = eventsAbout(recorder, createLog('info', { write: (line) => lines.push(line) }));
  event(aUser(), { type: 'Warning', reason: 'RoleLeft', message: 'Role "a" is left.' });
  event(aUser(), { type: 'Normal', reason: 'Ready', message: 'All is well.' });
  expect(sent.map(({ reason }) => reason)).toEqual(['RoleLeft', 'Ready']);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { level: 'info', event: 'RoleLeft', msg: 'Role "a" is left.' },
  ]);
});
