// A right of the Roles that is taken away: the object that needs it says which one, nothing that works is lost, and giving it back mends it.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ConditionType } from '../../src/api/conditions.ts';
import { apply, operatorAccount, operatorNamespace } from '../stage/cluster.ts';
import { quickSettings, type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

let stage: Stage;
let scene: Scene;
/** Works through all of it. */
const user = userManifest();

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}
interface Right {
  readonly verb: string;
  readonly resource: string;
  readonly of: 'ClusterRole' | 'Role';
}
const files = { ClusterRole: 'cluster-rules.yaml', Role: 'namespace-rules.yaml' };
const published = (kind: Right['of']) =>
  parse(
    readFileSync(resolve(import.meta.dirname, '../../charts/iamdb-operator/files', files[kind]), 'utf8'),
  ) as readonly Rule[];

async function setRules(kind: Right['of'], rules: readonly Rule[]): Promise<void> {
  const metadata = { name: operatorAccount, ...(kind === 'Role' ? { namespace: operatorNamespace } : {}) };
  await apply(stage.bed.kube, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata,
    rules: rules.filter(({ verbs, resources }) => verbs.length > 0 && resources.length > 0),
  });
}

async function isAllowed({ verb, resource }: Right): Promise<boolean> {
  const [name = '', subresource] = resource.split('/');
  const group = published('ClusterRole')
    .concat(published('Role'))
    .find(({ resources }) => resources.includes(resource))?.apiGroups[0];
  const { body } = await stage.bed.kube.request<{ readonly status: { readonly allowed: boolean } }>({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: `system:serviceaccount:${operatorNamespace}:${operatorAccount}`,
        resourceAttributes: { verb, group, resource: name, subresource, namespace: operatorNamespace },
      },
    },
    expect: 201,
  });
  return body.status.allowed;
}

/** Answers with what gives it back. */
async function takeAway(right: Right): Promise<() => Promise<void>> {
  const { of: kind, verb, resource } = right;
  const left = published(kind).flatMap((rule) => [
    { ...rule, resources: rule.resources.filter((other) => other !== resource) },
    {
      ...rule,
      resources: rule.resources.filter((other) => other === resource),
      verbs: rule.verbs.filter((other) => other !== verb),
    },
  ]);
  expect(await isAllowed(right)).toBe(true);
  await setRules(kind, left);
  await until('it to be refused', async () => !(await isAllowed(right)));
  return async () => {
    await setRules(kind, published(kind));
    await until('it to be allowed', () => isAllowed(right));
  };
}

beforeAll(async () => {
  stage = await startStage({ usualPostgres: 16, settings: quickSettings });
  scene = sceneOf(stage);
  await stage.operator.start();
  await scene.apply(stage.iamDatabase());
  await scene.apply(user);
  await scene.untilReady(user);
});
afterAll(() => stage.stop());

describe('a right of the operator that is taken away', () => {
  it.each<[verb: string, resource: string, condition: ConditionType]>([
    ['create', 'configmaps', 'ConnectionReady'],
    ['patch', 'iamdatabaseusers', 'Ready'],
  ])(
    'to %s %s: %s of a new user names it, the others work on, and it is mended once it is given back',
    async (verb, resource, type) => {
      const newcomer = userManifest(`without-${resource}`);
      const giveBack = await takeAway({ verb, resource, of: 'ClusterRole' });
      await scene.apply(newcomer);
      const said = `${resource}.* is forbidden: User "system:serviceaccount:.*" cannot ${verb} `;
      const message = await scene.untilTold(newcomer, type, new RegExp(said));
      expect(message).toContain("check the operator's Role");
      await scene.untilCondition(newcomer, type, 'False', 'KubernetesUnavailable');
      await scene.lookAgain(user);
      await scene.untilReady(user);
      expect(await scene.login('payments_checkout')).toBe('payments_checkout');
      await giveBack();
      await scene.untilReady(newcomer);
    },
  );

  it('to patch iamdatabases: TargetResolved of a new one names it, and so do its users; it is mended once it is given back', async () => {
    const newcomer = stage.iamDatabase({ name: 'newcomer' });
    const its = userManifest('of-newcomer', { databaseRef: { name: 'newcomer' } });
    const giveBack = await takeAway({ verb: 'patch', resource: 'iamdatabases', of: 'ClusterRole' });
    await scene.apply(newcomer);
    await scene.apply(its);
    const said = /iamdatabases.* is forbidden: User "system:serviceaccount:.*" cannot patch /;
    await scene.untilTold(newcomer, 'TargetResolved', said);
    await scene.untilTold(its, 'DatabaseResolved', said);
    await scene.lookAgain(user);
    await scene.untilReady(user);
    await giveBack();
    await scene.untilReady(newcomer);
    await scene.untilReady(its);
  });

  it('to get secrets: AdminReady of a database with a password names it, and the Secret is asked for once it is given back', async () => {
    const admin = { username: 'somebody', authentication: 'Secret', secretRef: { name: 'other-admin' } };
    const other = stage.iamDatabase({ name: 'other', spec: { admin } as never });
    const giveBack = await takeAway({ verb: 'get', resource: 'secrets', of: 'Role' });
    await scene.apply(other);
    const said = /secrets "other-admin" is forbidden: .* cannot get resource "secrets"/;
    await scene.untilTold(other, 'AdminReady', said);
    await scene.untilCondition(other, 'AdminReady', 'False', 'KubernetesUnavailable');
    await giveBack();
    await scene.untilCondition(other, 'AdminReady', 'False', 'AdminSecretMissing');
  });

  it('to patch iamdatabaseusers/status: no status can tell it, so the log does; work goes on', async () => {
    const newcomer = userManifest('untold');
    const giveBack = await takeAway({
      verb: 'patch',
      resource: 'iamdatabaseusers/status',
      of: 'ClusterRole',
    });
    await scene.apply(newcomer);
    await until('the log to name the right', () =>
      stage.operator
        .log()
        .some(
          ({ what, err, remedy }) =>
            what === 'pass-failed' &&
            /iamdatabaseusers.*is forbidden/.test(JSON.stringify(err)) &&
            remedy !== undefined,
        ),
    );
    await until('the login to work', () =>
      scene.login('payments_untold').then(
        () => true,
        () => false,
      ),
    );
    await giveBack();
    await scene.untilReady(newcomer);
  });

  it('to create events: nothing is held up, and the log says what could not be told', async () => {
    const newcomer = userManifest('silent');
    const giveBack = await takeAway({ verb: 'create', resource: 'events', of: 'ClusterRole' });
    await scene.apply(newcomer);
    await scene.untilReady(newcomer);
    await until('the log to tell of it', () =>
      stage.operator.log().some(({ what, remedy }) => what === 'event-dropped' && remedy !== undefined),
    );
    await giveBack();
  });
});
