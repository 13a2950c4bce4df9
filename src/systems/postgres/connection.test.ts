// Where a connection may go: what a name leads to is judged when it is dialled, not only when it is written.
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Secret } from '../../kernel/secret.ts';
import { connect } from './connection.ts';

let dialled = 0;
const server = createServer((socket) => {
  dialled += 1;
  socket.destroy();
});

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));

const to = (host: string, mayDial?: (address: string) => boolean) =>
  connect(
    {
      host: 'orders.example.com',
      port: 5432,
      dial: { host, port: (server.address() as AddressInfo).port },
      database: 'orders',
      username: 'checkout',
      password: new Secret('token'),
      ca: '',
      timeoutMs: 5_000,
      ...(mayDial === undefined ? {} : { mayDial }),
    },
    AbortSignal.timeout(5_000),
  );

it('refuses a name that leads to a refused address, without dialling it', async () => {
  await expect(to('localhost', (address) => !['127.0.0.1', '::1'].includes(address))).rejects.toMatchObject({
    reason: 'AddressRefused',
  });
  expect(dialled).toBe(0);
});

it('refuses the address itself too', async () => {
  await expect(to('127.0.0.1', () => false)).rejects.toMatchObject({ reason: 'AddressRefused' });
  expect(dialled).toBe(0);
});

it('dials what may be dialled', async () => {
  await expect(to('127.0.0.1', () => true)).rejects.not.toMatchObject({ reason: 'AddressRefused' });
  expect(dialled).toBe(1);
});
