// The schema of the role by which the operator reaches a database in another AWS account.
import { roleARNPattern } from './schema-parts.ts';

export const assumeRole = {
  description:
    'A role that the operator assumes for every AWS call about this database, which lives in the account of that role. Its account never changes.',
  type: 'object',
  required: ['arn'],
  properties: {
    arn: {
      description: 'ARN of the role; its trust policy has to name the operator.',
      type: 'string',
      maxLength: 600,
      pattern: roleARNPattern,
    },
    externalID: {
      description: "External id that the role's trust policy asks for (sts:ExternalId).",
      type: 'string',
      minLength: 2,
      maxLength: 1224,
      pattern: '^[A-Za-z0-9_+=,.@:/-]*$',
    },
  },
  'x-kubernetes-validations': [
    {
      rule: "self.arn.split(':')[4] == oldSelf.arn.split(':')[4]",
      message:
        'the account of assumeRole.arn is immutable: create another IamDatabase for a database of another account',
    },
  ],
} as const;

/** Of the spec: the database is where the role is. */
export const assumeRoleRules = [
  {
    rule: 'has(self.assumeRole) == has(oldSelf.assumeRole)',
    message:
      'assumeRole stays, or stays absent: otherwise another account would be looked at. Create another IamDatabase',
  },
  {
    rule: "!has(self.assumeRole) || !has(self.target.explicit) || self.assumeRole.arn.split(':')[4] == self.target.explicit.accountID && (!has(self.target.explicit.partition) || self.assumeRole.arn.split(':')[1] == self.target.explicit.partition)",
    message: 'target.explicit has to be in the account and partition of assumeRole.arn',
  },
] as const;
