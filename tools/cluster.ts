// The chart and the image on a real cluster: finds or starts one, gives it the images, runs the tests and ends what it started.
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { findHelm } from '../test/chart/find-helm.ts';
import { type Cluster, type Image, onPath, provideCluster } from './cluster/provide.ts';

const root = resolve(import.meta.dirname, '..');
const progress = (text: string) => console.error(text);

/** A tag that no pipeline gives: a cluster that holds it got it from here. */
const operator: Image = { context: root, tag: 'iamdb-operator:cluster-test' };
const pods: Image = {
  context: root,
  tag: 'iamdb-operator-pods:cluster-test',
  file: join(root, 'test/cluster/Dockerfile'),
};
const given = {
  operator: process.env['IAMDB_TEST_OPERATOR_IMAGE'] ?? '',
  pods: process.env['IAMDB_TEST_PODS_IMAGE'] ?? '',
};

/** Said so that nobody takes it for a pass. */
function skip(reason: string): number {
  console.log(`\nSKIPPED: nothing was tested on a cluster: ${reason}.\n`);
  console.log('0 passed, 0 failed, 1 skipped');
  return 0;
}

function fail(reason: string): number {
  console.log(`\nFAILED: ${reason}; its own words are above\n`);
  console.log('0 passed, 1 failed');
  return 1;
}

async function testOn({ environment, build }: Cluster): Promise<number> {
  const up = Date.now();
  if (!onPath('kubectl', environment)) return skip('kubectl is not on the PATH');
  const helm = await findHelm(progress, environment);
  if ('missing' in helm) return skip(helm.missing);
  const images = { ...given };
  for (const [name, image] of Object.entries({ operator, pods })) {
    const kind = name as keyof typeof images;
    if (images[kind] !== '') continue;
    if (build === undefined) {
      return skip(
        'the cluster has to hold the images: build Dockerfile and test/cluster/Dockerfile, load both, and name them in IAMDB_TEST_OPERATOR_IMAGE and IAMDB_TEST_PODS_IMAGE; or name a folder with a command build-image in IAMDB_CLUSTER_TOOLS',
      );
    }
    progress(`building ${image.tag}`);
    if (!build(image)) return fail(`the image ${image.tag} could not be built`);
    images[kind] = image.tag;
  }
  progress('running the tests');
  const env = {
    ...environment,
    IAMDB_TEST_OPERATOR_IMAGE: images.operator,
    IAMDB_TEST_PODS_IMAGE: images.pods,
    // The tests tell how long everything took, images included.
    IAMDB_TEST_CLUSTER_UP: String(up),
  };
  const args = [join(root, 'tools/test.ts'), '--config', 'test/cluster/vitest.config.ts'];
  const child = spawn(process.execPath, [...args, ...process.argv.slice(2)], {
    cwd: root,
    env,
    stdio: 'inherit',
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return await new Promise((done) => {
    child.once('exit', (code) => done(code ?? 1));
  });
}

process.on('SIGINT', () => {}); // the terminal sends it to the tests too, which take away what they made
const provided = provideCluster(process.env, progress);
if ('missing' in provided) {
  process.exitCode = skip(provided.missing);
} else {
  try {
    process.exitCode = await testOn(provided.cluster);
  } finally {
    provided.cluster.stop();
  }
}
