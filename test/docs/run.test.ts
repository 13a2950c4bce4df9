// Commands that need a cluster with the operator and the examples: run, page by page, as they stand.
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestsIn } from '../stage/cluster.ts';
import { type Scene, sceneOf, userManifest } from '../stage/scene.ts';
import { type Stage, startStage } from '../stage/stage.ts';
import { pages, placeOf, root } from './pages.ts';

const noKubectl = spawnSync('kubectl', ['version', '--client']).status !== 0;
if (noKubectl) console.error('commands of the documentation are skipped: kubectl is not on the PATH');

const told = pages.flatMap((page) => {
  const commands = page.blocks.filter(({ language, marks }) => language === 'sh' && marks.includes('run'));
  return commands.length === 0 ? [] : [[page.path, commands] as const];
});

describe.skipIf(noKubectl)('commands', () => {
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

  it.each(told)('of %s do what the page says', async (_, commands) => {
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
});
