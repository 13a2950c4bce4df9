// Commands that need a cluster with the operator and the examples: run, page by page, as they stand.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IamDatabaseUser } from '../../src/api/objects.ts';
import { manifestsIn, pathOf } from '../stage/cluster.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { type ArgoKind, argoText } from './argo.ts';
import { noLua, startLua } from './lua.ts';
import { blocksIn, pages, placeOf } from './pages.ts';
import { isRun, walk } from './walk.ts';

const noKubectl = spawnSync('kubectl', ['version', '--client']).status !== 0;
if (noKubectl) console.error('commands of the documentation are skipped: kubectl is not on the PATH');

const told = pages.filter(({ blocks }) => blocks.some(isRun)).map((page) => [page.path, page] as const);

it('what only a real cluster can do is Helm, and the log of pods', () => {
  const needsOne = /^(?:helm|kubectl -n iamdb-system logs) /;
  const others = blocksIn('sh', 'cluster').filter(({ text }) => !needsOne.test(text));
  expect(others.map(placeOf)).toEqual([]);
});

describe('a cluster with the operator and the examples', () => {
  let stage: Stage;
  let scene: Scene;
  const user = userManifest();
  beforeAll(async () => {
    stage = await startStage();
    scene = sceneOf(stage);
    await stage.operator.start();
    await scene.apply(stage.iamDatabase());
    for (const manifest of manifestsIn('examples/user.yaml')) await scene.apply(manifest);
    await scene.untilReady(user);
  });
  afterAll(() => stage?.stop());

  /** For the next page all is as it was for this one. */
  const tidyUp = async () => {
    const { body } = await stage.bed.kube.request<{ readonly items: readonly IamDatabaseUser[] }>({
      path: '/apis/iamdb.dev/v1alpha1/iamdatabaseusers',
      expect: 200,
    });
    for (const { metadata } of body.items.filter((one) => one.metadata.name !== user.metadata.name)) {
      const other = { ...user, metadata: { name: metadata.name, namespace: metadata.namespace } };
      await scene.delete(other);
      await scene.untilGone(other);
    }
    const database = stage.iamDatabase();
    await scene.apply(database);
    await stage.bed.kube.request({
      method: 'PATCH',
      path: pathOf(database),
      body: [{ op: 'replace', path: '/spec', value: database.spec }],
      contentType: 'application/json-patch+json',
      expect: 200,
    });
    await scene.apply(user);
    await scene.untilReady(user);
  };

  it.skipIf(noKubectl).each(told)('does what %s says', async (_, page) => {
    await walk(page, stage, scene);
    await tidyUp();
    // Each page leaves the example as it found it.
    expect((await scene.read(user))?.spec).toMatchObject(user.spec);
  });

  it.skipIf(noLua)('shows its objects in Argo CD as they are', async () => {
    const lua = startLua();
    const health = async (kind: ArgoKind, manifest: Parameters<Scene['read']>[0]) =>
      (await lua.run<{ readonly status: string }>(argoText(kind, 'health.lua'), await scene.read(manifest)))
        .status;
    const refused = userManifest('stranger', { username: 'billing_reader' });
    try {
      expect(await health('IamDatabase', stage.iamDatabase())).toBe('Healthy');
      expect(await health('IamDatabaseUser', user)).toBe('Healthy');
      await scene.apply(refused);
      await scene.untilCondition(refused, 'Ready', 'False', 'UsernameNotAllowed');
      expect(await health('IamDatabaseUser', refused)).toBe('Degraded');
      await scene.patch(user, { spec: { mode: 'Plan' } });
      await scene.untilCondition(user, 'Ready', 'False', 'Planned');
      expect(await health('IamDatabaseUser', user)).toBe('Suspended');
      await scene.patch(user, { spec: { mode: 'Enforce', suspend: true } });
      await scene.untilCondition(user, 'Ready', 'False', 'Suspended');
      expect(await health('IamDatabaseUser', user)).toBe('Suspended');
    } finally {
      lua.stop();
    }
  });
});
