// The grammar of IAM policy documents: text in, a checked and normalised document out, or MalformedPolicyDocument.
import { malformedPolicy } from './errors.ts';
import { isConditionOperator } from './policy-conditions.ts';

export interface PolicyDocument {
  readonly version: string | undefined;
  readonly statements: readonly Statement[];
}

export interface Statement {
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: Selection;
  /** Absent in trust policies. */
  readonly resources: Selection | undefined;
  /** Trust policies only: principals by kind (AWS, Federated, Service). */
  readonly principals: ReadonlyMap<string, readonly string[]> | undefined;
  readonly conditions: readonly Condition[];
}

/** `Action` or `NotAction`, `Resource` or `NotResource`. */
export interface Selection {
  readonly negated: boolean;
  readonly patterns: readonly string[];
}

export interface Condition {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

type PolicyKind = 'identity' | 'trust';

const documentKeys = new Set(['Version', 'Id', 'Statement']);
const statementKeys: Record<PolicyKind, ReadonlySet<string>> = {
  identity: new Set(['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition']),
  trust: new Set(['Sid', 'Effect', 'Action', 'NotAction', 'Principal', 'Condition']),
};

export function parsePolicy(text: string, kind: PolicyKind = 'identity'): PolicyDocument {
  // IAM accepts tab, line feed, carriage return, and Latin-1 from the space on.
  if (!/^[\t\n\r\u0020-\u00ff]+$/.test(text)) {
    throw malformedPolicy(
      'The specified value for policyDocument is invalid. It must contain only printable ASCII characters.',
    );
  }
  const document = asRecord(parseJson(text));
  for (const key of Object.keys(document)) if (!documentKeys.has(key)) throw syntaxError();
  const version = document['Version'];
  if (version !== undefined && !isVersion(version)) throw syntaxError();
  const statement = document['Statement'];
  const items: readonly unknown[] = Array.isArray(statement) ? statement : [statement];
  if (statement === undefined || items.length === 0) throw syntaxError();
  const statements = items.map((item) => parseStatement(asRecord(item), kind));
  const sids = statements.flatMap(({ sid }) => (sid === undefined || sid === '' ? [] : [sid]));
  if (new Set(sids).size < sids.length) {
    throw malformedPolicy('Statement IDs (SID) in a single policy must be unique.');
  }
  return { version, statements };
}

/** IAM does not count white space against its limits. */
export function policySize(text: string): number {
  return text.replace(/\s/g, '').length;
}

function parseStatement(statement: Readonly<Record<string, unknown>>, kind: PolicyKind): Statement {
  if (kind === 'identity' && ('Principal' in statement || 'NotPrincipal' in statement)) {
    throw malformedPolicy('Policy document should not specify a principal.');
  }
  if (kind === 'trust' && ('Resource' in statement || 'NotResource' in statement)) {
    throw malformedPolicy('Has prohibited field Resource.');
  }
  for (const key of Object.keys(statement)) if (!statementKeys[kind].has(key)) throw syntaxError();

  const { Sid: sid, Effect: effect, Condition: condition } = statement;
  if (effect !== 'Allow' && effect !== 'Deny') throw syntaxError();
  if (sid !== undefined && (typeof sid !== 'string' || !/^[0-9A-Za-z]*$/.test(sid))) {
    throw malformedPolicy(
      'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*',
    );
  }
  return {
    sid,
    effect,
    actions: parseActions(statement),
    resources: kind === 'identity' ? parseResources(statement) : undefined,
    principals: kind === 'trust' ? parsePrincipals(statement['Principal']) : undefined,
    conditions: condition === undefined ? [] : parseConditions(asRecord(condition)),
  };
}

function parseActions(statement: Readonly<Record<string, unknown>>): Selection {
  const selection = parseSelection(statement, 'Action');
  if (selection === undefined) throw malformedPolicy('Policy statement must contain actions.');
  for (const pattern of selection.patterns) {
    if (pattern !== '*' && !/^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$/.test(pattern)) {
      throw malformedPolicy('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
    }
  }
  return selection;
}

function parseResources(statement: Readonly<Record<string, unknown>>): Selection {
  const selection = parseSelection(statement, 'Resource');
  if (selection === undefined) throw malformedPolicy('Policy statement must contain resources.');
  for (const pattern of selection.patterns) {
    if (pattern === '*') continue;
    const [arn, partition = '', service = ''] = pattern.split(':');
    if (arn !== 'arn' || service === '') {
      throw malformedPolicy(`Resource ${pattern} must be in ARN format or "*".`);
    }
    if (!/^(aws(-[a-z]+)*|\*)$/.test(partition)) {
      throw malformedPolicy(`Partition "${partition}" is not valid for resource "${pattern}".`);
    }
    checkVariables(pattern);
  }
  return selection;
}

function parseSelection(
  statement: Readonly<Record<string, unknown>>,
  name: 'Action' | 'Resource',
): Selection | undefined {
  const positive = statement[name];
  const negative = statement[`Not${name}`];
  if (positive !== undefined && negative !== undefined) throw syntaxError();
  const value = positive ?? negative;
  if (value === undefined) return undefined;
  const patterns = asTexts(value);
  return patterns.length === 0 ? undefined : { negated: negative !== undefined, patterns };
}

function parsePrincipals(principal: unknown): ReadonlyMap<string, readonly string[]> {
  if (principal === '*') return new Map([['AWS', ['*']]]);
  const kinds = new Map(Object.entries(asRecord(principal)).map(([kind, value]) => [kind, asTexts(value)]));
  for (const kind of kinds.keys()) {
    if (!['AWS', 'Federated', 'Service', 'CanonicalUser'].includes(kind)) {
      throw malformedPolicy(`Invalid principal in policy: "${kind}"`);
    }
  }
  if (kinds.size === 0) throw malformedPolicy('Missing required field Principal');
  return kinds;
}

function parseConditions(conditions: Readonly<Record<string, unknown>>): readonly Condition[] {
  return Object.entries(conditions).flatMap(([operator, keys]) => {
    if (!isConditionOperator(operator)) throw malformedPolicy(`Invalid Condition type : ${operator}.`);
    return Object.entries(asRecord(keys)).map(([key, value]) => {
      if (!key.includes(':')) {
        throw malformedPolicy('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
      }
      const values = asTexts(value, true);
      for (const text of values) checkVariables(text);
      return { operator, key, values };
    });
  });
}

function checkVariables(text: string): void {
  if (/\$\{(?![^{}$]*\})/.test(text)) throw malformedPolicy('Syntax errors in policy.');
}

function asTexts(value: unknown, scalars = false): readonly string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.map((item) => {
    if (typeof item === 'string') return item;
    if (scalars && (typeof item === 'boolean' || typeof item === 'number')) return String(item);
    throw syntaxError();
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformedPolicy('This policy contains invalid Json');
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (!isRecord(value)) throw syntaxError();
  return value;
}

function isVersion(value: unknown): value is string {
  return value === '2012-10-17' || value === '2008-10-17';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function syntaxError(): Error {
  return malformedPolicy('Syntax errors in policy.');
}
