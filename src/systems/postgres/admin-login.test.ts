// Which passwords are tried, in which order, and what a refusal is told as.
import { type Client, DatabaseError } from 'pg';
import { expect, it } from 'vitest';
import { Failure } from '../../kernel/failure.ts';
import { Secret } from '../../kernel/secret.ts';
import { adminLogin } from './admin-login.ts';

const client = {} as Client;
const refused = Object.assign(new DatabaseError('no', 1, 'error'), { code: '28P01' });
const down = Object.assign(new Error('no'), { code: 'ECONNREFUSED' });

/** A server and a Secret, each with its password, and everything that was tried. */
function aServer(options: { readonly byToken?: boolean } = {}) {
  const world = {
    server: 'one',
    secret: 'one',
    time: 0,
    isDown: false,
    away: undefined as Failure | undefined,
    tried: [] as string[],
  };
  const login = adminLogin({
    username: 'iamdb_admin',
    byToken: options.byToken ?? false,
    password: async () => {
      if (world.away !== undefined) throw world.away;
      return await Promise.resolve(new Secret(world.secret));
    },
    now: () => world.time,
    timeScale: 1,
  });
  const logIn = async () =>
    await login(async (password) => {
      world.tried.push(password.reveal());
      if (world.isDown) throw down;
      if (password.reveal() !== world.server) throw refused;
      return await Promise.resolve(client);
    });
  return { world, logIn };
}

it('tells a password that never worked as refused at once', async () => {
  const { world, logIn } = aServer();
  world.server = 'two';
  await expect(logIn()).rejects.toBe(refused);
});

it('takes a refusal of one that worked for a rotation, for three minutes, and no longer', async () => {
  const { world, logIn } = aServer();
  await logIn();
  world.server = 'two';
  await expect(logIn()).rejects.toMatchObject({ reason: 'AdminChanging', kind: 'unavailable' });
  world.time = 179_999;
  await expect(logIn()).rejects.toMatchObject({ reason: 'AdminChanging' });
  world.time = 180_000;
  await expect(logIn()).rejects.toBe(refused);
  world.secret = 'two';
  expect(await logIn()).toBe(client);
  // It counts anew with the next rotation.
  world.server = 'three';
  await expect(logIn()).rejects.toMatchObject({ reason: 'AdminChanging' });
});

it('goes on with the one that worked for three minutes, so that a wrong one does not stay unseen', async () => {
  const { world, logIn } = aServer();
  await logIn();
  world.secret = 'wrong';
  expect(await logIn()).toBe(client);
  world.time = 179_999;
  expect(await logIn()).toBe(client);
  world.time = 180_000;
  await expect(logIn()).rejects.toBe(refused);
  world.secret = 'one';
  expect(await logIn()).toBe(client);
});

it('goes on with the one that worked while the place where it is kept does not answer', async () => {
  const { world, logIn } = aServer();
  world.away = new Failure('unavailable', 'AwsUnavailable', 'No answer.');
  await expect(logIn()).rejects.toBe(world.away);
  world.away = undefined;
  await logIn();
  world.away = new Failure('throttled', 'Throttled', 'Slower.');
  expect(await logIn()).toBe(client);
  // Who took it away meant it.
  world.away = new Failure('missing', 'AdminSecretMissing', 'None.');
  await expect(logIn()).rejects.toBe(world.away);
});

it('goes on with the one that worked until the server has the new one', async () => {
  const { world, logIn } = aServer();
  await logIn();
  world.secret = 'two';
  expect(await logIn()).toBe(client);
  world.server = 'two';
  expect(await logIn()).toBe(client);
  expect(world.tried).toEqual(['one', 'two', 'one', 'two']);
});

it('tries nothing else, and hides nothing, where it is not the password that is refused', async () => {
  const { world, logIn } = aServer();
  await logIn();
  world.secret = 'two';
  world.isDown = true;
  await expect(logIn()).rejects.toBe(down);
  expect(world.tried).toEqual(['one', 'two']);
});

it('never uses a token twice', async () => {
  const { world, logIn } = aServer({ byToken: true });
  await logIn();
  world.server = 'two';
  await expect(logIn()).rejects.toBe(refused);
  world.secret = 'three';
  await expect(logIn()).rejects.toBe(refused);
  expect(world.tried).toEqual(['one', 'one', 'three']);
});
