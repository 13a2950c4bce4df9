import { beforeEach, describe, expect, it } from 'vitest';
import { aDatabase, aTarget, aUser, dbARN } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import { connectStatement } from '../resources/access/role-rights.ts';
import { Failure } from '../kernel/failure.ts';
import { reconcileUser } from './user.ts';

const roleARN = 'arn:aws:iam::111122223333:role/orders-proxy';
const server = dbARN('payments_checkout');
const documents = (...resources: readonly string[]) => ({
  identity: [JSON.stringify({ Statement: [JSON.parse(connectStatement(resources)) as object] })],
  boundary: undefined,
});

let world: TestWorld;
const pass = () => reconcileUser('payments/checkout', world, new AbortController().signal);
const find = (type: string) => world.stored().status?.conditions?.find((one) => one.type === type);
const told = (type: string) => `${find(type)?.status} ${find(type)?.reason}`;

beforeEach(() => {
  world = aWorld();
  world.put(aDatabase(), aUser());
  const proxy = {
    name: 'orders-proxy',
    partition: 'aws',
    region: 'ap-northeast-2',
    accountID: '111122223333',
    resourceID: 'prx-DEF',
    endpoint: 'orders-proxy.proxy-abc.ap-northeast-2.rds.amazonaws.com',
    roleARN,
  };
  const known = world.known.get('orders');
  if (known === undefined) throw new Error('orders is not known');
  const target = aTarget({ resourceIDs: ['cluster-ABC', 'prx-DEF'], proxies: [proxy] });
  world.known.set('orders', { ...known, target });
});

describe('the role of a proxy', () => {
  it('that may log in to the database as the user lets the user be Ready', async () => {
    world.roleRights.set(roleARN, documents(server));
    await pass();
    expect(told('Ready')).toBe('True Ready');
  });

  it('that lacks the right is told with the exact statement, for the server alone; the database itself is proven', async () => {
    world.roleRights.set(roleARN, documents(dbARN('payments_checkout', 'prx-DEF')));
    await pass();
    expect(told('PolicyReady')).toBe('False ProxyRoleLacksConnect');
    expect(told('Ready')).toBe('False ProxyRoleLacksConnect');
    expect(find('PolicyReady')?.message).toContain(
      `{"Effect":"Allow","Action":"rds-db:connect","Resource":["${server}"]}`,
    );
    expect(told('AccessVerified')).toBe('True Verified');
    world.roleRights.set(roleARN, documents(server));
    await pass();
    expect(told('Ready')).toBe('True Ready');
  });

  it('needs the right on both servers of a blue/green deployment', async () => {
    world.roleRights.set(roleARN, documents(server));
    const known = world.known.get('orders');
    if (known === undefined || known.target instanceof Failure) throw new Error('orders is not resolved');
    const resourceIDs = ['cluster-ABC', 'cluster-GREEN', 'prx-DEF'];
    world.known.set('orders', { ...known, target: { ...known.target, resourceIDs } });
    await pass();
    expect(find('PolicyReady')?.message).toContain(
      connectStatement([dbARN('payments_checkout', 'cluster-GREEN')]),
    );
  });

  it('that does not exist is told', async () => {
    await pass();
    expect(told('PolicyReady')).toBe('False ProxyRoleLacksConnect');
    expect(find('PolicyReady')?.message).toContain('does not exist');
  });

  it('that the operator may not look at is not judged, and that is said', async () => {
    const refused = new Failure('denied', 'AccessDenied', 'AWS refused the operator iam:GetRole.');
    world.roleRights.set(roleARN, refused);
    await pass();
    expect(told('PolicyReady')).toBe('True AsDeclared');
    expect(find('PolicyReady')?.message).toContain('was not checked: AWS refused the operator iam:GetRole.');
    expect(told('Ready')).toBe('True Ready');
  });

  it('that AWS does not tell of now holds Ready back, as the policies of the user would', async () => {
    world.roleRights.set(roleARN, new Failure('throttled', 'Throttled', 'AWS asks to slow down.'));
    await pass();
    expect(told('PolicyReady')).toBe('False Throttled');
  });
});

describe('the trust bundle of a user', () => {
  const bundle = () => Object.keys(world.configMaps.kept.get('payments/rds-ca-ap-northeast-2')?.data ?? {});

  it('has the public roots where it may come through a proxy', async () => {
    world.roleRights.set(roleARN, documents(server));
    await pass();
    expect(bundle()).toEqual(['ap-northeast-2', 'public']);
  });

  it('has them where an Explicit target lists the id of a proxy, and else has not', async () => {
    const known = world.known.get('orders');
    if (known === undefined) throw new Error('orders is not known');
    world.known.set('orders', { ...known, target: aTarget({ resourceIDs: ['cluster-ABC', 'prx-DEF'] }) });
    await pass();
    expect(bundle()).toEqual(['ap-northeast-2', 'public']);
    world.configMaps.kept.clear();
    world.known.set('orders', { ...known, target: aTarget() });
    await pass();
    expect(bundle()).toEqual(['ap-northeast-2']);
  });
});
