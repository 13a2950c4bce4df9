// Counts the operator's writes as they take effect, quickly enough to end it between two of them.
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { Client } from 'pg';
import { type AuditEntry, writesOf } from '../bed/audit.ts';
import { operatorAccount, operatorNamespace } from './cluster.ts';
import type { Stage } from './stage.ts';

/**
 * How many writes of the operator took effect since the call: to the API server, to AWS, and changes of the roles
 * `payments*`. Ask often: two changes of a role between two looks count as one.
 */
export async function watchWrites(
  { aws, bed }: Stage,
  postgres: Pick<Client, 'query'>,
): Promise<() => Promise<number>> {
  const awsFrom = aws.calls.length;
  const file = bed.kube.auditLogFile;
  // The server may be in the middle of a line: what is left of it, or its end alone, is not read as one.
  let offset = Math.max(0, statSync(file).size - 1);
  let begun = offset > 0;
  let rest = '';
  let kube = 0;
  let roles = 0;
  let seen: string | undefined;

  const readKube = () => {
    const size = statSync(file).size - offset;
    if (size === 0) return;
    const buffer = Buffer.alloc(size);
    const handle = openSync(file, 'r');
    offset += readSync(handle, buffer, 0, size, offset);
    closeSync(handle);
    const lines = (rest + buffer.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    if (begun && lines.length > 0) {
      lines.shift();
      begun = false;
    }
    const entries = lines.map((line) => JSON.parse(line) as AuditEntry);
    kube += writesOf(`system:serviceaccount:${operatorNamespace}:${operatorAccount}`, entries).filter(
      ({ objectRef }) => objectRef?.resource !== 'events' && objectRef?.resource !== 'leases',
    ).length;
  };
  const readRoles = async () => {
    const { rows } = await postgres.query<{ readonly all: string }>(`SELECT
      coalesce((SELECT string_agg(concat(rolname, rolcanlogin, rolconnlimit, shobj_description(oid, 'pg_authid')), ' ')
        FROM pg_roles WHERE rolname LIKE 'payments%'), '') ||
      coalesce((SELECT string_agg(concat(roleid, member), ' ') FROM pg_auth_members
        WHERE member::regrole::text LIKE 'payments%'), '') AS all`);
    const now = rows[0]?.all;
    if (seen !== undefined && now !== seen) roles += 1;
    seen = now;
  };
  await readRoles();
  return async () => {
    readKube();
    await readRoles();
    return kube + roles + aws.countWrites(awsFrom);
  };
}
