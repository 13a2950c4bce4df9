/** A bed in a process that can be killed: prints what belongs to it as one JSON line, then stays. For `bed.test.ts`. */
import { execFileSync } from 'node:child_process';
import { startBed } from './bed.ts';

const bed = await startBed({
  postgres: [17],
  aws: { credentials: { lookup: () => undefined }, authorize: () => false },
});
const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=']).toString().trim().split('\n');
const parents = new Map(
  table.map((line): [number, number] => {
    const [pid = 0, parent = 0] = line.trim().split(/\s+/).map(Number);
    return [pid, parent];
  }),
);
const descends = (pid: number | undefined): boolean =>
  pid !== undefined && pid > 1 && (pid === process.pid || descends(parents.get(pid)));
// Without `ps` itself, which has ended by now.
const pids = [...parents.keys()].filter((pid) => pid !== process.pid && descends(pid) && alive(pid));
console.log(JSON.stringify({ pids, folders: [bed.folder('example')] }));
setInterval(() => {}, 60_000);

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
