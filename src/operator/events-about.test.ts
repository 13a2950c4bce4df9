import { expect, it } from 'vitest';
import { aUser } from '../../test/builders/objects.ts';
import type { Occurrence } from '../controller/events.ts';
import { createLog } from '../ops/log.ts';
import { eventsAbout } from './events-about.ts';

it('what is told at the end of an object is in the log as well, where nobody in the namespace can write', () => {
  const lines: string[] = [];
  const sent: Occurrence[] = [];
  const recorder = { record: (one: Occurrence) => sent.push(one), stop: async () => {} };
  const event = eventsAbout(recorder, createLog('warn', { write: (line) => lines.push(line) }));
  event(aUser(), { type: 'Warning', reason: 'RoleLeft', message: 'Role "a" is left.' });
  event(aUser(), { type: 'Warning', reason: 'RoleKept', message: 'Told at each look.' });
  event(aUser(), { type: 'Normal', reason: 'Ready', message: 'All is well.' });
  expect(sent.map(({ reason }) => reason)).toEqual(['RoleLeft', 'RoleKept', 'Ready']);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    {
      level: 'warn',
      event: 'RoleLeft',
      object: 'IamDatabaseUser payments/checkout',
      msg: 'Role "a" is left.',
    },
  ]);
});
