// The one inline policy of an IAM role that is ours: what is wanted of it, what is there, and the difference; pure.
import { createHash } from 'node:crypto';
import type { Plan } from '../../../kernel/converge.ts';
import { Failure } from '../../../kernel/failure.ts';
import { parseRoleARN } from '../arn.ts';
import { documentOf, documentSize, type ReadDocument, readDocument } from '../document.ts';
import { claimsOf, isClaimed, releasedOf } from '../placement.ts';
import { refuseForeignWish, roleBarrier } from '../plan.ts';
import type { DesiredPolicy, ObservedRole } from '../policy.ts';

export type DesiredInline = Omit<DesiredPolicy, 'tags' | 'contested'>;

export interface ObservedInline extends ReadDocument {
  readonly exists: boolean;
  /** Mark of the scope under which it was written; undefined where there is none. */
  readonly scope: string | undefined;
  /** Undefined: not looked at, because nothing has to be made. */
  readonly role: ObservedRole | undefined;
}

export type InlineChange =
  | {
      readonly do: 'put';
      readonly arns: readonly string[];
      readonly released: readonly string[];
      readonly added: readonly string[];
      readonly removed: readonly string[];
    }
  | { readonly do: 'remove' };

/** Characters of all inline policies of a role together, white space apart; AWS raises it for nobody. */
export const inlineLimit = 10_240;

/** It has no path and no tags, so the name says whose it is. */
export const inlineName = (operatorID: string): string => `iamdb-${operatorID}`;

/** A scope as it stands in the Sid: letters and digits only. */
export const scopeMark = (scope: string): string =>
  createHash('sha256').update(scope).digest('hex').slice(0, 16);

const plainSid = '"Sid":"IamdbConnect';

export function inlineDocument(
  { arns, released }: Pick<ReadDocument, 'arns' | 'released'>,
  scope: string,
): string {
  return documentOf(arns, released).replace(`${plainSid}"`, `${plainSid}${scopeMark(scope)}"`);
}

export function readInline(text: string | undefined): Omit<ObservedInline, 'role'> {
  if (text === undefined) return { exists: false, scope: undefined, arns: [], released: [], exact: false };
  const [mark, scope] = /"Sid":"IamdbConnect([0-9a-f]{16})"/.exec(text) ?? [];
  const plain = mark === undefined ? text : text.replace(mark, `${plainSid}"`);
  return { exists: true, scope, ...readDocument(plain) };
}

export function planInline(desired: DesiredInline, observed: ObservedInline): Plan<InlineChange> {
  const foreignWish = refuseForeignWish(desired);
  if (foreignWish !== undefined) return { refused: foreignWish };
  const claims = claimsOf(desired);
  const released = releasedOf(claims, observed);
  // What was written under another scope may be somebody's whom we do not see.
  const isCurrent = observed.scope === scopeMark(desired.scope);
  const stays = (arn: string) =>
    !desired.complete || isClaimed(claims, arn) || (!isCurrent && !claims.absent.has(arn));
  const arns = observed.arns.filter((arn) => !released.includes(arn) && stays(arn));
  const removed = observed.arns.filter((arn) => !arns.includes(arn) && !released.includes(arn));
  const added: string[] = [];
  const unplaced: string[] = [];
  for (const arn of [...claims.present].filter((one) => !arns.includes(one)).toSorted()) {
    const fits = documentSize([...arns, ...added, arn], released) + 16 <= inlineLimit;
    (fits ? added : unplaced).push(arn);
  }

  if (added.length > 0 && !observed.exists) {
    const barrier = roleBarrier(desired, observed);
    if (barrier !== undefined) return { refused: barrier };
  }
  const isTaken = !isCurrent && !arns.every((arn) => isClaimed(claims, arn));
  if (isTaken) return added.length + unplaced.length > 0 ? { refused: ofAnotherScope(desired) } : [];
  const all = [...arns, ...added].toSorted();
  if (all.length + released.length === 0) {
    return observed.exists && desired.complete ? [{ do: 'remove' }] : [];
  }
  const isMoved = released.join(' ') !== observed.released.join(' ');
  const isMarked = isCurrent || all.length === 0;
  if (observed.exact && isMarked && !isMoved && added.length + removed.length === 0) {
    return unplaced.length === 0 ? [] : { refused: tooLong(desired) };
  }
  return [{ do: 'put', arns: all, released, added, removed }];
}

/** Whether it lets a user in by all of these. */
export function inlineHolds({ arns, exact }: ReadDocument, wanted: readonly string[]): boolean {
  return exact && wanted.length > 0 && wanted.every((arn) => arns.includes(arn));
}

/** Of a plan only what lets go: nothing else is written in plan mode. */
export function onlyReleasingInline(plan: Plan<InlineChange>, observed: ObservedInline): Plan<InlineChange> {
  if ('refused' in plan) return [];
  return plan.filter((change) => change.do === 'put' && change.released.length > observed.released.length);
}

export function describeInline(
  change: InlineChange,
  { roleARN, operatorID }: Pick<DesiredInline, 'roleARN' | 'operatorID'>,
): readonly string[] {
  const line = (what: string) =>
    `IAM: inline policy ${inlineName(operatorID)} of ${parseRoleARN(roleARN).name}: ${what}`;
  if (change.do === 'remove') return [line('delete')];
  const { added, removed } = change;
  return [
    ...added.map((arn) => line(`allow rds-db:connect on ${arn}`)),
    ...removed.map((arn) => line(`no longer allow rds-db:connect on ${arn}`)),
    ...(added.length + removed.length === 0 ? [line('write the document anew')] : []),
  ];
}

export const inlineNotEnabled = new Failure(
  'invalid',
  'InlineNotEnabled',
  'The IamDatabase asks for inline policies, which this operator is not set up to keep. Use spec.policy.delivery Managed, or ask the platform team for --inline-policies.',
);

function tooLong({ roleARN }: DesiredInline): Failure {
  return new Failure(
    'invalid',
    'QuotaExceeded',
    `The inline policy of ${parseRoleARN(roleARN).name} has no room for another user: IAM admits 10,240 characters of inline policies on a role. Use spec.policy.delivery Managed, or spread users over more roles.`,
  );
}

function ofAnotherScope({ roleARN, operatorID }: DesiredInline): Failure {
  return new Failure(
    'conflict',
    'ForeignPolicy',
    `The inline policy ${inlineName(operatorID)} of ${parseRoleARN(roleARN).name} holds users of another cluster with the same operator id. Give each cluster an operator id of its own, or delete that policy.`,
  );
}
