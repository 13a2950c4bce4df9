// What the operator wrote, as those see it to whom it writes.
import { type AuditEntry, readAudit, writesOf } from '../bed/audit.ts';
import { operatorAccount, operatorNamespace } from './cluster.ts';
import type { Stage } from './stage.ts';

/** Its writes to the API server so far, events and leases apart. */
export async function kubeWrites({ bed }: Stage): Promise<readonly AuditEntry[]> {
  const audit = await readAudit(bed.kube.auditLogFile);
  return writesOf(`system:serviceaccount:${operatorNamespace}:${operatorAccount}`, audit).filter(
    ({ objectRef }) => objectRef?.resource !== 'events' && objectRef?.resource !== 'leases',
  );
}

/** Its writes to IAM, from an index of `aws.calls` on, by the names of the actions. */
export function iamWrites({ aws }: Stage, from = 0): readonly string[] {
  return aws.calls.slice(from).flatMap(({ writes, action }) => (writes ? [action] : []));
}
