// Typed access to the objects of one kind: what the operator may do with them, and nothing else.
import type { KubeObject } from '../../controller/object.ts';
import { isNotFound, type KubeError, noAnswer } from './kube-error.ts';
import { apiVersionOf, type ObjectName, pathOf, type ResourceDescriptor } from './resource.ts';
import type { KubeRequest, KubeTransport, Method } from './transport.ts';

export interface ListOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continueToken?: string | undefined;
  /** PartialObjectMetadata instead of the objects. */
  readonly metadataOnly?: boolean | undefined;
  readonly signal: AbortSignal;
}

export interface ObjectPage<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  readonly continueToken?: string;
}

export interface WriteOptions {
  readonly signal: AbortSignal;
  readonly fieldManager?: string;
  readonly timeoutMs?: number;
}

export interface DeleteOptions extends WriteOptions {
  /** Deletes only this very object, or this very version of it; else a conflict. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

/** An object to be written: its name, and whatever else it shall hold. apiVersion and kind are added. */
export interface Manifest {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** Every call throws KubeError; see `KubeTransport.request`. */
export interface KubeObjects<T extends KubeObject> {
  readonly resource: ResourceDescriptor;
  /** undefined if there is none. */
  get(name: ObjectName, signal: AbortSignal): Promise<T | undefined>;
  /** One page, read consistently. */
  list(options: ListOptions): Promise<ObjectPage<T>>;
  create(object: Manifest, options: WriteOptions): Promise<T>;
  /** Must name metadata.resourceVersion to be safe against others. */
  replace(object: Manifest, options: WriteOptions): Promise<T>;
  /** A JSON merge patch; with metadata.resourceVersion in it a conflict if somebody was faster. */
  mergePatch(name: ObjectName, patch: object, options: WriteOptions): Promise<T>;
  /** A JSON merge patch of the status subresource; `patch` is the whole document: `{ status: … }`. */
  patchStatus(name: ObjectName, patch: object, options: WriteOptions): Promise<T>;
  /** Looked for, not remembered: whatever stands before an API server may say of a write that there is no such object. */
  isThere(name: ObjectName, uid: string | undefined, signal: AbortSignal): Promise<boolean>;
  /** 'absent' if there was none, which was looked for. */
  delete(name: ObjectName, options: DeleteOptions): Promise<'deleted' | 'absent'>;
}

const MERGE_PATCH = 'application/merge-patch+json';

/** `lane: 'lease'` for the Lease of the election only. */
export function objectsOf<T extends KubeObject>(
  transport: KubeTransport,
  resource: ResourceDescriptor,
  lane: 'requests' | 'lease' = 'requests',
): KubeObjects<T> {
  const own = (body: unknown) => asObject(body) as T;
  const typed = (object: Manifest) => ({
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    ...object,
  });

  const write = async (
    method: Method,
    path: string,
    body: object,
    { signal, fieldManager, timeoutMs }: WriteOptions,
    more: { readonly contentType?: string; readonly subresource?: string } = {},
  ): Promise<unknown> => {
    const request: KubeRequest = {
      method,
      path,
      resource: more.subresource === undefined ? resource.plural : `${resource.plural}/${more.subresource}`,
      query: { fieldManager },
      body,
      signal,
      lane,
      ...(more.contentType === undefined ? {} : { contentType: more.contentType }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
    return (await transport.request(request)).body;
  };

  const list: KubeObjects<T>['list'] = async (options) => {
    const { namespace, labelSelector, fieldSelector, limit, continueToken, metadataOnly, signal } = options;
    const { body } = await transport.request({
      method: 'GET',
      path: pathOf(resource, { namespace }),
      resource: resource.plural,
      query: { labelSelector, fieldSelector, limit, continue: continueToken },
      metadataOnly: metadataOnly === true,
      signal,
      lane,
    });
    const page = asPage(resource, body);
    return { ...page, items: page.items.map(own) };
  };

  const isThere: KubeObjects<T>['isThere'] = async ({ namespace, name }, uid, signal) => {
    const { items } = await list({ namespace, fieldSelector: `metadata.name=${name}`, limit: 1, signal });
    return items.some(({ metadata }) => uid === undefined || metadata.uid === uid);
  };

  return {
    resource,
    get: async (name, signal) => {
      try {
        const { body } = await transport.request({
          method: 'GET',
          path: pathOf(resource, name),
          resource: resource.plural,
          signal,
          lane,
        });
        return own(body);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    list,
    isThere,
    create: async (object, options) => {
      const { namespace } = object.metadata;
      return own(await write('POST', pathOf(resource, { namespace }), typed(object), options));
    },
    replace: async (object, options) =>
      own(await write('PUT', pathOf(resource, object.metadata), typed(object), options)),
    mergePatch: async (name, patch, options) =>
      own(await write('PATCH', pathOf(resource, name), patch, options, { contentType: MERGE_PATCH })),
    patchStatus: async (name, patch, options) =>
      own(
        await write('PATCH', pathOf(resource, name, 'status'), patch, options, {
          contentType: MERGE_PATCH,
          subresource: 'status',
        }),
      ),
    delete: async (name, options) => {
      const { uid, resourceVersion, propagationPolicy } = options;
      const preconditions = {
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      };
      const body = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions,
        ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
      };
      try {
        await write('DELETE', pathOf(resource, name), body, options);
        return 'deleted';
      } catch (error) {
        if (!isNotFound(error) || (await isThere(name, uid, options.signal))) throw error;
        return 'absent';
      }
    },
  };
}

function malformed(what: string): KubeError {
  return noAnswer(`the API server sent ${what}`, 'MalformedAnswer');
}

/** The one place where JSON from the API server becomes a typed object: its schema is the server's to keep. */
export function asObject(body: unknown): KubeObject {
  if (!isRecord(body) || !isRecord(body['metadata'])) throw malformed('something that is not an object');
  const { name, uid, resourceVersion } = body['metadata'];
  if (typeof name !== 'string' || typeof uid !== 'string' || typeof resourceVersion !== 'string') {
    throw malformed('an object without name, uid or version');
  }
  return body as unknown as KubeObject;
}

function asPage(resource: ResourceDescriptor, body: unknown): ObjectPage<unknown> {
  if (!isRecord(body) || !isRecord(body['metadata'])) throw malformed('something that is not a list');
  // Go writes an empty list as null in places.
  const items: unknown = body['items'] ?? [];
  const { resourceVersion, continue: continueToken } = body['metadata'];
  if (!Array.isArray(items) || typeof resourceVersion !== 'string') throw malformed('a list without items');
  return {
    // Inside a list the built-in kinds do not say what they are.
    items: items.map((item: unknown) =>
      isRecord(item) && item['kind'] === undefined
        ? { apiVersion: apiVersionOf(resource), kind: resource.kind, ...item }
        : item,
    ),
    resourceVersion,
    ...(typeof continueToken === 'string' && continueToken !== '' ? { continueToken } : {}),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
