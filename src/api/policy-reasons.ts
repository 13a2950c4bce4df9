// The reasons about principals and the policies that let them in; a part of the closed list in conditions.ts.

export const policyReasons = {
  RoleNotFound: {
    means: 'The IAM role does not exist.',
    remedy: 'Create the role or mend principals; the operator looks again by itself.',
  },
  ServiceAccountNotFound: {
    means: 'A ServiceAccount in principals does not exist; what it was allowed before stays as it is.',
    remedy: 'Create it with the annotation eks.amazonaws.com/role-arn; the operator follows by itself.',
  },
  ServiceAccountWithoutRole: {
    means: 'A ServiceAccount in principals names no IAM role; what it was allowed before stays as it is.',
    remedy:
      'kubectl annotate serviceaccount NAME eks.amazonaws.com/role-arn=ARN, or aws eks create-pod-identity-association; the operator follows by itself.',
  },
  ClusterNotFound: {
    means:
      'AWS knows no EKS cluster of the name in --eks-cluster-name; what was allowed before stays as it is.',
    remedy: 'Mend the setting, or leave it empty where EKS Pod Identity is not used.',
  },
  NotManaged: {
    means:
      'Somebody else keeps the policies (spec.policy.delivery Document or None) or the role (spec.role.delivery SQL or None); the proof tells whether they do.',
    remedy:
      'Attach the document of the ConfigMap <user>-policy to each role in status.principals; compare role.sql of the ConfigMap <user>-sql with the sha256 of the message, and run it in the database.',
  },
  DetachedByOthers: {
    means:
      'Somebody detached the policy from the IAM role three times within an hour; the operator attaches it no more.',
    remedy:
      "Take the role's attachments out of the other tool's hands (in Terraform managed_policy_arns and aws_iam_role_policy_attachments_exclusive), or use spec.policy.delivery Document; then set the annotation iamdb.dev/reconcile-requested-at.",
  },
  InlineNotEnabled: {
    means: 'The IamDatabase asks for inline policies, and the operator is not set up to keep any.',
    remedy:
      'Start it with --inline-policies and the rights of docs/reference/operator-policy-inline.json, or use spec.policy.delivery Managed.',
  },
  RoleNotAttachable: {
    means: 'Policies cannot be attached to this role (service-linked or AWSReservedSSO).',
    remedy: 'Name a role of your own.',
  },
  ForeignPolicy: {
    means: 'A policy of the name we need exists and is not ours.',
    remedy: 'Rename or delete that policy, or run the operator with another operator id.',
  },
  QuotaExceeded: {
    means: 'An IAM quota is used up.',
    remedy: 'Raise the quota that the message names, or spread users over more roles.',
  },
  AccessDenied: {
    means: 'AWS refused the operator an action.',
    remedy:
      "Add the action to the operator's policy (docs/reference/operator-policy.json); where the message names a role of spec.assumeRole, to the policy of that role.",
  },
  Throttled: { means: 'AWS asks to slow down.', remedy: 'Nothing; the operator goes on by itself.' },
  AwsUnavailable: {
    means: 'AWS does not answer.',
    remedy: 'Check network and endpoints; the operator goes on by itself.',
  },
  NotTrusted: {
    means:
      'The role does not trust the ServiceAccount: STS refused its own token, or the trust policy does not let EKS give the role to its pods.',
    remedy: 'Add the statement that the message gives to the trust policy of the role.',
  },
} as const;
