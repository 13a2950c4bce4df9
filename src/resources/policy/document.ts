// The policy document: one statement that allows rds-db:connect on exact ARNs, written and read.
import { parseDbUserARN } from './arn.ts';

const version = '2012-10-17';
const sid = 'IamdbConnect';
const action = 'rds-db:connect';

/** The document for these ARNs, without white space, the same for the same set. */
export function documentOf(arns: readonly string[]): string {
  return JSON.stringify({
    Version: version,
    Statement: [{ Sid: sid, Effect: 'Allow', Action: action, Resource: [...new Set(arns)].toSorted() }],
  });
}

const emptySize = documentOf([]).length;

/** Characters of the document as IAM counts them; neither ARNs nor the document hold white space. */
export function documentSize(arns: readonly string[]): number {
  // Two quotation marks and a comma for each, but for the last one's comma.
  return arns.reduce((size, arn) => size + arn.length + 3, emptySize) - (arns.length === 0 ? 0 : 1);
}

export interface ReadDocument {
  /** Exact ARNs of database users that it allows to connect, sorted. */
  readonly arns: readonly string[];
  /** Whether it is as documentOf writes it: nothing else is allowed, denied or conditioned. */
  readonly exact: boolean;
}

/** Reads a document as IAM gives it, URL-encoded, or plain. What cannot be read allows nothing. */
export function readDocument(text: string): ReadDocument {
  const document = parse(text);
  if (!isObject(document)) return { arns: [], exact: false };
  const statements = list(document['Statement']);
  const allowed = statements.flatMap((statement) => connects(statement));
  const arns = [...new Set(allowed.filter((arn) => parseDbUserARN(arn) !== undefined))].toSorted();
  const [only] = statements;
  const exact =
    statements.length === 1 &&
    hasOnly(document, ['Version', 'Statement']) &&
    document['Version'] === version &&
    isObject(only) &&
    hasOnly(only, ['Sid', 'Effect', 'Action', 'Resource']) &&
    only['Sid'] === sid &&
    only['Effect'] === 'Allow' &&
    only['Action'] === action &&
    arns.length > 0 &&
    arns.length === list(only['Resource']).length;
  return { arns, exact };
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
