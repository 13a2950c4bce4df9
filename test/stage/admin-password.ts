// An admin with a password that changes under running users: what the tests of each place that keeps it have in common.
import { expect } from 'vitest';
import type { Stage } from './stage.ts';
import { type Scene, userManifest } from './scene.ts';
import { until } from './wait.ts';

/** Looks only when asked to, so that sessions are closed in between. */
export const onlyWhenAsked = {
  resync: { policy: 'Periodic', intervalSeconds: 86_400 },
  probe: { policy: 'OnChange', intervalSeconds: 3_600 },
} as const;

export interface AdminPassword {
  /** Changes it in PostgreSQL. */
  inPostgres(password: string): Promise<void>;
  /** The next look has to log in, with what holds by now. */
  untilLoggedOut(): Promise<void>;
  /** Somebody new needs statements of the admin, as whoever it logged in. */
  expectServed(name: string): Promise<void>;
}

export function adminPassword(stage: Stage, scene: Scene): AdminPassword {
  const { username } = stage.admin;
  const { postgres } = stage.database;
  return {
    inPostgres: async (password) => {
      await postgres.sql(`ALTER ROLE ${username} PASSWORD '${password}'`);
    },
    untilLoggedOut: async () => {
      await until('the admin to have no session', async () => {
        const rows = await postgres.sql(`SELECT FROM pg_stat_activity WHERE usename = '${username}'`);
        return rows.length === 0;
      });
    },
    expectServed: async (name) => {
      const user = userManifest(name);
      await scene.apply(user);
      await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
      await scene.untilReady(user);
      expect(await scene.login(`payments_${name}`)).toBe(`payments_${name}`);
    },
  };
}

/** Nobody was told that anything is wrong, and who was Ready stayed it. */
export function expectUndisturbed(history: readonly string[]): void {
  expect(history.filter((line) => line.includes(': False'))).toEqual([]);
  expect(
    history.filter((line) => /^(orders|bystander): /.test(line) && !line.endsWith(': True Ready')),
  ).toEqual([]);
}
