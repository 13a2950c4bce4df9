/**
 * The program that outlives a bed for a moment: it is told which processes and folders belong to it, and when its
 * input ends, because the bed ended or was killed, it ends those processes and removes those folders.
 *
 * Lines on the input: `watch PID SIGNAL`, `forget PID`, `remove FOLDER`.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

const processes = new Map<number, NodeJS.Signals>();
const folders = new Set<string>();

/** How long a process may take to follow its signal before it is killed. */
const graceMs = 3_000;

// Ctrl-C reaches the whole terminal group; the work here begins only after everybody else has gone.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const [command, first = '', second = 'SIGKILL'] = line.split('\t');
  if (command === 'watch') processes.set(Number(first), second as NodeJS.Signals);
  if (command === 'forget') processes.delete(Number(first));
  if (command === 'remove') folders.add(first);
}

for (const [pid, signal] of processes) send(pid, signal);
for (const end = Date.now() + graceMs; Date.now() < end && [...processes.keys()].some(alive); )
  await wait(20);
for (const pid of processes.keys()) send(pid, 'SIGKILL');
for (const folder of folders)
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });

/** To the process's group as well: each was started as the leader of one. */
function send(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
    } catch {
      // It has gone already.
    }
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
