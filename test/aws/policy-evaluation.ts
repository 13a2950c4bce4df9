// Decides whether policies allow a request, by the rules of IAM's policy evaluation; pure, and fails closed.
import type { Condition, PolicyDocument, Selection, Statement } from './policy-document.ts';
import { evaluateCondition, type Verdict } from './policy-conditions.ts';
import { matchesGlob, matchesResource, type RequestContext, substituteVariables } from './policy-patterns.ts';

export interface AccessRequest {
  /** Such as `iam:CreatePolicy`. */
  readonly action: string;
  /** An ARN, or `*` for actions that have no resource. */
  readonly resource: string;
  readonly context: RequestContext;
}

/** What stands between a principal and a request. */
export interface PolicySet {
  readonly identity: readonly PolicyDocument[];
  /** Undefined: none is set. */
  readonly boundary: PolicyDocument | undefined;
  readonly session: PolicyDocument | undefined;
}

type PolicyType = 'identity-based policy' | 'permissions boundary' | 'session policy';

export type Decision =
  | { readonly effect: 'allow' }
  | { readonly effect: 'deny'; readonly explicit: boolean; readonly by: PolicyType };

/** An explicit Deny anywhere wins; then each kind of policy that exists must allow. */
export function evaluate(policies: PolicySet, request: AccessRequest): Decision {
  const layers: readonly (readonly [PolicyType, readonly PolicyDocument[] | undefined])[] = [
    ['identity-based policy', policies.identity],
    ['permissions boundary', policies.boundary && [policies.boundary]],
    ['session policy', policies.session && [policies.session]],
  ];
  for (const [by, documents] of layers) {
    if (documents?.some((document) => hasEffect(document, 'Deny', request))) {
      return { effect: 'deny', explicit: true, by };
    }
  }
  for (const [by, documents] of layers) {
    if (documents !== undefined && !documents.some((document) => hasEffect(document, 'Allow', request))) {
      return { effect: 'deny', explicit: false, by };
    }
  }
  return { effect: 'allow' };
}

/** Whether a statement of that effect applies to the request. */
function hasEffect(document: PolicyDocument, effect: Statement['effect'], request: AccessRequest): boolean {
  return document.statements.some(
    (statement) => statement.effect === effect && statementApplies(statement, request),
  );
}

/** All of a statement but its principals, which trust policies judge beforehand. */
export function statementApplies(statement: Statement, request: AccessRequest): boolean {
  if (!selects(statement.actions, (pattern) => matchesAction(pattern, request.action))) return false;
  const { resources } = statement;
  if (
    resources !== undefined &&
    !selects(resources, (pattern) => {
      const substituted = substituteVariables(pattern, request.context);
      return substituted !== undefined && matchesResource(substituted, request.resource);
    })
  ) {
    return false;
  }
  const verdict = conditionsHold(statement.conditions, request.context);
  // Fail closed: what cannot be judged neither allows nor stops a Deny.
  return verdict === 'unknown' ? statement.effect === 'Deny' : verdict === 'holds';
}

function conditionsHold(conditions: readonly Condition[], context: RequestContext): Verdict {
  const verdicts = new Set(
    conditions.map(({ operator, key, values }) => evaluateCondition(operator, key, values, context)),
  );
  if (verdicts.has('fails')) return 'fails';
  return verdicts.has('unknown') ? 'unknown' : 'holds';
}

function selects(selection: Selection, matches: (pattern: string) => boolean): boolean {
  return selection.patterns.some(matches) !== selection.negated;
}

function matchesAction(pattern: string, action: string): boolean {
  return matchesGlob(pattern.toLowerCase(), action.toLowerCase());
}
