// The managed policies of one IAM role as a resource: observed with as few reads as will do, changed one call at a time.
import type { Resource } from '../../kernel/converge.ts';
import { asFailure, Failure } from '../../kernel/failure.ts';
import { parseRoleARN } from './arn.ts';
import { describePolicy } from './describe.ts';
import { documentOf, readDocument } from './document.ts';
import { isOurs, namePrefix, policyPath, shardName, shardNumber } from './names.ts';
import { planPolicy } from './plan.ts';
import {
  type DesiredPolicy,
  fixedQuotas,
  type ObservedPolicies,
  type ObservedRole,
  type ObservedShard,
  type PolicyChange,
} from './policy.ts';
import type { ListedPolicy, PolicyPort } from './port.ts';

export type { PolicyPort } from './port.ts';

export function policyResource(iam: PolicyPort): Resource<DesiredPolicy, ObservedPolicies, PolicyChange> {
  return {
    observe: async (desired, signal) => lookCloser(iam, desired, await look(iam, desired, signal), signal),
    plan: planPolicy,
    describe: describePolicy,
    apply: async (changes, desired, observed, signal) => {
      const confirmed = new Set<string>();
      const written = new Set<string>();
      const room = changes.findLastIndex(({ do: what }) => what !== 'delete-version') + 1;
      for (const [place, change] of changes.entries()) {
        signal.throwIfAborted();
        const done = applyOne(iam, change, { desired, observed, confirmed, written }, signal);
        // Room for the next version is worth no failure of what was given by this one: whoever finds none makes it first.
        await (place >= room && room > 0 ? done.catch(() => {}) : done);
      }
      return undefined;
    },
  };
}

async function look(iam: PolicyPort, desired: DesiredPolicy, signal: AbortSignal): Promise<ObservedPolicies> {
  const listed = await iam.policies(policyPath(desired.operatorID), namePrefix(desired), signal);
  const numbered = listed.flatMap((policy) => {
    const number = shardNumber(desired, policy.name);
    return number === undefined ? [] : [{ number, policy }];
  });
  const seen = await Promise.all(
    numbered.map(async ({ number, policy }) => ({
      number,
      policy,
      shard: await lookAt(iam, desired, number, policy, signal),
    })),
  );
  return {
    shards: seen.flatMap(({ shard }) => shard ?? []),
    foreign: seen.flatMap(({ number, policy, shard }) =>
      shard === undefined ? [{ number, policyARN: policy.policyARN }] : [],
    ),
    role: undefined,
    quotas: fixedQuotas,
  };
}

/** Undefined if it is a stranger's. */
async function lookAt(
  iam: PolicyPort,
  desired: DesiredPolicy,
  number: number,
  policy: ListedPolicy,
  signal: AbortSignal,
): Promise<ObservedShard | undefined> {
  const tags = await iam.tags(policy, signal);
  if (!isOurs(desired, { ...policy, tags })) return undefined;
  const [text, entities] = await Promise.all([iam.document(policy, signal), iam.entities(policy, signal)]);
  const roleName = parseRoleARN(desired.roleARN).name;
  const isTheRole = ({ kind, name }: (typeof entities)[number]): boolean =>
    kind === 'Role' && name.toLowerCase() === roleName.toLowerCase();
  const { policyARN, policyID, defaultVersionID } = policy;
  return {
    number,
    policyARN,
    policyID,
    tags,
    defaultVersionID,
    versionIDs: undefined,
    ...readDocument(text),
    attached: entities.some(isTheRole),
    others: entities.filter((entity) => !isTheRole(entity)),
  };
}

/** Reads what only a change needs to know: the role before something is attached, versions before they are touched. */
async function lookCloser(
  iam: PolicyPort,
  desired: DesiredPolicy,
  seen: ObservedPolicies,
  signal: AbortSignal,
): Promise<ObservedPolicies> {
  const rough = planPolicy(desired, seen);
  if ('refused' in rough || rough.length === 0) return seen;
  const attaches = rough.some((change) => change.do === 'attach');
  const [role, quotas] = await Promise.all([
    attaches ? lookAtRole(iam, desired, signal) : undefined,
    iam.quotas(signal),
  ]);
  const closer = { ...seen, role, quotas };
  const plan = planPolicy(desired, closer);
  const touched = new Set(
    ('refused' in plan ? [] : plan).flatMap((change) =>
      change.do === 'write' || change.do === 'delete' ? change.policyARN : [],
    ),
  );
  const shards = await Promise.all(
    seen.shards.map(async (shard) =>
      touched.has(shard.policyARN)
        ? { ...shard, versionIDs: await iam.versions(listedAs(desired, shard), signal) }
        : shard,
    ),
  );
  return { ...closer, shards };
}

export async function lookAtRole(
  iam: PolicyPort,
  { roleARN }: Pick<DesiredPolicy, 'roleARN'>,
  signal: AbortSignal,
): Promise<ObservedRole> {
  const role = await iam.role(parseRoleARN(roleARN).name, signal).catch(asFailure);
  if (role instanceof Failure) return { exists: 'unknown', failure: role };
  // A role's name is unique whatever its path and account: another ARN is another role than the one that was allowed.
  return role?.roleARN === roleARN
    ? { exists: true, attachedPolicies: role.attachedPolicies }
    : { exists: false };
}

function listedAs(desired: DesiredPolicy, shard: ObservedShard): ListedPolicy {
  return {
    policyARN: shard.policyARN,
    policyID: shard.policyID,
    name: shardName(desired, shard.number),
    path: policyPath(desired.operatorID),
    defaultVersionID: shard.defaultVersionID,
    attachmentCount: shard.others.length + (shard.attached ? 1 : 0),
  };
}

interface Pass {
  readonly desired: DesiredPolicy;
  readonly observed: ObservedPolicies;
  /** Policies that were found to be ours still, in this pass. */
  readonly confirmed: Set<string>;
  /** Policies whose default version is ours of this pass. */
  readonly written: Set<string>;
}

async function applyOne(
  iam: PolicyPort,
  change: PolicyChange,
  pass: Pass,
  signal: AbortSignal,
): Promise<void> {
  const { policyARN } = change;
  const { desired } = pass;
  if (isDestructive(change, pass)) await confirm(iam, policyARN, pass, signal);
  switch (change.do) {
    case 'create': {
      const name = shardName(desired, change.number);
      const path = policyPath(desired.operatorID);
      const document = documentOf(change.arns);
      const made = await iam.create({ policyARN, name, path, document, tags: change.tags }, signal);
      if (made !== 'made') throw await whoseName(iam, desired, change, made === 'taken-lately', signal);
      return;
    }
    case 'attach':
      return iam.attach(policyARN, change.roleName, signal);
    case 'write':
      await iam.write(policyARN, documentOf(change.arns, change.released), signal);
      pass.written.add(policyARN);
      return;
    case 'tag':
      return iam.tag(policyARN, change.tags, signal);
    case 'delete-version':
      return iam.deleteVersion(policyARN, change.versionID, signal);
    case 'detach':
      return iam.detach(policyARN, change.entity, signal);
    case 'delete':
      return iam.delete(policyARN, signal);
    default:
      return change satisfies never;
  }
}

/** What could harm a stranger, or take back what was written here in the meantime. */
function isDestructive(change: PolicyChange, { observed }: Pass): boolean {
  if (change.do === 'write') {
    const shard = observed.shards.find(({ policyARN }) => policyARN === change.policyARN);
    return change.removed.length > 0 || shard?.exact !== true;
  }
  return (
    change.do === 'delete' || change.do === 'delete-version' || change.do === 'detach' || change.do === 'tag'
  );
}

/** IAM has no compare-and-swap, so what was observed is looked at again right before; once for all changes of a pass. */
async function confirm(iam: PolicyPort, policyARN: string, pass: Pass, signal: AbortSignal): Promise<void> {
  if (pass.confirmed.has(policyARN)) return;
  const shard = pass.observed.shards.find((candidate) => candidate.policyARN === policyARN);
  const current = await iam.current(policyARN, signal);
  if (
    current === undefined ||
    shard?.policyID !== current.policyID ||
    (shard.defaultVersionID !== current.defaultVersionID && !pass.written.has(policyARN))
  ) {
    throw new Failure(
      'unavailable',
      'NotVisibleYet',
      `Policy ${policyARN} changed while it was looked at; the operator looks again.`,
    );
  }
  if (!isOurs(pass.desired, current)) throw foreign(policyARN);
  pass.confirmed.add(policyARN);
}

async function whoseName(
  iam: PolicyPort,
  desired: DesiredPolicy,
  { policyARN, number }: { readonly policyARN: string; readonly number: number },
  lately: boolean,
  signal: AbortSignal,
): Promise<Failure> {
  const here = await iam.current(policyARN, signal);
  if (here !== undefined) return isOurs(desired, here) ? notListedYet(policyARN) : foreign(policyARN);
  if (lately) return notListedYet(policyARN);
  return new Failure(
    'conflict',
    'ForeignPolicy',
    `A policy named ${shardName(desired, number)} exists in this account at a path that is not the operator's. Delete or rename it.`,
  );
}

function notListedYet(policyARN: string): Failure {
  return new Failure(
    'unavailable',
    'NotVisibleYet',
    `Policy ${policyARN} exists, but IAM does not list it yet; the operator looks again.`,
  );
}

function foreign(policyARN: string): Failure {
  return new Failure(
    'conflict',
    'ForeignPolicy',
    `Policy ${policyARN} has a name that is needed and not the tags of this operator. Delete or rename it, or give it back its tags.`,
  );
}
