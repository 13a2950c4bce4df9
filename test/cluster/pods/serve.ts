// How the pods of the stand-ins are reached: ports of the pod that lead to the loopback address, and answers in JSON.
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';

/** The stand-ins listen on the loopback address, as everywhere; the pod's own address leads there from here on. */
export async function publish(port: number, loopbackPort: number): Promise<void> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const inside = connect({ host: '127.0.0.1', port: loopbackPort, allowHalfOpen: true, noDelay: true });
    for (const [one, other] of [
      [client, inside],
      [inside, client],
    ] as const) {
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.once('close', () => other.destroy());
    }
  });
  server.listen(port);
  await once(server, 'listening');
}

export type Answers = Readonly<Record<string, (question: unknown) => unknown>>;

/** Each path answers in JSON, to what was sent in JSON; every other path says that the pod is ready. */
export async function answer(port: number, answers: Answers): Promise<void> {
  const server = createHttpServer((request, response) => {
    const reply = async () => {
      const sent = await text(request);
      const question: unknown = sent === '' ? undefined : JSON.parse(sent);
      const found = (await answers[request.url ?? '']?.(question)) ?? null;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(found));
    };
    reply().catch((error: unknown) => {
      response.writeHead(500, { 'content-type': 'text/plain' });
      response.end(String(error));
    });
  });
  server.listen(port);
  await once(server, 'listening');
}

/** As the first process of a container: without a handler the kernel would drop the signal. */
export function endOnSignal(stop: () => Promise<void> = async () => {}): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
}
