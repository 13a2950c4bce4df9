// Whether the policies of an IAM role let it connect as certain database users, judged from their documents.
import { entries, field, isLike, list, parse } from './policy-text.ts';

/** Documents as IAM gives them, URL-encoded or plain. */
export interface RoleDocuments {
  /** Managed and inline, all that the role has. */
  readonly identity: readonly string[];
  /** Undefined: there is none. */
  readonly boundary: string | undefined;
}

const action = 'rds-db:connect';

/**
 * The ARNs on which the role surely may not connect: no policy allows it, or the boundary does not, or one denies it.
 * Conditions and variables are not judged: what they may allow counts as allowed, and what they may deny not as denied.
 */
export function lackingConnect(
  { identity, boundary }: RoleDocuments,
  arns: readonly string[],
): readonly string[] {
  const own = identity.flatMap(statementsOf);
  const bounds = boundary === undefined ? undefined : statementsOf(boundary);
  const isAllowed = (arn: string) =>
    allows(own, arn) &&
    (bounds === undefined || allows(bounds, arn)) &&
    ![...own, ...(bounds ?? [])].some((statement) => isPlainDeny(statement) && covers(statement, arn));
  return arns.filter((arn) => !isAllowed(arn));
}

const statementsOf = (document: string) => list(field(parse(document), 'Statement'));

const allows = (statements: readonly unknown[], arn: string) =>
  statements.some((statement) => field(statement, 'Effect') === 'Allow' && covers(statement, arn));

const isPlainDeny = (statement: unknown) =>
  field(statement, 'Effect') === 'Deny' &&
  entries(field(statement, 'Condition')).length === 0 &&
  !JSON.stringify(statement).includes('${');

/** A variable of a policy may stand for anything. */
const widened = (pattern: string) => pattern.replaceAll(/\$\{[^}]*\}/g, '*');

function covers(statement: unknown, arn: string): boolean {
  const matches = (name: string, text: string) =>
    list(field(statement, name)).some(
      (pattern) => typeof pattern === 'string' && isLike(widened(pattern), text),
    );
  const lower = (name: string) =>
    list(field(statement, name)).some(
      (pattern) => typeof pattern === 'string' && isLike(pattern.toLowerCase(), action),
    );
  const has = (name: string) => field(statement, name) !== undefined;
  const isAction = has('Action') ? lower('Action') : has('NotAction') && !lower('NotAction');
  const isResource = has('Resource')
    ? matches('Resource', arn)
    : has('NotResource') && !matches('NotResource', arn);
  return isAction && isResource;
}

/** To be added to the policies of the role. */
export const connectStatement = (arns: readonly string[]): string =>
  JSON.stringify({ Effect: 'Allow', Action: action, Resource: arns });
