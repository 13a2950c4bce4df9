// Writes to our own two kinds: finalizers and status, each noted in the cache at once.
import type { KubeObject } from '../controller/object.ts';
import type { StoreReader } from '../controller/store.ts';
import type { ObjectWrites, Reported } from '../reconcile/world.ts';
import { isNotFound } from '../systems/kubernetes/kube-error.ts';
import { orKubeFailure } from '../systems/kubernetes/failures.ts';
import type { KubeObjects } from '../systems/kubernetes/objects.ts';

const reportMs = 10_000;

interface Written extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly finalizers?: readonly string[] };
  readonly status?: object;
}

export function objectWrites<T extends Written, S extends object>(
  objects: KubeObjects<T>,
  cache: Pick<StoreReader<T>, 'noteWritten'>,
  finalizer: string,
): ObjectWrites<T, S> {
  const setFinalizers = async (object: T, finalizers: readonly string[], signal: AbortSignal): Promise<T> => {
    const { resourceVersion } = object.metadata;
    // The version makes it a conflict if anybody changed the list meanwhile: a merge patch replaces it whole.
    const written = await objects.mergePatch(
      object.metadata,
      { metadata: { resourceVersion, finalizers } },
      { signal },
    );
    cache.noteWritten(written);
    return written;
  };

  const isThere = async ({ metadata }: T, signal: AbortSignal) =>
    await orKubeFailure(objects.isThere(metadata, metadata.uid, signal));

  return {
    hold: async (object, signal) =>
      await orKubeFailure(setFinalizers(object, [...(object.metadata.finalizers ?? []), finalizer], signal)),
    release: async (object, signal) => {
      const rest = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
      try {
        await setFinalizers(object, rest, signal);
      } catch (error) {
        // Somebody else let it go, unless it is there still.
        const isGone = isNotFound(error) && !(await isThere(object, signal));
        if (!isGone) await orKubeFailure(Promise.reject(error));
      }
    },
    report: async (object, status) => {
      // A pass that ran out of time has to be able to say so.
      const signal = AbortSignal.timeout(reportMs);
      const patch = {
        metadata: { uid: object.metadata.uid },
        status: replacing(object.status ?? {}, status),
      };
      cache.noteWritten(await orKubeFailure(objects.patchStatus(object.metadata, patch, { signal })));
    },
  };
}

/** A merge patch leaves what it does not name, so what is no longer said is named as null. */
function replacing<S extends object>(before: object, after: Reported<S>): object {
  const gone = Object.keys(before).filter((key) => !(key in after));
  return { ...Object.fromEntries(gone.map((key) => [key, null])), ...after };
}
