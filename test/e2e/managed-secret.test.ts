// An admin whose password RDS keeps in Secrets Manager: every state of that secret, and its rotation under running users.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type AdminPassword,
  adminPassword,
  expectUndisturbed,
  onlyWhenAsked,
} from '../stage/admin-password.ts';
import { readyHistory } from '../stage/ready-history.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
let admin: AdminPassword;
let arn: string;
const bystander = userManifest('bystander');
const database = () => stage.iamDatabase({ spec: onlyWhenAsked });

beforeAll(async () => {
  // Slow enough that what passes within minutes does not pass before the test has looked.
  const settings = { ...quickSettings, 'time-scale': '0.1' };
  stage = await startStage({ postgres: 14, admin: 'ManagedSecret', settings });
  scene = sceneOf(stage);
  admin = adminPassword(stage, scene);
  arn = stage.aws.rds.modifyCluster('orders-prod', {}).masterUserSecretArn ?? '';
  await stage.operator.start();
});
afterAll(() => stage.stop());

type Status = 'creating' | 'active' | 'rotating' | 'impaired';
const inRds = (masterUserSecretStatus: Status) =>
  stage.aws.rds.modifyCluster('orders-prod', { masterUserSecretStatus });
const inSecret = (password: string, username = stage.admin.username) =>
  stage.aws.secrets.modifySecret(arn, { text: JSON.stringify({ username, password }), broken: undefined });
/** What RDS says of a cluster is listed, and kept for a moment. */
const untilSaid = async (status: 'True' | 'False', message: RegExp) => {
  await until(`AdminReady ${status} ${message.source}`, async () => {
    await scene.lookAgain(database());
    const found = await scene.condition(database(), 'AdminReady');
    return found?.status === status && message.test(found.message);
  });
};

describe('the secret that RDS keeps', () => {
  it('while it is being created: AdminReady says so, and goes on by itself', async () => {
    inRds('creating');
    await scene.apply(database());
    await scene.apply(bystander);
    const { message } = await scene.untilCondition(
      database(),
      'AdminReady',
      'False',
      'ManagedSecretUnavailable',
    );
    expect(message).toContain('RDS is creating the master secret of cluster orders-prod');
    inRds('active');
    await scene.untilCondition(database(), 'AdminReady', 'True', 'Rehearsed');
  });

  it('active: a user gets from apply to a proven login, and there is no Secret with the password in Kubernetes', async () => {
    await scene.untilCondition(bystander, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(bystander);
    const { body } = await stage.bed.kube.request({ path: '/api/v1/secrets', expect: 200 });
    expect(JSON.stringify(body)).not.toContain(Buffer.from(stage.admin.password ?? '').toString('base64'));
    const read = stage.aws.calls.filter(({ service }) => service === 'secretsmanager');
    expect(new Set(read.map(({ action }) => action))).toEqual(new Set(['GetSecretValue']));
  });

  it('while it is rotated, PostgreSQL first as RDS does it: what is Ready stays so, and the new one is taken up', async () => {
    const history = await readyHistory(stage.bed.kube);
    inRds('rotating');
    await admin.inPostgres('rotated-by-rds-1');
    await admin.untilLoggedOut();
    await scene.askForLook(bystander);
    await until('the refusal to be told', () => stage.operator.output().includes('AdminChanging'));
    inSecret('rotated-by-rds-1');
    inRds('active');
    await admin.expectServed('second');
    expectUndisturbed(await history());
  });

  it('while Secrets Manager does not answer: the password that worked is used', async () => {
    const history = await readyHistory(stage.bed.kube);
    const clear = stage.aws.faults.add({
      service: 'secretsmanager',
      error: 'ServiceUnavailable',
      times: 1_000,
    });
    await admin.untilLoggedOut();
    await admin.expectServed('third');
    clear();
    expect((await history()).filter((line) => line.includes(': False'))).toEqual([]);
  });

  it('impaired, but true still: everything works, and AdminReady says what to mend', async () => {
    inRds('impaired');
    await untilSaid(
      'True',
      /this master secret is impaired: it can no longer rotate it.*KMS key.*rotate-secret --secret-id arn:/,
    );
    inRds('active');
    await untilSaid('True', /without losing its login\.$/);
  });

  it('impaired, and not to be decrypted: AdminReady says both, and what is mended is taken up', async () => {
    inRds('impaired');
    stage.aws.secrets.modifySecret(arn, { broken: 'undecryptable' });
    await admin.untilLoggedOut();
    await untilSaid('False', /cannot be decrypted.*is impaired/);
    expect((await scene.condition(database(), 'AdminReady'))?.reason).toBe('ManagedSecretUnavailable');
    await scene.lookAgain(bystander);
    await scene.untilCondition(bystander, 'Ready', 'False', 'ManagedSecretUnavailable');
    expect(scene.allowedARNs('payments-checkout').some((one) => one.endsWith('/payments_bystander'))).toBe(
      true,
    );
    stage.aws.secrets.modifySecret(arn, { broken: undefined });
    inRds('active');
    await scene.untilReady(bystander);
  });

  it('of another user than the admin: it is refused, and its password is tried nowhere', async () => {
    inSecret('rotated-by-rds-1', 'somebody_else');
    await admin.untilLoggedOut();
    await untilSaid('False', /is that of another user than spec\.admin\.username/);
    inSecret('rotated-by-rds-1');
    await untilSaid('True', /without losing its login\.$/);
  });

  it('kept no more: AdminReady says how RDS is told to keep it', async () => {
    stage.aws.rds.modifyCluster('orders-prod', { masterUserSecretArn: undefined });
    await admin.untilLoggedOut();
    await untilSaid(
      'False',
      /modify-db-cluster --db-cluster-identifier orders-prod .*--manage-master-user-password/,
    );
    stage.aws.rds.modifyCluster('orders-prod', { masterUserSecretArn: arn });
    await untilSaid('True', /without losing its login\.$/);
    await scene.untilReady(bystander);
  });
});
