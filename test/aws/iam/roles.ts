// Roles: create, read, tag, change the trust policy, delete.
import type { Action } from '../action.ts';
import { findPrincipal } from '../authorization.ts';
import { deleteConflict, entityAlreadyExists, limitExceeded, malformedPolicy } from '../errors.ts';
import { parsePolicy, policySize } from '../policy-document.ts';
import type { XmlValue } from '../xml.ts';
import {
  askRole,
  documentText,
  type IamAccount,
  iamArn,
  requestTagContext,
  tagList,
  uniqueId,
} from './account.ts';
import { policyOf, type Role, roleOf, type Tags, withoutRole, withRole } from './state.ts';
import { description, mergeTags, path, policyArn, roleName, tags } from './validation.ts';

interface RoleRequest {
  readonly name: string;
  readonly path: string;
  readonly trustPolicy: string;
  readonly description?: string | undefined;
  readonly maxSessionDuration?: number | undefined;
  readonly tags?: Tags;
  readonly boundary?: string | undefined;
}

export function newRole(account: IamAccount, request: RoleRequest): Role {
  checkTrustPolicy(account, request.trustPolicy);
  return {
    arn: iamArn(account, 'role', request.path, request.name),
    name: request.name,
    path: request.path,
    id: uniqueId('AROA'),
    trustPolicy: request.trustPolicy,
    description: request.description,
    maxSessionDuration: request.maxSessionDuration ?? 3600,
    tags: request.tags ?? new Map(),
    createdAt: account.now(),
    attached: [],
    inline: new Map(),
    boundary: request.boundary,
  };
}

/** AWS replaces the ARNs in a trust policy by ids when it is saved, so whoever they name must exist. */
function checkPrincipalsExist(account: IamAccount, document: string): void {
  for (const { principals } of parsePolicy(document, 'trust').statements) {
    for (const principal of principals?.get('AWS') ?? []) {
      const own = principal.split(':')[4] === account.accountId;
      if (own && findPrincipal(account.history.latest(), principal) === undefined) {
        throw malformedPolicy(`Invalid principal in policy: "AWS":"${principal}"`);
      }
    }
  }
}

function checkTrustPolicy(account: IamAccount, document: string): void {
  const { statements } = parsePolicy(document, 'trust');
  for (const { principals, actions } of statements) {
    for (const principal of principals?.get('AWS') ?? []) {
      if (!/^(\*|\d{12}|arn:aws[a-z-]*:(iam|sts)::\d{12}:\S+)$/.test(principal)) {
        throw malformedPolicy(`Invalid principal in policy: "AWS":"${principal}"`);
      }
    }
    if (actions.patterns.some((action) => !/^(sts:|\*$)/i.test(action))) {
      throw malformedPolicy('AssumeRole policy may only specify STS AssumeRole actions.');
    }
  }
  if (policySize(document) > account.limits.trustPolicySize) {
    throw limitExceeded(`Cannot exceed quota for ACLSizePerRole: ${account.limits.trustPolicySize}`);
  }
}

export function roleActions(account: IamAccount): Record<string, Action> {
  const { history, limits } = account;
  return {
    CreateRole: {
      writes: true,
      parameters: [
        'RoleName',
        'Path',
        'AssumeRolePolicyDocument',
        'Description',
        'MaxSessionDuration',
        'PermissionsBoundary',
        'Tags',
      ],
      asks: (parameters) => {
        const requested = tags(parameters);
        const boundary = parameters.optional('PermissionsBoundary');
        const ask = {
          resource: iamArn(account, 'role', path(parameters), roleName(parameters)),
          described: `role ${roleName(parameters)}`,
          context: new Map([
            ...requestTagContext(requested),
            ...(boundary === undefined ? [] : [['iam:permissionsboundary', [boundary]] as const]),
          ]),
        };
        return requested.size === 0
          ? [{ action: 'iam:CreateRole', ...ask }]
          : [
              { action: 'iam:CreateRole', ...ask },
              { action: 'iam:TagRole', ...ask },
            ];
      },
      run: (parameters) => {
        const bounded = parameters.optional('PermissionsBoundary') !== undefined;
        const role = newRole(account, {
          name: roleName(parameters),
          path: path(parameters),
          trustPolicy: parameters.required('AssumeRolePolicyDocument'),
          description: description(parameters),
          maxSessionDuration: parameters.integer('MaxSessionDuration', { min: 3600, max: 43_200 }),
          tags: tags(parameters),
          boundary: bounded ? policyArn(parameters, 'PermissionsBoundary') : undefined,
        });
        checkPrincipalsExist(account, role.trustPolicy);
        history.change((state) => {
          if (state.roles.has(role.name.toLowerCase())) {
            throw entityAlreadyExists(`Role with name ${role.name} already exists.`);
          }
          if (state.roles.size >= limits.roles) {
            throw limitExceeded(`Cannot exceed quota for RolesPerAccount: ${limits.roles}`);
          }
          if (role.boundary !== undefined) policyOf(state, role.boundary);
          return withRole(state, role);
        });
        return { Role: shownRole(role) };
      },
    },

    GetRole: {
      writes: false,
      parameters: ['RoleName'],
      asks: (parameters) => [askRole(account, 'GetRole', roleName(parameters))],
      run: (parameters) => ({ Role: shownRole(roleOf(history.visible(), roleName(parameters))) }),
    },

    DeleteRole: {
      writes: true,
      parameters: ['RoleName'],
      asks: (parameters) => [askRole(account, 'DeleteRole', roleName(parameters))],
      run: (parameters) => {
        const name = roleName(parameters);
        history.change((state) => {
          const role = roleOf(state, name);
          if (role.attached.length > 0) {
            throw deleteConflict('Cannot delete entity, must detach all policies first.');
          }
          if (role.inline.size > 0) {
            throw deleteConflict('Cannot delete entity, must delete policies first.');
          }
          return withoutRole(state, name);
        });
        return undefined;
      },
    },

    TagRole: {
      writes: true,
      parameters: ['RoleName', 'Tags'],
      asks: (parameters) => [
        askRole(account, 'TagRole', roleName(parameters), requestTagContext(tags(parameters))),
      ],
      run: (parameters) => {
        history.change((state) => {
          const role = roleOf(state, roleName(parameters));
          return withRole(state, { ...role, tags: mergeTags(role.tags, tags(parameters)) });
        });
        return undefined;
      },
    },

    UpdateAssumeRolePolicy: {
      writes: true,
      parameters: ['RoleName', 'PolicyDocument'],
      asks: (parameters) => [askRole(account, 'UpdateAssumeRolePolicy', roleName(parameters))],
      run: (parameters) => {
        const trustPolicy = parameters.required('PolicyDocument');
        checkTrustPolicy(account, trustPolicy);
        checkPrincipalsExist(account, trustPolicy);
        history.change((state) => withRole(state, { ...roleOf(state, roleName(parameters)), trustPolicy }));
        return undefined;
      },
    },
  };
}

function shownRole(role: Role): XmlValue {
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: role.arn,
    CreateDate: new Date(role.createdAt),
    AssumeRolePolicyDocument: documentText(role.trustPolicy),
    Description: role.description,
    MaxSessionDuration: role.maxSessionDuration,
    PermissionsBoundary:
      role.boundary === undefined
        ? undefined
        : { PermissionsBoundaryType: 'Policy', PermissionsBoundaryArn: role.boundary },
    Tags: role.tags.size === 0 ? undefined : tagList(role.tags),
  };
}
