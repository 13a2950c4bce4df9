// What a test sets up in IAM directly: principals with their policies and keys, visible at once and without permissions.
import type { IssuedCredential } from '../credentials.ts';
import { entityAlreadyExists } from '../errors.ts';
import { findPrincipal } from '../authorization.ts';
import { parsePolicy } from '../policy-document.ts';
import { issueSession, type StsAccount } from '../sts.ts';
import { iamArn, uniqueId } from './account.ts';
import { newPolicy } from './policies.ts';
import { newRole } from './roles.ts';
import { withAttached } from './role-policies.ts';
import {
  type Group,
  type ManagedPolicy,
  policyKey,
  policyOf,
  type Role,
  roleOf,
  type User,
  withoutUser,
  withGroup,
  withoutPolicy,
  withPolicy,
  withRole,
  withUser,
} from './state.ts';

/** A policy document as text, or as the value that becomes it. */
type DocumentLike = string | object;

interface NewPrincipal {
  readonly name: string;
  readonly path?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Inline policies by name. */
  readonly policies?: Readonly<Record<string, DocumentLike>>;
  /** ARNs of managed policies that exist. */
  readonly attach?: readonly string[];
  /** ARN of a managed policy that exists. */
  readonly boundary?: string;
}

export interface IamFixtures {
  createUser(user: NewPrincipal): User;
  deleteUser(name: string): void;
  createGroup(name: string): Group;
  createRole(
    role: NewPrincipal & { readonly trustPolicy: DocumentLike; readonly maxSessionDuration?: number },
  ): Role;
  setTrustPolicy(roleName: string, trustPolicy: DocumentLike): void;
  /** Somebody else's hand: nothing is attached to the role any more. */
  detachAll(roleName: string): void;
  /** At once, as nobody sees the moment in between: a policy of the one role is the other's. */
  moveAttachment(policyARN: string, from: string, to: string): void;
  /** At once, as nobody sees the moment in between: it is attached to nothing and gone. */
  losePolicy(policyARN: string): void;
  createPolicy(policy: {
    readonly name: string;
    readonly path?: string;
    readonly document: DocumentLike;
    readonly tags?: Readonly<Record<string, string>>;
  }): ManagedPolicy;
  /** Sets or exchanges an inline policy of a user or role, by its ARN. */
  putInlinePolicy(principal: string, name: string, document: DocumentLike): void;
  /**
   * Keys of the root or a user, by ARN: long-lived. Of a role: a session with a token, as a pod or instance gets it;
   * 12 hours at most and by default.
   */
  createAccessKey(
    principal: string,
    session?: {
      readonly name?: string;
      readonly durationSeconds?: number;
      readonly policy?: DocumentLike;
      readonly hasTransitiveTags?: boolean;
    },
  ): IssuedCredential;
  deleteAccessKey(accessKeyId: string): void;
  readonly rootArn: string;
}

export function createFixtures(account: StsAccount): IamFixtures {
  const { history, credentials } = account;
  const rootArn = `arn:${account.partition}:iam::${account.accountId}:root`;
  return {
    rootArn,

    createUser: (wish) => {
      const user: User = {
        arn: iamArn(account, 'user', wish.path ?? '/', wish.name),
        name: wish.name,
        path: wish.path ?? '/',
        id: uniqueId('AIDA'),
        createdAt: account.now(),
        ...policiesOf(wish),
      };
      history.seed((state) => {
        if (state.users.has(wish.name.toLowerCase())) {
          throw entityAlreadyExists(`User with name ${wish.name} already exists.`);
        }
        for (const arn of [...user.attached, ...(wish.boundary === undefined ? [] : [wish.boundary])]) {
          policyOf(state, arn);
        }
        return withUser(state, user);
      });
      return user;
    },

    createGroup: (name) => {
      const group: Group = {
        arn: iamArn(account, 'group', '/', name),
        name,
        path: '/',
        id: uniqueId('AGPA'),
        createdAt: account.now(),
        ...policiesOf({ name }),
      };
      history.seed((state) => withGroup(state, group));
      return group;
    },

    deleteUser: (name) => history.seed((state) => withoutUser(state, name)),

    createRole: (wish) => {
      const { attached, ...own } = policiesOf(wish);
      const role: Role = {
        ...newRole(account, {
          name: wish.name,
          path: wish.path ?? '/',
          trustPolicy: textOf(wish.trustPolicy),
          maxSessionDuration: wish.maxSessionDuration,
        }),
        ...own,
      };
      history.seed((state) => {
        if (state.roles.has(wish.name.toLowerCase())) {
          throw entityAlreadyExists(`Role with name ${wish.name} already exists.`);
        }
        if (wish.boundary !== undefined) policyOf(state, wish.boundary);
        return attached.reduce(
          (next, arn) => withAttached(account, next, roleOf(next, wish.name), arn),
          withRole(state, role),
        );
      });
      return roleOf(history.latest(), wish.name);
    },

    setTrustPolicy: (roleName, trustPolicy) => {
      const text = textOf(trustPolicy);
      parsePolicy(text, 'trust');
      history.seed((state) => withRole(state, { ...roleOf(state, roleName), trustPolicy: text }));
    },

    detachAll: (roleName) => {
      history.seed((state) => withRole(state, { ...roleOf(state, roleName), attached: [] }));
    },

    moveAttachment: (policyARN, from, to) => {
      history.seed((state) => {
        const loser = roleOf(state, from);
        if (!loser.attached.includes(policyARN)) throw new Error(`${from} has no ${policyARN}`);
        const attached = loser.attached.filter((arn) => arn !== policyARN);
        const winner = roleOf(state, to);
        const without = withRole(state, { ...loser, attached });
        return withRole(without, { ...winner, attached: [...winner.attached, policyARN] });
      });
    },

    losePolicy: (policyARN) => {
      history.seed((state) => {
        const holders = [...state.roles.values()].filter(({ attached }) => attached.includes(policyARN));
        const detached = holders.reduce(
          (left, role) =>
            withRole(left, { ...role, attached: role.attached.filter((arn) => arn !== policyARN) }),
          state,
        );
        return withoutPolicy(detached, policyARN);
      });
    },

    createPolicy: (wish) => {
      const policy = newPolicy(account, {
        name: wish.name,
        path: wish.path ?? '/',
        document: textOf(wish.document),
        tags: new Map(Object.entries(wish.tags ?? {})),
      });
      history.seed((state) => {
        if (state.policies.has(policyKey(policy.arn))) {
          throw entityAlreadyExists(`A policy called ${policy.name} already exists.`);
        }
        return withPolicy(state, policy);
      });
      return policy;
    },

    putInlinePolicy: (principal, name, document) => {
      const text = checkedText(document);
      history.seed((state) => {
        const found = findPrincipal(state, principal);
        if (found === undefined || found.kind === 'root') throw new Error(`no user or role ${principal}`);
        const inline = new Map(found.identity.inline).set(name, text);
        return found.kind === 'role'
          ? withRole(state, { ...found.identity, inline })
          : withUser(state, { ...found.identity, inline });
      });
    },

    createAccessKey: (principal, session = {}) => {
      const found = findPrincipal(history.latest(), principal);
      if (found === undefined) throw new Error(`no principal ${principal}`);
      if (found.kind === 'role') {
        return issueSession(account, found.identity, {
          name: session.name ?? 'session',
          durationSeconds: session.durationSeconds ?? 43_200,
          policy: session.policy === undefined ? undefined : checkedText(session.policy),
          hasTransitiveTags: session.hasTransitiveTags ?? false,
        });
      }
      const userId = found.kind === 'root' ? account.accountId : found.identity.id;
      return credentials.issue({ principal, userId });
    },

    deleteAccessKey: (accessKeyId) => credentials.delete(accessKeyId),
  };
}

function policiesOf(wish: NewPrincipal): Pick<User, 'tags' | 'attached' | 'inline' | 'boundary'> {
  return {
    tags: new Map(Object.entries(wish.tags ?? {})),
    attached: wish.attach ?? [],
    inline: new Map(
      Object.entries(wish.policies ?? {}).map(([name, document]) => [name, checkedText(document)]),
    ),
    boundary: wish.boundary,
  };
}

function checkedText(document: DocumentLike): string {
  const text = textOf(document);
  parsePolicy(text);
  return text;
}

function textOf(document: DocumentLike): string {
  return typeof document === 'string' ? document : JSON.stringify(document);
}
