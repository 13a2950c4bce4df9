/** Starts processes that end, and keeps folders that go, when this process does, even when it is killed. */
import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export interface SpawnOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  /** What ends it in order when nobody else is left to do it. */
  readonly stopSignal: NodeJS.Signals;
}

export interface Spawned {
  readonly pid: number;
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>;
}

export interface Guard {
  /** The leader of a process group of its own, so that Ctrl-C reaches it through us only. Its input is empty. */
  spawn(options: SpawnOptions): Promise<Spawned>;
  /** A new folder, removed by `dismiss`; at `prefix` instead of the system's temporary folder if that is given. */
  folder(name: string, prefix?: string): string;
  /** Removes the folders. The processes must have ended: whoever started them knows how they like to. */
  dismiss(): Promise<void>;
}

export function createGuard(): Guard {
  const folders = new Set<string>();
  const watchdog = startWatchdog();

  return {
    async spawn(options) {
      // The shell waits for a line before it becomes the program. If we are killed before the watchdog knows its number,
      // what is left is a shell that reads the end of its input and goes.
      const { command, args, stopSignal, ...rest } = options;
      const child = spawn('/bin/sh', ['-c', 'read -r go && exec "$@" </dev/null', 'sh', command, ...args], {
        ...rest,
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      const { pid } = child;
      if (pid === undefined) throw new Error(`${command} was started without a process number`);
      watchdog.tell('watch', String(pid), stopSignal);
      child.once('exit', () => watchdog.tell('forget', String(pid)));
      child.stdin.on('error', () => {});
      child.stdin.end('go\n');
      return { pid, process: child };
    },

    folder(name, prefix = join(tmpdir(), 'iamdb-bed-')) {
      const path = mkdtempSync(`${prefix}${name}-`);
      watchdog.tell('remove', path);
      folders.add(path);
      return path;
    },

    async dismiss() {
      for (const path of folders) removeFolder(path);
      folders.clear();
      await watchdog.dismiss();
    },
  };
}

/** A server that was killed a moment ago may still be writing its last file. */
function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

interface Watchdog {
  tell(...words: readonly string[]): void;
  dismiss(): Promise<void>;
}

function startWatchdog(): Watchdog {
  // Detached, so that neither Ctrl-C nor a signal to our group reaches it.
  const program = spawn(process.execPath, [join(import.meta.dirname, 'watchdog.ts')], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {},
  });
  const ended = new Promise<void>((resolve) => {
    program.once('exit', () => resolve());
    program.once('error', () => resolve());
  });
  // Its own death must not take us along: in the usual case whoever starts a process also ends it.
  program.stdin.on('error', () => {});
  // We may end while it waits for just that.
  program.unref();
  if ('unref' in program.stdin && typeof program.stdin.unref === 'function') program.stdin.unref();
  return {
    tell(...words) {
      if (program.stdin.writable) program.stdin.write(`${words.join('\t')}\n`);
    },
    async dismiss() {
      program.ref();
      program.stdin.end();
      await ended;
    },
  };
}
