/** Reads the API server's audit log, so that tests can count who wrote what. */
import { readFile } from 'node:fs/promises';

export interface AuditEntry {
  readonly verb: string;
  readonly user: {
    readonly username: string;
    /** Of `authentication.kubernetes.io/credential-id`: which token it was. */
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code: number };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly stage: string;
}

const writingVerbs: ReadonlySet<string> = new Set([
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
]);

export async function readAudit(file: string): Promise<readonly AuditEntry[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  // The last line may be one that is being written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as AuditEntry);
}

/** Finished requests of that user that change something, refused ones included. */
export function writesOf(username: string, entries: readonly AuditEntry[]): readonly AuditEntry[] {
  return entries.filter(
    (entry) =>
      entry.stage === 'ResponseComplete' && entry.user.username === username && writingVerbs.has(entry.verb),
  );
}
