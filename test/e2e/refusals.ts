// What the tests of refusals share: a stage with a user that has to stay as it is, and what to look at.
import { expect } from 'vitest';
import type { IamDatabase } from '../../src/api/objects.ts';
import { accountID } from '../stage/account.ts';
import {
  checkoutRole,
  quickSettings,
  type Scene,
  sceneOf,
  type UserManifest,
  userManifest,
} from '../stage/scene.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { type DatabaseManifest, type Stage, startStage } from '../stage/stage.ts';

export type AllowRule = IamDatabase['spec']['allow'][number];
export const roleARN = (name: string) => `arn:aws:iam::${accountID}:role/${name}`;
export const rule = (changes: Partial<AllowRule> = {}): AllowRule => ({
  namespaces: { names: ['payments'] },
  usernames: ['*'],
  memberOf: ['orders_readwrite', 'orders_readonly'],
  principals: [roleARN('payments-*')],
  ...changes,
});

/** Applied before everything else, and expected to work through all of it. */
export const bystander = userManifest('bystander');
export const usernameOf = ({ spec }: UserManifest) => String(spec['username']);

export interface Refusals {
  readonly stage: Stage;
  readonly scene: Scene;
  /** The database of the bystander. */
  orders(): DatabaseManifest;
  /** Another IamDatabase for the same server. */
  second(allow: readonly AllowRule[], name?: string, database?: string): DatabaseManifest;
  sql<Row = Record<string, unknown>>(text: string): Promise<Row[]>;
  /** ARNs of a user name that any policy of the role allows. */
  arnsOf(username: string): readonly string[];
  roleOf(username: string): Promise<readonly unknown[]>;
  groupsOf(username: string): Promise<readonly string[]>;
  /** No finalizer, no role, no right in IAM, no ConfigMap: as if it had never been applied. */
  expectNothingBegun(user: UserManifest): Promise<void>;
  /** Neither a role nor a right in IAM. */
  expectNoAccess(user: UserManifest): Promise<void>;
  /** Proven, and by our own login as well. */
  expectServed(user: UserManifest, by?: string): Promise<void>;
  /** The bystander logs in, and its right in IAM is where it was. */
  expectBystander(): Promise<void>;
  remove(...users: readonly UserManifest[]): Promise<void>;
}

export async function startRefusals(
  settings: Readonly<Record<string, string>> = {},
  usualPostgres: PostgresMajor = 17,
): Promise<Refusals> {
  const stage = await startStage({ usualPostgres, settings: { ...quickSettings, ...settings } });
  const scene = sceneOf(stage);
  const sql: Refusals['sql'] = async (text) => await stage.database.postgres.sql(text);
  const spec = {
    resync: { policy: 'Periodic', intervalSeconds: 30 },
    probe: { policy: 'Periodic', intervalSeconds: 60 },
  } as const;
  const orders = () => stage.iamDatabase({ spec });
  await stage.operator.start();
  await scene.apply(orders());
  await scene.apply(bystander);
  await scene.untilReady(bystander);

  const arnsOf = (username: string) =>
    scene.allowedARNs('payments-checkout').filter((arn) => arn.endsWith(`/${username}`));
  const roleOf = async (username: string) =>
    await sql(`SELECT rolname FROM pg_roles WHERE rolname = '${username}'`);
  const expectNoAccess = async (user: UserManifest) => {
    expect(await roleOf(usernameOf(user))).toEqual([]);
    expect(arnsOf(usernameOf(user))).toEqual([]);
  };
  return {
    stage,
    scene,
    orders,
    second: (allow, name = 'second', database = 'orders') =>
      stage.iamDatabase({ name, spec: { ...spec, allow, database } }),
    sql,
    arnsOf,
    roleOf,
    groupsOf: async (username) => {
      const rows = await sql<{ readonly name: string }>(`SELECT DISTINCT roleid::regrole::text AS name
        FROM pg_auth_members WHERE member = '"${username}"'::regrole ORDER BY 1`);
      return rows.map(({ name }) => name);
    },
    expectNothingBegun: async (user) => {
      await expectNoAccess(user);
      expect((await scene.read(user))?.metadata.finalizers ?? []).toEqual([]);
      const { name, namespace } = user.metadata;
      expect(await scene.configMap(namespace, `${name}-connection`)).toBeUndefined();
    },
    expectNoAccess,
    expectServed: async (user, by = checkoutRole) => {
      await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
      await scene.untilReady(user);
      expect(await scene.login(usernameOf(user), by)).toBe(usernameOf(user));
    },
    expectBystander: async () => {
      expect(arnsOf('payments_bystander')).toHaveLength(1);
      expect(await scene.login('payments_bystander')).toBe('payments_bystander');
    },
    remove: async (...users) => {
      for (const user of users) await scene.delete(user);
      for (const user of users) await scene.untilGone(user);
    },
  };
}
