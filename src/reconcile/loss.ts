// Whether a user that works and is not allowed any more is to lose its access: after a grace, and never too many at once.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import { annotations } from '../api/names.ts';
import { type Moded, ownersMode } from './mode.ts';
import { hasBegun, isDisallowed, type View } from './standing.ts';
import { ownersSuspend } from './suspension.ts';

/** What is remembered of a user that is not allowed any more. */
export interface Loss {
  /** When this process first saw it. */
  readonly since: number;
  /** grace: ends later. held: too many would end with it. ended: its access is to be gone. */
  readonly verdict: 'grace' | 'held' | 'ended';
}

interface Sight extends View, Moded {
  readonly settings: Moded['settings'] & { readonly timeScale: number };
  readonly losses: ReadonlyMap<string, Loss>;
  /** Whether everything that is to be known of the cluster is: else nothing is decided. */
  isComplete(): boolean;
  now(): number;
}

/** For a user that was just judged to be not allowed any more. */
export function judgeLoss(user: IamDatabaseUser, database: IamDatabase, sight: Sight): Loss {
  const before = sight.losses.get(user.metadata.uid);
  const now = sight.now();
  const since = before?.since ?? now;
  if (before?.verdict === 'ended') return before;
  if (!sight.isComplete()) return { since, verdict: 'grace' };
  if (!isConfirmed(database) && isMass(database, sight)) return { since, verdict: 'held' };
  return { since, verdict: now < since + graceMs(database, sight) ? 'grace' : 'ended' };
}

export const graceMs = ({ spec }: IamDatabase, { settings }: Pick<Sight, 'settings'>): number =>
  spec.onPermissionLost.graceSeconds * 1000 * settings.timeScale;

/** By a person, for exactly this generation: an annotation that stays on says nothing about the next change of the rules. */
const isConfirmed = ({ metadata }: IamDatabase): boolean =>
  metadata.annotations?.[annotations.confirmRevocation] === String(metadata.generation);

const few = 5;
const share = 0.2;

/** More than this many at once are more likely a mistake in a rule or a label than meant. */
export const mostAtOnce = (begun: number): number => Math.max(few, Math.floor(begun * share));

/** Those whose access has ended already are no part of this change. */
function isMass(database: IamDatabase, sight: Sight): boolean {
  const begun = sight
    .usersOf(database.metadata.name)
    .filter((user) => hasBegun(user) && user.metadata.deletionTimestamp === undefined);
  let left = mostAtOnce(begun.length);
  for (const user of begun) {
    if (isLost(user, sight)) left -= 1;
    if (left < 0) return true;
  }
  return false;
}

const isLost = (user: IamDatabaseUser, sight: Sight): boolean =>
  sight.losses.get(user.metadata.uid)?.verdict !== 'ended' &&
  !ownersSuspend(user, sight) &&
  ownersMode(user, sight) === 'Enforce' &&
  isDisallowed(user, sight);
