// Changes of policies as lines that a person reads.
import type { PolicyChange } from './policy.ts';

/** A line for each ARN, so that what one user brings can be told from what others bring to the same policy. */
export function describePolicy(change: PolicyChange): readonly string[] {
  const { policyARN } = change;
  const line = (what: string) => `IAM: ${policyARN}: ${what}`;
  switch (change.do) {
    case 'create':
      return [line('create'), ...change.arns.map((arn) => line(`allow rds-db:connect on ${arn}`))];
    case 'attach':
      return [line(`attach to role ${change.roleName}`)];
    case 'write':
      return [
        ...change.added.map((arn) => line(`allow rds-db:connect on ${arn}`)),
        ...change.removed.map((arn) => line(`no longer allow rds-db:connect on ${arn}`)),
        ...(change.added.length + change.removed.length === 0 ? [line('write the document anew')] : []),
      ];
    case 'tag':
      return [line(`tag ${Object.keys(change.tags).join(', ')}`)];
    case 'delete-version':
      return [line(`delete version ${change.versionID}`)];
    case 'detach':
      return [line(`detach from ${change.entity.kind.toLowerCase()} ${change.entity.name}`)];
    case 'delete':
      return [line('delete')];
    default:
      return change satisfies never;
  }
}
