// Reasons about the operator's own login and what it may do, a part of the closed list in conditions.ts.

export const adminReasons = {
  AdminLoginRefused: {
    means: "The database refused the admin's login.",
    remedy: 'Check that the admin exists, may log in, and (IAM) that the operator may rds-db:connect as it.',
  },
  ManagedSecretUnavailable: {
    means:
      'RDS keeps no master password of the target in Secrets Manager, is creating it, or it cannot be read or is that of another user.',
    remedy:
      'aws rds modify-db-cluster (or modify-db-instance) --manage-master-user-password, and spec.admin.username as MasterUsername; or authentication IAM.',
  },
  AdminChanging: {
    means:
      'The server refuses a password of the admin that it took a moment ago: it is being rotated, and the server or the Secret has the old one still. Or the IamDatabase was changed, and the connections of before are being closed. Until then what was said of an object that is Ready stands.',
    remedy:
      'Wait; a password that is refused for three minutes is told as AdminLoginRefused. Put the new one into the Secret.',
  },
  AdminSecretMissing: {
    means: "The admin's Secret is not in the operator's namespace or lacks the keys username and password.",
    remedy: 'Create it there; the operator looks again by itself.',
  },
  AdminHelperUnsafe: {
    means:
      'The function by which an admin with a password works is not as admin-sql makes it, or others than the admin may call it: they could make roles and let them in.',
    remedy:
      'Run what kubectl iamdb admin-sql --authentication Secret prints, and revoke EXECUTE from whoever else has it.',
  },
  AdminRedirected: {
    means: "The admin's session acts as another role than the one that logged in.",
    remedy: 'ALTER ROLE <admin> RESET role;',
  },
  RolesNotAdministrable: {
    means: 'A role that the admin creates could not be altered or dropped by it.',
    remedy: 'Give the admin CREATEROLE on this server and no role settings that redirect it.',
  },
} as const;
