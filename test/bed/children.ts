/** The servers of a bed: started under a guard, with their output in files, and ended in order. */
import { createWriteStream, readFileSync } from 'node:fs';
import { createGuard } from './guard.ts';
import type { Guard, SpawnOptions } from './guard.ts';

export interface ChildOptions extends SpawnOptions {
  /** Where its output goes; a failure quotes the end of it. */
  readonly logFile: string;
}

export interface Child {
  readonly pid: number;
  /** Until it has ended and all that it said is in the file. */
  running(): boolean;
  /** Undefined while it runs, and where a signal ended it. */
  exitCode(): number | undefined;
  /** The last lines of its output. */
  lastOutput(): string;
  /** SIGKILL follows after five seconds. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Children {
  readonly guard: Guard;
  start(options: ChildOptions): Promise<Child>;
  /** Ends every child, last started first, and removes the guard's folders. Safe to call twice. */
  stop(): Promise<void>;
}

const killAfterMs = 5_000;

export function createChildren(): Children {
  const guard = createGuard();
  const children: Child[] = [];
  return {
    guard,
    async start(options) {
      const child = await startChild(guard, options);
      children.push(child);
      return child;
    },
    async stop() {
      for (const child of children.splice(0).toReversed()) await child.stop();
      await guard.dismiss();
    },
  };
}

async function startChild(guard: Guard, { logFile, ...options }: ChildOptions): Promise<Child> {
  const { pid, process: started } = await guard.spawn(options);
  const log = createWriteStream(logFile, { flags: 'a' });
  started.stdout.pipe(log, { end: false });
  started.stderr.pipe(log, { end: false });

  let running = true;
  const ended = new Promise<void>((resolve) => {
    started.once('close', () =>
      log.end(() => {
        running = false;
        resolve();
      }),
    );
  });

  return {
    pid,
    running: () => running,
    exitCode: () => started.exitCode ?? undefined,
    lastOutput: () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n'),
    async stop(signal = options.stopSignal) {
      if (running) started.kill(signal);
      const kill = setTimeout(() => started.kill('SIGKILL'), killAfterMs);
      await ended;
      clearTimeout(kill);
    },
  };
}
