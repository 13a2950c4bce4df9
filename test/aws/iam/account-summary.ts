// GetAccountSummary: the account's quotas and how much of them is used.
import type { Action } from '../action.ts';
import { list } from '../xml.ts';
import { type IamAccount, isOwnPolicy } from './account.ts';

export function accountSummaryActions(account: IamAccount): Record<string, Action> {
  return {
    GetAccountSummary: {
      writes: false,
      parameters: [],
      asks: () => [
        {
          action: 'iam:GetAccountSummary',
          resource: '*',
          described: '*',
        },
      ],
      run: () => {
        const { limits, history } = account;
        const state = history.visible();
        const own = [...state.policies.values()].filter(({ arn }) => isOwnPolicy(arn));
        const summary = {
          AssumeRolePolicySizeQuota: limits.trustPolicySize,
          AttachedPoliciesPerRoleQuota: limits.attachedPoliciesPerRole,
          Policies: own.length,
          PoliciesQuota: limits.policies,
          PolicySizeQuota: limits.policySize,
          PolicyVersionsInUse: own.reduce((sum, { versions }) => sum + versions.length, 0),
          RolePolicySizeQuota: limits.rolePoliciesSize,
          Roles: state.roles.size,
          RolesQuota: limits.roles,
          Users: state.users.size,
          VersionsPerPolicyQuota: limits.versionsPerPolicy,
        };
        return {
          SummaryMap: list(
            'entry',
            Object.entries(summary).map(([key, value]) => ({ key, value })),
          ),
        };
      },
    },
  };
}
