// Managed policies: create, read, list, tag, delete.
import type { Action } from '../action.ts';
import {
  accessDenied,
  deleteConflict,
  entityAlreadyExists,
  limitExceeded,
  malformedPolicy,
} from '../errors.ts';
import { parsePolicy, policySize } from '../policy-document.ts';
import type { XmlValue } from '../xml.ts';
import {
  askPolicy,
  type IamAccount,
  iamArn,
  isOwnPolicy,
  oneOf,
  page,
  pagingParameters,
  requestTagContext,
  tagList,
  uniqueId,
} from './account.ts';
import {
  attachmentCount,
  boundaryCount,
  type IamState,
  type ManagedPolicy,
  policyKey,
  policyOf,
  type Tags,
  withoutPolicy,
  withPolicy,
} from './state.ts';
import { description, path, policyArn, policyName, tags } from './validation.ts';

interface PolicyRequest {
  readonly name: string;
  readonly path: string;
  readonly document: string;
  readonly description?: string | undefined;
  readonly tags?: Tags;
}

/** The policy as CreatePolicy makes it, checked against everything but other policies. */
export function newPolicy(account: IamAccount, request: PolicyRequest): ManagedPolicy {
  checkDocument(account, request.document);
  return {
    arn: iamArn(account, 'policy', request.path, request.name),
    name: request.name,
    path: request.path,
    id: uniqueId('ANPA'),
    description: request.description,
    tags: request.tags ?? new Map(),
    createdAt: account.now(),
    updatedAt: account.now(),
    defaultVersionId: 'v1',
    nextVersion: 2,
    versions: [{ id: 'v1', document: request.document, createdAt: account.now() }],
  };
}

export function checkDocument(account: IamAccount, document: string): void {
  if (parsePolicy(document).version !== '2012-10-17') {
    throw malformedPolicy('Policy document must be version 2012-10-17 or greater.');
  }
  if (policySize(document) > account.limits.policySize) {
    throw limitExceeded(`Cannot exceed quota for PolicySize: ${account.limits.policySize}`);
  }
}

/** AWS's own policies can be read and attached, never changed. */
export function changeablePolicy(state: IamState, arn: string): ManagedPolicy {
  if (!isOwnPolicy(arn)) throw accessDenied(`Policy ${arn} is managed by AWS and cannot be changed.`);
  return policyOf(state, arn);
}

export function policyActions(account: IamAccount): Record<string, Action> {
  const { history, limits } = account;
  return {
    CreatePolicy: {
      writes: true,
      parameters: ['PolicyName', 'Path', 'PolicyDocument', 'Description', 'Tags'],
      asks: (parameters) => {
        const arn = iamArn(account, 'policy', path(parameters), policyName(parameters));
        const requested = tags(parameters);
        const context = requestTagContext(requested);
        const described = `policy ${policyName(parameters)}`;
        const ask = { resource: arn, described, context };
        // Tags in a creation need the right to tag as well.
        return requested.size === 0
          ? [{ action: 'iam:CreatePolicy', ...ask }]
          : [
              { action: 'iam:CreatePolicy', ...ask },
              { action: 'iam:TagPolicy', ...ask },
            ];
      },
      run: (parameters) => {
        const policy = newPolicy(account, {
          name: policyName(parameters),
          path: path(parameters),
          document: parameters.required('PolicyDocument'),
          description: description(parameters),
          tags: tags(parameters),
        });
        history.change((state) => {
          if (state.policies.has(policyKey(policy.arn))) {
            throw entityAlreadyExists(
              `A policy called ${policy.name} already exists. Duplicate names are not allowed.`,
            );
          }
          const own = [...state.policies.values()].filter(({ arn }) => isOwnPolicy(arn)).length;
          if (own >= limits.policies) {
            throw limitExceeded(`Cannot exceed quota for PoliciesPerAccount: ${limits.policies}`);
          }
          return withPolicy(state, policy);
        });
        return { Policy: { ...summary(history.latest(), policy), Tags: shownTags(policy) } };
      },
    },

    GetPolicy: {
      writes: false,
      parameters: ['PolicyArn'],
      asks: (parameters) => [askPolicy(account, 'GetPolicy', policyArn(parameters))],
      run: (parameters) => {
        const state = history.visible();
        const policy = policyOf(state, policyArn(parameters));
        return {
          Policy: {
            ...summary(state, policy),
            Description: policy.description,
            Tags: shownTags(policy),
          },
        };
      },
    },

    ListPolicies: {
      writes: false,
      parameters: ['PathPrefix', 'Scope', 'OnlyAttached', 'PolicyUsageFilter', ...pagingParameters],
      asks: (parameters) => [
        // No resource can be named for it: only a statement on `*` allows it.
        {
          action: 'iam:ListPolicies',
          resource: '*',
          described: `policy path ${path(parameters, 'PathPrefix')}`,
        },
      ],
      run: (parameters) => {
        const state = history.visible();
        const prefix = path(parameters, 'PathPrefix');
        const scope = oneOf(parameters, 'Scope', ['All', 'AWS', 'Local']) ?? 'All';
        const usage = oneOf(parameters, 'PolicyUsageFilter', ['PermissionsPolicy', 'PermissionsBoundary']);
        const onlyAttached = parameters.optional('OnlyAttached') === 'true';
        const found = [...state.policies.values()].filter(
          (policy) =>
            policy.path.startsWith(prefix) &&
            (scope === 'All' || isOwnPolicy(policy.arn) === (scope === 'Local')) &&
            (!onlyAttached || attachmentCount(state, policy.arn) > 0) &&
            (usage !== 'PermissionsPolicy' || attachmentCount(state, policy.arn) > 0) &&
            (usage !== 'PermissionsBoundary' || boundaryCount(state, policy.arn) > 0),
        );
        return page(
          account,
          parameters,
          found,
          ({ arn }) => policyKey(arn),
          'Policies',
          (policy) => summary(state, policy),
        );
      },
    },

    DeletePolicy: {
      writes: true,
      parameters: ['PolicyArn'],
      asks: (parameters) => [askPolicy(account, 'DeletePolicy', policyArn(parameters))],
      run: (parameters) => {
        const arn = policyArn(parameters);
        history.change((state) => {
          const policy = changeablePolicy(state, arn);
          if (attachmentCount(state, arn) + boundaryCount(state, arn) > 0) {
            throw deleteConflict('Cannot delete a policy attached to entities.');
          }
          if (policy.versions.length > 1) {
            throw deleteConflict(
              "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
            );
          }
          return withoutPolicy(state, arn);
        });
        return undefined;
      },
    },
  };
}

/** A policy as it is listed: without tags and description. */
function summary(state: IamState, policy: ManagedPolicy): Record<string, XmlValue> {
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: policy.defaultVersionId,
    AttachmentCount: attachmentCount(state, policy.arn),
    PermissionsBoundaryUsageCount: boundaryCount(state, policy.arn),
    IsAttachable: true,
    CreateDate: new Date(policy.createdAt),
    UpdateDate: new Date(policy.updatedAt),
  };
}

function shownTags(policy: ManagedPolicy): XmlValue {
  return policy.tags.size === 0 ? undefined : tagList(policy.tags);
}
