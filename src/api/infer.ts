// Types read off a schema value, so that what users may write is said once.

/**
 * The TypeScript type of a value that a structural schema (as a const) admits, as the API server returns it: a property
 * with a default is always there.
 */
export type FromSchema<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: 'string' }
    ? string
    : S extends { readonly type: 'integer' | 'number' }
      ? number
      : S extends { readonly type: 'boolean' }
        ? boolean
        : S extends { readonly type: 'array'; readonly items: infer I }
          ? readonly FromSchema<I>[]
          : S extends { readonly additionalProperties: infer V }
            ? { readonly [key: string]: FromSchema<V> }
            : S extends { readonly properties: infer P }
              ? Flat<
                  { readonly [K in keyof P as K extends Present<S, P> ? K : never]: FromSchema<P[K]> } & {
                    readonly [K in keyof P as K extends Present<S, P> ? never : K]?: FromSchema<P[K]>;
                  }
                >
              : never;

type Required<S> = S extends { readonly required: readonly (infer R)[] } ? R : never;
type Defaulted<P> = { [K in keyof P]: P[K] extends { readonly default: unknown } ? K : never }[keyof P];
type Present<S, P> = Required<S> | Defaulted<P>;
type Flat<T> = { [K in keyof T]: T[K] };
