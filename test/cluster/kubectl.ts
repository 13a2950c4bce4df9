// The cluster that KUBECONFIG names, by kubectl, as people come to it.
import { execFile } from 'node:child_process';
import type { Manifest } from '../chart/helm.ts';
import { until } from '../stage/wait.ts';

/** What kubectl prints; throws with what it says when it refuses. */
export async function kubectl(args: readonly string[], input = ''): Promise<string> {
  return await new Promise((done, failed) => {
    const options = { timeout: 180_000, maxBuffer: 64 * 1_048_576 };
    const child = execFile('kubectl', [...args], options, (error, stdout, stderr) => {
      if (error === null) done(stdout);
      else failed(new Error(`kubectl ${args.join(' ')}: ${stderr === '' ? error.message : stderr}`));
    });
    // It may end before it has read everything.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** What kubectl says against it; "taken" for nothing. */
export async function refusalOf(args: readonly string[], input?: string): Promise<string> {
  try {
    await kubectl(args, input);
    return 'taken';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export async function apply(...manifests: readonly Manifest[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items: manifests };
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(list));
}

/** Undefined where it does not exist. */
export async function read<T>(resource: string, name: string, namespace = 'default'): Promise<T | undefined> {
  const text = await kubectl(['get', resource, name, '-n', namespace, '--ignore-not-found', '-o', 'json']);
  return text === '' ? undefined : (JSON.parse(text) as T);
}

export async function list<T>(resource: string, ...selection: readonly string[]): Promise<readonly T[]> {
  const text = await kubectl(['get', resource, ...selection, '-o', 'json']);
  return (JSON.parse(text) as { readonly items: readonly T[] }).items;
}

interface Conditioned {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly observedGeneration?: number;
    }[];
  };
}

/** Waits until these conditions are True for the present generation. */
export async function untilTrue(
  resource: string,
  name: string,
  namespace: string | undefined,
  ...types: readonly string[]
): Promise<void> {
  await until(
    `${types.join(' and ')} of ${resource} ${name}`,
    async () => {
      const object = await read<Conditioned>(resource, name, namespace);
      return types.every((type) => holds(object, type));
    },
    {
      withinMs: 120_000,
      everyMs: 300,
      seen: async () => (await read<Conditioned>(resource, name, namespace))?.status,
    },
  );
}

/** Conditions of Kubernetes' own kinds tell no generation. */
export function holds(object: Conditioned | undefined, type: string): boolean {
  return (
    object?.status?.conditions?.some(
      (one) =>
        one.type === type &&
        one.status === 'True' &&
        (one.observedGeneration ?? object.metadata.generation) === object.metadata.generation,
    ) === true
  );
}

/** Through the API server, which reaches every pod: no port has to be forwarded. */
export async function reportOf<T>(namespace: string, service: string, port: number): Promise<T> {
  const path = `/api/v1/namespaces/${namespace}/services/http:${service}:${port}/proxy/report`;
  return JSON.parse(await kubectl(['get', '--raw', path])) as T;
}
