// Whether a principal may do something, by the policies that IAM shows at the moment, and AWS's words when not.
import type { Ask, Caller } from './action.ts';
import { accessDenied, type AwsError } from './errors.ts';
import { defaultDocument, findPolicy, type IamState, type Identity, type Role } from './iam/state.ts';
import { parsePolicy, type PolicyDocument } from './policy-document.ts';
import { type AccessRequest, type Decision, evaluate } from './policy-evaluation.ts';
import type { RequestContext } from './policy-patterns.ts';

/** A principal as it stands in IAM. */
export type Principal =
  | { readonly kind: 'root' }
  | { readonly kind: 'user'; readonly identity: Identity }
  | { readonly kind: 'role'; readonly identity: Role };

/** Finds the root, a user, a role, or an assumed-role session; undefined if IAM has no such thing (any more). */
export function findPrincipal(state: IamState, arn: string): Principal | undefined {
  const [, , service, , , resource = ''] = arn.split(':');
  if (resource === 'root') return { kind: 'root' };
  const [kind, ...rest] = resource.split('/');
  if (service === 'sts' && kind === 'assumed-role') {
    const role = state.roles.get((rest[0] ?? '').toLowerCase());
    return role === undefined || rest.length !== 2 ? undefined : { kind: 'role', identity: role };
  }
  const name = (rest.at(-1) ?? '').toLowerCase();
  const role = kind === 'role' ? state.roles.get(name) : undefined;
  if (role?.arn === arn) return { kind: 'role', identity: role };
  const user = kind === 'user' ? state.users.get(name) : undefined;
  return user?.arn === arn ? { kind: 'user', identity: user } : undefined;
}

/** What was asked of a principal's policies, and what they said. */
export interface Judged {
  readonly principal: string;
  readonly request: AccessRequest;
  readonly decision: Decision;
}

export function decide(state: IamState, caller: Caller, ask: Ask, surroundings: RequestContext): Judged {
  const { principal: arn } = caller;
  const { action, resource } = ask;
  const principal = findPrincipal(state, arn);
  if (principal === undefined) {
    const request = { action, resource, context: surroundings };
    return {
      principal: arn,
      request,
      decision: { effect: 'deny', explicit: false, by: 'identity-based policy' },
    };
  }
  const session = caller.sessionPolicy === undefined ? undefined : parsePolicy(caller.sessionPolicy);
  const context = new Map([
    ...surroundings,
    ...principalContext(principal, caller),
    ...(ask.context ?? new Map<string, readonly string[]>()),
  ]);
  const request = { action, resource, context };
  return {
    principal: arn,
    request,
    decision: evaluate({ ...policiesOf(state, principal), session }, request),
  };
}

export function refusal(caller: Caller, ask: Ask, decision: Decision & { effect: 'deny' }): AwsError {
  const article = decision.by === 'identity-based policy' ? 'an' : 'a';
  const reason = decision.explicit
    ? `with an explicit deny in ${article} ${decision.by}`
    : `because no ${decision.by} allows the ${ask.action} action`;
  return accessDenied(
    `User: ${caller.principal} is not authorized to perform: ${ask.action} on resource: ${ask.described} ${reason}`,
  );
}

/** Condition keys about the caller. */
export function principalContext(principal: Principal, caller: Caller): RequestContext {
  const account = caller.principal.split(':')[4] ?? '';
  const common: [string, readonly string[]][] = [
    ['aws:principalaccount', [account]],
    ['aws:userid', [caller.userId]],
  ];
  if (principal.kind === 'root') {
    return new Map([...common, ['aws:principalarn', [caller.principal]], ['aws:principaltype', ['Account']]]);
  }
  const { identity, kind } = principal;
  const tags = [...identity.tags].map(
    ([key, value]) => [`aws:principaltag/${key.toLowerCase()}`, [value]] as const,
  );
  return new Map([
    ...common,
    ...tags,
    // For a session this is the role's ARN, not the session's.
    ['aws:principalarn', [identity.arn]],
    ['aws:principaltype', [kind === 'user' ? 'User' : 'AssumedRole']],
    ...(kind === 'user' ? [['aws:username', [identity.name]] as const] : []),
  ]);
}

function policiesOf(
  state: IamState,
  principal: Principal,
): { identity: readonly PolicyDocument[]; boundary: PolicyDocument | undefined } {
  if (principal.kind === 'root') return { identity: [allowAll], boundary: undefined };
  const { attached, inline, boundary } = principal.identity;
  const managed = attached.flatMap((arn) => {
    const policy = findPolicy(state, arn);
    return policy === undefined ? [] : [defaultDocument(policy)];
  });
  const bound = boundary === undefined ? undefined : findPolicy(state, boundary);
  return {
    identity: [...managed, ...inline.values()].map((text) => parsePolicy(text)),
    // A boundary whose policy is gone allows nothing.
    boundary:
      boundary === undefined
        ? undefined
        : bound === undefined
          ? { version: undefined, statements: [] }
          : parsePolicy(defaultDocument(bound)),
  };
}

const allowAll = parsePolicy(
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
);
