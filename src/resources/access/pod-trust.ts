// Why a role's trust policy does not let EKS give it to the pods of a ServiceAccount, and the statement that would.
import { entries, field, isLike, list, parse } from './policy-text.ts';
import { holds } from './trust.ts';

/** Whose pods they are, and what EKS says of them when it assumes the role. */
export interface Pods {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The role of the association, which EKS assumes for them. */
  readonly roleARN: string;
  /** Whether it tags the session with cluster, namespace, ServiceAccount and the like. */
  readonly hasSessionTags: boolean;
}

export type PodTrustFault =
  /** No statement lets the service assume the role. */
  | 'service'
  /** It may, but not with the tags that it always adds. */
  | 'tagging'
  /** The conditions ask for the tags of other pods. */
  | 'tags'
  | 'denied'
  /** As far as can be seen: conditions on other things are not judged. */
  | 'none';

const service = 'pods.eks.amazonaws.com';
const namespaceTag = 'aws:RequestTag/kubernetes-namespace';
const accountTag = 'aws:RequestTag/kubernetes-service-account';

/** To be pasted into the trust policy. */
export function podTrustStatement({ namespace, serviceAccount, hasSessionTags }: Pods): string {
  const tags = { [namespaceTag]: namespace, [accountTag]: serviceAccount };
  return JSON.stringify({
    Effect: 'Allow',
    Principal: { Service: service },
    Action: hasSessionTags ? ['sts:AssumeRole', 'sts:TagSession'] : 'sts:AssumeRole',
    ...(hasSessionTags ? { Condition: { StringEquals: tags } } : {}),
  });
}

/** `document` as IAM gives it: URL-encoded, or plain. */
export function faultOfPodTrust(document: string, pods: Pods): PodTrustFault {
  const about = list(field(parse(document), 'Statement')).filter(namesService);
  const assuming = faultOfAction(about, 'sts:assumerole', pods);
  if (assuming !== 'none' || !pods.hasSessionTags) return assuming;
  const tagging = faultOfAction(about, 'sts:tagsession', pods);
  return tagging === 'service' ? 'tagging' : tagging;
}

const namesService = (statement: unknown) =>
  [field(statement, 'Principal'), ...list(field(field(statement, 'Principal'), 'Service'))].some(
    (principal) => principal === '*' || principal === service,
  );

function faultOfAction(statements: readonly unknown[], wanted: string, pods: Pods): PodTrustFault {
  const matching = statements.filter((statement) =>
    list(field(statement, 'Action')).some(
      (action) => typeof action === 'string' && isLike(action.toLowerCase(), wanted),
    ),
  );
  // Whether the condition of a denial holds is not known well enough to accuse anybody.
  const isDenied = matching.some(
    (one) => field(one, 'Effect') === 'Deny' && field(one, 'Condition') === undefined,
  );
  if (isDenied) return 'denied';
  const allowing = matching.filter((one) => field(one, 'Effect') === 'Allow');
  if (allowing.length === 0) return 'service';
  return allowing.some((one) => fits(field(one, 'Condition'), pods)) ? 'none' : 'tags';
}

function fits(condition: unknown, { namespace, serviceAccount, hasSessionTags }: Pods): boolean {
  const known = new Map([
    [namespaceTag.toLowerCase(), namespace],
    [accountTag.toLowerCase(), serviceAccount],
  ]);
  return entries(condition).every(([operator, keys]) =>
    entries(keys).every(([key, values]) => {
      const actual = known.get(key.toLowerCase());
      if (actual === undefined) return true;
      if (!hasSessionTags) return /ifexists$/i.test(operator);
      return holds(operator, list(values), actual);
    }),
  );
}
