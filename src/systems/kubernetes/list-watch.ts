// The reflector's port over the API server.
import type { KubeObject } from '../../controller/object.ts';
import type { ListWatch, WatchEvent } from '../../controller/reflector.ts';
import { errorFromStatus, KubeError, noAnswer } from './kube-error.ts';
import { asObject, objectsOf } from './objects.ts';
import { pathOf, type ResourceDescriptor } from './resource.ts';
import type { KubeTransport } from './transport.ts';

export interface Scope {
  /** Only this namespace. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** PartialObjectMetadata instead of the objects. */
  readonly metadataOnly?: boolean;
}

/** Asks the API server for metadata alone, and keeps of it what `keep` answers. */
export function metadataListWatchOf<T extends KubeObject>(
  transport: KubeTransport,
  resource: ResourceDescriptor,
  keep: (object: KubeObject) => T,
  scope: Scope = {},
): ListWatch<T> {
  const whole = listWatchOf<KubeObject>(transport, resource, { ...scope, metadataOnly: true });
  return {
    list: async (request) => {
      const page = await whole.list(request);
      return { ...page, items: page.items.map(keep) };
    },
    watch: async function* (request) {
      for await (const event of whole.watch(request)) {
        yield event.type === 'BOOKMARK' ? event : { ...event, object: keep(event.object) };
      }
    },
    judge: whole.judge,
  };
}

export function listWatchOf<T extends KubeObject>(
  transport: KubeTransport,
  resource: ResourceDescriptor,
  scope: Scope = {},
): ListWatch<T> {
  const objects = objectsOf<T>(transport, resource);
  const own = (body: unknown) => asObject(body) as T;
  return {
    list: (request) => objects.list({ ...scope, ...request }),
    watch: async function* ({ resourceVersion, timeoutSeconds, signal }) {
      const lines = transport.watch({
        path: pathOf(resource, { namespace: scope.namespace }),
        resource: resource.plural,
        metadataOnly: scope.metadataOnly === true,
        query: {
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion,
          timeoutSeconds,
          labelSelector: scope.labelSelector,
          fieldSelector: scope.fieldSelector,
        },
        signal,
      });
      for await (const line of lines) yield asEvent(line, own);
    },
    judge: (error) => {
      if (!(error instanceof KubeError)) return { do: 'retry' };
      const { status, reason, retryAfterSeconds } = error;
      const wait = retryAfterSeconds === undefined ? {} : { afterMs: retryAfterSeconds * 1000 };
      // Both ways in which the server says that it no longer knows, or does not yet know, our version.
      const isGone = status === 410 || reason === 'Expired' || reason === 'Gone';
      return { do: isGone || isFromTheFuture(error) ? 'relist' : 'retry', ...wait };
    },
  };
}

/** "Too large resource version": our version is ahead of the server's, as after a restored backup of etcd. */
function isFromTheFuture(error: KubeError): boolean {
  return error.details?.causes?.some(({ reason }) => reason === 'ResourceVersionTooLarge') === true;
}

function asEvent<T>(line: unknown, own: (body: unknown) => T): WatchEvent<T> {
  const { type, object } = line as { readonly type?: unknown; readonly object?: unknown };
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') {
    return { type, object: own(object) };
  }
  if (type === 'BOOKMARK') {
    const version = (object as { readonly metadata?: { readonly resourceVersion?: unknown } }).metadata;
    if (typeof version?.resourceVersion === 'string') {
      return { type, resourceVersion: version.resourceVersion };
    }
  }
  if (type === 'ERROR') throw errorFromStatus(object);
  throw noAnswer('the watch sent an event of an unknown type', 'MalformedAnswer');
}
