// What a role's trust policy says about somebody who wants to assume the role; pure.
import { parsePolicy } from './policy-document.ts';
import { statementApplies } from './policy-evaluation.ts';
import type { RequestContext } from './policy-patterns.ts';

export type Trust =
  /** Names the caller: enough by itself within one account. */
  | 'caller'
  /** Names the account: the caller's own policies must allow it too. */
  | 'account'
  | 'nobody'
  | 'denied';

interface TrustQuestion {
  readonly action: 'sts:AssumeRole' | 'sts:TagSession' | 'sts:AssumeRoleWithWebIdentity';
  readonly kind: 'AWS' | 'Federated';
  /** ARNs that mean the caller: the session's and the role's, the user's, the OIDC provider's. */
  readonly names: readonly string[];
  readonly accountId: string;
  readonly context: RequestContext;
}

export function judgeTrust(trustPolicy: string, question: TrustQuestion): Trust {
  const request = { action: question.action, resource: '*', context: question.context };
  const matching = parsePolicy(trustPolicy, 'trust').statements.flatMap((statement) => {
    const how = naming(statement.principals?.get(question.kind) ?? [], question);
    return how !== undefined && statementApplies(statement, request)
      ? [{ effect: statement.effect, how }]
      : [];
  });
  if (matching.some(({ effect }) => effect === 'Deny')) return 'denied';
  if (matching.some(({ how }) => how === 'caller')) return 'caller';
  return matching.length > 0 ? 'account' : 'nobody';
}

function naming(principals: readonly string[], question: TrustQuestion): 'caller' | 'account' | undefined {
  if (principals.some((principal) => principal === '*' || question.names.includes(principal)))
    return 'caller';
  const accountRoot = new RegExp(`^(arn:aws[a-z-]*:iam::)?${question.accountId}(:root)?$`);
  return question.kind === 'AWS' && principals.some((principal) => accountRoot.test(principal))
    ? 'account'
    : undefined;
}
