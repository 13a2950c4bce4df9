// The schema of a target: which database an IamDatabase is.
import { accountID, dnsName, identifier, port, region } from './schema-parts.ts';

const named = {
  type: 'object',
  required: ['identifier', 'region'],
  properties: {
    identifier: { ...identifier, description: 'The identifier in RDS, not the resource id.' },
    region: { ...region, description: 'AWS region, for example ap-northeast-2.' },
  },
} as const;

export const target = {
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
          items: { type: 'string', maxLength: 64, pattern: '^(cluster|db|prx)-[A-Za-z0-9]{1,60}$' },
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
