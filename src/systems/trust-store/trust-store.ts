// Amazon's trust store for RDS, or a mirror of it: fetches the certificate bundle of a region and keeps the last good one, over a restart too.
import { type Dispatcher, fetch } from 'undici';
import { asFailure, Failure } from '../../kernel/failure.ts';
import { unlessAborted } from '../unless-aborted.ts';

export interface TrustStore {
  /** PEM of the region's roots, validated. Rejects with BundleUnavailable or BundleInvalid while none was ever good. */
  roots(region: string, partition: string, signal: AbortSignal): Promise<string>;
}

export interface TrustStoreOptions {
  /** A mirror with the same paths below it, instead of Amazon's hosts. */
  readonly baseURL?: string | undefined;
  /** For proxies; undici's own default otherwise. */
  readonly dispatcher?: Dispatcher | undefined;
  readonly timing: {
    /** Age at which a bundle is fetched again. */
    readonly refreshMs: number;
    /** Shortest time between two tries after one failed. */
    readonly retryMs: number;
    readonly timeoutMs: number;
  };
  readonly maxBytes: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Validates a bundle and unites it with the last good one. */
  readonly accept: (
    fetched: string,
    lastGood: string | undefined,
    of: { readonly region: string; readonly now: number },
  ) => string | Failure;
  /** Where the roots in hand are kept for the time after a restart. */
  readonly copy?: RootsCopy;
  /** Told what the region's roots are by now, fetched or from the copy. */
  readonly onRoots?: (region: string, roots: KeptRoots) => void;
  /** Told when a refresh failed and the last good bundle stays. */
  readonly onStale: (region: string, failure: Failure) => void;
}

export interface KeptRoots {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly fetchedAt: number;
}

export interface RootsCopy {
  /** Those that are valid still, or undefined. */
  find(region: string, signal: AbortSignal): Promise<KeptRoots | undefined>;
  /** Never rejects. */
  keep(region: string, roots: KeptRoots): Promise<void>;
}

/** The only hosts that are ever asked, by partition. */
const hosts: ReadonlyMap<string, string> = new Map([
  ['aws', 'https://truststore.pki.rds.amazonaws.com'],
  ['aws-us-gov', 'https://truststore.pki.us-gov-west-1.rds.amazonaws.com'],
  ['aws-cn', 'https://rds-truststore.s3.cn-north-1.amazonaws.com.cn'],
]);

interface Entry {
  readonly good?: KeptRoots;
  readonly failed?: { readonly failure: Failure; readonly at: number };
  readonly pending?: Promise<string>;
}

export function trustStore(options: TrustStoreOptions): TrustStore {
  const { timing, now } = options;
  const entries = new Map<string, Entry>();

  /** What is in hand, or was before a restart. */
  const lastGood = async (region: string): Promise<KeptRoots | undefined> =>
    entries.get(region)?.good ??
    (await options.copy?.find(region, AbortSignal.timeout(timing.timeoutMs)).catch(() => undefined));

  const load = async (region: string, url: string): Promise<string> => {
    const before = await lastGood(region);
    try {
      const fetched = await download(url, region, options);
      const at = now();
      const accepted = options.accept(fetched, before?.text, { region, now: at });
      if (accepted instanceof Failure) throw accepted;
      const good = { text: accepted, fetchedAt: at };
      entries.set(region, { good });
      options.onRoots?.(region, good);
      await options.copy?.keep(region, good);
      return accepted;
    } catch (thrown) {
      const failure = asFailure(thrown);
      const isFirst = entries.get(region)?.good === undefined;
      entries.set(region, {
        ...(before === undefined ? {} : { good: before }),
        failed: { failure, at: now() },
      });
      if (before === undefined || !isFirst) throw failure;
      options.onRoots?.(region, before);
      options.onStale(region, failure);
      return before.text;
    }
  };
  /** Joins the fetch that is under way, or starts one. */
  const fetchOnce = (region: string, url: string): Promise<string> => {
    const entry = entries.get(region) ?? {};
    if (entry.pending !== undefined) return entry.pending;
    const pending = load(region, url);
    entries.set(region, { ...entry, pending });
    return pending;
  };

  return {
    async roots(region, partition, signal) {
      const url = bundleURL(region, partition, options.baseURL);
      const { good, failed, pending } = entries.get(region) ?? {};
      const mayTry = failed === undefined || now() - failed.at >= timing.retryMs;
      if (good !== undefined) {
        const isDue = failed !== undefined || now() - good.fetchedAt >= timing.refreshMs;
        if (pending === undefined && mayTry && isDue) {
          // In the background: what is good serves on, however the refresh ends.
          fetchOnce(region, url).catch((thrown: unknown) => {
            options.onStale(region, asFailure(thrown));
          });
        }
        return good.text;
      }
      if (pending === undefined && !mayTry) throw failed.failure;
      return await unlessAborted(fetchOnce(region, url), signal);
    },
  };
}

function bundleURL(region: string, partition: string, baseURL: string | undefined): string {
  const base = baseURL?.replace(/\/+$/, '') ?? hosts.get(partition);
  if (base === undefined || !/^[a-z]{2}(-[a-z]+)+-[0-9]+$/.test(region)) {
    throw new Failure(
      'invalid',
      'BundleUnavailable',
      'There is no known trust store for this partition and region. Set --trust-store-url to a mirror.',
    );
  }
  return `${base}/${region}/${region}-bundle.pem`;
}

async function download(
  url: string,
  region: string,
  { dispatcher, timing, maxBytes }: TrustStoreOptions,
): Promise<string> {
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timing.timeoutMs),
      ...(dispatcher === undefined ? {} : { dispatcher }),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw unavailable(region, `it answered with HTTP status ${response.status}`);
    }
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > maxBytes) throw tooLarge(region, maxBytes);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (thrown) {
    if (thrown instanceof Failure) throw thrown;
    throw unavailable(region, 'it cannot be reached', thrown);
  }
}

function unavailable(region: string, because: string, cause?: unknown): Failure {
  return new Failure(
    'unavailable',
    'BundleUnavailable',
    `The trust store gave no certificate bundle of ${region}: ${because}. Allow the operator to reach it, or set --trust-store-url to a mirror.`,
    { cause },
  );
}

function tooLarge(region: string, maxBytes: number): Failure {
  return new Failure(
    'unavailable',
    'BundleInvalid',
    `The certificate bundle of ${region} was refused: it is larger than ${maxBytes / 1024} KB.`,
  );
}
