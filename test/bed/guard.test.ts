import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { createGuard } from './guard.ts';
import { run } from './run.ts';

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A program under a guard that starts `sleep` under `sh`, says their numbers and its folder, and does what it is told then. */
async function elsewhere(then: string) {
  const guardModule = JSON.stringify(join(import.meta.dirname, 'guard.ts'));
  const script = `
    import { createGuard } from ${guardModule};
    const guard = createGuard();
    const folder = guard.folder('guarded');
    const { pid, process: shell } = await guard.spawn({
      command: '/bin/sh', args: ['-c', 'trap "" TERM; sleep 300 & echo $!; wait'], stopSignal: 'SIGTERM',
    });
    const sleep = await new Promise((resolve) => shell.stdout.once('data', resolve));
    console.log(JSON.stringify({ pids: [pid, Number(sleep)], folder }));
    ${then}
  `;
  const program = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) => {
    createInterface({ input: program.stdout }).once('line', resolve);
  });
  const facts = JSON.parse(line) as { pids: number[]; folder: string };
  return { ...facts, program };
}

describe('the guard', () => {
  it('ends processes with their children, even those that ignore the signal, when its own process is killed', async () => {
    const { pids, folder, program } = await elsewhere('setInterval(() => {}, 60_000);');
    expect(pids.filter(alive)).toEqual(pids);
    expect(existsSync(folder)).toBe(true);
    program.kill('SIGKILL');
    await expect.poll(() => pids.filter(alive), { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => existsSync(folder), { timeout: 10_000 }).toBe(false);
  }, 20_000);

  it('ends them as well when its own process simply ends', async () => {
    const { pids, folder } = await elsewhere('process.exit(3);');
    await expect.poll(() => pids.filter(alive), { timeout: 10_000 }).toEqual([]);
    await expect.poll(() => existsSync(folder), { timeout: 10_000 }).toBe(false);
  }, 20_000);

  it('answers with what a program printed, and with its complaints when it fails', async () => {
    const guard = createGuard();
    expect(await run('/bin/sh', ['-c', 'echo good'], { guard })).toBe('good\n');
    await expect(run('/bin/sh', ['-c', 'echo bad >&2; exit 3'], { guard })).rejects.toThrow(
      /failed \(3\): bad/,
    );
    await expect(run('no-such-program', [], { guard })).rejects.toThrow(/no-such-program.*not found/);
    await guard.dismiss();
  });

  it('ends a program that takes too long, with all that it started', async () => {
    const guard = createGuard();
    let started = 0;
    const endless = run('/bin/sh', ['-c', 'sleep 300 & echo $! >&2; wait'], {
      guard,
      limitMs: 2_000,
      onErrorLine: (line) => {
        started = Number(line);
      },
    });
    await expect(endless).rejects.toThrow('was ended after 2 s');
    expect(started).toBeGreaterThan(0);
    await expect.poll(() => alive(started), { timeout: 10_000 }).toBe(false);
    await guard.dismiss();
  }, 20_000);
});
