// Every status that was ever stored, as somebody who watched would have seen it.
import type { Condition } from '../../src/api/conditions.ts';
import type { Kube } from '../bed/kube.ts';

const kinds = ['iamdatabases', 'iamdatabaseusers'] as const;

/** Begins to remember; answers with `name: status reason` of each Ready since, those in a row that say the same as one. */
export async function readyHistory(kube: Kube): Promise<() => Promise<readonly string[]>> {
  const pathOf = (kind: string) => `/apis/iamdb.dev/v1alpha1/${kind}`;
  const from = await Promise.all(
    kinds.map(async (kind) => {
      const { body } = await kube.request<{ readonly metadata: { readonly resourceVersion: string } }>({
        path: `${pathOf(kind)}?limit=1`,
        expect: 200,
      });
      return { kind, version: body.metadata.resourceVersion };
    }),
  );
  return async () => {
    const seen = await Promise.all(
      from.map(async ({ kind, version }) => {
        // The API server tells all that happened since, then waits, here for a second only.
        const { body } = await kube.request({
          path: `${pathOf(kind)}?watch=true&resourceVersion=${version}&timeoutSeconds=1`,
          expect: 200,
        });
        return (typeof body === 'string' ? body.split('\n') : [JSON.stringify(body)])
          .filter(Boolean)
          .map(readyIn);
      }),
    );
    const all = seen.flat().filter((line) => line !== undefined);
    return all.filter((line, index) => line !== all[index - 1]);
  };
}

interface Watched {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name: string };
    readonly status?: { readonly conditions?: readonly Condition[] };
  };
}

function readyIn(line: string): string | undefined {
  const { type, object } = JSON.parse(line) as Watched;
  if (type === 'ERROR') throw new Error(`the API server does not remember any more: ${line}`);
  const ready = object.status?.conditions?.find((one) => one.type === 'Ready');
  return ready === undefined ? undefined : `${object.metadata.name}: ${ready.status} ${ready.reason}`;
}
