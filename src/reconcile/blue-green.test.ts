// A blue/green deployment: what is held while it is under way, what is not, and what follows the switch.
import { beforeEach, describe, expect, it } from 'vitest';
import { aDatabase, aTarget, aUser, dbARN, deleted, roleARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import { reconcileDatabase } from './database.ts';
import { reconcileUser } from './user.ts';

const { signal } = new AbortController();
const username = 'payments_checkout';
const green = 'cluster-GREEN';

let world: TestWorld;
const pass = () => reconcileUser('payments/checkout', world, signal);
const look = () => reconcileDatabase('orders', world, signal);
const find = (type: string) => world.stored().status?.conditions?.find((one) => one.type === type);
const told = (type: string) => `${find(type)?.status} ${find(type)?.reason}`;
const changes = () => world.calls.filter((call) => call.startsWith('change role'));

const begin = async () => {
  world.resolved = aTarget({ resourceIDs: ['cluster-ABC', green], isInBlueGreen: true });
  await look();
  world.calls.length = 0;
};
const switchOver = async () => {
  world.resolved = aTarget({ serverResourceID: green, resourceIDs: [green] });
  await look();
  world.calls.length = 0;
};

beforeEach(async () => {
  world = aWorld();
  world.roles.groups.add('orders_readwrite');
  const rule = { ...aDatabase().spec.allow[0], memberOf: ['orders_readwrite'] };
  world.put(aDatabase({ spec: { allow: [rule as never] } }), aUser());
  await look();
});

describe('while it is under way', () => {
  it('a user that works goes on, with the ARNs of both servers, and nothing of its role is changed', async () => {
    await pass();
    await begin();
    await pass();
    expect(told('Ready')).toBe('True Ready');
    expect(changes()).toEqual([]);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN(username), dbARN(username, green)]);
  });

  it('so it does after a restart of the operator', async () => {
    await pass();
    await begin();
    world.restart();
    await pass();
    expect(told('Ready')).toBe('True Ready');
    expect(world.policies.allowed(roleARN)).toHaveLength(2);
  });

  it('a new user is held, gets no role, and nobody is let in as it', async () => {
    await begin();
    await pass();
    expect(told('RoleReady')).toBe('Unknown BlueGreenInProgress');
    expect(told('Ready')).toBe('Unknown BlueGreenInProgress');
    expect(told('Reconciling')).toBe('True BlueGreenInProgress');
    expect(find('RoleReady')?.message).toContain('held: create, mark, grant rds_iam');
    expect(world.roles.has(username)).toBe(false);
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(world.stored().status?.resourceARNs).toEqual([dbARN(username), dbARN(username, green)]);
  });

  it('a change of groups is held, and the ARNs of who has it stay', async () => {
    await pass();
    await begin();
    world.put(aUser({ ...world.stored(), spec: { memberOf: ['orders_readwrite'] } }));
    await pass();
    expect(told('RoleReady')).toBe('Unknown BlueGreenInProgress');
    expect(find('RoleReady')?.message).toContain('grant group');
    expect(changes()).toEqual([]);
    expect(world.policies.allowed(roleARN)).toHaveLength(2);
  });

  it('a user whose change is held gets the ARN of the other server, after a restart too: its role was seen to be ours', async () => {
    await pass();
    world.put(aUser({ ...world.stored(), spec: { memberOf: ['orders_readwrite'] } }));
    await begin();
    world.restart();
    await pass();
    expect(told('RoleReady')).toBe('Unknown BlueGreenInProgress');
    expect(world.policies.allowed(roleARN)).toEqual([dbARN(username), dbARN(username, green)]);
  });

  it('a role that is to be taken over is held, and nobody is let in as it', async () => {
    const rule = { ...aDatabase().spec.allow[0], adopt: [username] };
    world.put(aDatabase({ spec: { allow: [rule as never] } }));
    world.roles.make(username);
    await begin();
    await pass();
    expect(find('RoleReady')?.message).toContain('adopt');
    expect(world.policies.allowed(roleARN)).toEqual([]);
  });

  it('the admin is not rehearsed again', async () => {
    await begin();
    await look();
    expect(world.calls).not.toContain('rehearse');
  });

  it('the database tells with which server, so that the operator itself can be let in there', async () => {
    await begin();
    const condition = world
      .storedDatabase()
      .status?.conditions?.find(({ type }) => type === 'TargetResolved');
    expect(condition?.status).toBe('True');
    expect(condition?.message).toContain(`A blue/green deployment with ${green} is under way`);
    await switchOver();
    const after = world.storedDatabase().status?.conditions?.find(({ type }) => type === 'TargetResolved');
    expect(after?.message).not.toContain('blue/green');
  });

  it('the target is looked at again each minute', async () => {
    world.resolved = aTarget({ resourceIDs: ['cluster-ABC', green], isInBlueGreen: true });
    expect((await look()).afterMs).toBe(60_000);
  });
});

describe('an access that ends while it is under way', () => {
  it('has lost policies and sessions at once; the role waits, and so does the object', async () => {
    await pass();
    await begin();
    world.roles.sessions.add(username);
    world.put(deleted(world.stored()));
    await pass();
    expect(world.policies.allowed(roleARN)).toEqual([]);
    expect(world.roles.sessions.has(username)).toBe(false);
    expect(changes()).toEqual([`change role ${username}: interrupt sessions`]);
    expect(world.roles.mayLogIn(username)).toBe(true);
    expect(told('Ready')).toBe('Unknown BlueGreenInProgress');
    // A login that was under way.
    world.roles.sessions.add(username);
    await pass();
    expect(world.roles.sessions.has(username)).toBe(false);
  });

  it('goes on after the switch, on the server that answers then', async () => {
    await pass();
    await begin();
    world.put(deleted(world.stored()));
    await pass();
    await switchOver();
    await pass();
    expect(world.roles.has(username)).toBe(false);
    expect(world.calls).toContain('release payments/checkout');
  });

  it('by expiry is the same, and says what is left to do', async () => {
    await pass();
    await begin();
    const expirationTime = new Date(world.time - 1000).toISOString();
    world.put(aUser({ ...world.stored(), spec: { expirationTime } }));
    await pass();
    expect(told('RoleReady')).toBe('Unknown BlueGreenInProgress');
    expect(find('Ready')?.message).toContain('follow on the server that answers after the switch');
    expect(world.policies.allowed(roleARN)).toEqual([]);
    await switchOver();
    await pass();
    expect(world.roles.mayLogIn(username)).toBe(false);
    expect(told('Ready')).toBe('False Expired');
  });

  it('with deletionPolicy Retain keeps everything, and waits to give up its mark', async () => {
    await pass();
    await begin();
    world.put(deleted(aUser({ ...world.stored(), spec: { deletionPolicy: 'Retain' } })));
    world.roles.sessions.add(username);
    await pass();
    expect(changes()).toEqual([]);
    expect(world.roles.sessions.has(username)).toBe(true);
    expect(told('Ready')).toBe('Unknown BlueGreenInProgress');
    await switchOver();
    await pass();
    expect(world.roles.commentOf(username)).toContain('released by');
  });
});

describe('after the switch', () => {
  it('what was held is done, the id of the old server goes, and the login is proven again', async () => {
    await pass();
    await begin();
    world.put(aUser({ ...world.stored(), spec: { memberOf: ['orders_readwrite'] } }));
    await pass();
    await switchOver();
    await pass();
    expect(told('Ready')).toBe('True Ready');
    expect(world.calls).toContain(`prove ${username}`);
    expect(world.policies.allowed(roleARN)).toEqual([dbARN(username, green)]);
    expect(world.roles.markOf(username)?.serverResourceID).toBe(green);
  });
});
