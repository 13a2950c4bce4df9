// Versions of managed policies.
import type { Action } from '../action.ts';
import { deleteConflict, limitExceeded, noSuchEntity } from '../errors.ts';
import type { XmlValue } from '../xml.ts';
import { askPolicy, documentText, type IamAccount, page, pagingParameters } from './account.ts';
import { changeablePolicy, checkDocument } from './policies.ts';
import { type ManagedPolicy, policyOf, type PolicyVersion, withPolicy } from './state.ts';
import { policyArn, versionId } from './validation.ts';

export function versionActions(account: IamAccount): Record<string, Action> {
  const { history, limits } = account;
  const asks = (action: string): NonNullable<Action['asks']> => {
    return (parameters) => [askPolicy(account, action, policyArn(parameters))];
  };
  return {
    CreatePolicyVersion: {
      writes: true,
      parameters: ['PolicyArn', 'PolicyDocument', 'SetAsDefault'],
      asks: asks('CreatePolicyVersion'),
      run: (parameters) => {
        const arn = policyArn(parameters);
        const document = parameters.required('PolicyDocument');
        const makeDefault = parameters.optional('SetAsDefault') === 'true';
        checkDocument(account, document);
        history.change((state) => {
          const policy = changeablePolicy(state, arn);
          if (policy.versions.length >= limits.versionsPerPolicy) {
            throw limitExceeded(
              `A managed policy can have up to ${limits.versionsPerPolicy} versions. Before you create a new version, you must delete an existing version.`,
            );
          }
          const version = { id: `v${policy.nextVersion}`, document, createdAt: account.now() };
          return withPolicy(state, {
            ...policy,
            versions: [...policy.versions, version],
            nextVersion: policy.nextVersion + 1,
            defaultVersionId: makeDefault ? version.id : policy.defaultVersionId,
            updatedAt: account.now(),
          });
        });
        const policy = policyOf(history.latest(), arn);
        const created = policy.versions.at(-1);
        return { PolicyVersion: created && shown(policy, created) };
      },
    },

    GetPolicyVersion: {
      writes: false,
      parameters: ['PolicyArn', 'VersionId'],
      asks: asks('GetPolicyVersion'),
      run: (parameters) => {
        const policy = policyOf(history.visible(), policyArn(parameters));
        const version = versionOf(policy, versionId(parameters));
        return { PolicyVersion: { ...shown(policy, version), Document: documentText(version.document) } };
      },
    },

    ListPolicyVersions: {
      writes: false,
      parameters: ['PolicyArn', ...pagingParameters],
      asks: asks('ListPolicyVersions'),
      run: (parameters) => {
        const policy = policyOf(history.visible(), policyArn(parameters));
        return page(
          account,
          parameters,
          policy.versions,
          // Newest first, as AWS lists them.
          ({ id }) => String(1e9 - Number(id.slice(1))),
          'Versions',
          (version) => shown(policy, version),
        );
      },
    },

    SetDefaultPolicyVersion: {
      writes: true,
      parameters: ['PolicyArn', 'VersionId'],
      asks: asks('SetDefaultPolicyVersion'),
      run: (parameters) => {
        const arn = policyArn(parameters);
        history.change((state) => {
          const policy = changeablePolicy(state, arn);
          const { id } = versionOf(policy, versionId(parameters));
          return withPolicy(state, { ...policy, defaultVersionId: id, updatedAt: account.now() });
        });
        return undefined;
      },
    },

    DeletePolicyVersion: {
      writes: true,
      parameters: ['PolicyArn', 'VersionId'],
      asks: asks('DeletePolicyVersion'),
      run: (parameters) => {
        const arn = policyArn(parameters);
        history.change((state) => {
          const policy = changeablePolicy(state, arn);
          const { id } = versionOf(policy, versionId(parameters));
          if (id === policy.defaultVersionId) {
            throw deleteConflict('Cannot delete the default version of a policy.');
          }
          return withPolicy(state, {
            ...policy,
            versions: policy.versions.filter((version) => version.id !== id),
            updatedAt: account.now(),
          });
        });
        return undefined;
      },
    },
  };
}

function versionOf(policy: ManagedPolicy, id: string): PolicyVersion {
  const version = policy.versions.find((candidate) => candidate.id === id);
  if (version === undefined) {
    throw noSuchEntity(`Policy ${policy.arn} version ${id} does not exist or is not attachable.`);
  }
  return version;
}

function shown(policy: ManagedPolicy, version: PolicyVersion): Record<string, XmlValue> {
  return {
    VersionId: version.id,
    IsDefaultVersion: version.id === policy.defaultVersionId,
    CreateDate: new Date(version.createdAt),
  };
}
