// The controllers as they are composed: how many passes run beside each other, and what the metrics call a defect.
import { afterEach, expect, it, vi } from 'vitest';
import { aDatabase } from '../../test/builders/objects.ts';
import { aWorld, type TestWorld } from '../../test/builders/world.ts';
import { readConfig } from '../config.ts';
import { abortError, onAbort } from '../controller/abort.ts';
import { defaultTiming } from '../controller/timing.ts';
import { Failure } from '../kernel/failure.ts';
import { createLog } from '../ops/log.ts';
import { createMetrics } from '../ops/metrics.ts';
import type { World } from '../reconcile/world.ts';
import { type Controllers, createControllers } from './controllers.ts';

const patience = { timeout: 10_000 };
let controllers: Controllers | undefined;
afterEach(async () => {
  await controllers?.databases.stop({ drainMs: 0 });
});

function start(world: World) {
  const metrics = createMetrics();
  controllers = createControllers({
    config: readConfig([], {}),
    world,
    // Of the sweeps, which do not begin here.
    caches: {} as never,
    aws: {} as never,
    timing: defaultTiming,
    log: createLog('silent'),
    metrics,
    report: () => {},
  });
  controllers.databases.start();
  const { queue } = controllers.databases;
  const told = async (name: string) =>
    (await metrics.text())
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) && line.includes('"iamdatabase"'));
  return { queue, told };
}

const named = (name: string) => aDatabase({ metadata: { name, uid: `uid of ${name}` } });

it('a dozen databases that do not answer hold up no other', async () => {
  const base: TestWorld = aWorld();
  base.known.clear();
  const dead = Array.from({ length: 12 }, (_, index) => named(`dead-${index}`));
  base.put(...dead, named('healthy'));
  let asked = 0;
  const rehearse: World['rehearse'] = async (server, signal) => {
    asked += 1;
    // The last one that was put into the queue is the only one that answers.
    if (asked > dead.length) return await base.rehearse(server, signal);
    return await new Promise((_, reject) => {
      onAbort(signal, () => reject(abortError(signal)));
    });
  };
  const { queue } = start({ ...base, rehearse });
  for (const { metadata } of [...dead, named('healthy')]) queue.add(metadata.name);
  await vi.waitFor(
    () => expect(base.known.get('healthy')?.admin).toEqual({ serverVersion: '17.4' }),
    patience,
  );
  expect([...base.known.keys()].filter((name) => name.startsWith('dead'))).toEqual([]);
});

it('a status that cannot be written is tried again, and no defect; what nobody foresaw is one', async () => {
  const world = aWorld();
  world.put(named('orders'));
  world.broken.report = new Failure('missing', 'KubernetesUnavailable', 'It is gone.');
  const { queue, told } = start(world);
  queue.add('orders');
  const total = 'controller_runtime_reconcile_total';
  const label = (result: string) => `${total}{controller="iamdatabase",result="${result}"}`;
  await vi.waitFor(async () => expect((await told(total)).join()).toContain(label('requeue')), patience);
  expect((await told(total)).join()).not.toContain(label('error'));
  expect(await told('controller_runtime_reconcile_errors_total')).toEqual([
    'controller_runtime_reconcile_errors_total{controller="iamdatabase"} 0',
  ]);
  world.broken.report = new TypeError('undefined is not a function');
  await vi.waitFor(async () => expect((await told(total)).join()).toContain(label('error')), patience);
});
