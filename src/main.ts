// Runs the operator until it is told to stop or loses its lease.
//
// What is wrong in the process's own settings ends it at once, with 1 and one sentence on stderr: waiting mends nothing.
// What may come by itself (the API server, rights, CRDs) is waited for, told in the log with its remedy, and /readyz says
// 503 meanwhile, so that a rollout stops. Only without --operator-id it ends, as it could not even name itself.
import { ConfigError, readConfig } from './config.ts';
import { createLog } from './ops/log.ts';
import { createMetrics } from './ops/metrics.ts';
import { serveOps } from './ops/http.ts';
import { serveProfiles } from './ops/profiling.ts';
import { type Operator, startOperator } from './operator/operator.ts';
import { notSynced } from './operator/preflight.ts';
import { loadKubeConfig } from './systems/kubernetes/kube-config.ts';
import { version } from './version.ts';

/** After this the process ends whatever still hangs. */
const stopWithinMs = 20_000;

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env);
  const log = createLog(config['log-level']);
  const metrics = createMetrics();
  metrics.set('iamdb_build_info', { version, node: process.version }, 1);
  const starting = new AbortController();
  let operator: Operator | undefined;

  const end = (code: number, why: string) => {
    log.info({ why }, 'stopping');
    setTimeout(() => process.exit(code), stopWithinMs).unref();
    starting.abort(new Error(why));
    (operator?.stop() ?? Promise.resolve()).then(
      () => process.exit(code),
      (error: unknown) => {
        log.error({ err: error }, 'stopping');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', () => end(0, 'SIGTERM'));
  process.once('SIGINT', () => end(0, 'SIGINT'));
  // Nothing may end it silently, and nothing unforeseen may leave it half alive.
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: error }, event);
      process.exit(1);
    });
  }

  if (config['listen-address'] !== '') {
    const address = config['listen-address'];
    const probes = {
      notReady: () => (operator === undefined ? notSynced : operator.notReady()),
      isLeader: () => operator?.isLeader() === true,
    };
    await serveOps(address, metrics, probes).catch(unusable(`--listen-address=${address}`));
  }
  const profilingPort = config['profiling-port'];
  if (profilingPort > 0) {
    await serveProfiles(profilingPort).catch(unusable(`--profiling-port=${profilingPort}`));
  }
  operator = await startOperator({
    config,
    kubeConfig: loadKubeConfig({ from: 'default' }),
    log,
    metrics,
    proxyEnv: process.env,
    // At once: whatever this process still wants to write, the next leader may be writing too.
    onLost: () => {
      log.fatal({}, 'the lease was lost');
      process.exit(1);
    },
    signal: starting.signal,
  });
}

main().catch((error: unknown) => {
  console.error(
    error instanceof ConfigError ? error.message : `the operator could not start: ${messageOf(error)}`,
  );
  process.exit(1);
});

function unusable(setting: string): (cause: unknown) => never {
  return (cause) => {
    throw new Error(`${setting} cannot be used: ${messageOf(cause)}`, { cause });
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
