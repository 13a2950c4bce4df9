// Commands that need a cluster with the operator and the examples: run, page by page, as they stand.
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestsIn } from '../stage/cluster.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { type ArgoKind, argoText } from './argo.ts';
import { noLua, startLua } from './lua.ts';
import { pages, placeOf, root } from './pages.ts';

const noKubectl = spawnSync('kubectl', ['version', '--client']).status !== 0;
if (noKubectl) console.error('commands of the documentation are skipped: kubectl is not on the PATH');

const told = pages.flatMap((page) => {
  const commands = page.blocks.filter(({ language, marks }) => language === 'sh' && marks.includes('run'));
  return commands.length === 0 ? [] : [[page.path, commands] as const];
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

  it.skipIf(noKubectl).each(told)('does what %s says', async (_, commands) => {
    const home = stage.bed.folder('home');
    for (const block of commands) {
      const script = `set -euo pipefail\n${block.text}`;
      const env = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: stage.kubeconfig };
      await promisify(execFile)('bash', ['-c', script], { cwd: root, env, timeout: 60_000 }).catch(
        (error: unknown) => {
          throw new Error(`${placeOf(block)}: ${String(error)}`);
        },
      );
    }
    // Each page leaves the example as it found it.
    await scene.untilCondition(user, 'Ready', 'True');
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
