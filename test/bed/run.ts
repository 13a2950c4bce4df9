/** Runs a program to its end, or to its time limit, and answers with what it printed. */
import { createInterface } from 'node:readline';
import type { Guard } from './guard.ts';

export interface RunOptions {
  readonly guard: Guard;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  /** Each line of its standard error, as it comes. */
  readonly onErrorLine?: (line: string) => void;
  /** Default: what a slow machine with a slow network needs. */
  readonly limitMs?: number;
}

const patienceMs = 15 * 60_000;

/** Throws with the end of its standard error when it fails, and when its time is up: then all that it started is ended too. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { guard, onErrorLine, limitMs = patienceMs, ...rest } = options;
  const { pid, process: child } = await guard.spawn({ command, args, stopSignal: 'SIGKILL', ...rest });
  const out: Buffer[] = [];
  const lastErrors: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastErrors.push(line);
    if (lastErrors.length > 15) lastErrors.shift();
    onErrorLine?.(line);
  });
  let late = false;
  const limit = setTimeout(() => {
    late = true;
    endGroup(pid);
  }, limitMs);
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  clearTimeout(limit);
  if (late) {
    throw new Error(
      `${command} ${args[0] ?? ''} was ended after ${limitMs / 1000} s: ${lastErrors.join('\n')}`,
    );
  }
  if (code !== 0) throw new Error(`${command} ${args[0] ?? ''} failed (${code}): ${lastErrors.join('\n')}`);
  return Buffer.concat(out).toString();
}

/** The guard makes each program the leader of a group: what it started may hold its output open, and us with it. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has gone already.
  }
}
