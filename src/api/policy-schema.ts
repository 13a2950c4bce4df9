// The schema of how policies are delivered: by the operator, as a document for others, or not at all.

export const policy = {
  description: 'How the IAM policies that let users in are kept.',
  type: 'object',
  default: {},
  properties: {
    delivery: {
      description:
        'Managed: managed policies, attached by the operator. Inline: one inline policy on each role (10,240 characters; needs --inline-policies). Document: a ConfigMap <user>-policy with the document, for somebody else to attach. None: nothing; somebody else knows what to allow.',
      type: 'string',
      enum: ['Managed', 'Inline', 'Document', 'None'],
      default: 'Managed',
    },
    tags: {
      description:
        "Tags that the managed policies must have besides the operator's own. Others that are there stay; one that is no longer asked for stays too.",
      type: 'object',
      maxProperties: 20,
      additionalProperties: { type: 'string', maxLength: 256, pattern: '^[A-Za-z0-9 _.:/=+@-]*$' },
      'x-kubernetes-validations': [
        {
          rule: "self.all(key, size(key) <= 128 && key.matches('^[A-Za-z0-9 _.:/=+@-]+$'))",
          message: 'a key of tags has 1 to 128 letters, digits, spaces and _ . : / = + @ -',
        },
        {
          rule: "self.all(key, !key.lowerAscii().startsWith('aws:') && !key.lowerAscii().startsWith('iamdb.dev/') && key.lowerAscii() != 'app.kubernetes.io/managed-by')",
          message:
            'keys that begin with aws: or iamdb.dev/, and app.kubernetes.io/managed-by, are not yours to set',
        },
      ],
    },
  },
} as const;
