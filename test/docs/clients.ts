// What the example programs run in: their libraries, and a view of the machine in which the endpoint's name leads to the gate.
import { execFile } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../bed/binaries.ts';
import { createGuard } from '../bed/guard.ts';
import { withLock } from '../bed/lock.ts';
import { run as runGuarded } from '../bed/run.ts';
import { root } from './pages.ts';

const run = promisify(execFile);
export const clientsFolder = join(root, 'examples/clients');

/** Whether it starts; otherwise why the program is skipped. */
export async function whyNot(command: string, ...args: readonly string[]): Promise<string | undefined> {
  return await run(command, args).then(
    () => undefined,
    () => `${command} is not to be had here`,
  );
}

/**
 * Runs a program that knows nothing of the test: in a mount namespace of its own /etc/hosts is another file. So names are
 * resolved as the program does it, and TLS is checked against the real name.
 */
export async function runWithHosts(
  hosts: string,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
  const { stdout } = await run('unshare', ['--mount', 'sh', '-c', script, hosts, ...command], {
    env,
    timeout: 120_000,
  });
  return stdout;
}

/** Listens at the port that the endpoint has, at an address of the loopback range that nobody else uses. */
export async function forward(
  port: number,
  to: number,
): Promise<{ readonly address: string; stop(): Promise<void> }> {
  const address = `127.${randomInt(1, 254)}.${randomInt(1, 254)}.${randomInt(1, 254)}`;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port: to });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen({ host: address, port }, done);
  });
  return {
    address,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** Libraries that are fetched once: kept by what asks for them. `make` fills the folder. */
async function cached(
  name: string,
  from: readonly string[],
  make: (folder: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256');
  for (const file of from) hash.update(await readFile(file));
  const folder = join(dirname(cacheFolder(process.env)), `${name}-${hash.digest('hex').slice(0, 12)}`);
  const done = join(folder, '.complete');
  await mkdir(folder, { recursive: true });
  await withLock(`${folder}.lock`, console.error, async () => {
    if (existsSync(done)) return;
    await make(folder);
    await writeFile(done, '');
  });
  return folder;
}

/** What keeps an example from being built here that is no fault of the example. */
export class Unfetched extends Error {}

/** A download may leave programs behind that hold on to its output: at its time limit all of them are ended. */
async function build(command: string, args: readonly string[], cwd: string): Promise<void> {
  const guard = createGuard();
  try {
    await runGuarded(command, args, { guard, cwd, env: goEnvironment(), limitMs: 500_000 });
  } finally {
    await guard.dismiss();
  }
}

/** Whatever goes wrong while libraries are fetched, from a registry that is down to a time limit, is a reason to skip. */
async function fetching(what: string, work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    throw new Unfetched(`${what} cannot be fetched here: ${String(error).slice(0, 300)}`, { cause: error });
  });
}

/** Never another toolchain than the one that is here: fetching one is another way to hang. */
const goEnvironment = () => ({ ...process.env, GOTOOLCHAIN: 'local' });

/** Why Go cannot build the example: it is not here, or older than its go.mod asks for. */
export async function whyNoGo(): Promise<string | undefined> {
  const wanted = /^go (\S+)$/m.exec(await readFile(join(clientsFolder, 'go/go.mod'), 'utf8'))?.[1] ?? '';
  const version = await run('go', ['env', 'GOVERSION'], { env: goEnvironment(), timeout: 60_000 }).then(
    ({ stdout }) => stdout.trim(),
    (error: unknown) => {
      // Slow, or broken, is not absent.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    },
  );
  if (version === undefined) return 'go is not to be had here';
  return isOlder(version, wanted) ? `${version} is here, and the example needs ${wanted}` : undefined;
}

/** Of versions as Go writes them, like go1.25.3; what cannot be read, like a development version, is not. */
export function isOlder(version: string, wanted: string): boolean {
  const [, major = '', minor = ''] = /^(?:go)?(\d+)\.(\d+)/.exec(version) ?? [];
  const [, wantedMajor = '', wantedMinor = ''] = /^(\d+)\.(\d+)/.exec(wanted) ?? [];
  if (major === '') return false;
  return (
    Number(major) - Number(wantedMajor) < 0 || (major === wantedMajor && Number(minor) < Number(wantedMinor))
  );
}

/** The Go example as a program. */
export async function buildGo(): Promise<string> {
  const source = join(clientsFolder, 'go');
  const files = ['main.go', 'go.mod', 'go.sum'].map((file) => join(source, file));
  const folder = await cached('client-go', files, async (place) => {
    await cp(source, place, { recursive: true });
    await fetching('the modules of the Go example', build('go', ['mod', 'download'], place));
    await build('go', ['build', '-o', 'client', '.'], place);
  });
  return join(folder, 'client');
}

/** The folder with the jars of the Java example. */
export async function fetchJars(): Promise<string> {
  const pom = join(clientsFolder, 'java/pom.xml');
  const folder = await cached('client-java', [pom], async (place) => {
    const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${join(place, 'lib')}`];
    await fetching(
      'the libraries of the Java example',
      build('mvn', ['-q', '-B', '-f', pom, ...goal], place),
    );
  });
  return join(folder, 'lib');
}
