// The entities of an account's IAM as immutable values, and how they are found.
import { noSuchEntity } from '../errors.ts';

export type Tags = ReadonlyMap<string, string>;

export interface PolicyVersion {
  readonly id: string;
  readonly document: string;
  readonly createdAt: number;
}

export interface ManagedPolicy {
  readonly arn: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly description: string | undefined;
  readonly tags: Tags;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly defaultVersionId: string;
  /** Version numbers are never used twice. */
  readonly nextVersion: number;
  readonly versions: readonly PolicyVersion[];
}

export interface Identity {
  readonly arn: string;
  readonly name: string;
  readonly path: string;
  readonly id: string;
  readonly tags: Tags;
  readonly createdAt: number;
  /** ARNs of managed policies. */
  readonly attached: readonly string[];
  /** Documents by policy name. */
  readonly inline: ReadonlyMap<string, string>;
  /** ARN of a managed policy. */
  readonly boundary: string | undefined;
}

export type User = Identity;
export type Group = Identity;

export interface Role extends Identity {
  readonly trustPolicy: string;
  readonly description: string | undefined;
  readonly maxSessionDuration: number;
}

export interface IamState {
  /** By name in lower case, because names are unique without regard to case and path. */
  readonly policies: ReadonlyMap<string, ManagedPolicy>;
  readonly roles: ReadonlyMap<string, Role>;
  readonly users: ReadonlyMap<string, User>;
  readonly groups: ReadonlyMap<string, Group>;
}

export const emptyState: IamState = {
  policies: new Map(),
  roles: new Map(),
  users: new Map(),
  groups: new Map(),
};

export function findPolicy(state: IamState, arn: string): ManagedPolicy | undefined {
  const policy = state.policies.get(policyKey(arn));
  return policy?.arn === arn ? policy : undefined;
}

export function policyOf(state: IamState, arn: string): ManagedPolicy {
  const policy = findPolicy(state, arn);
  if (policy === undefined) throw noSuchEntity(`Policy ${arn} was not found.`);
  return policy;
}

export function findRole(state: IamState, name: string): Role | undefined {
  const role = state.roles.get(name.toLowerCase());
  return role?.name === name ? role : undefined;
}

export function roleOf(state: IamState, name: string): Role {
  const role = findRole(state, name);
  if (role === undefined) throw noSuchEntity(`The role with name ${name} cannot be found.`);
  return role;
}

export function withPolicy(state: IamState, policy: ManagedPolicy): IamState {
  return { ...state, policies: new Map(state.policies).set(policyKey(policy.arn), policy) };
}

export function withoutPolicy(state: IamState, arn: string): IamState {
  return { ...state, policies: without(state.policies, policyKey(arn)) };
}

export function withRole(state: IamState, role: Role): IamState {
  return { ...state, roles: new Map(state.roles).set(role.name.toLowerCase(), role) };
}

export function withoutRole(state: IamState, name: string): IamState {
  return { ...state, roles: without(state.roles, name.toLowerCase()) };
}

export function withUser(state: IamState, user: User): IamState {
  return { ...state, users: new Map(state.users).set(user.name.toLowerCase(), user) };
}

export function withGroup(state: IamState, group: Group): IamState {
  return { ...state, groups: new Map(state.groups).set(group.name.toLowerCase(), group) };
}

export function withoutUser(state: IamState, name: string): IamState {
  return { ...state, users: without(state.users, name.toLowerCase()) };
}

/** AWS's own policies have names apart from the account's. */
export function policyKey(arn: string): string {
  const name = arn.slice(arn.lastIndexOf('/') + 1).toLowerCase();
  return isAwsManaged(arn) ? `aws:${name}` : name;
}

export function isAwsManaged(arn: string): boolean {
  return arn.split(':')[4] === 'aws';
}

export function defaultDocument(policy: ManagedPolicy): string {
  const version = policy.versions.find(({ id }) => id === policy.defaultVersionId);
  if (version === undefined) throw new Error(`${policy.arn} has no default version`);
  return version.document;
}

/** How often a policy is attached to roles, users and groups. */
export function attachmentCount(state: IamState, arn: string): number {
  return usageOf(state).attachments.get(arn) ?? 0;
}

export function boundaryCount(state: IamState, arn: string): number {
  return usageOf(state).boundaries.get(arn) ?? 0;
}

interface Usage {
  readonly attachments: ReadonlyMap<string, number>;
  readonly boundaries: ReadonlyMap<string, number>;
}

/** Counted once per state, because a list of policies asks for every one of them. */
const usages = new WeakMap<IamState, Usage>();

function usageOf(state: IamState): Usage {
  const known = usages.get(state);
  if (known !== undefined) return known;
  const identities = [...state.roles.values(), ...state.users.values(), ...state.groups.values()];
  const usage = {
    attachments: tally(identities.flatMap(({ attached }) => attached)),
    boundaries: tally(identities.flatMap(({ boundary }) => boundary ?? [])),
  };
  usages.set(state, usage);
  return usage;
}

function tally(arns: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const arn of arns) counts.set(arn, (counts.get(arn) ?? 0) + 1);
  return counts;
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  const copy = new Map(map);
  copy.delete(key);
  return copy;
}
