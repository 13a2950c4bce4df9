// What the IAM actions share: the account they act in, its state, and how answers are paged and worded.
import { randomBytes } from 'node:crypto';
import type { Ask } from '../action.ts';
import { constraintError, validationError } from '../errors.ts';
import type { History } from '../history.ts';
import type { RequestContext } from '../policy-patterns.ts';
import type { Parameters } from '../query.ts';
import { list, type XmlElement, type XmlValue } from '../xml.ts';
import { findPolicy, findRole, type IamState, isAwsManaged, type Tags } from './state.ts';
import type { Limits } from './validation.ts';

export interface IamAccount {
  readonly partition: string;
  readonly accountId: string;
  readonly history: History<IamState>;
  readonly limits: Limits;
  now(): number;
  /** The most items in one answer, whatever MaxItems asks for. */
  pageSize(): number;
}

export function iamArn(account: IamAccount, kind: string, path: string, name: string): string {
  return `arn:${account.partition}:iam::${account.accountId}:${kind}${path}${name}`;
}

/** IAM's unique ids: a prefix for the kind and 17 random characters. */
export function uniqueId(prefix: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return prefix + Array.from(randomBytes(17), (byte) => alphabet[byte % 32]).join('');
}

/** Permission on a role, with the conditions that IAM offers for it. */
export function askRole(
  account: IamAccount,
  action: string,
  name: string,
  context: RequestContext = new Map(),
): Ask {
  const role = findRole(account.history.latest(), name);
  return {
    action: `iam:${action}`,
    resource: role?.arn ?? iamArn(account, 'role', '/', name),
    described: `role ${name}`,
    context: new Map([
      ...resourceTagContext(role?.tags),
      ...(role?.boundary === undefined ? [] : [['iam:permissionsboundary', [role.boundary]] as const]),
      ...context,
    ]),
  };
}

export function askPolicy(
  account: IamAccount,
  action: string,
  arn: string,
  context: RequestContext = new Map(),
): Ask {
  const tags = findPolicy(account.history.latest(), arn)?.tags;
  return {
    action: `iam:${action}`,
    resource: arn,
    described: `policy ${arn}`,
    context: new Map([...resourceTagContext(tags), ...context]),
  };
}

export function requestTagContext(tags: Tags): RequestContext {
  return tags.size === 0
    ? new Map()
    : new Map([
        ...[...tags].map(([key, value]) => [`aws:requesttag/${key.toLowerCase()}`, [value]] as const),
        ['aws:tagkeys', [...tags.keys()]] as const,
      ]);
}

export function documentText(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function tagList(tags: Tags): readonly XmlElement[] {
  return list(
    'member',
    [...tags].map(([key, value]) => ({ Key: key, Value: value })),
  );
}

/** One page in the order of keys. A marker names the last key given, so pages survive changes in between. */
export function page<T>(
  account: IamAccount,
  parameters: Parameters,
  items: readonly T[],
  keyOf: (item: T) => string,
  member: string,
  show: (item: T) => XmlValue,
): Record<string, XmlValue> {
  const wanted = parameters.integer('MaxItems', { min: 1, max: 1000 }) ?? 100;
  const marker = parameters.optional('Marker');
  const after = marker === undefined ? undefined : decodeMarker(marker);
  const rest = items
    .toSorted((a, b) => compare(keyOf(a), keyOf(b)))
    .filter((item) => after === undefined || compare(keyOf(item), after) > 0);
  const shown = rest.slice(0, Math.min(wanted, account.pageSize()));
  const last = shown.at(-1);
  const truncated = shown.length < rest.length;
  return {
    [member]: list('member', shown.map(show)),
    IsTruncated: truncated,
    Marker: truncated && last !== undefined ? encodeMarker(keyOf(last)) : undefined,
  };
}

export const pagingParameters = ['Marker', 'MaxItems'] as const;

export function oneOf<T extends string>(
  parameters: Parameters,
  name: string,
  values: readonly T[],
): T | undefined {
  const value = parameters.optional(name);
  if (value === undefined) return undefined;
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) {
    const member = name.charAt(0).toLowerCase() + name.slice(1);
    throw constraintError(value, member, `Member must satisfy enum value set: [${values.join(', ')}]`);
  }
  return found;
}

export function isOwnPolicy(arn: string): boolean {
  return !isAwsManaged(arn);
}

function resourceTagContext(tags: Tags | undefined): RequestContext {
  return new Map(
    [...(tags ?? [])].flatMap(([key, value]) =>
      ['aws', 'iam'].map((vendor) => [`${vendor}:resourcetag/${key.toLowerCase()}`, [value]] as const),
    ),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function encodeMarker(key: string): string {
  return Buffer.from(JSON.stringify({ after: key })).toString('base64');
}

function decodeMarker(marker: string): string {
  try {
    const decoded: unknown = JSON.parse(Buffer.from(marker, 'base64').toString());
    if (typeof decoded === 'object' && decoded !== null && 'after' in decoded) {
      if (typeof decoded.after === 'string') return decoded.after;
    }
  } catch {
    // Falls through: whatever is no marker of ours is answered alike.
  }
  throw validationError('Invalid Marker.');
}
