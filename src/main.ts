// Runs the operator until it is told to stop or loses its lease.
//
// What is wrong in the process's own settings ends it at once, with 1 and one sentence on stderr: waiting mends nothing.
// What may come by itself (the API server, rights, CRDs) is waited for, told in the log with its remedy, and /readyz says
// 503 meanwhile, so that a rollout stops. Only without --operator-id it ends, as it could not even name itself.
import { ConfigError, readConfig } from './config.ts';
import { createLog } from './ops/log.ts';
import { createMetrics } from './ops/metrics.ts';
import { serveOps } from './ops/http.ts';
import { type Operator, startOperator } from './operator/operator.ts';
import { loadKubeConfig } from './systems/kubernetes/kube-config.ts';

/** After this the process ends whatever still hangs. */
const stopWithinMs = 20_000;

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env);
  const log = createLog(config['log-level']);
  const metrics = createMetrics();
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
    await serveOps(address, metrics.registry, { isReady: () => operator?.isReady() === true }).catch(
      (cause: unknown) => {
        throw new Error(`--listen-address=${address} cannot be used: ${messageOf(cause)}`, { cause });
      },
    );
  }
  operator = await startOperator({
    config,
    kubeConfig: loadKubeConfig({ from: 'default' }),
    log,
    metrics,
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
