// The closed list of conditions and reasons, each with what it means and what to do: the source of the reference page.
import { adminReasons } from './admin-reasons.ts';
import { policyReasons } from './policy-reasons.ts';
import { proxyReasons } from './proxy-reasons.ts';

export const conditionTypes = {
  Ready: 'Everything below that applies holds for this generation, as read back.',
  Allowed: "A rule of the database's `allow` admits this object, and it holds the claim to its user name.",
  DatabaseResolved: 'The IamDatabase exists and its target is resolved.',
  PolicyReady: 'The policies in IAM allow exactly this user and are attached to every principal.',
  RoleReady: 'The database role, its rds_iam membership, groups, limit and CONNECT are as declared.',
  TrustBundleReady: "The trust bundle ConfigMap holds valid roots for the database's region.",
  ConnectionReady: 'The connection ConfigMap is as declared.',
  AccessVerified:
    'A login as a principal, with a fresh token over verify-full, was answered with this user name.',
  TargetResolved: 'The database was found, its engine and version fit, and IAM authentication is on.',
  AdminReady:
    "The operator's admin may create roles and grant rds_iam without locking itself out (rehearsed, rolled back).",
  Reconciling: 'Work is going on or will be tried again; absent otherwise.',
  Stalled: 'Only a person can mend it; absent otherwise.',
} as const;

export type ConditionType = keyof typeof conditionTypes;

export const reasons = {
  // what is good
  Ready: { means: 'All parts are as declared.', remedy: '' },
  Admitted: { means: 'A rule admits the object and it holds the claim.', remedy: '' },
  Resolved: { means: 'The target was found and fits.', remedy: '' },
  AsDeclared: { means: 'Read back and found as declared.', remedy: '' },
  Verified: { means: 'A login by token was answered with the right user name.', remedy: '' },
  Rehearsed: { means: 'The rehearsal on the server succeeded and was rolled back.', remedy: '' },
  // what is not known yet, or not done on purpose
  Progressing: { means: 'The operator is at work.', remedy: 'Wait; it reports again by itself.' },
  NotVisibleYet: {
    means: 'A change was sent but reading back does not show it yet.',
    remedy: 'Wait; AWS and caches need seconds, sometimes minutes.',
  },
  Propagating: {
    means: 'IAM has accepted the policy, but the database does not honour it yet.',
    remedy: 'Wait up to five minutes after a change.',
  },
  NotProven: {
    means: 'No identity that may log in as this user is available to the operator.',
    remedy:
      "Let the role's trust policy name the operator's role (sts:AssumeRole and sts:TagSession), or set probe.as to Nobody to say that this is meant.",
  },
  ProvenAsOperator: {
    means:
      "The operator's own identity could log in, which proves the server's side but not the workload's policy.",
    remedy: "For a full proof let the role's trust policy name the operator's role.",
  },
  Waiting: {
    means: 'An earlier link of the chain has to hold first.',
    remedy: 'Look at the condition it names.',
  },
  Planned: {
    means: 'Plan mode: what would be changed is told in status.plan, and nothing is written.',
    remedy: 'Review status.plan; set mode to Enforce on the user, its IamDatabase and the operator.',
  },
  Expired: {
    means: 'expirationTime has passed: the access has ended and the role is kept.',
    remedy: 'Extend or remove spec.expirationTime, or delete the object.',
  },
  Suspended: {
    means: 'spec.suspend is true: nothing is looked at or changed.',
    remedy: 'Set spec.suspend to false.',
  },
  Terminating: {
    means: 'The IamDatabase is being deleted and admits nobody new.',
    remedy: 'Name another IamDatabase, or create it again once it is gone.',
  },
  InUse: {
    means: 'IamDatabaseUsers still name this database.',
    remedy: 'Delete them first: kubectl get iamdbu -A.',
  },
  // target
  DatabaseNotFound: {
    means: 'No IamDatabase has the name in databaseRef.',
    remedy:
      'Ask the platform team which there are (kubectl get iamdb); mend databaseRef by recreating the object, or let them create it.',
  },
  TargetMissing: {
    means: 'AWS knows no such cluster or instance in that region and account.',
    remedy: 'Check identifier and region of the IamDatabase: aws rds describe-db-clusters.',
  },
  TargetNotReady: {
    means: 'The database is being created, changed or is failing, and has no usable endpoint.',
    remedy: 'Wait until its status is available.',
  },
  DatabaseStopped: { means: 'The database is stopped.', remedy: 'Start it; the operator goes on by itself.' },
  IamAuthenticationOff: {
    means: 'IAM database authentication is switched off on the target.',
    remedy:
      'aws rds modify-db-cluster --db-cluster-identifier NAME --enable-iam-database-authentication --apply-immediately (modify-db-instance for an instance).',
  },
  EngineNotSupported: {
    means: 'The engine or its version has no IAM authentication for PostgreSQL.',
    remedy: 'Aurora PostgreSQL 11 or RDS for PostgreSQL 10 and newer are supported.',
  },
  PartitionNotSupported: {
    means:
      'The region of the database is in no partition that the operator knows, or in another one than was told.',
    remedy:
      'aws, aws-cn and aws-us-gov are supported. With type Explicit leave partition out, or name that of the region.',
  },
  AssumeRoleRefused: {
    means: 'AWS does not let the operator assume the role in spec.assumeRole of the IamDatabase.',
    remedy:
      "Add the statement in the message to the role's trust policy, and the role to sts:AssumeRole and sts:TagSession in the operator's own policy.",
  },
  AddressRefused: {
    means: 'The address to dial is loopback, link-local or a metadata service.',
    remedy: 'Name a real host; for tests start the operator with --allow-local-addresses.',
  },
  ...proxyReasons,
  // permission
  NamespaceNotAllowed: {
    means: "No rule of the database's `allow` admits this namespace.",
    remedy: "Ask the database's owner to add the namespace to spec.allow.",
  },
  UsernameNotAllowed: {
    means: 'No rule for this namespace admits the user name, or the name is reserved.',
    remedy: "Use a name that the owner's rule allows, or ask for it to be added.",
  },
  GroupNotAllowed: {
    means: 'A group in memberOf is not in the rule.',
    remedy: "Remove the group or ask the database's owner to add it to the rule's memberOf.",
  },
  PrincipalNotAllowed: {
    means: "A principal is not in the rule, or is not in the database's AWS account.",
    remedy:
      "Ask the owner to add it; for a workload in another account let it assume a role in the database's account and name that role.",
  },
  PermissionLost: {
    means:
      'No rule admits a user that works. It keeps its access for onPermissionLost.graceSeconds, then it is ended and the role kept.',
    remedy: 'Admit it again in spec.allow, which gives it its access back; or delete it.',
  },
  MassRevocationHeld: {
    means:
      'One change would end the access of more than 5 users and more than a fifth of the database; all of them keep it.',
    remedy:
      'Mend spec.allow or the labels of the namespace. If it is meant: annotate the IamDatabase with iamdb.dev/confirm-revocation=<its generation>.',
  },
  TooManyUsers: {
    means: 'The rule has reached its maxUsers.',
    remedy: 'Delete users or ask for a higher maxUsers.',
  },
  DatabaseNotAllowed: {
    means: 'A database in connectDatabases belongs to no IamDatabase of this server that admits the object.',
    remedy:
      'Remove it from connectDatabases, or ask for an IamDatabase with that spec.database and a rule that admits you.',
  },
  Conflict: {
    means: 'Another IamDatabaseUser holds this user name on the same server.',
    remedy: 'Use another user name, or delete the object that the message names.',
  },
  // policy and principals
  ...policyReasons,
  // role
  RoleNotOurs: {
    means:
      'A role of this name exists and does not carry the mark of this object; or it did not when the operator last looked, before others were to keep the roles.',
    remedy:
      "Use another user name, or drop the role if nobody needs it. If the object is to take it over: the owner names it in the rule's adopt, which helps only where the role carries no mark. Where others keep the roles nobody looks again: the message says what to do.",
  },
  RoleNotAdoptable: {
    means: 'A role that a rule lets the object take over is powerful, or somebody else granted it rds_iam.',
    remedy: 'Mend what the message names, as the one who granted it; or use another user name.',
  },
  WouldLockOut: {
    means: 'rds_iam on this role would end the password logins of other roles.',
    remedy:
      'Revoke the role from the roles that the message names, as the message says; if its creator is one of them and there is no superuser, make it a group of another name instead of adopting it.',
  },
  AdminWouldLoseLogin: {
    means: 'The change would make the admin itself a member of rds_iam, which ends its password login.',
    remedy:
      'Use an IAM admin, or functions that keep the admin out of rds_iam: run what kubectl iamdb admin-sql prints.',
  },
  MissingCreateRole: {
    means: 'The admin may not create roles.',
    remedy:
      'Run what kubectl iamdb admin-sql prints, as a member of rds_superuser; the message has the statement.',
  },
  MissingAdminOption: {
    means: 'The admin may not grant a role: it lacks ADMIN OPTION on it.',
    remedy:
      'Run what kubectl iamdb admin-sql --group <role> prints, as a role that has it; the message has the statement.',
  },
  MissingGrantOption: {
    means: 'The admin may not grant CONNECT on a database, and the user does not have it otherwise.',
    remedy: "GRANT CONNECT ON DATABASE <name> TO <user>; as the database's owner.",
  },
  GroupNotFound: {
    means: 'A group in memberOf does not exist on the server.',
    remedy: 'CREATE ROLE <group> NOLOGIN; the operator looks again by itself.',
  },
  PrivilegedGroup: {
    means: 'A group in memberOf is, or reaches, a powerful role.',
    remedy:
      'Remove it from memberOf; such roles are never granted. Of roles pg_* and owners of databases or schemas the message says so: the owner of the IamDatabase may list the role itself in spec.allow[].memberOf.',
  },
  SettingInvalid: {
    means: 'PostgreSQL does not accept a value in settings.',
    remedy: 'Mend the setting that the message names.',
  },
  DatabaseNameNotFound: {
    means: 'A database in connectDatabases does not exist on the server.',
    remedy: 'CREATE DATABASE <name>; or mend connectDatabases.',
  },
  BlueGreenInProgress: {
    means:
      'A blue/green deployment of the database is under way, and changes of roles would degrade its replication or be lost with the switch. They are held; an access that ends has lost its policies and its sessions already.',
    remedy: 'Switch over, or delete the deployment; the operator goes on by itself.',
  },
  DatabaseUnavailable: {
    means: 'The database server cannot be reached or is not taking connections.',
    remedy: 'Check network, security groups and the database; the operator goes on by itself.',
  },
  DatabaseBusy: {
    means:
      'The database server answers, but has no connection to spare, or somebody else held what the operator had to change.',
    remedy:
      'Free connections, or end the transaction that stays open (pg_locks, pg_stat_activity); the operator goes on by itself.',
  },
  ReadOnlyServer: {
    means: 'The endpoint leads to a read-only server, as during a failover.',
    remedy: 'Wait for the failover to end; the operator connects anew.',
  },
  ...adminReasons,
  // trust bundle and connection
  ForeignConfigMap: {
    means: 'A ConfigMap of that name exists and is not ours.',
    remedy: 'Name another ConfigMap, or delete that one if nobody needs it.',
  },
  ConfigMapClaimed: {
    means: 'Another IamDatabaseUser already keeps this ConfigMap.',
    remedy: 'Set connection.configMapName to a name of its own.',
  },
  BundleInvalid: {
    means: 'What the trust store sent is no valid bundle of the region.',
    remedy: 'Check the trust store or its mirror; the last good bundle stays in place.',
  },
  BundleUnavailable: {
    means: 'The trust store cannot be reached and no good bundle is at hand.',
    remedy: 'Allow the operator to reach it, or set --trust-store-url to a mirror.',
  },
  // access
  TokenRefused: {
    means: 'The database refused the token for longer than propagation takes.',
    remedy:
      'Check the ARN in the policy, permission boundaries and SCPs, and that the role is the right one.',
  },
  CertificateRejected: {
    means: "The server's certificate does not verify against the region's roots or the endpoint's name.",
    remedy: 'Check that the endpoint is the real one and that no proxy ends TLS in between.',
  },
  Unreachable: {
    means: 'The endpoint did not answer.',
    remedy: 'Check DNS, routes and security groups between operator and database.',
  },
  WrongIdentity: {
    means: 'The login was answered with another user name.',
    remedy: 'ALTER ROLE <user> RESET role; and check for a proxy that maps users.',
  },
  LoginForbidden: {
    means: 'The login was authenticated but not let in, or there was no connection to spare for it.',
    remedy:
      'Check LOGIN, CONNECT on the database, and which connection limit the message names: of the role, of its database, or of the server.',
  },
  // everything else
  KubernetesUnavailable: {
    means: 'The Kubernetes API refused or did not answer.',
    remedy: 'The operator tries again; check its Role if the message says forbidden.',
  },
  InternalError: {
    means: 'An unforeseen error.',
    remedy: "Read the operator's log for this object and report it.",
  },
} as const;

export type Reason = keyof typeof reasons;

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** metav1.Condition, with closed types and reasons. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: ConditionStatus;
  readonly reason: Reason;
  readonly message: string;
  readonly observedGeneration: number;
  /** RFC 3339; moves only when `status` does; that of Reconciling also with the generation. */
  readonly lastTransitionTime: string;
}
