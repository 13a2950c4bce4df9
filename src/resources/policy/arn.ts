// ARNs of IAM roles and of database users, built from typed parts so that nothing in them can be a wildcard.
import type { Reason } from '../../api/conditions.ts';
import { Failure } from '../../kernel/failure.ts';

/** A database user as rds-db:connect knows it; `resourceID` is that of the cluster, instance or proxy. */
export interface DatabaseUser {
  readonly partition: string;
  readonly region: string;
  readonly accountID: string;
  readonly resourceID: string;
  readonly username: string;
}

export interface IamRole {
  readonly partition: string;
  readonly accountID: string;
  /** Begins and ends with a slash. */
  readonly path: string;
  readonly name: string;
}

// None of these admits `*` or `?` (wildcards in a policy), `$` (begins a variable), `/` or `:` (separators of the ARN).
const partition = 'aws[a-z-]{0,13}';
const accountID = '[0-9]{12}';
const parts: { readonly [Part in keyof DatabaseUser]: RegExp } = {
  partition: new RegExp(`^${partition}$`),
  region: /^[a-z]{2}[a-z0-9-]{1,30}$/,
  accountID: new RegExp(`^${accountID}$`),
  resourceID: /^(?:cluster|db|prx)-[A-Za-z0-9]{1,60}$/,
  username: /^[A-Za-z_][A-Za-z0-9_.@-]{0,62}$/,
};
const reasons: { readonly [Part in keyof DatabaseUser]: Reason } = {
  partition: 'InternalError',
  region: 'InternalError',
  accountID: 'InternalError',
  resourceID: 'InternalError',
  username: 'UsernameNotAllowed',
};

/** The exact ARN of one user on one resource. Throws Failure `invalid` for a part that may not stand in it. */
export function dbUserARN(user: DatabaseUser): string {
  for (const part of partNames) {
    if (parts[part].test(user[part])) continue;
    throw new Failure(
      'invalid',
      reasons[part],
      `The ${part} of the database user has characters that may not stand in an ARN of a policy.`,
    );
  }
  return `arn:${user.partition}:rds-db:${user.region}:${user.accountID}:dbuser:${user.resourceID}/${user.username}`;
}

const partNames = ['partition', 'region', 'accountID', 'resourceID', 'username'] as const;

/** The parts of an exact ARN of a database user; undefined for anything else, wildcards included. */
export function parseDbUserARN(arn: string): DatabaseUser | undefined {
  const match = /^arn:([^:]*):rds-db:([^:]*):([^:]*):dbuser:([^:/]*)\/([^:/]*)$/.exec(arn);
  if (match === null) return undefined;
  const [, partition = '', region = '', accountID = '', resourceID = '', username = ''] = match;
  const user = { partition, region, accountID, resourceID, username };
  return partNames.every((part) => parts[part].test(user[part])) ? user : undefined;
}

const rolePattern = new RegExp(
  `^arn:(${partition}):iam::(${accountID}):role(/(?:[A-Za-z0-9+=,.@_-]+/)*)([A-Za-z0-9+=,.@_-]{1,64})$`,
);

/** The parts of a role's ARN. Throws Failure `invalid` if it is none. */
export function parseRoleARN(arn: string): IamRole {
  const match = rolePattern.exec(arn);
  if (match === null) {
    throw new Failure('invalid', 'PrincipalNotAllowed', 'A principal is not the ARN of an IAM role.');
  }
  const [, partition = '', accountID = '', path = '', name = ''] = match;
  return { partition, accountID, path, name };
}

/** The account that an ARN names. */
export const accountOf = (arn: string): string => arn.split(':')[4] ?? '';

/** Roles that AWS keeps for itself refuse policies: service-linked ones and those of IAM Identity Center. */
export function isAttachable(role: IamRole): boolean {
  return (
    !role.path.startsWith('/aws-service-role/') &&
    !role.path.startsWith('/aws-reserved/') &&
    !role.name.startsWith('AWSReservedSSO_')
  );
}
