// moto as a server of its own, in a process that ends with its test.
import { join } from 'node:path';
import type { Children } from '../bed/children.ts';
import { freePorts } from '../bed/ports.ts';
import { until } from '../stage/wait.ts';
import { installMoto } from './install.ts';

/** Answers with its URL. */
export async function startMotoServer(
  children: Children,
  accountID: string,
  progress: (text: string) => void = () => {},
): Promise<string> {
  const python = await installMoto(progress);
  const [port = 0] = await freePorts(1);
  const child = await children.start({
    command: python,
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)],
    env: { PATH: process.env['PATH'] ?? '', MOTO_ACCOUNT_ID: accountID },
    logFile: join(children.guard.folder('moto'), 'moto.log'),
    stopSignal: 'SIGTERM',
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = async () => {
    if (!child.running()) throw new Error(`moto ended: ${child.lastOutput()}`);
    return await fetch(`${url}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await until('moto to answer', answers, { withinMs: 60_000, everyMs: 100 });
  return url;
}
