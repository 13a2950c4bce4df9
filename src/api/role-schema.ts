// The schema of how database roles are delivered: by the operator, as SQL for others to run, or not at all.

export const role = {
  description: 'How the database roles of users are kept.',
  type: 'object',
  default: {},
  properties: {
    delivery: {
      description:
        'Managed: by the operator, as the admin. SQL: a ConfigMap <user>-sql with the statements, for somebody else to run; the operator does not log in to administer. None: nothing; somebody else knows what to create. With None, and with SQL until the script has run, a user gets in as any existing role of its name that has rds_iam, whoever made it: give usernames in allow literally.',
      type: 'string',
      enum: ['Managed', 'SQL', 'None'],
      default: 'Managed',
    },
  },
} as const;
