import { expect, it } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { arnOf, present, roleARN, shard, sight, wish } from '../../../test/builders/policy-fixtures.ts';
import { policyPath } from './names.ts';
import { planPolicy } from './plan.ts';
import { type DesiredPolicy, fixedQuotas, type ObservedPolicies } from './policy.ts';

const reserved = 'arn:aws:iam::111122223333:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS';
const unseen = new Failure('denied', 'AccessDenied', 'iam:GetRole was refused');
const stranger = (number: number) => ({
  number,
  policyARN: `arn:aws:iam::111122223333:policy/iamdb/op/stranger-${number}`,
});
const detached = shard(0, [arnOf('a')], { attached: false });

it.each<[string, DesiredPolicy, ObservedPolicies, string, string, string]>([
  [
    'a user that asks for the access of another',
    wish([{ state: 'present', username: 'a', arns: [arnOf('b')] }]),
    sight([]),
    'invalid',
    'InternalError',
    'A user asks for something else than its own exact rds-db ARN.',
  ],
  [
    'a role of AWS itself',
    wish([present('a')], { roleARN: reserved }),
    sight([]),
    'invalid',
    'RoleNotAttachable',
    `AWS lets nobody attach policies to ${reserved}. Name a role of your own in principals.`,
  ],
  [
    'a role that does not exist',
    wish([present('a')]),
    sight([], { role: { exists: false } }),
    'missing',
    'RoleNotFound',
    `There is no IAM role ${roleARN} in the operator's account. Create it, path included, or mend principals.`,
  ],
  [
    'a role that cannot be looked at',
    wish([present('a')]),
    sight([], { role: { exists: 'unknown', failure: unseen } }),
    'denied',
    'AccessDenied',
    'iam:GetRole was refused',
  ],
  [
    'the next name being taken, the lowest one',
    wish([present('a')]),
    sight([], { foreign: [stranger(3), stranger(0)] }),
    'conflict',
    'ForeignPolicy',
    'Policy arn:aws:iam::111122223333:policy/iamdb/op/stranger-0 has the name that is needed next and not the tags of this operator. Delete it, or give it back its tags.',
  ],
  [
    'a role that is full',
    wish([present('a')]),
    sight([], {
      role: { exists: true, attachedPolicies: 20 },
      quotas: { ...fixedQuotas, attachedPerRole: 20 },
    }),
    'invalid',
    'QuotaExceeded',
    `${roleARN} has 20 of at most 20 managed policies attached and needs another. Raise the IAM quota "Managed policies attached to an IAM role", or spread users over more roles.`,
  ],
  [
    'a policy that somebody else detaches again and again',
    wish([present('a')], { contested: new Set([detached.policyARN]) }),
    sight([detached]),
    'conflict',
    'DetachedByOthers',
    `Somebody detaches ${detached.policyARN} from ${roleARN.slice(roleARN.lastIndexOf('/') + 1)} again and again, so the operator has stopped attaching it. Look for DetachRolePolicy in CloudTrail; Terraform does it by managed_policy_arns or aws_iam_role_policy_attachments_exclusive on that role. Then ask for another try: set the annotation iamdb.dev/reconcile-requested-at.`,
  ],
])('says what is wrong and what to do: %s', (_, desired, observed, kind, reason, message) => {
  const plan = planPolicy(desired, observed);
  expect(plan).toMatchObject({ refused: { kind, reason, message } });
});

it('tells which operator ids there may be', () => {
  for (const id of ['a/b', '', 'x'.repeat(129), 'a b', 'a*']) {
    expect(() => policyPath(id)).toThrow(
      expect.objectContaining({
        kind: 'invalid',
        reason: 'InternalError',
        message: 'The operator id may have 1 to 128 letters, digits and _ . @ = + - only.',
      }),
    );
  }
  expect(policyPath('prod-1')).toBe('/iamdb/prod-1/');
});
