// What the benchmark waits for, and how a figure is printed.
import type { IamDatabaseUser } from '../../src/api/objects.ts';
import type { Stage } from '../stage/stage.ts';
import { until } from '../stage/wait.ts';

export const isProven = ({ status }: IamDatabaseUser) =>
  ['Ready', 'AccessVerified'].every((type) =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === 'True'),
  );

export async function untilAll(
  stage: Stage,
  holds: (users: readonly IamDatabaseUser[]) => boolean,
): Promise<void> {
  const path = '/apis/iamdb.dev/v1alpha1/namespaces/payments/iamdatabaseusers';
  await until(
    'all users',
    async () =>
      holds(
        (await stage.bed.kube.request<{ readonly items: readonly IamDatabaseUser[] }>({ path })).body.items,
      ),
    // Each look lists them all, and must not be most of what the API server does.
    { withinMs: 300_000, everyMs: 500 },
  );
}

export function print(rows: readonly (readonly [what: string, figure: string, target: string])[]): void {
  const width = Math.max(...rows.map(([what]) => what.length));
  for (const [what, figure, target] of rows) {
    console.log(
      `${what.padEnd(width)}  ${figure.padStart(10)}${target === '' ? '' : `  (at most ${target})`}`,
    );
  }
}
