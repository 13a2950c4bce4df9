// The reasons about RDS Proxies in front of a database; a part of the closed list in conditions.ts.

export const proxyReasons = {
  ProxyNotFound: {
    means: 'AWS knows no such RDS Proxy in the region and account of the database.',
    remedy: 'Check spec.target.proxies: aws rds describe-db-proxies.',
  },
  ProxyTargetsElsewhere: {
    means: 'The RDS Proxy stands in front of another database.',
    remedy:
      'Take it out of spec.target.proxies, or register the database: aws rds register-db-proxy-targets.',
  },
  ProxyUsesSecrets: {
    means:
      'The RDS Proxy logs in to the database with passwords from Secrets Manager. rds_iam ends the password logins of a user, so nobody declared here could get through it.',
    remedy:
      'Use end-to-end IAM: aws rds modify-db-proxy --db-proxy-name NAME --default-auth-scheme IAM_AUTH; or name a proxy that does.',
  },
  ProxyRoleLacksConnect: {
    means:
      "The role of an RDS Proxy may not rds-db:connect to the database as this user: whoever comes through the proxy is refused there. The user's own way to the database works.",
    remedy: 'Add the statement in the message to the policies of the role of the proxy.',
  },
  ProxyNotReady: {
    means: 'The RDS Proxy is being created or deleted, is suspended, or lacks network or capacity.',
    remedy: 'Wait until its status is available: aws rds describe-db-proxies.',
  },
} as const;
