// The policies of a user's IAM roles as a link of the chain, whoever keeps them.
import { annotations } from '../api/names.ts';
import type { IamDatabaseUser } from '../api/objects.ts';
import type { UserStatus } from '../api/schema.ts';
import { type DesiredConnection, policyKind } from '../resources/connection/plan.ts';
import { documentOf } from '../resources/policy/document.ts';
import { inlineHolds, inlineNotEnabled } from '../resources/policy/inline/inline.ts';
import type { ObservedPolicies, PolicyChange } from '../resources/policy/policy.ts';
import { converge, type Outcome } from '../kernel/converge.ts';
import { Failure } from '../kernel/failure.ts';
import { type Preview, preview } from '../kernel/preview.ts';
import { declared, done, type Done, isSettled } from './links.ts';
import { policyDocumentName } from './names.ts';
import type { Eligible } from './standing.ts';
import { failed, good, isAskedFor, type Link, waiting } from './status.ts';
import type { RolePolicies, World } from './world.ts';

export interface PoliciesDone extends Done {
  readonly principals: NonNullable<UserStatus['principals']>;
}

/**
 * All policies of the user's IAM roles, as its database wants them delivered. New before old: what another delivery left
 * goes only once this one holds.
 */
export async function convergePolicies(
  user: IamDatabaseUser,
  standing: Eligible,
  role: Done,
  world: World,
  signal: AbortSignal,
): Promise<PoliciesDone> {
  const { delivery } = standing.database.spec.policy;
  if (isAskedFor(user)) {
    for (const { roleARN } of standing.principals.resolved) world.lookAfresh(roleARN);
  }
  if (isAskedFor(user) || user.status?.observedGeneration !== user.metadata.generation) {
    for (const { roleARN } of standing.principals.resolved) world.forgive(roleARN);
  }
  const kept = await convergeOurs(user, standing, role, world, signal);
  switch (delivery) {
    case 'Managed':
    case 'Inline':
      if (!isSettled(kept)) return kept;
      return withLink(kept, await convergeDocument(user, standing, 'absent', world, signal));
    case 'Document':
      return notManaged(kept, standing, await convergeDocument(user, standing, 'present', world, signal));
    case 'None':
      return notManaged(kept, standing, await convergeDocument(user, standing, 'absent', world, signal));
    default:
      return delivery satisfies never;
  }
}

const withLink = (kept: PoliciesDone, document: Done): PoliciesDone =>
  isSettled(document)
    ? { ...kept, changes: [...kept.changes, ...document.changes] }
    : { ...kept, ...document };

/** Somebody else brings it about, and the proof tells whether they did; what we cannot do in IAM is no fault then. */
function notManaged(kept: PoliciesDone, standing: Eligible, document: Done): PoliciesDone {
  const [unknown] = standing.principals.unresolved;
  if (unknown !== undefined) return { ...kept, link: failed('PolicyReady', unknown) };
  if (!isSettled(document)) return { ...kept, ...document };
  const { metadata } = standing.database;
  const left = kept.principals.flatMap(({ policyARN }) => policyARN ?? []);
  const handOver = `${annotations.policiesHandedOver}="${metadata.generation}"`;
  const link: Link = {
    type: 'PolicyReady',
    status: 'Unknown',
    reason: 'NotManaged',
    message: `The operator keeps no policies for IamDatabase ${metadata.name}: somebody else attaches them.${
      left.length === 0
        ? ''
        : ` What it wrote before still lets the user in (${left.join(', ')}). Once the others are in place: kubectl annotate iamdatabase ${metadata.name} ${handOver}`
    }`,
    optional: true,
  };
  return { link, changes: document.changes, principals: kept.principals };
}

/** The document for somebody else to attach, in the user's namespace; one that is not wanted any more goes. */
function documentsOf(
  user: IamDatabaseUser,
  standing: Eligible,
  world: World,
  ensure: 'present' | 'absent',
): readonly DesiredConnection[] {
  const { metadata } = user;
  const { namespace } = metadata;
  const identity = { namespace, operatorID: world.operatorID, owner: metadata, kind: policyKind } as const;
  if (ensure === 'absent') {
    return world.documentsOf(user, policyKind).map((name) => ({ ...identity, name, ensure }));
  }
  const arns = world.arnsOf(user, standing.target);
  const data = { 'policy.json': documentOf(arns), arns: arns.join('\n') };
  return [{ ...identity, name: policyDocumentName(user), ensure, data }];
}

async function convergeDocument(
  user: IamDatabaseUser,
  standing: Eligible,
  ensure: 'present' | 'absent',
  world: World,
  signal: AbortSignal,
): Promise<Done> {
  const all = await Promise.all(
    documentsOf(user, standing, world, ensure).map(async (wish) =>
      done('PolicyReady', await converge(world.connection, wish, 'Enforce', signal)),
    ),
  );
  const link = all.find((one) => !isSettled(one))?.link ?? good('PolicyReady', 'AsDeclared', declared);
  return { link, changes: all.flatMap((one) => one.changes) };
}

/** What convergePolicies would do. */
export async function previewPolicies(
  user: IamDatabaseUser,
  standing: Eligible,
  world: World,
  signal: AbortSignal,
): Promise<Preview> {
  const { resolved, unresolved } = standing.principals;
  const { delivery } = standing.database.spec.policy;
  const wishes = documentsOf(user, standing, world, delivery === 'Document' ? 'present' : 'absent');
  const each = await Promise.all([
    ...(delivery === 'Managed' || delivery === 'Inline'
      ? resolved.map(({ roleARN }) => world.previewPolicy(user, roleARN, signal))
      : []),
    ...wishes.map((wish) => preview(world.connection, wish, signal)),
  ]);
  const failure = unresolved[0] ?? each.find((one) => one.failure !== undefined)?.failure;
  return { lines: each.flatMap(({ lines }) => lines), ...(failure === undefined ? {} : { failure }) };
}

/**
 * The policies of ours on the user's IAM roles. Runs even while the role cannot be looked at, so that what is attached stays
 * attached; the user's own ARN gets in only once the role is known to be ours.
 */
async function convergeOurs(
  user: IamDatabaseUser,
  standing: Eligible,
  role: Done,
  world: World,
  signal: AbortSignal,
): Promise<PoliciesDone> {
  const arns = world.arnsOf(user, standing.target);
  const { resolved, unresolved } = standing.principals;
  const each = await Promise.all(
    resolved.map(async ({ roleARN, source }) => {
      const { managed, inline } = await world.convergePolicy(roleARN, signal);
      const policyARN = 'observed' in managed ? world.policyHolding(managed.observed, arns) : undefined;
      const one =
        standing.database.spec.policy.delivery === 'Inline'
          ? ofInline(inline, arns)
          : {
              held: policyARN !== undefined,
              done: own(done('PolicyReady', managed), managed, policyARN, arns),
            };
      return { roleARN, source, policyARN, ...one };
    }),
  );
  const principals = each.map(({ roleARN, source, policyARN }) => ({
    roleARN,
    source,
    ...(policyARN === undefined ? {} : { policyARN }),
  }));
  const changes = each.flatMap((one) => one.done.changes);
  const [unknown] = unresolved;
  if (unknown !== undefined) return { link: failed('PolicyReady', unknown), changes, principals };
  const bad = each.find((one) => one.done.link.status !== 'True');
  if (bad !== undefined) return { link: bad.done.link, changes, principals };
  if (each.some((one) => !one.held)) {
    const link = isSettled(role)
      ? failed('PolicyReady', notInPolicyYet)
      : waiting('PolicyReady', 'RoleReady');
    return { link, changes, principals };
  }
  return { link: good('PolicyReady', 'AsDeclared', declared), changes, principals };
}

/**
 * What is this user's own of a pass that all users of the role share: a policy that cannot take another one is no trouble
 * of those it holds, and what was changed for others is no drift of this one.
 */
function own(
  { link, changes }: Done,
  outcome: Outcome<ObservedPolicies, PolicyChange>,
  policyARN: string | undefined,
  arns: readonly string[],
): Done {
  const mine = 'changes' in outcome ? outcome.changes.filter((one) => gives(one, policyARN, arns)) : changes;
  const isHeld = outcome.result === 'blocked' && policyARN !== undefined;
  return { link: isHeld ? good('PolicyReady', 'AsDeclared', declared) : link, changes: mine };
}

/** The same of the inline policy. */
function ofInline(outcome: RolePolicies['inline'], arns: readonly string[]) {
  if (outcome === undefined) {
    return { held: false, done: { link: failed('PolicyReady', inlineNotEnabled), changes: [] } };
  }
  const { link } = done('PolicyReady', outcome);
  const held = outcome.result !== 'failed' && inlineHolds(outcome.observed, arns);
  const isHeld = outcome.result === 'blocked' && held;
  const changes = ('changes' in outcome ? outcome.changes : []).filter(
    (change) =>
      change.do === 'put' &&
      (change.added.length + change.removed.length === 0 || change.added.some((arn) => arns.includes(arn))),
  );
  return { held, done: { link: isHeld ? good('PolicyReady', 'AsDeclared', declared) : link, changes } };
}

function gives(change: PolicyChange, policyARN: string | undefined, arns: readonly string[]): boolean {
  switch (change.do) {
    case 'create':
      return change.arns.some((arn) => arns.includes(arn));
    case 'write':
      // Neither adds nor removes: somebody had put something else into the document.
      return change.added.length + change.removed.length === 0
        ? change.policyARN === policyARN
        : change.added.some((arn) => arns.includes(arn));
    case 'attach':
    case 'detach':
      return change.policyARN === policyARN;
    case 'tag':
    case 'delete-version':
    case 'delete':
      return false;
    default:
      return change satisfies never;
  }
}

const notInPolicyYet = new Failure(
  'unavailable',
  'NotVisibleYet',
  'The policy does not hold this user yet; the operator looks again.',
);
