/** Runs a program to its end and answers with what it printed. */
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
}

/** Throws with the end of its standard error when it fails. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { guard, onErrorLine, ...rest } = options;
  const { process: child } = await guard.spawn({ command, args, stopSignal: 'SIGKILL', ...rest });
  const out: Buffer[] = [];
  const lastErrors: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  createInterface({ input: child.stderr }).on('line', (line) => {
    lastErrors.push(line);
    if (lastErrors.length > 15) lastErrors.shift();
    onErrorLine?.(line);
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args[0] ?? ''} failed (${code}): ${lastErrors.join('\n')}`);
  return Buffer.concat(out).toString();
}
