/** The few messages of the PostgreSQL protocol (version 3) that the RDS gate reads or makes itself. */
import type { Duplex } from 'node:stream';

/** Codes that stand where the protocol version would. */
export const codes = { ssl: 80_877_103, gss: 80_877_104, cancel: 80_877_102 } as const;

/** The server's own limits for a start-up packet and for a password. */
const maxStartupBytes = 10_000;
const maxMessageBytes = 65_535;

export interface FirstPacket {
  readonly code: number;
  readonly raw: Buffer;
}

export interface Message {
  readonly type: string;
  readonly body: Buffer;
  readonly raw: Buffer;
}

/** Rejects when the stream ends first. */
export async function readFirstPacket(stream: Duplex): Promise<FirstPacket> {
  const header = await readExactly(stream, 4);
  const length = header.readUInt32BE(0);
  if (length < 8 || length > maxStartupBytes) throw new Error('not a PostgreSQL client');
  const rest = await readExactly(stream, length - 4);
  return { code: rest.readUInt32BE(0), raw: Buffer.concat([header, rest]) };
}

export async function readMessage(stream: Duplex): Promise<Message> {
  const header = await readExactly(stream, 5);
  const length = header.readUInt32BE(1);
  if (length < 4 || length > maxMessageBytes) throw new Error('a message of an impossible length');
  const body = length === 4 ? Buffer.alloc(0) : await readExactly(stream, length - 4);
  return { type: header.toString('latin1', 0, 1), body, raw: Buffer.concat([header, body]) };
}

/** What is not taken stays in the stream, for the next reader or for a pipe. */
async function readExactly(stream: Duplex, size: number): Promise<Buffer> {
  for (;;) {
    const chunk: unknown = stream.read(size);
    if (Buffer.isBuffer(chunk) && chunk.length === size) return chunk;
    // At its end a stream hands out what is left, however little.
    if (chunk !== null || stream.readableEnded || stream.destroyed) throw new Error('the connection ended');
    await readable(stream);
  }
}

function readable(stream: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    const events = ['readable', 'end', 'close', 'error'] as const;
    const done = (error?: unknown): void => {
      for (const event of events) stream.removeListener(event, done);
      if (error instanceof Error) reject(error);
      else resolve();
    };
    for (const event of events) stream.on(event, done);
  });
}

export type StartupParameters = ReadonlyMap<string, string>;

export function parseStartup(packet: FirstPacket): StartupParameters {
  const texts = packet.raw.toString('utf8', 8).split('\0');
  const parameters = new Map<string, string>();
  for (let at = 0; at + 1 < texts.length && texts[at] !== ''; at += 2) {
    parameters.set(texts[at] ?? '', texts[at + 1] ?? '');
  }
  return parameters;
}

export function startup(code: number, parameters: StartupParameters): Buffer {
  const texts = [...parameters].flatMap(([name, value]) => [name, value]);
  const body = Buffer.from(`${texts.join('\0')}\0\0`, 'utf8');
  const header = Buffer.alloc(8);
  header.writeUInt32BE(body.length + 8, 0);
  header.writeUInt32BE(code, 4);
  return Buffer.concat([header, body]);
}

export function isAuthenticationOk(message: Message): boolean {
  return message.type === 'R' && message.body.length === 4 && message.body.readUInt32BE(0) === 0;
}

/** AuthenticationCleartextPassword. */
export const askForPassword = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);

export function passwordOf(message: Message): string | undefined {
  if (message.type !== 'p') return undefined;
  const end = message.body.indexOf(0);
  return end === message.body.length - 1 ? message.body.toString('utf8', 0, end) : undefined;
}

/** FATAL, as a server ends a login. */
export const fatal = (sqlState: string, text: string): Buffer =>
  errorResponse('FATAL', sqlState, text, ['auth.c', 'auth_failed']);

/** FATAL ends a session, ERROR a statement. */
export function errorResponse(
  severity: 'FATAL' | 'ERROR',
  sqlState: string,
  text: string,
  [file, routine]: readonly [file: string, routine: string] = ['postgres.c', 'exec_simple_query'],
): Buffer {
  const fields = [
    ['S', severity],
    ['V', severity],
    ['C', sqlState],
    ['M', text],
    ['F', file],
    ['R', routine],
  ];
  const body = Buffer.from(`${fields.map(([key, value]) => `${key}${value}\0`).join('')}\0`, 'utf8');
  const header = Buffer.alloc(5);
  header.write('E', 'latin1');
  header.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}
