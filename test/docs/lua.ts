// Lua 5.1, which Argo CD runs its health checks and actions in.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findPython } from './python.ts';

const found = await findPython(['lupa==2.8']);
if ('missing' in found) console.error(`tests of the Lua scripts are skipped: ${found.missing}`);
export const noLua = 'missing' in found;

export interface Lua {
  /** What the script returns for the object. */
  run<T>(script: string, object: unknown): Promise<T>;
  stop(): void;
}

export function startLua(): Lua {
  if ('missing' in found) throw new Error(found.missing);
  const child = spawn(found.path, [join(import.meta.dirname, 'lua.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    run: async <T>(script: string, object: unknown) => {
      child.stdin.write(`${JSON.stringify({ script, object })}\n`);
      const { value, done } = await answers.next();
      if (done === true) throw new Error('the Lua interpreter ended; its words are above');
      return JSON.parse(value) as T;
    },
    stop: () => {
      child.stdin.end();
    },
  };
}
