// The operator as a process of its own, from its production bundle.
import { existsSync, readFileSync } from 'node:fs';
import type { Child, Children } from '../bed/children.ts';
import { nodeEnvironment, nodeFlags, operatorBundle } from './bundle.ts';

export interface OperatorProcess {
  readonly logFile: string;
  /** Its log, parsed. */
  log(): readonly Readonly<Record<string, unknown>>[];
  /** All that it wrote, stderr included. */
  output(): string;
  start(): Promise<void>;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** Ends it as a lost node does. */
  kill(): Promise<void>;
  running(): boolean;
  /** Undefined while it runs, and where a signal ended it. */
  exitCode(): number | undefined;
  pid(): number | undefined;
}

export function operatorProcess(options: {
  readonly children: Children;
  readonly folder: string;
  readonly kubeconfig: string;
  readonly env: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
}): OperatorProcess {
  const { children, folder, kubeconfig, env, settings } = options;
  const logFile = `${folder}/operator.log`;
  let child: Child | undefined;

  const end = async (signal: NodeJS.Signals) => {
    await child?.stop(signal);
    child = undefined;
  };
  const output = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  return {
    logFile,
    output,
    log: () =>
      output()
        .split('\n')
        // Not the one that is being written, nor one that a kill cut short.
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
    start: async () => {
      if (child?.running() === true) throw new Error('the operator runs already');
      child = await children.start({
        command: process.execPath,
        args: [
          ...nodeFlags,
          operatorBundle(),
          ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
        ],
        env: { PATH: process.env['PATH'] ?? '', KUBECONFIG: kubeconfig, ...nodeEnvironment, ...env },
        logFile,
        stopSignal: 'SIGTERM',
      });
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    running: () => child?.running() === true,
    exitCode: () => child?.exitCode(),
    pid: () => child?.pid,
  };
}
