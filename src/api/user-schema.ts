// The schema of IamDatabaseUser.
import { conditions, dnsName, observedGeneration, postgresName, roleARNPattern } from './schema-parts.ts';

const settingValue = { type: 'string', minLength: 1, maxLength: 512 } as const;

export const userSchema = {
  type: 'object',
  required: ['spec'],
  'x-kubernetes-validations': [
    {
      rule: "size(self.metadata.name) <= 242 || self.spec.connection.type == 'None' || has(self.spec.connection.configMapName)",
      message:
        'with a name of more than 242 characters set spec.connection.configMapName: <name>-connection would be too long',
    },
  ],
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
              rule: "!(self.lowerAscii().startsWith('pg_') || self.lowerAscii().startsWith('rds') || self.lowerAscii().startsWith('iamdb_rehearsal_')) && !(self.lowerAscii() in ['public', 'none', 'all', 'replication', 'user', 'postgres', 'iamdb_definer'])",
              message:
                'this name is reserved by PostgreSQL, RDS or the operator: use another, for example one with your team as prefix',
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
        settings: {
          description: "The role's own settings, as ALTER ROLE ... SET gives them; from a closed list.",
          type: 'object',
          default: {},
          properties: {
            statement_timeout: {
              ...settingValue,
              description: 'How long a statement may take, such as 30s.',
            },
            lock_timeout: { ...settingValue, description: 'How long a statement may wait for a lock.' },
            idle_in_transaction_session_timeout: {
              ...settingValue,
              description: 'How long a transaction may stand idle.',
            },
            search_path: { ...settingValue, description: 'Schemas in which names are looked up.' },
            application_name: { ...settingValue, description: 'Shown in pg_stat_activity and logs.' },
            work_mem: { ...settingValue, description: 'Memory for one sort or hash, such as 64MB.' },
          },
        },
        principals: {
          description: 'Who may log in as this user.',
          type: 'array',
          minItems: 1,
          maxItems: 16,
          'x-kubernetes-list-type': 'atomic',
          items: {
            type: 'object',
            properties: {
              roleARN: {
                description: 'ARN of an IAM role in the account of the database.',
                type: 'string',
                maxLength: 600,
                pattern: roleARNPattern,
              },
              serviceAccount: {
                description:
                  'A ServiceAccount of the same namespace; its IAM role is read from its EKS Pod Identity association (with --eks-cluster-name), else from its annotation eks.amazonaws.com/role-arn, and followed. Where both are there, the association is what its pods get.',
                type: 'object',
                required: ['name'],
                properties: { name: { ...dnsName, description: 'Its name.' } },
              },
            },
            'x-kubernetes-validations': [
              {
                rule: 'has(self.roleARN) != has(self.serviceAccount)',
                message: 'name exactly one of roleARN and serviceAccount',
              },
            ],
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
        expirationTime: {
          description:
            'When the access ends, to the second; the role is kept. May be extended at any time, also afterwards.',
          type: 'string',
          format: 'date-time',
          maxLength: 64,
        },
        deletionPolicy: {
          description:
            'What becomes of the access when this object is deleted. Delete: ended, and the role dropped. Disable: ended, and the role kept without login. Retain: nothing is changed, and nothing is kept up any more.',
          type: 'string',
          enum: ['Delete', 'Disable', 'Retain'],
          default: 'Delete',
        },
        mode: {
          description:
            'Plan: nothing is changed; what would be is told in status.plan. Either object, or the operator, saying Plan wins.',
          type: 'string',
          enum: ['Enforce', 'Plan'],
          default: 'Enforce',
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
        observedGeneration,
        conditions,
        resourceARNs: {
          description: 'What the policies allow rds-db:connect on.',
          type: 'array',
          maxItems: 16,
          'x-kubernetes-list-type': 'atomic',
          items: { type: 'string', maxLength: 2048 },
        },
        principals: {
          description: 'Each IAM role that may log in, and the policy that lets it in.',
          type: 'array',
          maxItems: 16,
          'x-kubernetes-list-type': 'atomic',
          items: {
            type: 'object',
            required: ['roleARN', 'source'],
            properties: {
              roleARN: { type: 'string', maxLength: 2048, description: 'The IAM role.' },
              source: {
                type: 'string',
                enum: ['Spec', 'IRSA', 'PodIdentity'],
                description:
                  'Where it was found: named in spec, in the annotation of a ServiceAccount, or in its EKS Pod Identity association.',
              },
              policyARN: {
                type: 'string',
                maxLength: 2048,
                description: 'The managed policy that holds this user.',
              },
            },
          },
        },
        plan: {
          description: 'In plan mode: what would be changed, as lines to review.',
          type: 'array',
          maxItems: 200,
          'x-kubernetes-list-type': 'atomic',
          items: { type: 'string', maxLength: 1024 },
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
