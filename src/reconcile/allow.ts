// Whether the database's owner lets this object be: the rules of `allow`, first reason wins.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import type { AllowRule } from '../api/schema.ts';
import { roleARNPattern } from '../api/schema-parts.ts';
import { fitsPostgresName, whyNotUsername } from '../api/username.ts';
import { matchesArn, matchesGlob } from './glob.ts';
import { Failure } from '../kernel/failure.ts';

export interface NamespaceFacts {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Permission {
  /** Every rule that admits the object, at least one. */
  readonly rules: readonly AllowRule[];
  /** Groups that the owner wrote out in them: which `pg_*` roles and owners may be granted, or reached by what is. */
  readonly literallyAllowedGroups: readonly string[];
  /** Whether an existing role of that name may be taken over. */
  readonly mayAdopt: boolean;
}

/**
 * Fields of a rule are ANDed, rules ORed; so each question narrows the rules that are left, and the first question that
 * leaves none gives the reason. The namespace comes first: who is not admitted learns nothing about the database.
 */
export function judgeAllowed(
  user: IamDatabaseUser,
  database: IamDatabase,
  namespace: NamespaceFacts | undefined,
  account: { readonly accountID: string; readonly partition: string },
  /** The roles that its principals are, as far as they are known: one that is not is judged once it is. */
  roleARNs: readonly string[],
): Permission | Failure {
  const { username, memberOf } = user.spec;
  const db = database.metadata.name;

  const rules = database.spec.allow.filter(
    (rule) => namespace !== undefined && admitsNamespace(rule, namespace),
  );
  if (rules.length === 0) {
    return new Failure(
      'invalid',
      'NamespaceNotAllowed',
      `No rule in spec.allow of IamDatabase ${db} admits namespace ${user.metadata.namespace}.`,
    );
  }
  const why = whyNotUsername(username);
  if (why !== undefined) {
    return new Failure(
      'invalid',
      'UsernameNotAllowed',
      `User name ${quoted(username)} cannot be used: ${why}.`,
    );
  }
  for (const group of memberOf) {
    if (!fitsPostgresName(group)) {
      return new Failure(
        'invalid',
        'GroupNotAllowed',
        'A name in memberOf is empty or longer than 63 bytes, which PostgreSQL would cut.',
      );
    }
  }
  for (const roleARN of roleARNs) {
    if (!isRoleARN.test(roleARN)) {
      return new Failure(
        'invalid',
        'PrincipalNotAllowed',
        `${quoted(roleARN)} is not the ARN of an IAM role.`,
      );
    }
    const [, partition, , , accountID] = roleARN.split(':');
    if (partition !== account.partition || accountID !== account.accountID) {
      return new Failure(
        'invalid',
        'PrincipalNotAllowed',
        `${roleARN} is not in the database's account ${account.accountID}. rds-db:connect works only within one account: ` +
          'create a role there, let the workload assume it (sts:AssumeRole), and name that role.',
      );
    }
  }

  const named = rules.filter((rule) => rule.usernames.some((pattern) => matchesGlob(pattern, username)));
  if (named.length === 0) {
    const patterns = rules.flatMap((rule) => rule.usernames);
    return new Failure(
      'invalid',
      'UsernameNotAllowed',
      `IamDatabase ${db} does not allow user name ${quoted(username)} in namespace ${user.metadata.namespace}; it allows: ${list(patterns)}.`,
    );
  }
  const grouped = named.filter((rule) => memberOf.every((group) => rule.memberOf?.includes(group) === true));
  if (grouped.length === 0) {
    const groups = named.flatMap((rule) => rule.memberOf ?? []);
    return new Failure(
      'invalid',
      'GroupNotAllowed',
      `IamDatabase ${db} does not allow these groups together: ${list(memberOf)}; it allows: ${list(groups)}.`,
    );
  }
  const admitting = grouped.filter((rule) =>
    roleARNs.every((roleARN) => rule.principals.some((pattern) => matchesArn(pattern, roleARN))),
  );
  if (admitting.length === 0) {
    const patterns = grouped.flatMap((rule) => rule.principals);
    const refused = roleARNs.filter((roleARN) => !patterns.some((pattern) => matchesArn(pattern, roleARN)));
    return new Failure(
      'invalid',
      'PrincipalNotAllowed',
      `IamDatabase ${db} does not allow these principals: ${list(refused.length > 0 ? refused : roleARNs)}.`,
    );
  }
  return {
    rules: admitting,
    literallyAllowedGroups: [...new Set(admitting.flatMap((rule) => rule.memberOf ?? []))],
    mayAdopt: admitting.some((rule) => rule.adopt?.includes(username) === true),
  };
}

/** An empty `namespaces`, and an empty selector, admit nobody: the schema refuses them, and so do we. */
function admitsNamespace(rule: AllowRule, namespace: NamespaceFacts): boolean {
  const { names, selector } = rule.namespaces;
  if (names === undefined && selector === undefined) return false;
  if (names !== undefined && !names.includes(namespace.name)) return false;
  if (selector === undefined) return true;
  const labels = Object.entries(selector.matchLabels);
  return labels.length > 0 && labels.every(([key, value]) => namespace.labels[key] === value);
}

const isRoleARN = new RegExp(roleARNPattern);
const quoted = (name: string) => JSON.stringify(name);
const list = (names: readonly string[]) =>
  names.length === 0 ? 'none' : [...new Set(names)].slice(0, 8).join(', ');
