/** Free ports on the loopback address. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server } from 'node:net';

/** Below those that a system gives to clients, and to servers that ask for any: nobody comes upon one of these by chance. */
const [lowest, highest] = [10_000, 29_999];

/** Distinct ports that nobody listened on a moment ago; somebody else may still be quicker, so starts are retried. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(servers.map(takePort));
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

async function takePort(server: Server): Promise<number> {
  for (;;) {
    const port = randomInt(lowest, highest + 1);
    const failed = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once('error', resolve);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', resolve);
        resolve(undefined);
      });
    });
    if (failed === undefined) return port;
    if (failed.code !== 'EADDRINUSE') throw failed;
  }
}
