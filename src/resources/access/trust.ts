// Why a role's trust policy does not let a ServiceAccount become the role, and the statement that would.
import { entries, field, isLike, isObject, list, parse } from './policy-text.ts';

/** What the token of a ServiceAccount says of itself. */
export interface WebIdentity {
  /** With `https://`. */
  readonly issuer: string;
  /** `system:serviceaccount:<namespace>:<name>`. */
  readonly subject: string;
}

/** The audience that EKS's own tokens for IAM have. */
export const stsAudience = 'sts.amazonaws.com';

export type TrustFault =
  /** No statement allows sts:AssumeRoleWithWebIdentity by the cluster's issuer. */
  | 'issuer'
  | 'sub'
  | 'aud'
  /** One does, with conditions on something else. */
  | 'condition'
  | 'denied'
  /** It is as it should be: the refusal comes from elsewhere. */
  | 'none';

/** What a token says of itself, without asking whether it is true: only the API server gives it to us. */
export function webIdentityOf(token: string): WebIdentity | undefined {
  const claims = parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  if (!isObject(claims)) return undefined;
  const { iss: issuer, sub: subject } = claims;
  return typeof issuer === 'string' && typeof subject === 'string' ? { issuer, subject } : undefined;
}

const hostOf = ({ issuer }: WebIdentity) => issuer.replace('https://', '');

/** The provider's ARN in the account of the role. */
export function providerARN(roleARN: string, identity: WebIdentity): string {
  const [, partition = 'aws', , , accountID = ''] = roleARN.split(':');
  return `arn:${partition}:iam::${accountID}:oidc-provider/${hostOf(identity)}`;
}

/** To be pasted into the trust policy. */
export function trustStatement(roleARN: string, identity: WebIdentity): string {
  const host = hostOf(identity);
  return JSON.stringify({
    Effect: 'Allow',
    Principal: { Federated: providerARN(roleARN, identity) },
    Action: 'sts:AssumeRoleWithWebIdentity',
    Condition: { StringEquals: { [`${host}:sub`]: identity.subject, [`${host}:aud`]: stsAudience } },
  });
}

/** The fault of the statement that comes nearest. `document` as IAM gives it: URL-encoded, or plain. */
export function faultOfTrust(document: string, roleARN: string, identity: WebIdentity): TrustFault {
  const provider = providerARN(roleARN, identity);
  const statements = list(field(parse(document), 'Statement')).filter(
    (statement) =>
      list(field(statement, 'Action')).some(isWebIdentityAction) &&
      [field(statement, 'Principal'), ...list(field(field(statement, 'Principal'), 'Federated'))].some(
        (principal) => principal === '*' || principal === provider,
      ),
  );
  const faults = statements.map((statement) => ({
    effect: field(statement, 'Effect'),
    fault: faultOf(field(statement, 'Condition'), identity),
  }));
  if (faults.some(({ effect, fault }) => effect === 'Deny' && fault === 'none')) return 'denied';
  const allowing = new Set(faults.flatMap(({ effect, fault }) => (effect === 'Allow' ? [fault] : [])));
  return nearest.find((fault) => allowing.has(fault)) ?? 'issuer';
}

const nearest: readonly TrustFault[] = ['none', 'aud', 'sub', 'condition'];

const isWebIdentityAction = (action: unknown) =>
  typeof action === 'string' && isLike(action.toLowerCase(), 'sts:assumerolewithwebidentity');

function faultOf(condition: unknown, identity: WebIdentity): TrustFault {
  const host = hostOf(identity).toLowerCase();
  const known = new Map<string, { readonly fault: TrustFault; readonly value: string }>([
    [`${host}:aud`, { fault: 'aud', value: stsAudience }],
    [`${host}:sub`, { fault: 'sub', value: identity.subject }],
  ]);
  const found = entries(condition).flatMap(([operator, keys]) =>
    entries(keys).flatMap(([key, values]): readonly TrustFault[] => {
      const about = known.get(key.toLowerCase());
      if (about === undefined) return ['condition'];
      return holds(operator, list(values), about.value) ? [] : [about.fault];
    }),
  );
  // What is beside issuer, sub and aud is not judged here; what is wrong in those comes first.
  const faults = new Set(found);
  return (['sub', 'aud', 'condition'] as const).find((fault) => faults.has(fault)) ?? 'none';
}

/** Whether a condition holds for that value; of operators that are not about texts it is taken for granted. */
export function holds(operator: string, values: readonly unknown[], actual: string): boolean {
  const kind = operator.toLowerCase().replace(/^foranyvalue:|^forallvalues:|ifexists$/g, '');
  const among = (matches: (value: string) => boolean) =>
    values.some((value) => typeof value === 'string' && matches(value));
  switch (kind) {
    case 'stringequals':
      return among((value) => value === actual);
    case 'stringequalsignorecase':
      return among((value) => value.toLowerCase() === actual.toLowerCase());
    case 'stringlike':
      return among((value) => isLike(value, actual));
    default:
      return true;
  }
}
