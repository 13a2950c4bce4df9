// The proof as the workload makes it: a token of its ServiceAccount, exchanged at STS under the role's trust policy.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAudit } from '../bed/audit.ts';
import { registerIssuer } from '../stage/irsa.ts';
import { quickSettings, type Scene, sceneOf, serviceAccount, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';

let stage: Stage;
let scene: Scene;
const user = userManifest('shop', { principals: [{ serviceAccount: { name: 'shop' } }] });

interface Trust {
  readonly subject?: string;
  readonly audience?: string;
  readonly provider?: string;
}

/** A role as EKS's guide has it made, or with something in it that does not fit. */
function createIrsaRole(name: string, trust: Trust = {}): string {
  const host = stage.bed.kube.serviceAccountIssuer.replace('https://', '');
  const provider = trust.provider ?? `arn:aws:iam::111122223333:oidc-provider/${host}`;
  const conditions = {
    [`${host}:sub`]: trust.subject ?? 'system:serviceaccount:payments:shop',
    [`${host}:aud`]: trust.audience ?? 'sts.amazonaws.com',
  };
  return stage.aws.createRole({
    name,
    trustPolicy: {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Federated: provider },
          Action: 'sts:AssumeRoleWithWebIdentity',
          Condition: { StringEquals: conditions },
        },
      ],
    },
  }).arn;
}

const account = (roleARN: string, namespace?: string) => serviceAccount('shop', roleARN, namespace);

beforeAll(async () => {
  stage = await startStage({
    settings: { ...quickSettings, 'prove-with-service-accounts-in': 'payments' },
  });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.untilReady(stage.iamDatabase());
});
afterAll(() => stage.stop());

describe('a user by ServiceAccount, in a namespace that opted in', () => {
  it('without an OIDC provider in IAM is NotTrusted and told which one', async () => {
    await scene.apply(account(createIrsaRole('payments-shop')));
    await scene.apply(user);
    const { message } = await scene.untilCondition(user, 'AccessVerified', 'False', 'NotTrusted');
    expect(message).toContain(
      'IAM OIDC provider arn:aws:iam::111122223333:oidc-provider/oidc.iamdb.test/bed',
    );
    await scene.untilCondition(user, 'Ready', 'False', 'NotTrusted');
  });

  it('is proven by its own token, though the role does not trust the operator', async () => {
    registerIssuer(stage);
    await scene.lookAgain(user);
    await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
    await scene.untilReady(user);
    expect((await scene.read(user))?.status?.verifiedAs).toBe(
      'arn:aws:iam::111122223333:role/payments-shop by ServiceAccount payments/shop',
    );
  });

  it('was proven with a token for STS alone, in a session for this one user', async () => {
    const calls = stage.aws.calls.filter(({ action }) => action === 'AssumeRoleWithWebIdentity');
    expect(calls.length).toBeGreaterThan(0);
    const sessions = stage.aws
      .issuedCredentials()
      .filter(({ principal }) => principal.includes(':assumed-role/payments-shop/'));
    expect(sessions.length).toBeGreaterThan(0);
    for (const { sessionPolicy } of sessions) {
      expect(JSON.parse(sessionPolicy ?? '{}')).toMatchObject({
        Statement: [{ Action: 'rds-db:connect', Resource: [expect.stringMatching(/\/payments_shop$/)] }],
      });
    }
    const audit = await readAudit(stage.bed.kube.auditLogFile);
    const tokens = audit.filter(({ objectRef }) => objectRef?.subresource === 'token');
    expect(
      [...new Set(tokens.map(({ objectRef }) => `${objectRef?.namespace}/${objectRef?.name}`))].filter(
        (name) => !name.startsWith('iamdb-system/'),
      ),
    ).toEqual(['payments/shop']);
  });

  it.each<[string, Trust, string]>([
    ['sub', { subject: 'system:serviceaccount:payments:other' }, 'another ServiceAccount (sub)'],
    ['aud', { audience: 'kubernetes.default.svc' }, 'another audience (aud)'],
    ['issuer', { provider: 'arn:aws:iam::111122223333:oidc-provider/elsewhere' }, "this cluster's issuer"],
  ])(
    'with another %s in the trust policy is told so, and the statement mends it when pasted',
    async (what, trust, said) => {
      const name = `payments-${what}`;
      const roleARN = createIrsaRole(name, trust);
      await scene.apply(account(roleARN));
      const { message } = await scene.untilCondition(user, 'AccessVerified', 'False', 'NotTrusted');
      expect(message).toContain(said);
      const statement = JSON.parse(/\{.*\}/.exec(message)?.[0] ?? '') as object;
      stage.aws.createRole({
        name: `${name}-mended`,
        trustPolicy: { Version: '2012-10-17', Statement: [statement] },
      });
      await scene.apply(account(`${roleARN}-mended`));
      await scene.untilCondition(user, 'AccessVerified', 'True', 'Verified');
      await scene.untilReady(user);
      expect((await scene.read(user))?.status?.verifiedAs).toContain(`${name}-mended`);
    },
  );
});
