// When a user's time is over.
import type { IamDatabaseUser } from '../api/objects.ts';

/** Milliseconds from now, negative once it is over; undefined where there is no end. */
export function untilExpiry({ spec }: IamDatabaseUser, now: number): number | undefined {
  return spec.expirationTime === undefined ? undefined : Date.parse(spec.expirationTime) - now;
}

export const isExpired = (user: IamDatabaseUser, now: number): boolean => (untilExpiry(user, now) ?? 1) <= 0;
