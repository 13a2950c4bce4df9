// What the operator knows of one IamDatabase between passes; kept in memory only.
import type { RoleServer } from '../resources/role/resource.ts';
import type { ResolvedProxy } from '../resources/target/proxy.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import { Failure } from '../kernel/failure.ts';

/** A proxy as it was judged last. */
export interface KnownProxy {
  readonly proxy: ResolvedProxy;
  /** When AWS showed it no more for the first time, of all times in a row. */
  readonly missingSince?: number;
}

export interface DatabaseState {
  /** The last resolved target; a Failure only while there is none, or once it is known to be no longer true. */
  readonly target: ResolvedTarget | Failure;
  /** The last resolved target, where there is none now: by it is known what its users leave behind. */
  readonly lastTarget?: ResolvedTarget | undefined;
  /** Why AWS could not be asked lately, while an earlier answer is gone by. */
  readonly unconfirmed?: Failure;
  /** When AWS said first that there is no such database, of all times in a row. */
  readonly missingSince?: number;
  /** It has said so for so long that the database is gone. */
  readonly isGone?: boolean;
  /** Of the proxies that are declared; those of the last resolved target while there is none. */
  readonly proxies?: readonly KnownProxy[];
  /** The rehearsal's answer; NotUsed where somebody else keeps the roles. */
  readonly admin: { readonly serverVersion: string } | Failure | 'NotUsed';
  /** What should be known of how the admin logs in, though it may work. */
  readonly advice?: string | undefined;
  /** As what the database was rehearsed, where it may sleep. */
  readonly rehearsedAs?: string | undefined;
  /** When the admin was asked last. */
  readonly rehearsedAt?: number;
  /** Connections to the server behind the target, as the admin; undefined where there are none. */
  readonly server: RoleServer | undefined;
}

/** Where a database is or, where that cannot be told now, was last: by this goes what its users left behind. */
export const targetOrLast = (state: DatabaseState | undefined): ResolvedTarget | undefined =>
  state?.target instanceof Failure ? state.lastTarget : state?.target;

/** Whether AWS did not answer: that is no news about the database. */
export const isLossOfSight = (target: ResolvedTarget | Failure): target is Failure =>
  target instanceof Failure &&
  (target.kind === 'throttled' ||
    target.kind === 'denied' ||
    target.kind === 'unexpected' ||
    target.reason === 'AwsUnavailable');
