// The status of an object, computed once from what the pass found out about each link.
import type { Condition, ConditionStatus, ConditionType, Reason } from '../api/conditions.ts';
import { annotations } from '../api/names.ts';
import type { Metadata } from '../api/objects.ts';
import { type Failure, retryTable } from '../kernel/failure.ts';

/** What a pass found out about one link of the chain. */
export interface Link {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
  /** Set where something went wrong: decides between Reconciling and Stalled. */
  readonly failure?: Failure;
  /** Overrides what the kind of the failure says about time mending it. */
  readonly needsPerson?: boolean;
  /** True where not being Ready is meant: neither on the way nor waiting for a person. */
  readonly settled?: boolean;
  /** True where Unknown is an end, not a step: it does not hold Ready back. */
  readonly optional?: boolean;
}

export const good = (type: ConditionType, reason: Reason, message: string): Link => ({
  type,
  status: 'True',
  reason,
  message,
});

export const failed = (type: ConditionType, failure: Failure): Link => ({
  type,
  status: isPassing(failure) ? 'Unknown' : 'False',
  reason: failure.reason,
  message: failure.message,
  failure,
});

export const waiting = (type: ConditionType, on: ConditionType): Link => ({
  type,
  status: 'Unknown',
  reason: 'Waiting',
  message: `Waits for ${on}.`,
});

/** Failures that are a step on the way, not news: Ready stays Unknown, so that Argo CD does not flash Degraded. */
const isPassing = (failure: Failure) =>
  failure.reason === 'NotVisibleYet' ||
  failure.reason === 'Progressing' ||
  failure.reason === 'BlueGreenInProgress' ||
  isChangingHands(failure);

/** An admin that is changing is nobody's failure: nothing could be looked at for a moment. */
const isChangingHands = ({ reason }: Failure) => reason === 'AdminChanging';

const isChanging = ({ failure }: Link) => failure !== undefined && isChangingHands(failure);

/** A pass that says itself what Ready is, or that something has ended or failed, has news. */
const saysNothingAgainst = ({ type, status, reason, optional, failure }: Link) =>
  type !== 'Ready' &&
  failure === undefined &&
  (status === 'True' || (status === 'Unknown' && (reason === 'Waiting' || optional === true)));

/** Whether only that keeps from looking, at an object of which was said that it is Ready as it is declared now. */
function isToStand(links: readonly Link[], generation: number, before: readonly Condition[]): boolean {
  const ready = before.find(({ type }) => type === 'Ready');
  return (
    links.some(isChanging) &&
    links.every((link) => isChanging(link) || saysNothingAgainst(link)) &&
    ready?.status === 'True' &&
    ready.observedGeneration === generation
  );
}

/** How long a failing object counts as Reconciling; afterwards kstatus shows it as it is. */
export const reconcilingForMs = 600_000;

interface Time {
  readonly now: number;
  readonly timeScale: number;
}

/**
 * Ready, Reconciling and Stalled from the links, as kstatus reads them: Ready is the link of that type if one was
 * given, else the first that does not hold; Reconciling and Stalled are abnormal-true and absent otherwise.
 */
export function conditionsOf(
  links: readonly Link[],
  generation: number,
  before: readonly Condition[],
  time: Time,
): readonly Condition[] {
  if (isToStand(links, generation, before)) return before;
  const own = links.find((link) => link.type === 'Ready');
  const rest = links.filter((link) => link.type !== 'Ready');
  const unknown = rest.filter((link) => link.status === 'Unknown' && link.optional !== true);
  const broken =
    own ??
    rest.find((link) => link.status === 'False') ??
    // What is waited for says more than what waits.
    unknown.find((link) => link.reason !== 'Waiting') ??
    unknown[0];
  const ready: Link =
    broken === undefined
      ? good('Ready', 'Ready', 'All parts are as declared.')
      : { ...broken, type: 'Ready', status: broken.status };
  const all = [ready, ...rest, ...abnormal(ready, generation, before, time)];
  return all.map((link) => conditionFrom(link, generation, before, time.now));
}

/** The trust of a role in another account is given by a person, whatever time may do for other rights that are refused. */
const isForPerson = ({ kind, reason }: Failure) =>
  retryTable[kind].needsPerson || reason === 'AssumeRoleRefused';

/** What a person meant by an object that was not Ready: what fails afterwards has only begun to. */
const settledReasons: ReadonlySet<Reason> = new Set(['Planned', 'Expired', 'Suspended']);

/** Since when it fails as it is declared now. */
function failingSince(ready: Link, generation: number, before: readonly Condition[], now: number): number {
  const was = before.find(({ type }) => type === 'Ready');
  const isTheSame =
    was?.status === ready.status && was.observedGeneration === generation && !settledReasons.has(was.reason);
  if (!isTheSame) return now;
  // Of another generation, or with a will, Ready was False as well, so that its own time tells less.
  const begun = before.find(({ type }) => type === 'Reconciling');
  return Math.max(
    ...[was, begun].flatMap((one) => (one === undefined ? [] : Date.parse(one.lastTransitionTime))),
  );
}

function abnormal(
  ready: Link,
  generation: number,
  before: readonly Condition[],
  time: Time,
): readonly Link[] {
  if (ready.status === 'True' || ready.settled === true) return [];
  const { failure } = ready;
  if (ready.needsPerson ?? (failure !== undefined && isForPerson(failure))) {
    return [{ ...ready, type: 'Stalled', status: 'True' }];
  }
  const since = failingSince(ready, generation, before, time.now);
  if (ready.status === 'False' && time.now - since > reconcilingForMs * time.timeScale) return [];
  return [{ ...ready, type: 'Reconciling', status: 'True' }];
}

function conditionFrom(link: Link, generation: number, before: readonly Condition[], now: number): Condition {
  // The work for another generation is other work.
  const was = before.find(
    (c) => c.type === link.type && (c.type !== 'Reconciling' || c.observedGeneration === generation),
  );
  return {
    type: link.type,
    status: link.status,
    reason: link.reason,
    message: clip(link.message),
    observedGeneration: generation,
    lastTransitionTime:
      was !== undefined && was.status === link.status ? was.lastTransitionTime : rfc3339(now),
  };
}

/**
 * The status of a suspended object: what was known stays, Ready keeps its status and says why it will not move, and
 * nothing is Reconciling or Stalled.
 */
export function suspendedConditions<S extends { readonly conditions?: readonly Condition[] }>(
  object: { readonly metadata: Metadata; readonly status?: S },
  by: string,
  now: number,
): S & { readonly observedGeneration: number; readonly conditions: readonly Condition[] } {
  const before = object.status?.conditions ?? [];
  const kept = before.filter(({ type }) => type !== 'Ready' && type !== 'Reconciling' && type !== 'Stalled');
  const status = before.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
  const { generation, deletionTimestamp } = object.metadata;
  const waits = deletionTimestamp === undefined ? '' : ', and the deletion waits';
  const ready: Link = {
    type: 'Ready',
    status,
    reason: 'Suspended',
    message: `${by} is true; nothing is looked at or changed${waits}.`,
  };
  return {
    ...(object.status as S),
    observedGeneration: generation,
    conditions: [conditionFrom(ready, generation, before, now), ...kept],
  };
}

/** metav1.Time has whole seconds. */
export const rfc3339 = (ms: number) => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** Never half a character: the API server would store another one, and every pass would write it anew. */
const clip = (message: string) =>
  message.length <= 1024 ? message : `${message.slice(0, 1021).toWellFormed()}...`;

/** What was asked for by annotation, as far as status takes it: any value may be given. */
export const handledOf = (metadata: Metadata) => {
  const asked = metadata.annotations?.[annotations.reconcileRequestedAt];
  return asked === undefined ? {} : { lastHandledReconcileAt: asked.slice(0, 128).toWellFormed() };
};

/** The same after a pass: one that could not look has handled nothing. */
export const handledBy = (
  links: readonly Link[],
  {
    metadata,
    status,
  }: {
    readonly metadata: Metadata;
    readonly status?: {
      readonly conditions?: readonly Condition[];
      readonly lastHandledReconcileAt?: string;
    };
  },
) => {
  if (!isToStand(links, metadata.generation, status?.conditions ?? [])) return handledOf(metadata);
  const { lastHandledReconcileAt } = status ?? {};
  return lastHandledReconcileAt === undefined ? {} : { lastHandledReconcileAt };
};

/** A person who asks for a pass wants to know whether it works now. */
export const isAskedFor = (object: {
  readonly metadata: Metadata;
  readonly status?: { readonly lastHandledReconcileAt?: string };
}) => handledOf(object.metadata).lastHandledReconcileAt !== object.status?.lastHandledReconcileAt;

/** Whether two statuses say the same, so that nothing has to be written. Key order does not matter. */
export function sameStatus(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([x], [y]) => (x < y ? -1 : 1)))
      : inner,
  );
