// What users write and read, as one value: types, CRDs and reference pages all come from here.
import type { FromSchema } from './infer.ts';

const dnsName = {
  type: 'string',
  minLength: 1,
  maxLength: 253,
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
} as const;
const region = {
  type: 'string',
  minLength: 1,
  maxLength: 32,
  pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]+$',
} as const;
const accountID = { type: 'string', maxLength: 12, pattern: '^[0-9]{12}$' } as const;
const port = { type: 'integer', minimum: 1, maximum: 65535 } as const;
const identifier = {
  type: 'string',
  minLength: 1,
  maxLength: 63,
  pattern: '^[A-Za-z][A-Za-z0-9-]*$',
} as const;
const postgresName = { type: 'string', minLength: 1, maxLength: 63 } as const;

const conditions = {
  description: 'The state of each link of the chain.',
  type: 'array',
  maxItems: 16,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['type'],
  items: {
    type: 'object',
    required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
    properties: {
      type: { type: 'string', maxLength: 64 },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
      reason: { type: 'string', maxLength: 64 },
      message: { type: 'string', maxLength: 4096 },
      observedGeneration: { type: 'integer', format: 'int64' },
      lastTransitionTime: { type: 'string', format: 'date-time' },
    },
  },
} as const;

const named = {
  type: 'object',
  required: ['identifier', 'region'],
  properties: {
    identifier: { ...identifier, description: 'The identifier in RDS, not the resource id.' },
    region: { ...region, description: 'AWS region, for example ap-northeast-2.' },
  },
} as const;

const target = {
  description: 'Which database this is. Immutable.',
  type: 'object',
  required: ['type'],
  properties: {
    type: {
      description:
        'Cluster for Aurora and Multi-AZ clusters, Instance for an RDS instance, Explicit without RDS API rights.',
      type: 'string',
      enum: ['Cluster', 'Instance', 'Explicit'],
    },
    cluster: { ...named, description: 'The cluster, with type Cluster.' },
    instance: { ...named, description: 'The instance, with type Instance.' },
    explicit: {
      description: 'Everything that the RDS API would have told, with type Explicit.',
      type: 'object',
      required: ['host', 'region', 'accountID', 'resourceIDs'],
      properties: {
        host: { ...dnsName, description: 'Endpoint name, as in the certificate.' },
        port: { ...port, default: 5432, description: 'Port.' },
        region: { ...region, description: 'AWS region.' },
        accountID: { ...accountID, description: 'AWS account of the database.' },
        partition: {
          type: 'string',
          enum: ['aws', 'aws-cn', 'aws-us-gov'],
          default: 'aws',
          description: 'AWS partition.',
        },
        resourceIDs: {
          description: 'Resource ids to allow; the first is the server itself.',
          type: 'array',
          minItems: 1,
          maxItems: 8,
          'x-kubernetes-list-type': 'set',
          items: { type: 'string', maxLength: 64, pattern: '^(cluster|db|prx)-[A-Za-z0-9]+$' },
        },
      },
    },
  },
  'x-kubernetes-validations': [
    {
      rule: 'self == oldSelf',
      message: 'target is immutable: create another IamDatabase for another database',
    },
    {
      rule: "has(self.cluster) == (self.type == 'Cluster') && has(self.instance) == (self.type == 'Instance') && has(self.explicit) == (self.type == 'Explicit')",
      message: 'fill exactly the field that type names: cluster, instance or explicit',
    },
  ],
} as const;

const namespaceName = {
  type: 'string',
  minLength: 1,
  maxLength: 63,
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$',
} as const;

const allowRule = {
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
      description: 'Group roles that may be asked for, literally. Absent: none.',
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
    maxUsers: {
      type: 'integer',
      minimum: 1,
      maximum: 100000,
      description: 'How many users this rule may admit; gates new ones only.',
    },
  },
} as const;

export const databaseSchema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      description:
        'A database, who administers it, and who may declare users in it. Belongs to the platform team.',
      type: 'object',
      required: ['target', 'admin'],
      properties: {
        target,
        database: {
          ...postgresName,
          default: 'postgres',
          description: 'What applications connect to, and what the proof connects to.',
        },
        connectTo: {
          description: 'Dial here instead of the endpoint; TLS name and token host stay the real endpoint.',
          type: 'object',
          required: ['host', 'port'],
          properties: {
            host: { ...dnsName, description: 'Host name or address.' },
            port: { ...port, description: 'Port.' },
          },
        },
        admin: {
          description: 'The role by which the operator administers roles.',
          type: 'object',
          required: ['username'],
          properties: {
            username: { ...postgresName, description: "The admin's role name. Immutable." },
            authentication: {
              description: 'IAM: by token, no password exists. Secret: by the password in secretRef.',
              type: 'string',
              enum: ['IAM', 'Secret'],
              default: 'IAM',
            },
            secretRef: {
              description:
                "With Secret: a Secret in the operator's own namespace with the keys username and password.",
              type: 'object',
              required: ['name'],
              properties: { name: { ...dnsName, description: 'Name of the Secret.' } },
            },
          },
          'x-kubernetes-validations': [
            {
              rule: 'self.username == oldSelf.username',
              message: 'admin.username is immutable: the roles it created belong to it',
            },
            {
              rule: "has(self.secretRef) == (self.authentication == 'Secret')",
              message: 'secretRef goes with authentication Secret, and only with it',
            },
          ],
        },
        allow: {
          description:
            'Who may declare users here. Rules are ORed, the fields of a rule ANDed. Empty: nobody.',
          type: 'array',
          default: [],
          maxItems: 100,
          'x-kubernetes-list-type': 'atomic',
          items: allowRule,
        },
        trustedOperatorIDs: {
          description: 'Roles marked by these operators may be taken over, when moving to a new cluster.',
          type: 'array',
          default: [],
          maxItems: 16,
          'x-kubernetes-list-type': 'set',
          items: { type: 'string', minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' },
        },
        probe: {
          description: 'When logins are proven.',
          type: 'object',
          default: {},
          properties: {
            policy: {
              description:
                'Periodic: after changes and at the interval. OnChange: after changes only. Never: not at all.',
              type: 'string',
              enum: ['Periodic', 'OnChange', 'Never'],
              default: 'Periodic',
            },
            intervalSeconds: {
              type: 'integer',
              minimum: 60,
              maximum: 604800,
              default: 3600,
              description: 'Time between proofs of one user.',
            },
          },
        },
        resync: {
          description: 'How often everything is compared again with what is there.',
          type: 'object',
          default: {},
          properties: {
            intervalSeconds: {
              type: 'integer',
              minimum: 30,
              maximum: 86400,
              default: 600,
              description: 'Time between two looks.',
            },
          },
        },
        suspend: {
          type: 'boolean',
          default: false,
          description: 'Leave this database and all its users alone.',
        },
      },
    },
    status: {
      type: 'object',
      default: { observedGeneration: -1 },
      properties: {
        observedGeneration: {
          type: 'integer',
          format: 'int64',
          description: 'The generation that the conditions speak of.',
        },
        conditions,
        endpoint: { type: 'string', maxLength: 253, description: 'Writer endpoint.' },
        readerEndpoint: {
          type: 'string',
          maxLength: 253,
          description: 'Reader endpoint, where there is one.',
        },
        port: { type: 'integer', description: 'Port.' },
        resourceIDs: {
          type: 'array',
          maxItems: 8,
          'x-kubernetes-list-type': 'atomic',
          items: { type: 'string', maxLength: 64 },
          description: 'Resource ids as they stand in the ARNs.',
        },
        accountID: { type: 'string', maxLength: 12, description: 'AWS account of the database.' },
        partition: { type: 'string', maxLength: 16, description: 'AWS partition.' },
        region: { type: 'string', maxLength: 32, description: 'AWS region.' },
        engine: { type: 'string', maxLength: 64, description: 'Engine as RDS names it.' },
        engineVersion: { type: 'string', maxLength: 32, description: 'Engine version as RDS names it.' },
        serverVersion: {
          type: 'string',
          maxLength: 64,
          description: 'Version that the server itself reports.',
        },
        lastHandledReconcileAt: {
          type: 'string',
          maxLength: 128,
          description: 'Echo of the reconcile-requested-at annotation.',
        },
      },
    },
  },
} as const;

export const userSchema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      description: 'A database user that logs in with IAM tokens. Belongs to a team.',
      type: 'object',
      required: ['databaseRef', 'username', 'principals'],
      properties: {
        databaseRef: {
          description: 'The IamDatabase. Immutable.',
          type: 'object',
          required: ['name'],
          properties: { name: { ...dnsName, description: 'Its name.' } },
          'x-kubernetes-validations': [
            { rule: 'self == oldSelf', message: 'databaseRef is immutable: create another IamDatabaseUser' },
          ],
        },
        username: {
          description: "The role's name in PostgreSQL and in the ARN; case is kept. Immutable.",
          type: 'string',
          minLength: 1,
          maxLength: 63,
          'x-kubernetes-validations': [
            { rule: 'self == oldSelf', message: 'username is immutable: create another IamDatabaseUser' },
            {
              rule: "self.matches('^[A-Za-z_][A-Za-z0-9_.@-]{0,62}$')",
              message:
                'use a letter or _ first, then at most 62 of letters, digits and _ . @ - (others have a meaning in an ARN or a policy)',
            },
            {
              rule: "!(self.lowerAscii().startsWith('pg_') || self.lowerAscii().startsWith('rds')) && !(self.lowerAscii() in ['public', 'none', 'all', 'replication', 'user', 'postgres'])",
              message:
                'this name is reserved by PostgreSQL or RDS: use another, for example one with your team as prefix',
            },
          ],
        },
        memberOf: {
          description: 'Group roles to be a member of; they must exist.',
          type: 'array',
          default: [],
          maxItems: 32,
          'x-kubernetes-list-type': 'set',
          items: postgresName,
        },
        connectDatabases: {
          description: "Databases to have CONNECT on. Default: the IamDatabase's own.",
          type: 'array',
          minItems: 1,
          maxItems: 32,
          'x-kubernetes-list-type': 'set',
          items: postgresName,
        },
        connectionLimit: {
          type: 'integer',
          minimum: -1,
          maximum: 100000,
          default: -1,
          description: 'Sessions at a time; -1 is no limit.',
        },
        principals: {
          description: 'Who may log in as this user.',
          type: 'array',
          minItems: 1,
          maxItems: 16,
          'x-kubernetes-list-type': 'atomic',
          items: {
            type: 'object',
            required: ['roleARN'],
            properties: {
              roleARN: {
                description: 'ARN of an IAM role in the account of the database.',
                type: 'string',
                maxLength: 600,
                pattern: '^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$',
              },
            },
          },
        },
        trustBundle: {
          description: "The ConfigMap with the region's certificate authorities.",
          type: 'object',
          default: {},
          properties: { configMapName: { ...dnsName, description: 'Default: rds-ca-<region>.' } },
        },
        connection: {
          description: 'The ConfigMap that tells applications how to connect, made for envFrom.',
          type: 'object',
          default: {},
          properties: {
            type: {
              type: 'string',
              enum: ['ConfigMap', 'None'],
              default: 'ConfigMap',
              description: 'ConfigMap, or None for none.',
            },
            configMapName: { ...dnsName, description: 'Default: <name>-connection.' },
          },
        },
        probe: {
          description: 'By whom the login is proven.',
          type: 'object',
          default: {},
          properties: {
            as: {
              description:
                'Auto: the best identity there is. Workload: the principal itself, assumed by the operator. Operator: its own identity. Nobody: no proof.',
              type: 'string',
              enum: ['Auto', 'Workload', 'Operator', 'Nobody'],
              default: 'Auto',
            },
          },
        },
        suspend: {
          type: 'boolean',
          default: false,
          description: 'Leave this user alone: nothing is looked at, changed or removed.',
        },
      },
    },
    status: {
      type: 'object',
      default: { observedGeneration: -1 },
      properties: {
        observedGeneration: {
          type: 'integer',
          format: 'int64',
          description: 'The generation that the conditions speak of.',
        },
        conditions,
        resourceARNs: {
          description: 'What the policies allow rds-db:connect on.',
          type: 'array',
          maxItems: 8,
          'x-kubernetes-list-type': 'atomic',
          items: { type: 'string', maxLength: 2048 },
        },
        principals: {
          description: 'Each principal and the policy that lets it in.',
          type: 'array',
          maxItems: 16,
          'x-kubernetes-list-type': 'atomic',
          items: {
            type: 'object',
            required: ['roleARN'],
            properties: {
              roleARN: { type: 'string', maxLength: 2048, description: 'The IAM role.' },
              policyARN: {
                type: 'string',
                maxLength: 2048,
                description: 'The managed policy that holds this user.',
              },
            },
          },
        },
        lastVerificationTime: {
          type: 'string',
          format: 'date-time',
          description: 'When a login was last proven; written at most daily or with another change.',
        },
        verifiedAs: { type: 'string', maxLength: 2048, description: 'Who logged in for the proof.' },
        lastHandledReconcileAt: {
          type: 'string',
          maxLength: 128,
          description: 'Echo of the reconcile-requested-at annotation.',
        },
      },
    },
  },
} as const;

export type DatabaseSpec = FromSchema<typeof databaseSchema>['spec'];
export type DatabaseStatus = NonNullable<FromSchema<typeof databaseSchema>['status']>;
export type UserSpec = FromSchema<typeof userSchema>['spec'];
export type UserStatus = NonNullable<FromSchema<typeof userSchema>['status']>;
export type AllowRule = DatabaseSpec['allow'][number];
