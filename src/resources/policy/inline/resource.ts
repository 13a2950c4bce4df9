// The inline policy of one IAM role as a resource: read as it is, written whole.
import type { Resource } from '../../../kernel/converge.ts';
import { parseRoleARN } from '../arn.ts';
import {
  type DesiredInline,
  describeInline,
  type InlineChange,
  inlineDocument,
  inlineName,
  type ObservedInline,
  planInline,
  readInline,
} from './inline.ts';
import type { PolicyPort } from '../port.ts';
import { lookAtRole } from '../resource.ts';

export function inlineResource(iam: PolicyPort): Resource<DesiredInline, ObservedInline, InlineChange> {
  return {
    observe: async (desired, signal) => {
      const roleName = parseRoleARN(desired.roleARN).name;
      // Where nobody wants to be in it, one that is not there is looked for but rarely.
      const isWanted = desired.contributions.some(({ state }) => state === 'present');
      const name = inlineName(desired.operatorID);
      const text = await iam.inline(roleName, name, isWanted ? 'fresh' : 'known', signal);
      const seen = { ...readInline(text), role: undefined };
      const plan = planInline(desired, seen);
      if ('refused' in plan || plan.length === 0) return seen;
      // Before anything is written: calls name roles only, and a role of that name may be another one, elsewhere.
      const role = await lookAtRole(iam, desired, signal);
      if (role.exists === 'unknown' && seen.exists) throw role.failure;
      return role.exists === false ? { ...readInline(undefined), role } : { ...seen, role };
    },
    plan: planInline,
    describe: describeInline,
    apply: async (changes, { roleARN, operatorID, scope }, _observed, signal) => {
      const roleName = parseRoleARN(roleARN).name;
      const name = inlineName(operatorID);
      for (const change of changes) {
        if (change.do === 'remove') await iam.deleteInline(roleName, name, signal);
        else await iam.putInline(roleName, name, inlineDocument(change, scope), signal);
      }
      return undefined;
    },
  };
}
