// The condition operators of IAM policies, as pure functions of the request's context.
import {
  arnParts,
  matchesGlob,
  type RequestContext,
  substituteVariables,
  withoutMarks,
} from './policy-patterns.ts';

/** `unknown`: this stand-in cannot judge it, so whoever asks must fail closed. */
export type Verdict = 'holds' | 'fails' | 'unknown';

type Compare = (actual: string, wanted: string) => boolean;

interface Operator {
  readonly compare: Compare;
  readonly negated: boolean;
}

const exactly: Compare = (actual, wanted) => actual === withoutMarks(wanted);
const ignoringCase: Compare = (actual, wanted) => exactly(actual.toLowerCase(), wanted.toLowerCase());
const like: Compare = (actual, wanted) => matchesGlob(wanted, actual);
const arnLike: Compare = (actual, wanted) => {
  const patterns = arnParts(wanted);
  const parts = arnParts(actual);
  return (
    patterns.length === 6 && parts.length === 6 && patterns.every((p, i) => matchesGlob(p, parts[i] ?? ''))
  );
};
const numeric =
  (holds: (actual: number, wanted: number) => boolean): Compare =>
  (actual, wanted) =>
    holds(Number(actual), Number(wanted));
const date =
  (holds: (actual: number, wanted: number) => boolean): Compare =>
  (actual, wanted) =>
    holds(instant(actual), instant(wanted));

const is = (compare: Compare): Operator => ({ compare, negated: false });
const isNot = (compare: Compare): Operator => ({ compare, negated: true });

const operators: ReadonlyMap<string, Operator> = new Map([
  ['StringEquals', is(exactly)],
  ['StringNotEquals', isNot(exactly)],
  ['StringEqualsIgnoreCase', is(ignoringCase)],
  ['StringNotEqualsIgnoreCase', isNot(ignoringCase)],
  ['StringLike', is(like)],
  ['StringNotLike', isNot(like)],
  // The two ARN operators of each sign behave alike.
  ['ArnEquals', is(arnLike)],
  ['ArnLike', is(arnLike)],
  ['ArnNotEquals', isNot(arnLike)],
  ['ArnNotLike', isNot(arnLike)],
  ['Bool', is(ignoringCase)],
  ['NumericEquals', is(numeric((a, b) => a === b))],
  ['NumericNotEquals', isNot(numeric((a, b) => a === b))],
  ['NumericLessThan', is(numeric((a, b) => a < b))],
  ['NumericLessThanEquals', is(numeric((a, b) => a <= b))],
  ['NumericGreaterThan', is(numeric((a, b) => a > b))],
  ['NumericGreaterThanEquals', is(numeric((a, b) => a >= b))],
  ['DateEquals', is(date((a, b) => a === b))],
  ['DateNotEquals', isNot(date((a, b) => a === b))],
  ['DateLessThan', is(date((a, b) => a < b))],
  ['DateLessThanEquals', is(date((a, b) => a <= b))],
  ['DateGreaterThan', is(date((a, b) => a > b))],
  ['DateGreaterThanEquals', is(date((a, b) => a >= b))],
]);

/** Operators of IAM that are accepted in documents but not judged here. */
const unjudged = new Set(['IpAddress', 'NotIpAddress', 'BinaryEquals']);

/**
 * The condition keys whose presence or absence this stand-in reports as AWS would. Any other key may be present
 * on AWS, so nothing can be concluded from its absence here.
 */
const modelledKey =
  /^(aws:(principalarn|principalaccount|principaltype|userid|username|requestedregion|securetransport|currenttime|epochtime|tagkeys|principaltag\/.+|resourcetag\/.+|requesttag\/.+)|iam:(policyarn|permissionsboundary|resourcetag\/.+)|sts:(externalid|rolesessionname)|rds:(endpointtype|databaseengine)|.+:(sub|aud))$/;

export function isConditionOperator(name: string): boolean {
  const { base } = parseOperator(name);
  return base === 'Null' || operators.has(base) || unjudged.has(base);
}

export function evaluateCondition(
  name: string,
  key: string,
  values: readonly string[],
  context: RequestContext,
): Verdict {
  const lowerKey = key.toLowerCase();
  const { set, base, ifExists } = parseOperator(name);
  const actual = context.get(lowerKey);
  if (actual === undefined && !modelledKey.test(lowerKey)) return 'unknown';
  if (base === 'Null') {
    return verdict(values.some((value) => (value.toLowerCase() === 'true') === (actual === undefined)));
  }
  const operator = operators.get(base);
  if (operator === undefined) return 'unknown';
  if (actual === undefined) return verdict(ifExists || operator.negated || set === 'ForAllValues');

  const wanted = values.flatMap((value) => substituteVariables(value, context) ?? []);
  // A negated operator holds for a value that equals none of those listed.
  const holds = (value: string): boolean =>
    wanted.some((candidate) => operator.compare(value, candidate)) !== operator.negated;
  if (set === 'ForAllValues') return verdict(actual.every(holds));
  if (set === 'ForAnyValue') return verdict(actual.some(holds));
  // Several values under a key that is not a set: AWS says to use a set operator, so nothing is promised.
  if (actual.length !== 1) return 'unknown';
  return verdict(actual.every(holds));
}

function parseOperator(name: string): { set: string | undefined; base: string; ifExists: boolean } {
  const [, set, base = name, suffix] =
    /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(name) ?? [];
  return { set, base, ifExists: suffix !== undefined };
}

function instant(value: string): number {
  return /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value);
}

function verdict(holds: boolean): Verdict {
  return holds ? 'holds' : 'fails';
}
