// The policies of roles: attached managed ones and inline ones.
import type { Action } from '../action.ts';
import { accessDenied, limitExceeded, noSuchEntity, AwsError } from '../errors.ts';
import { parsePolicy, policySize } from '../policy-document.ts';
import type { Parameters } from '../query.ts';
import {
  askPolicy,
  askRole,
  documentText,
  type IamAccount,
  oneOf,
  page,
  pagingParameters,
} from './account.ts';
import { findPolicy, type IamState, type Identity, policyOf, type Role, roleOf, withRole } from './state.ts';
import { path, policyArn, policyName, roleName } from './validation.ts';

export function rolePolicyActions(account: IamAccount): Record<string, Action> {
  const { history } = account;
  const asksRole = (action: string): NonNullable<Action['asks']> => {
    return (parameters) => [askRole(account, action, roleName(parameters))];
  };
  const asksAttachment = (action: string): NonNullable<Action['asks']> => {
    return (parameters) => [
      askRole(account, action, roleName(parameters), new Map([['iam:policyarn', [policyArn(parameters)]]])),
    ];
  };
  return {
    AttachRolePolicy: {
      writes: true,
      parameters: ['RoleName', 'PolicyArn'],
      asks: asksAttachment('AttachRolePolicy'),
      run: (parameters) => {
        const arn = policyArn(parameters);
        history.change((state) => withAttached(account, state, changeableRole(state, parameters), arn));
        return undefined;
      },
    },

    DetachRolePolicy: {
      writes: true,
      parameters: ['RoleName', 'PolicyArn'],
      asks: asksAttachment('DetachRolePolicy'),
      run: (parameters) => {
        const arn = policyArn(parameters);
        history.change((state) => {
          const role = changeableRole(state, parameters);
          if (!role.attached.includes(arn)) throw noSuchEntity(`Policy ${arn} was not found.`);
          return withRole(state, { ...role, attached: role.attached.filter((other) => other !== arn) });
        });
        return undefined;
      },
    },

    ListAttachedRolePolicies: {
      writes: false,
      parameters: ['RoleName', 'PathPrefix', ...pagingParameters],
      asks: asksRole('ListAttachedRolePolicies'),
      run: (parameters) => {
        const state = history.visible();
        const prefix = path(parameters, 'PathPrefix');
        const attached = roleOf(state, roleName(parameters)).attached.flatMap(
          (arn) => findPolicy(state, arn) ?? [],
        );
        return page(
          account,
          parameters,
          attached.filter((policy) => policy.path.startsWith(prefix)),
          ({ arn }) => arn,
          'AttachedPolicies',
          ({ name, arn }) => ({ PolicyName: name, PolicyArn: arn }),
        );
      },
    },

    ListEntitiesForPolicy: {
      writes: false,
      parameters: ['PolicyArn', 'EntityFilter', 'PathPrefix', 'PolicyUsageFilter', ...pagingParameters],
      asks: (parameters) => [askPolicy(account, 'ListEntitiesForPolicy', policyArn(parameters))],
      run: (parameters) => listEntities(account, parameters),
    },

    PutRolePolicy: {
      writes: true,
      parameters: ['RoleName', 'PolicyName', 'PolicyDocument'],
      asks: asksRole('PutRolePolicy'),
      run: (parameters) => {
        const document = parameters.required('PolicyDocument');
        parsePolicy(document);
        history.change((state) => {
          const role = changeableRole(state, parameters);
          const inline = new Map(role.inline).set(policyName(parameters), document);
          const size = [...inline.values()].reduce((sum, text) => sum + policySize(text), 0);
          if (size > account.limits.rolePoliciesSize) {
            throw limitExceeded(
              `Maximum policy size of ${account.limits.rolePoliciesSize} bytes exceeded for role ${role.name}`,
            );
          }
          return withRole(state, { ...role, inline });
        });
        return undefined;
      },
    },

    GetRolePolicy: {
      writes: false,
      parameters: ['RoleName', 'PolicyName'],
      asks: asksRole('GetRolePolicy'),
      run: (parameters) => {
        const role = roleOf(history.visible(), roleName(parameters));
        const name = policyName(parameters);
        return {
          RoleName: role.name,
          PolicyName: name,
          PolicyDocument: documentText(inlineDocument(role, name)),
        };
      },
    },

    DeleteRolePolicy: {
      writes: true,
      parameters: ['RoleName', 'PolicyName'],
      asks: asksRole('DeleteRolePolicy'),
      run: (parameters) => {
        history.change((state) => {
          const role = changeableRole(state, parameters);
          const name = policyName(parameters);
          inlineDocument(role, name);
          const inline = new Map(role.inline);
          inline.delete(name);
          return withRole(state, { ...role, inline });
        });
        return undefined;
      },
    },

    ListRolePolicies: {
      writes: false,
      parameters: ['RoleName', ...pagingParameters],
      asks: asksRole('ListRolePolicies'),
      run: (parameters) =>
        page(
          account,
          parameters,
          [...roleOf(history.visible(), roleName(parameters)).inline.keys()],
          (name) => name,
          'PolicyNames',
          (name) => name,
        ),
    },
  };
}

/** Attaching again changes nothing and is no error. */
export function withAttached(account: IamAccount, state: IamState, role: Role, arn: string): IamState {
  if (findPolicy(state, arn) === undefined) {
    throw noSuchEntity(`Policy ${arn} does not exist or is not attachable.`);
  }
  if (role.attached.includes(arn)) return state;
  const limit = account.limits.attachedPoliciesPerRole;
  if (role.attached.length >= limit) {
    throw limitExceeded(`Cannot exceed quota for PoliciesPerRole: ${limit}`);
  }
  return withRole(state, { ...role, attached: [...role.attached, arn] });
}

function changeableRole(state: IamState, parameters: Parameters): Role {
  const role = roleOf(state, roleName(parameters));
  if (role.path.startsWith('/aws-service-role/')) {
    throw new AwsError(
      'UnmodifiableEntity',
      400,
      `Cannot perform the operation on the protected role '${role.name}' - this role is only modifiable by AWS`,
    );
  }
  if (role.path.startsWith('/aws-reserved/')) {
    throw accessDenied(`Cannot perform the operation on the protected role '${role.name}'.`);
  }
  return role;
}

function inlineDocument(role: Role, name: string): string {
  const document = role.inline.get(name);
  if (document === undefined) throw noSuchEntity(`The role policy with name ${name} cannot be found.`);
  return document;
}

function listEntities(account: IamAccount, parameters: Parameters): ReturnType<typeof page> {
  const state = account.history.visible();
  const { arn } = policyOf(state, policyArn(parameters));
  const prefix = path(parameters, 'PathPrefix');
  const usage = oneOf(parameters, 'PolicyUsageFilter', ['PermissionsPolicy', 'PermissionsBoundary']);
  const filter = oneOf(parameters, 'EntityFilter', [
    'User',
    'Role',
    'Group',
    'LocalManagedPolicy',
    'AWSManagedPolicy',
  ]);
  const uses = (identity: Identity): boolean =>
    identity.path.startsWith(prefix) &&
    ((usage !== 'PermissionsBoundary' && identity.attached.includes(arn)) ||
      (usage !== 'PermissionsPolicy' && identity.boundary === arn));
  const entities = [
    ...[...state.roles.values()].map((identity) => ({ kind: 'Role', identity })),
    ...[...state.users.values()].map((identity) => ({ kind: 'User', identity })),
    ...[...state.groups.values()].map((identity) => ({ kind: 'Group', identity })),
  ].filter(({ kind, identity }) => (filter === undefined || filter === kind) && uses(identity));

  // One marker runs over all kinds; the answer has a list for each.
  const { IsTruncated, Marker, members } = page(
    account,
    parameters,
    entities,
    ({ kind, identity }) => `${kind}/${identity.name}`,
    'members',
    ({ kind, identity }) => ({ [`${kind}Name`]: identity.name, [`${kind}Id`]: identity.id }),
  );
  const items = Array.isArray(members) ? members : [];
  const ofKind = (kind: string): typeof items =>
    items.filter(([, value]) => typeof value === 'object' && value !== null && `${kind}Name` in value);
  return {
    PolicyRoles: ofKind('Role'),
    PolicyUsers: ofKind('User'),
    PolicyGroups: ofKind('Group'),
    IsTruncated,
    Marker,
  };
}
