// The schema of IamDatabase.
import { assumeRole, assumeRoleRules } from './account-schema.ts';
import { allowRule } from './allow-schema.ts';
import { policy } from './policy-schema.ts';
import { role } from './role-schema.ts';
import { conditions, dnsName, observedGeneration, port, postgresName } from './schema-parts.ts';
import { target } from './target-schema.ts';

export const databaseSchema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      description:
        'A database, who administers it, and who may declare users in it. Belongs to the platform team.',
      type: 'object',
      required: ['target'],
      'x-kubernetes-validations': [
        ...assumeRoleRules,
        {
          rule: "has(self.admin) || self.role.delivery != 'Managed'",
          message: 'admin is required unless role.delivery is SQL or None',
        },
        {
          rule: '!has(oldSelf.admin) || has(self.admin)',
          message:
            'admin stays once it is there, as the roles it created belong to it: leave it in place, role.delivery SQL and None do not use it; for another name see admin.rotatedFrom',
        },
        {
          rule: "!has(self.admin) || self.admin.authentication != 'ManagedSecret' || self.target.type != 'Explicit'",
          message: 'admin.authentication ManagedSecret needs a target that RDS is asked about, not Explicit',
        },
      ],
      properties: {
        target,
        assumeRole,
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
          description:
            'The role by which the operator administers roles. Not used, and not needed, with role.delivery SQL or None; once there, it stays.',
          type: 'object',
          required: ['username'],
          properties: {
            username: {
              ...postgresName,
              description: "The admin's role name. Immutable, but for a rotation: see rotatedFrom.",
            },
            rotatedFrom: {
              ...postgresName,
              description:
                'The name that the admin had before: says, together with a new username, that the SQL of kubectl iamdb admin-sql --rotate-from was run, which gives it the new one.',
            },
            authentication: {
              description:
                'IAM: by token, no password exists. Secret: by the password in secretRef. ManagedSecret: the admin is the master user, by the password that RDS keeps in Secrets Manager.',
              type: 'string',
              enum: ['IAM', 'Secret', 'ManagedSecret'],
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
              rule: 'self.username == oldSelf.username || (has(self.rotatedFrom) && self.rotatedFrom == oldSelf.username)',
              message:
                'admin.username is immutable: the roles it created belong to it. After kubectl iamdb admin-sql --rotate-from name the old one in admin.rotatedFrom',
            },
            {
              rule: '!has(self.rotatedFrom) || self.rotatedFrom != self.username',
              message: 'admin.rotatedFrom is the name of before, not username itself',
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
        role,
        policy,
        trustedOperatorIDs: {
          description:
            'Roles marked by these operators may be taken over by objects of the same namespace and name, when moving to a new cluster; the own id stands for a cluster that was rebuilt.',
          type: 'array',
          default: [],
          maxItems: 16,
          'x-kubernetes-list-type': 'set',
          items: { type: 'string', minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' },
        },
        reassignOwnedTo: {
          ...postgresName,
          description:
            'A role made for it (NOLOGIN, not in rds_iam, no powers) that receives what a user owns when its role is to be dropped. The admin needs ADMIN OPTION on it, and CREATE on databases in which users own schemas. Absent: a role that owns something is kept, without login.',
        },
        onPermissionLost: {
          description: 'What becomes of a user that works and that no rule admits any more.',
          type: 'object',
          default: {},
          properties: {
            graceSeconds: {
              type: 'integer',
              minimum: 0,
              maximum: 604800,
              default: 300,
              description: 'How long it keeps its access; begins anew when the operator restarts.',
            },
          },
        },
        orphanOnUnreachable: {
          type: 'boolean',
          default: false,
          description:
            'Let users be deleted while no session of the admin is to be had that could end their roles, as where the database does not answer, is stopped or read-only, has IAM authentication off, or the admin cannot log in: their rights in IAM end, and their roles stay as they are (event RoleGivenUp). A database that AWS has not known for 15 minutes is gone, whatever this says.',
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
            policy: {
              description:
                'Periodic: all of it. OnChange: AWS and Kubernetes only; the database itself is logged in to when something was declared anew, at the start of the operator and on request, so that a serverless one may sleep. Logins are then proven after changes only, whatever probe says; one that was refused is tried again after ten minutes, then ever more seldom: at most a day apart, an hour where the certificate was rejected.',
              type: 'string',
              enum: ['Periodic', 'OnChange'],
              default: 'Periodic',
            },
            intervalSeconds: {
              type: 'integer',
              minimum: 30,
              maximum: 86400,
              default: 600,
              description: 'Time between two looks.',
            },
          },
        },
        mode: {
          description:
            'Plan: no user of this database is changed; what would be is told in their status.plan.',
          type: 'string',
          enum: ['Enforce', 'Plan'],
          default: 'Enforce',
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
        observedGeneration,
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
          maxItems: 16,
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
