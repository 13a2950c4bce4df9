// The closed list of reasons of events that are no conditions, each with what it means and what to do.

export const eventReasons = {
  DriftRepaired: {
    means: 'Something was no longer as declared although nobody edited the object, and was put right.',
    remedy: 'Find out who changed it: CloudTrail for policies, the PostgreSQL log for roles.',
  },
  RoleKept: {
    means: 'A role was kept at deletion, without login and rds_iam, because something hangs on it.',
    remedy: 'Hand over what the message lists (REASSIGN OWNED, REVOKE), then DROP ROLE.',
  },
  RoleGivenUp: {
    means:
      'A user was deleted and its role not ended: the database is gone, or cannot be reached as the admin and has orphanOnUnreachable.',
    remedy: 'Nothing if the database is gone. Else DROP ROLE once it can be reached.',
  },
  RoleLeft: {
    means:
      'An object was deleted whose role somebody else keeps (spec.role.delivery SQL or None); the role is still there.',
    remedy:
      'Compare role.sql of the ConfigMap <user>-sql, which ends it by now, with the sha256 of the message; run it, then delete that ConfigMap; with None do what was agreed.',
  },
  AccessEnded: {
    means: 'The access of a user was ended and its role kept; the condition Ready says why.',
    remedy: '',
  },
  Retained: {
    means: 'An object was deleted and its access was left as it is; nothing keeps it up any more.',
    remedy:
      'To end it: DROP ROLE in the database, and take the ARN out of statement IamdbReleased of the policies that the message tells of.',
  },
} as const;

export type EventReason = keyof typeof eventReasons;
