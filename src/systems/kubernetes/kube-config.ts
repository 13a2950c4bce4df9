// Where the API server is and who we are there: server, trust, client certificate and a bearer token that is read again.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { noAnswer } from './kube-error.ts';

export type KubeConfigSource =
  | { readonly from: 'file'; readonly path: string; readonly context?: string }
  /** The service account of the pod we run in. */
  | { readonly from: 'pod' }
  /** As kubectl finds it: KUBECONFIG, then the file in the home folder, then the pod. */
  | { readonly from: 'default'; readonly context?: string };

/** Throws an Error with a message for the person who set it up. */
export function loadKubeConfig(source: KubeConfigSource): KubeConfig {
  const config = new KubeConfig();
  try {
    load(config, source);
  } catch (error) {
    throw new Error(`the kubeconfig cannot be used: ${whyNot(error)}; check KUBECONFIG`, { cause: error });
  }
  if (source.from !== 'pod' && source.context !== undefined) config.setCurrentContext(source.context);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error('the kubeconfig names no cluster for its current context');
  if (server === 'http://localhost:8080' && config.getCurrentContext() === 'loaded-context') {
    // The library's last resort, which is never meant.
    throw new Error('no kubeconfig was found and this is not a pod; set KUBECONFIG');
  }
  if (server.startsWith('http:') && config.getCurrentCluster()?.skipTLSVerify !== true) {
    throw new Error(
      'the kubeconfig names a server without TLS; set insecure-skip-tls-verify if that is meant',
    );
  }
  return config;
}

function load(config: KubeConfig, source: KubeConfigSource): void {
  if (source.from === 'pod') config.loadFromCluster();
  if (source.from === 'default') config.loadFromDefault();
  if (source.from === 'file') {
    config.loadFromString(withTokenFiles(readFileSync(source.path, 'utf8'), dirname(source.path)));
    config.makePathsAbsolute(dirname(source.path));
  }
}

/** Errors about files name the file; those about what stands in it quote it, and it may be a token. */
function whyNot(error: unknown): string {
  const isOfFile = error instanceof Error && 'syscall' in error;
  return isOfFile ? error.message : 'it is not a kubeconfig in YAML or JSON';
}

/** The library does not know the kubeconfig's `tokenFile`, but reads the same thing under another name. */
function withTokenFiles(text: string, folder: string): string {
  const config: unknown = parse(text);
  if (!isRecord(config) || !Array.isArray(config['users'])) return text;
  for (const entry of config['users'] as readonly unknown[]) {
    const user = isRecord(entry) ? entry['user'] : undefined;
    if (!isRecord(user) || typeof user['tokenFile'] !== 'string') continue;
    user['auth-provider'] = { name: 'tokenFile', config: { tokenFile: resolve(folder, user['tokenFile']) } };
    delete user['token'];
  }
  return JSON.stringify(config);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface Tls {
  readonly ca?: RequestOptions['ca'];
  readonly cert?: RequestOptions['cert'];
  readonly key?: RequestOptions['key'];
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Identity {
  /** Authorization and impersonation headers. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Tls;
  /** Equal for equal `tls`, so that connections are made anew when a certificate was renewed. */
  readonly tlsVersion: string;
}

export interface Credentials {
  /** The present identity; read again at most once a minute. */
  current(): Promise<Identity>;
  /** After a 401: the next `current()` reads everything again, exec plugins too. */
  forget(): void;
}

const READ_AGAIN_MS = 60_000;

/** `now` is a monotonic clock in milliseconds. */
export function credentialsOf(config: KubeConfig, now: () => number): Credentials {
  let reader = config;
  let latest: { readonly identity: Promise<Identity>; readonly readAt: number } | undefined;

  return {
    current: () => {
      if (latest === undefined || now() - latest.readAt >= READ_AGAIN_MS) {
        // Only the library's exec plugins keep a credential for as long as it is valid; everything else starts afresh.
        if (hasNoExec(reader)) reader = copyOf(reader);
        const identity = readIdentity(reader).catch((cause: unknown) => {
          throw noAnswer('the credentials for the API server could not be had', 'NoCredentials', cause);
        });
        latest = { identity, readAt: now() };
        const read = latest;
        // A failure is told to those who asked and is not remembered.
        identity.catch(() => {
          if (latest === read) latest = undefined;
        });
      }
      return latest.identity;
    },
    forget: () => {
      reader = copyOf(reader);
      latest = undefined;
    },
  };
}

function hasNoExec(config: KubeConfig): boolean {
  return !config.getCurrentUser()?.exec;
}

/** A copy has empty caches of tokens and agents. */
function copyOf(config: KubeConfig): KubeConfig {
  const copy = new KubeConfig();
  copy.loadFromOptions({
    clusters: config.getClusters(),
    users: config.getUsers(),
    contexts: config.getContexts(),
    currentContext: config.getCurrentContext(),
  });
  return copy;
}

async function readIdentity(config: KubeConfig): Promise<Identity> {
  const options: RequestOptions = { headers: {} };
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, servername, rejectUnauthorized, auth } = options;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file ends with a line feed, which no header may hold.
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
  }
  if (typeof auth === 'string') headers['authorization'] = `Basic ${Buffer.from(auth).toString('base64')}`;
  const tls: Tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  };
  return { headers, tls, tlsVersion: digestOf([ca, cert, key]) };
}

/** So that no second copy of a private key is kept just for comparing. */
function digestOf(parts: readonly unknown[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${String(part)}\n`);
  return hash.digest('hex');
}
