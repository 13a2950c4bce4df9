// The structured log: one JSON line each; what is secret never gets here, and what is long is clipped.
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Logger, pino } from 'pino';
import type { Incident, Report } from '../controller/incident.ts';
import type { Reconcile } from '../controller/workers.ts';
import type { Failure } from '../kernel/failure.ts';

export interface Log extends Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'> {
  /** What the controller core reports. */
  readonly incident: Report;
  /** A failure that a pass ended with, its cause included; an unforeseen one is an error. */
  failure(failure: Failure): void;
  /** Wraps the passes of a controller: each line written during one carries the object and the pass. */
  passes(controller: string, reconcile: Reconcile): Reconcile;
}

/** Causes that come and go by themselves are warnings; what nobody foresaw is an error. */
const severe: ReadonlySet<Incident['what']> = new Set([
  'handler-threw',
  'index-threw',
  'pass-threw',
  'pass-overran',
  'lease-lost',
]);

export function createLog(level: string, destination?: { write(line: string): void }): Log {
  const pass = new AsyncLocalStorage<{
    readonly controller: string;
    readonly object: string;
    readonly reconcileID: string;
  }>();
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // A new object: what a line says is put into it.
    mixin: () => ({ ...pass.getStore() }),
    serializers: { err: errorFields },
  };
  const logger = destination === undefined ? pino(options) : pino(options, destination);
  let count = 0;

  return {
    debug: logger.debug.bind(logger),
    info: logger.info.bind(logger),
    warn: logger.warn.bind(logger),
    error: logger.error.bind(logger),
    fatal: logger.fatal.bind(logger),
    incident: ({ what, subject, error, waitMs, remedy }) => {
      const fields = {
        what,
        subject,
        ...(error === undefined ? {} : { err: error }),
        ...(waitMs === undefined ? {} : { waitMs }),
        ...(remedy === undefined ? {} : { remedy }),
      };
      if (severe.has(what)) logger.error(fields, what);
      else logger.warn(fields, what);
    },
    failure: ({ kind, reason, message, cause }) => {
      const fields = { kind, reason, ...(cause === undefined ? {} : { err: cause }) };
      if (kind === 'unexpected') logger.error(fields, message);
      else logger.info(fields, message);
    },
    passes: (controller, reconcile) => (object, signal) => {
      count += 1;
      return pass.run({ controller, object, reconcileID: count.toString(36) }, async () => {
        const began = performance.now();
        const result = await reconcile(object, signal);
        logger.debug({ durationMs: Math.round(performance.now() - began), ...result }, 'pass');
        return result;
      });
    },
  };
}

const longest = 2_000;

/** The chain of causes by class, message and stack; no other property, because drivers keep requests and keys in theirs. */
function errorFields(thrown: unknown): object {
  if (!(thrown instanceof Error))
    return { message: clip(typeof thrown === 'string' ? thrown : typeof thrown) };
  const { name, message, stack, cause } = thrown;
  const code: unknown = 'code' in thrown ? thrown.code : undefined;
  return {
    name,
    message: clip(message),
    ...(typeof code === 'string' ? { code } : {}),
    ...(stack === undefined ? {} : { stack: clip(stack) }),
    ...(cause === undefined ? {} : { cause: errorFields(cause) }),
  };
}

const clip = (text: string) => (text.length <= longest ? text : `${text.slice(0, longest)}...`);
