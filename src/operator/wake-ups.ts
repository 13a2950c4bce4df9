// Who has to be looked at again when something changes in the cluster. Handlers only enqueue.
import { annotations, labels } from '../api/names.ts';
import type { IamDatabaseUser, Metadata } from '../api/objects.ts';
import type { Controller } from '../controller/controller.ts';
import type { Change } from '../controller/store.ts';
import type { Priority } from '../controller/work-queue.ts';
import { keyOf, trustBundleName } from '../reconcile/names.ts';
import { principalsOf } from '../reconcile/principals.ts';
import { sameStatus } from '../reconcile/status.ts';
import { hasBegun } from '../reconcile/standing.ts';
import type { World } from '../reconcile/world.ts';
import type { Caches, Handlers } from './caches.ts';

export interface WakeUps {
  readonly handlers: Handlers;
  usersOf(database: string): void;
  /** The EKS Pod Identity association of a ServiceAccount is another, or none, or the first. */
  associationChanged(account: string, wasRoleARN: string | undefined): void;
}

export function wakeUps(options: {
  readonly caches: Caches;
  readonly controllers: {
    readonly databases: Controller;
    readonly users: Controller;
    readonly sweeps: Controller;
  };
  readonly world: Pick<World, 'database' | 'forget' | 'learn' | 'serviceAccount'>;
}): WakeUps {
  const { caches, controllers, world } = options;
  const user = (one: IamDatabaseUser, priority: Priority) =>
    controllers.users.queue.add(keyOf(one), { priority });
  const usersOf = (database: string) => {
    for (const one of caches.users.byIndex('database', database)) user(one, 'dependency');
  };
  const sweep = (key: string) => controllers.sweeps.queue.add(key, { priority: 'dependency' });
  const sharedBy = (one: IamDatabaseUser) => {
    const database = world.database(one.spec.databaseRef.name);
    const bundle =
      database === undefined ? one.spec.trustBundle.configMapName : trustBundleName(one, database);
    return [
      ...principalsOf(one, world).resolved.map(({ roleARN }) => `policy ${roleARN}`),
      ...(bundle === undefined ? [] : [`bundle ${one.metadata.namespace}/${bundle}`]),
    ];
  };
  /** What it no longer shares has to be looked at without it. */
  const sweepLeft = (before: IamDatabaseUser, after: IamDatabaseUser | undefined) => {
    // Who never began left nothing.
    if (!hasBegun(before)) return;
    const still = new Set(after === undefined ? [] : sharedBy(after));
    for (const key of sharedBy(before)) if (!still.has(key)) sweep(key);
  };

  return {
    usersOf,
    associationChanged: (account, was) => {
      const named = caches.users.byIndex('serviceAccount', account);
      for (const one of named) user(one, 'dependency');
      // With a first association, the role of the annotation is theirs no more.
      const left = was ?? caches.serviceAccounts.get(account)?.roleARN;
      if (named.length > 0 && left !== undefined) sweep(`policy ${left}`);
    },
    handlers: {
      database: (change, initial) => {
        if (!matters(change)) return;
        // One of the same name that comes next may be another server with other rules.
        if (change.kind === 'deleted') world.learn(change.object.metadata.name, undefined);
        controllers.databases.queue.add(change.key, { priority: priorityOf(change, initial) });
        // Its rules and its suspend decide about users even where what it resolves to stays the same.
        if (!initial) usersOf(change.object.metadata.name);
      },
      user: (change, initial) => {
        if (!matters(change)) return;
        controllers.users.queue.add(change.key, { priority: priorityOf(change, initial) });
        if (change.kind === 'updated') sweepLeft(change.previous, change.object);
        if (change.kind !== 'deleted') return;
        sweepLeft(change.object, undefined);
        world.forget(change.object);
        // Others may have waited for its name.
        for (const other of caches.users.byIndex('username', change.object.spec.username))
          user(other, 'dependency');
        const { name } = change.object.spec.databaseRef;
        // One that is to go may have waited for just this user.
        if (world.database(name)?.metadata.deletionTimestamp !== undefined) {
          controllers.databases.queue.add(name, { priority: 'dependency' });
        }
      },
      namespace: (change, initial) => {
        if (initial || (change.kind === 'updated' && sameLabels(change.object, change.previous))) return;
        for (const one of caches.users.byIndex('namespace', change.object.metadata.name))
          user(one, 'dependency');
      },
      serviceAccount: (change, initial) => {
        const was = change.kind === 'updated' ? change.previous.roleARN : undefined;
        const isSame = change.kind === 'updated' && was === change.object.roleARN;
        if (initial || isSame) return;
        const users = caches.users.byIndex('serviceAccount', change.key);
        for (const one of users) user(one, 'dependency');
        // The role that it no longer is has to be looked at without them; one that has none now takes nothing from anybody.
        if (users.length > 0 && was !== undefined && change.object.roleARN !== undefined) {
          sweep(`policy ${was}`);
        }
      },
      configMap: (change, initial) => {
        if (initial) return;
        const { namespace, name, annotations: notes = {}, labels: marks = {} } = change.object.metadata;
        const owner = notes[annotations.ownerUID];
        for (const one of caches.users.byIndex('namespace', namespace)) {
          const shares =
            marks[labels.kind] === 'trust-bundle' && sharedBy(one).includes(`bundle ${namespace}/${name}`);
          if (shares || one.metadata.uid === owner) user(one, 'dependency');
        }
      },
    },
  };
}

/** By which a person tells us something. */
const askedBy = [
  annotations.reconcileRequestedAt,
  annotations.confirmRevocation,
  annotations.policiesHandedOver,
] as const;

/** Whether a change is more than our own status or finalizer coming back. */
function matters(change: Change<{ readonly metadata: Metadata }>): boolean {
  if (change.kind !== 'updated') return true;
  const [is, was] = [change.object.metadata, change.previous.metadata];
  return (
    is.generation !== was.generation ||
    is.deletionTimestamp !== was.deletionTimestamp ||
    askedBy.some((name) => is.annotations?.[name] !== was.annotations?.[name]) ||
    (is.finalizers ?? []).length < (was.finalizers ?? []).length
  );
}

function priorityOf(change: Change<{ readonly metadata: Metadata }>, initial: boolean): Priority {
  if (change.object.metadata.deletionTimestamp !== undefined) return 'deletion';
  return initial ? 'startup' : 'spec';
}

interface Labelled {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
}
const sameLabels = (a: Labelled, b: Labelled) => sameStatus(a.metadata.labels ?? {}, b.metadata.labels ?? {});
