// What is held while a blue/green deployment of a database is under way: every change of its roles.
import { Failure } from '../kernel/failure.ts';

/** `held`: what would be changed, by the names of the changes. */
export const heldByBlueGreen = (username: string, held: readonly string[]) =>
  new Failure(
    'unavailable',
    'BlueGreenInProgress',
    `A blue/green deployment of the database is under way, so role "${username}" is not changed before the switch (held: ${[...new Set(held)].join(', ')}).`,
  );

export const endingHeldByBlueGreen = (username: string) =>
  new Failure(
    'unavailable',
    'BlueGreenInProgress',
    `A blue/green deployment of the database is under way: the sessions of role "${username}" were ended and nobody is let in any more; NOLOGIN and REVOKE follow on the server that answers after the switch.`,
  );
