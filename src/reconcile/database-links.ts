// What an IamDatabase says of its two links: of the target, and of the admin.
import type { ResolvedTarget } from '../resources/target/target.ts';
import { Failure } from '../kernel/failure.ts';
import type { DatabaseState } from './database-state.ts';
import { failed, good, type Link, waiting } from './status.ts';

export function linksOf({ target, unconfirmed, admin, advice }: DatabaseState): readonly Link[] {
  if (target instanceof Failure)
    return [failed('TargetResolved', target), waiting('AdminReady', 'TargetResolved')];
  const [trouble] = target.troubles ?? [];
  return [
    trouble === undefined
      ? {
          ...good('TargetResolved', 'Resolved', foundTarget(target, unconfirmed)),
          // Asked again sooner, and in the log; what was resolved is used on.
          ...(unconfirmed === undefined ? {} : { failure: unconfirmed }),
        }
      : failed('TargetResolved', trouble),
    adminLink(admin, advice),
  ];
}

function adminLink(admin: DatabaseState['admin'], advice: string | undefined): Link {
  const more = advice === undefined ? '' : ` ${advice}`;
  if (admin === 'NotUsed') return adminNotUsed;
  if (admin instanceof Failure) {
    const link = failed('AdminReady', admin);
    return { ...link, message: `${link.message}${more}` };
  }
  return good(
    'AdminReady',
    'Rehearsed',
    `The admin may create roles and grant rds_iam without losing its login.${more}`,
  );
}

const adminNotUsed: Link = {
  type: 'AdminReady',
  status: 'Unknown',
  reason: 'NotManaged',
  message: 'Somebody else keeps the roles (role.delivery), so no admin is used.',
  optional: true,
};

const foundTarget = (target: ResolvedTarget, unconfirmed: Failure | undefined) =>
  `${target.endpoint}:${target.port} is ${target.serverResourceID}.${switching(target)}${unconfirmed === undefined ? '' : ` Not confirmed lately: ${unconfirmed.message}`}`;

function switching({ isInBlueGreen, resourceIDs, serverResourceID }: ResolvedTarget): string {
  if (isInBlueGreen !== true) return '';
  const other = resourceIDs.find((id) => id !== serverResourceID && !id.startsWith('prx-'));
  return ` A blue/green deployment${other === undefined ? '' : ` with ${other}`} is under way: roles are not changed before the switch. An admin that logs in by token needs rds-db:connect on both ids.`;
}
