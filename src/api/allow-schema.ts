// The schema of a rule of `allow`: who may ask for what.
import { postgresName } from './schema-parts.ts';

const namespaceName = {
  type: 'string',
  minLength: 1,
  maxLength: 63,
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
} as const;

export const allowRule = {
  type: 'object',
  required: ['namespaces', 'usernames', 'principals'],
  properties: {
    namespaces: {
      description: 'Which namespaces the rule is for; names and selector together must both hold.',
      type: 'object',
      properties: {
        names: {
          description: 'Namespaces by name.',
          type: 'array',
          minItems: 1,
          maxItems: 200,
          'x-kubernetes-list-type': 'set',
          items: namespaceName,
        },
        selector: {
          description: 'Namespaces by label.',
          type: 'object',
          required: ['matchLabels'],
          properties: {
            matchLabels: {
              description: 'Labels that the namespace must have, all of them.',
              type: 'object',
              minProperties: 1,
              maxProperties: 16,
              additionalProperties: { type: 'string', maxLength: 63 },
            },
          },
        },
      },
      'x-kubernetes-validations': [
        {
          rule: 'has(self.names) || has(self.selector)',
          message: 'give names, a selector or both; an empty rule would admit every namespace',
        },
      ],
    },
    usernames: {
      description: 'User names that may be asked for; * stands for any characters.',
      type: 'array',
      minItems: 1,
      maxItems: 100,
      'x-kubernetes-list-type': 'set',
      items: { type: 'string', minLength: 1, maxLength: 63, pattern: '^[A-Za-z0-9_.@*-]+$' },
    },
    memberOf: {
      description:
        'Group roles that may be asked for, literally. Roles pg_* and owners of databases or schemas that one of them reaches have to be listed too. Absent: none.',
      type: 'array',
      maxItems: 100,
      'x-kubernetes-list-type': 'set',
      items: postgresName,
    },
    principals: {
      description:
        'ARNs of IAM roles that may be named; * stands for characters within one part, never for an account.',
      type: 'array',
      minItems: 1,
      maxItems: 100,
      'x-kubernetes-list-type': 'set',
      items: {
        type: 'string',
        maxLength: 600,
        pattern: '^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/*-]+$',
      },
    },
    adopt: {
      description:
        'Existing roles, by their literal names, that a user of that name may take over. Their password logins end. Absent: none.',
      type: 'array',
      maxItems: 100,
      'x-kubernetes-list-type': 'set',
      items: postgresName,
    },
    maxUsers: {
      type: 'integer',
      minimum: 1,
      maximum: 100000,
      description: 'How many users this rule may admit; gates new ones only.',
    },
  },
} as const;
