// The lock-out: whatever its admin may and may not do, no statement of the operator ends anybody's login.
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPasswordAdmin } from '../bed/postgres-admin.ts';
import type { PostgresMajor } from '../bed/postgres-program.ts';
import { accountID, operatorRoleARN, region } from '../stage/account.ts';
import { operatorNamespace } from '../stage/cluster.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type DatabaseManifest, type Stage, startStage } from '../stage/stage.ts';

const password = 'battery-staple';

let stage: Stage;
let scene: Scene;
const sql = async (text: string) => await stage.database.postgres.sql(text);

const begin = async (postgres: PostgresMajor) => {
  stage = await startStage({ postgres, settings: quickSettings });
  scene = sceneOf(stage);
  await stage.operator.start();
};
const end = () => stage.stop();

/** What `kubectl iamdb admin-sql` prints, run by whoever set the server up. */
const adminSQL = async (...args: readonly string[]) => {
  const main = resolve(import.meta.dirname, '../../src/cli/main.ts');
  const printed = spawnSync(process.execPath, [main, 'admin-sql', '--postgres=17', ...args], {
    encoding: 'utf8',
  });
  expect(printed.stderr).toBe('');
  await sql(printed.stdout);
};

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Another IamDatabase for the same server, whose admin has a password in a Secret of its own. */
async function withPasswordAdmin(username: string): Promise<DatabaseManifest> {
  const name = username.replaceAll('_', '-');
  await scene.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: operatorNamespace },
    data: { username: base64(username), password: base64(password) },
  });
  return databaseOf(username);
}

function databaseOf(username: string): DatabaseManifest {
  const name = username.replaceAll('_', '-');
  return stage.iamDatabase({
    name,
    spec: {
      admin: { username, authentication: 'Secret', secretRef: { name } },
      resync: { policy: 'Periodic', intervalSeconds: 30 },
    },
  });
}

const userOf = (database: DatabaseManifest, name: string) =>
  userManifest(name, { databaseRef: { name: database.metadata.name } });

/** Everything about roles that a statement could leave behind: attributes, comments, memberships, settings, rights on databases. */
async function rolesOf(): Promise<unknown> {
  return await sql(`
    SELECT (SELECT json_agg(to_jsonb(r) || jsonb_build_object('comment', shobj_description(r.oid, 'pg_authid'))
        ORDER BY r.rolname) FROM pg_roles r) AS roles,
      (SELECT json_agg(to_jsonb(m) ORDER BY to_jsonb(m)::text) FROM pg_auth_members m) AS memberships,
      (SELECT json_agg(to_jsonb(s) ORDER BY to_jsonb(s)::text) FROM pg_db_role_setting s) AS settings,
      (SELECT json_agg(json_build_object('name', datname, 'acl', datacl::text) ORDER BY datname) FROM pg_database) AS databases`);
}

/** As much as a tenant could see of access that was opened for a user. */
const openedFor = async (username: string) => ({
  roles: await sql(`SELECT rolname FROM pg_roles WHERE rolname = '${username}'`),
  arns: scene.allowedARNs('payments-checkout').filter((arn) => arn.endsWith(`/${username}`)),
});
const nothing = { roles: [], arns: [] };

/** What holds on every major. */
function onEvery(major: PostgresMajor): void {
  it('an admin whose sessions act as another role (ALTER ROLE ... SET role) gets AdminRedirected with the statement that ends it, keeps its password login, nothing is left behind, and it gets on once the setting is gone', async () => {
    await createPasswordAdmin(stage.database.postgres, 'pw_redirected', password);
    await sql(`CREATE ROLE somebody CREATEROLE; GRANT somebody TO pw_redirected;
      ALTER ROLE pw_redirected SET role = somebody`);
    const before = await rolesOf();
    const database = await withPasswordAdmin('pw_redirected');
    const user = userOf(database, 'redirected');
    await scene.apply(database);
    await scene.apply(user);
    const { message } = await scene.untilCondition(database, 'AdminReady', 'False', 'AdminRedirected');
    expect(message).toContain('ALTER ROLE "pw_redirected" RESET role;');
    await scene.untilCondition(user, 'RoleReady', 'False', 'AdminRedirected');
    await scene.untilCondition(user, 'Ready', 'False', 'AdminRedirected');
    await scene.lookAgain(database);
    await scene.lookAgain(user);
    expect(await rolesOf()).toEqual(before);
    expect(await openedFor('payments_redirected')).toEqual(nothing);
    expect(await scene.loginByPassword('pw_redirected', password)).toBe('pw_redirected');

    await sql('ALTER ROLE pw_redirected RESET role');
    // What it is then is up to the major: an admin that works, or one that a grant would lock out.
    if (major === 14) await scene.untilReady(user);
    else await scene.untilCondition(user, 'Ready', 'False', 'AdminWouldLoseLogin');
    expect(await scene.loginByPassword('pw_redirected', password)).toBe('pw_redirected');
  });

  it('an IAM admin takes a user from apply to a proven login and back to nothing', async () => {
    const database = stage.iamDatabase();
    const user = userOf(database, 'by-iam');
    await scene.apply(database);
    await scene.untilReady(database);
    const before = await rolesOf();
    await scene.apply(user);
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(await scene.login('payments_by_iam')).toBe('payments_by_iam');
    await scene.delete(user);
    await scene.untilGone(user);
    expect(await openedFor('payments_by_iam')).toEqual(nothing);
    expect(await rolesOf()).toEqual(before);
  });
}

describe('on PostgreSQL 17, where who creates a role becomes a member of it', () => {
  beforeAll(async () => await begin(17));
  afterAll(end);
  onEvery(17);

  it('a plain CREATEROLE admin with a password gets AdminWouldLoseLogin with the SQL of an IAM admin, keeps its password login, and nothing is left behind', async () => {
    await createPasswordAdmin(stage.database.postgres, 'pw_plain', password);
    const before = await rolesOf();
    const database = await withPasswordAdmin('pw_plain');
    const user = userOf(database, 'plain');
    await scene.apply(database);
    await scene.apply(user);

    const { message } = await scene.untilCondition(database, 'AdminReady', 'False', 'AdminWouldLoseLogin');
    expect(message).toContain('admin "pw_plain" logs in by password');
    expect(message).toContain('GRANT rds_iam TO "iamdb_admin" WITH ADMIN OPTION;');
    await scene.untilCondition(database, 'Ready', 'False', 'AdminWouldLoseLogin');
    await scene.untilCondition(user, 'RoleReady', 'False', 'AdminWouldLoseLogin');
    await scene.untilCondition(user, 'Ready', 'False', 'AdminWouldLoseLogin');
    await scene.lookAgain(database);
    await scene.lookAgain(user);
    expect(await openedFor('payments_plain')).toEqual(nothing);
    expect(await rolesOf()).toEqual(before);
    expect(await scene.loginByPassword('pw_plain', password)).toBe('pw_plain');
  });

  it('its users can be deleted again although nothing could ever be made for them', async () => {
    const database = await withPasswordAdmin('pw_plain');
    const user = userOf(database, 'never');
    await scene.apply(user);
    await scene.untilCondition(user, 'RoleReady', 'False', 'AdminWouldLoseLogin');
    const before = await rolesOf();
    await scene.delete(user);
    await scene.untilGone(user);
    expect(await rolesOf()).toEqual(before);
  });

  it('while it is locked, an IAM admin of the same server serves other users through an IamDatabase of its own', async () => {
    const database = stage.iamDatabase();
    const user = userOf(database, 'served');
    await scene.apply(database);
    await scene.apply(user);
    await scene.untilCondition(database, 'AdminReady', 'True', 'Rehearsed');
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(await scene.login('payments_served')).toBe('payments_served');
    const plain = userOf(await withPasswordAdmin('pw_plain'), 'plain');
    await scene.untilCondition(plain, 'Ready', 'False', 'AdminWouldLoseLogin');
    await scene.delete(user);
    await scene.untilGone(user);
    expect(await openedFor('payments_served')).toEqual(nothing);
  });

  it('once it is made an IAM admin (rds_iam WITH ADMIN OPTION, authentication IAM), its waiting user becomes ready by itself', async () => {
    const database = await withPasswordAdmin('pw_plain');
    const user = userOf(database, 'plain');
    const { resourceId } = stage.database.gate.server;
    stage.aws.putInlinePolicy(operatorRoleARN, 'second-admin', {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 'rds-db:connect',
          Resource: `arn:aws:rds-db:${region}:${accountID}:dbuser:${resourceId}/pw_plain`,
        },
      ],
    });
    await sql('GRANT rds_iam TO pw_plain WITH ADMIN OPTION');
    const { name } = database.metadata;
    await scene.apply(
      stage.iamDatabase({ name, spec: { admin: { username: 'pw_plain', authentication: 'IAM' } } }),
    );
    await scene.untilCondition(database, 'AdminReady', 'True', 'Rehearsed');
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(await scene.login('payments_plain')).toBe('payments_plain');
    await scene.delete(user);
    await scene.untilGone(user);
    expect(await openedFor('payments_plain')).toEqual(nothing);
  });

  it('with the functions of admin-sql its waiting user becomes ready, it keeps its password login, and all ends again without a trace', async () => {
    await createPasswordAdmin(stage.database.postgres, 'pw_helped', password);
    await sql('ALTER ROLE pw_helped NOCREATEROLE; REVOKE orders_readwrite, orders_readonly FROM pw_helped');
    const database = await withPasswordAdmin('pw_helped');
    const user = userOf(database, 'helped');
    await scene.apply(database);
    await scene.apply(user);
    await scene.untilCondition(database, 'AdminReady', 'False', 'MissingCreateRole');
    await adminSQL('--authentication', 'Secret', '--username', 'pw_helped', '--group', 'orders_readwrite');
    // What a connection found out about the functions holds for as long as it lasts.
    stage.database.gate.dropSessions();
    await scene.untilCondition(database, 'AdminReady', 'True', 'Rehearsed');
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(await scene.login('payments_helped')).toBe('payments_helped');
    expect(await scene.loginByPassword('pw_helped', password)).toBe('pw_helped');

    await sql('GRANT EXECUTE ON FUNCTION iamdb.run(text) TO PUBLIC');
    stage.database.gate.dropSessions();
    const { message } = await scene.untilCondition(database, 'AdminReady', 'False', 'AdminHelperUnsafe');
    expect(message).toContain('kubectl iamdb admin-sql --authentication Secret --username pw_helped');
    await adminSQL('--authentication', 'Secret', '--username', 'pw_helped', '--group', 'orders_readwrite');
    await scene.untilCondition(database, 'AdminReady', 'True', 'Rehearsed');
    await scene.untilReady(user);

    await scene.delete(user);
    await scene.untilGone(user);
    expect(await openedFor('payments_helped')).toEqual(nothing);
    expect(await scene.loginByPassword('pw_helped', password)).toBe('pw_helped');
  });

  it('an admin with a password that somebody made a member of rds_iam (ADMIN option alone counts) is told why its password is refused, and gets on once that is revoked', async () => {
    await createPasswordAdmin(stage.database.postgres, 'pw_member', password);
    await sql('GRANT rds_iam TO pw_member WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
    const before = await rolesOf();
    const database = await withPasswordAdmin('pw_member');
    const user = userOf(database, 'member');
    await scene.apply(database);
    await scene.apply(user);
    const { message } = await scene.untilCondition(database, 'AdminReady', 'False', 'AdminLoginRefused');
    expect(message).toContain('admin "pw_member"');
    expect(message).toContain('with Secret it must not be a member of rds_iam');
    await scene.untilCondition(user, 'RoleReady', 'False', 'AdminLoginRefused');
    expect(await rolesOf()).toEqual(before);
    expect(await openedFor('payments_member')).toEqual(nothing);

    await sql('REVOKE rds_iam FROM pw_member');
    const unlocked = await rolesOf();
    await scene.untilCondition(database, 'AdminReady', 'False', 'AdminWouldLoseLogin');
    await scene.untilCondition(user, 'RoleReady', 'False', 'AdminWouldLoseLogin');
    expect(await rolesOf()).toEqual(unlocked);
    expect(await scene.loginByPassword('pw_member', password)).toBe('pw_member');
  });
});

describe('on PostgreSQL 14, where who creates a role is no member of it', () => {
  beforeAll(async () => await begin(14));
  afterAll(end);
  onEvery(14);

  it('an admin with a password takes a user from apply to a proven login and back to nothing, and keeps its password login', async () => {
    await createPasswordAdmin(stage.database.postgres, 'pw_works', password);
    const before = await rolesOf();
    const database = await withPasswordAdmin('pw_works');
    const user = userOf(database, 'by-password');
    await scene.apply(database);
    await scene.untilCondition(database, 'AdminReady', 'True', 'Rehearsed');
    await scene.apply(user);
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect(await scene.login('payments_by_password')).toBe('payments_by_password');
    expect(await scene.loginByPassword('pw_works', password)).toBe('pw_works');
    await scene.delete(user);
    await scene.untilGone(user);
    expect(await openedFor('payments_by_password')).toEqual(nothing);
    expect(await rolesOf()).toEqual(before);
    expect(await scene.loginByPassword('pw_works', password)).toBe('pw_works');
  });

  it('an admin whose Secret is not there gets AdminSecretMissing with the namespace and keys, and is ready once it is created', async () => {
    await createPasswordAdmin(stage.database.postgres, 'pw_late', password);
    const late = databaseOf('pw_late');
    await scene.apply(late);
    const { message } = await scene.untilCondition(late, 'AdminReady', 'False', 'AdminSecretMissing');
    expect(message).toContain(`Secret ${operatorNamespace}/pw-late must hold the keys username (pw_late`);
    await scene.untilCondition(late, 'Ready', 'False', 'AdminSecretMissing');
    await withPasswordAdmin('pw_late');
    await scene.untilCondition(late, 'AdminReady', 'True', 'Rehearsed');
    await scene.untilReady(late);
  });

  it('a user that somebody granted to it is not let in while that would end its password login, and becomes ready once the grant is gone', async () => {
    const database = await withPasswordAdmin('pw_works');
    const user = userOf(database, 'reached');
    await scene.apply(user);
    await scene.untilReady(user);
    // In one transaction, so that nobody sees the admin as a member of rds_iam.
    await sql('BEGIN; REVOKE rds_iam FROM payments_reached; GRANT payments_reached TO pw_works; COMMIT');
    const { message } = await scene.untilCondition(user, 'RoleReady', 'False', 'AdminWouldLoseLogin');
    expect(message).toContain('admin "pw_works"');
    expect(await scene.loginByPassword('pw_works', password)).toBe('pw_works');
    expect(
      await sql(`SELECT 1 FROM pg_auth_members
        WHERE member = 'payments_reached'::regrole AND roleid = 'rds_iam'::regrole`),
    ).toEqual([]);
    await sql('REVOKE payments_reached FROM pw_works');
    await scene.untilReady(user);
    expect(await scene.login('payments_reached')).toBe('payments_reached');
    expect(await scene.loginByPassword('pw_works', password)).toBe('pw_works');
  });
});
