// The pieces that both kinds' schemas are made of.

export const dnsName = {
  type: 'string',
  minLength: 1,
  maxLength: 253,
  pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
} as const;
export const region = {
  type: 'string',
  minLength: 1,
  maxLength: 32,
  pattern: '^[a-z]{2}(-[a-z]+)+-[0-9]+$',
} as const;
export const accountID = { type: 'string', maxLength: 12, pattern: '^[0-9]{12}$' } as const;
export const port = { type: 'integer', minimum: 1, maximum: 65535 } as const;
export const identifier = {
  type: 'string',
  minLength: 1,
  maxLength: 63,
  pattern: '^[A-Za-z][A-Za-z0-9-]*$',
} as const;
export const postgresName = { type: 'string', minLength: 1, maxLength: 63 } as const;

export const conditions = {
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

/** Of an exact IAM role: a name has 64 characters at most, and no part of the path is empty. */
export const roleARNPattern =
  '^arn:aws[a-z-]{0,13}:iam::[0-9]{12}:role/([A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,64}$';

export const observedGeneration = {
  type: 'integer',
  format: 'int64',
  description: 'The generation that the conditions speak of.',
} as const;
