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

const immutable = 'target is immutable but for proxies: create another IamDatabase for another database';

export const target = {
  description: 'Which database this is. Immutable, but for proxies.',
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
      'x-kubernetes-validations': [
        {
          // All but partition: it follows from the region, and older objects carry a default that may be wrong.
          rule: 'self.host == oldSelf.host && self.port == oldSelf.port && self.region == oldSelf.region && self.accountID == oldSelf.accountID && self.resourceIDs == oldSelf.resourceIDs',
          message: immutable,
        },
      ],
      properties: {
        host: { ...dnsName, description: 'Endpoint name, as in the certificate.' },
        port: { ...port, default: 5432, description: 'Port.' },
        region: { ...region, description: 'AWS region.' },
        accountID: { ...accountID, description: 'AWS account of the database.' },
        partition: {
          type: 'string',
          enum: ['aws', 'aws-cn', 'aws-us-gov'],
          description: 'AWS partition. Default: that of the region.',
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
    proxies: {
      description:
        'RDS Proxies in front of the database, with end-to-end IAM: users may log in through them as well. The first is PGHOST_PROXY. With type Explicit their ids belong into resourceIDs.',
      type: 'array',
      maxItems: 8,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name: {
            type: 'string',
            minLength: 1,
            maxLength: 63,
            pattern: '^[a-z][a-z0-9]*(-[a-z0-9]+)*$',
            description: 'The name of the proxy in RDS, in lower case.',
          },
        },
      },
    },
  },
  'x-kubernetes-validations': [
    {
      rule: 'self.type == oldSelf.type && (!has(self.cluster) || self.cluster == oldSelf.cluster) && (!has(self.instance) || self.instance == oldSelf.instance)',
      message: immutable,
    },
    {
      rule: "!has(self.proxies) || size(self.proxies) == 0 || self.type != 'Explicit'",
      message: 'with type Explicit nobody looks proxies up: list their ids in explicit.resourceIDs',
    },
    {
      rule: "has(self.cluster) == (self.type == 'Cluster') && has(self.instance) == (self.type == 'Instance') && has(self.explicit) == (self.type == 'Explicit')",
      message: 'fill exactly the field that type names: cluster, instance or explicit',
    },
  ],
} as const;
