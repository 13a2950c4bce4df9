// IAM for the policies: one listing serves everybody, and nothing is read twice that cannot have changed.
import { IAMClient, type IAMClientConfig } from '@aws-sdk/client-iam';
import type { AccessPorts } from '../../resources/access/access.ts';
import type { PolicyPort } from '../../resources/policy/port.ts';
import { createCalls, type SentCall } from './calls.ts';
import { type Clock, realClock } from './clock.ts';
import { createInline } from './inline.ts';
import { createListings } from './listings.ts';
import { createMemory } from './memory.ts';
import { createReads, type OnQuota } from './reads.ts';
import { createRoleReader, type RoleReader } from './role-documents.ts';
import { type BucketSettings, createTokenBucket, type TokenBucket, unlimited } from './token-bucket.ts';
import { createWrites } from './writes.ts';

export interface IamSettings {
  /** Region, credentials, endpoint, proxy: whatever the SDK takes. Retries are our own. */
  readonly client?: Omit<IAMClientConfig, 'maxAttempts' | 'retryMode' | 'retryStrategy'>;
  /** Whose credentials they are, as for calls. */
  readonly by?: string | undefined;
  /** How fast we may call: shared by all who call the same account. */
  readonly pace?: IamPace;
  readonly timing?: Partial<IamTiming>;
  /** How often a call is sent at most: a read after any passing error, a write only when it was throttled. */
  readonly attempts?: number;
  /** Runs before each write, and again right before it is sent, to look whether we still lead; throws to keep it back. */
  readonly beforeWrite?: () => void;
  readonly onCall?: (call: SentCall) => void;
  readonly onQuota?: OnQuota;
  readonly clock?: Clock;
}

export interface IamPace {
  readonly reads: TokenBucket;
  readonly writes: TokenBucket;
}

/** Calls per second that we allow ourselves, for AWS's limits are undocumented and shared; undefined: no limit. */
export function iamPace(
  rates: { readonly reads: BucketSettings | undefined; readonly writes: BucketSettings | undefined },
  clock: Clock = realClock,
): IamPace {
  const bucket = (of: BucketSettings | undefined) =>
    of === undefined ? unlimited : createTokenBucket(of, clock);
  return { reads: bucket(rates.reads), writes: bucket(rates.writes) };
}

/** All in milliseconds. */
export interface IamTiming {
  /** How old a listing may be when somebody asks for it. */
  readonly freshMs: number;
  /** Least time between two listings, but for a first pair; who asks in between shares the next. */
  readonly listEveryMs: number;
  /** How long IAM may take to show what was written. */
  readonly settleMs: number;
  /** When tags, attachments and quotas are read again although nothing speaks for a change. */
  readonly lookAgainMs: number;
  /** How long what a role of somebody else may do is good. */
  readonly lookMs: number;
  readonly requestTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** First wait before a call is sent again. */
  readonly retryMs: number;
}

export const iamDefaults = {
  rates: { reads: { perSecond: 20, burst: 20 }, writes: { perSecond: 5, burst: 5 } },
  attempts: 3,
  timing: {
    freshMs: 1_000,
    listEveryMs: 200,
    settleMs: 60_000,
    lookAgainMs: 86_400_000,
    lookMs: 60_000,
    requestTimeoutMs: 10_000,
    connectTimeoutMs: 3_000,
    retryMs: 300,
  },
} as const;

export interface IamSystem extends PolicyPort, Pick<AccessPorts, 'trustPolicy'>, RoleReader {
  /** Closes the connections. */
  close(): void;
}

/** The port to the IAM of one account, the one that the credentials belong to. */
export function iamSystem(settings: IamSettings = {}): IamSystem {
  const timing = { ...iamDefaults.timing, ...settings.timing };
  const clock = settings.clock ?? realClock;
  const client = new IAMClient({
    requestHandler: { connectionTimeout: timing.connectTimeoutMs },
    ...settings.client,
    // The SDK would retry LimitExceeded as if it were throttling, and would not ask again who leads.
    maxAttempts: 1,
    retryMode: 'standard',
  });
  const beforeWrite = settings.beforeWrite ?? (() => {});
  // Once more when the call is signed and nothing is left but to send it: credentials may have been long in coming.
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (call) => {
        if (!isRead(commandName)) beforeWrite();
        return await next(call);
      },
    { step: 'deserialize', priority: 'low', name: 'beforeWrite' },
  );
  const calls = createCalls({
    client,
    by: settings.by,
    ...(settings.pace ?? iamPace(iamDefaults.rates, clock)),
    attempts: settings.attempts ?? iamDefaults.attempts,
    requestTimeoutMs: timing.requestTimeoutMs,
    retryMs: timing.retryMs,
    clock,
    beforeWrite,
    onCall: settings.onCall ?? (() => {}),
  });
  const memory = createMemory();
  const pace =
    timing.listEveryMs > 0
      ? createTokenBucket({ perSecond: 1_000 / timing.listEveryMs, burst: 2 }, clock)
      : unlimited;
  const listings = createListings(calls, pace, timing, clock);
  return {
    policies: (path, namePrefix, signal) => listings.policies(path, namePrefix, signal),
    overview: (path, signal) => listings.overview(path, signal),
    ...createReads(calls, memory, timing, clock, settings.onQuota),
    ...createRoleReader(calls, timing, clock),
    ...createInline(calls, timing, clock),
    ...createWrites(calls, memory, listings, timing.settleMs, clock),
    close: () => client.destroy(),
  };
}

const isRead = (commandName: string | undefined) => /^(Get|List)/.test(commandName ?? '');
