// The policy document: a statement that allows rds-db:connect on exact ARNs, and one for those let go; written and read.
import { parseDbUserARN } from './arn.ts';

const version = '2012-10-17';
const sid = 'IamdbConnect';
/** Left behind on purpose: they allow as well, and are nobody's to remove but a person's. */
const releasedSid = 'IamdbReleased';
const action = 'rds-db:connect';

/** The document for these ARNs, without white space, the same for the same sets. IAM refuses an empty list of resources. */
export function documentOf(arns: readonly string[], released: readonly string[] = []): string {
  const ours = released.length === 0 || arns.length > 0 ? [statementOf(sid, arns)] : [];
  const left = released.length === 0 ? [] : [statementOf(releasedSid, released)];
  return JSON.stringify({ Version: version, Statement: [...ours, ...left] });
}

const statementOf = (name: string, arns: readonly string[]) => ({
  Sid: name,
  Effect: 'Allow',
  Action: action,
  Resource: [...new Set(arns)].toSorted(),
});

const emptySize = documentOf([]).length;

/** Characters of the document as IAM counts them; neither ARNs nor the document hold white space. */
export function documentSize(arns: readonly string[], released: readonly string[] = []): number {
  if (released.length > 0) return documentOf(arns, released).length;
  // Two quotation marks and a comma for each, but for the last one's comma.
  return arns.reduce((size, arn) => size + arn.length + 3, emptySize) - (arns.length === 0 ? 0 : 1);
}

export interface ReadDocument {
  /** Exact ARNs of database users that it allows to connect, sorted; but for the released ones. */
  readonly arns: readonly string[];
  /** Those that were let go: allowed too, and not the operator's any more. */
  readonly released: readonly string[];
  /** Whether it is as documentOf writes it: nothing else is allowed, denied or conditioned. */
  readonly exact: boolean;
}

/** Reads a document as IAM gives it, URL-encoded, or plain. What cannot be read allows nothing. */
export function readDocument(text: string): ReadDocument {
  const document = parse(text);
  if (!isObject(document)) return { arns: [], released: [], exact: false };
  const statements = list(document['Statement']);
  const isReleased = (statement: unknown) => isObject(statement) && statement['Sid'] === releasedSid;
  const released = usersIn(statements.filter(isReleased));
  const ours = statements.filter((statement) => !isReleased(statement));
  const arns = usersIn(ours).filter((arn) => !released.includes(arn));
  const exact =
    hasOnly(document, ['Version', 'Statement']) &&
    document['Version'] === version &&
    statements.length > 0 &&
    ours.length === (arns.length > 0 ? 1 : 0) &&
    statements.length - ours.length === (released.length > 0 ? 1 : 0) &&
    statements.every((statement) => isPlain(statement, isReleased(statement) ? released : arns));
  return { arns, released, exact };
}

const usersIn = (statements: readonly unknown[]): readonly string[] =>
  [...new Set(statements.flatMap(connects).filter((arn) => parseDbUserARN(arn) !== undefined))].toSorted();

/** Whether a statement allows exactly these, in the way that documentOf writes it. */
function isPlain(statement: unknown, arns: readonly string[]): boolean {
  return (
    isObject(statement) &&
    hasOnly(statement, ['Sid', 'Effect', 'Action', 'Resource']) &&
    (statement['Sid'] === sid || statement['Sid'] === releasedSid) &&
    statement['Effect'] === 'Allow' &&
    statement['Action'] === action &&
    arns.length === list(statement['Resource']).length
  );
}

/** What a statement allows to connect to, if it allows that at all. */
function connects(statement: unknown): readonly string[] {
  if (!isObject(statement) || statement['Effect'] !== 'Allow') return [];
  if (!list(statement['Action']).includes(action)) return [];
  return list(statement['Resource']).filter((resource) => typeof resource === 'string');
}

function parse(text: string): unknown {
  try {
    const plain: unknown = JSON.parse(text.trimStart().startsWith('{') ? text : decodeURIComponent(text));
    return plain;
  } catch {
    // Edited into something that is no JSON: the same as a document that allows nothing.
    return undefined;
  }
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasOnly(value: object, keys: readonly string[]): boolean {
  return Object.keys(value).every((key) => keys.includes(key));
}
