import { describe, expectTypeOf, it } from 'vitest';
import type { FromSchema } from './infer.ts';
import type { DatabaseSpec, UserSpec, UserStatus } from './schema.ts';

describe('a type read off a schema', () => {
  it('has what is required or has a default, and may have the rest', () => {
    type Read = FromSchema<{
      readonly type: 'object';
      readonly required: readonly ['a'];
      readonly properties: {
        readonly a: { readonly type: 'string' };
        readonly b: { readonly type: 'integer'; readonly default: 1 };
        readonly c: { readonly type: 'boolean' };
      };
    }>;
    expectTypeOf<Read>().toEqualTypeOf<{ readonly a: string; readonly b: number; readonly c?: boolean }>();
  });

  it('has exactly the values of an enum, lists, and maps', () => {
    expectTypeOf<FromSchema<{ readonly type: 'string'; readonly enum: readonly ['x', 'y'] }>>().toEqualTypeOf<
      'x' | 'y'
    >();
    expectTypeOf<
      FromSchema<{ readonly type: 'array'; readonly items: { readonly type: 'string' } }>
    >().toEqualTypeOf<readonly string[]>();
    expectTypeOf<
      FromSchema<{ readonly type: 'object'; readonly additionalProperties: { readonly type: 'string' } }>
    >().toEqualTypeOf<{ readonly [key: string]: string }>();
  });
});

describe('the kinds', () => {
  it('have what the API server fills in', () => {
    expectTypeOf<UserSpec['connectionLimit']>().toEqualTypeOf<number>();
    expectTypeOf<UserSpec['memberOf']>().toEqualTypeOf<readonly string[]>();
    expectTypeOf<UserSpec['probe']>().toEqualTypeOf<{
      readonly as: 'Auto' | 'Workload' | 'Operator' | 'Nobody';
    }>();
    expectTypeOf<DatabaseSpec['resync']>().toEqualTypeOf<{
      readonly policy: 'Periodic' | 'OnChange';
      readonly intervalSeconds: number;
    }>();
    expectTypeOf<DatabaseSpec['target']['type']>().toEqualTypeOf<'Cluster' | 'Instance' | 'Explicit'>();
  });

  it('may lack what nobody wrote', () => {
    expectTypeOf<UserSpec['connectDatabases']>().toEqualTypeOf<readonly string[] | undefined>();
    expectTypeOf<UserStatus['verifiedAs']>().toEqualTypeOf<string | undefined>();
    expectTypeOf<DatabaseSpec['allow'][number]['memberOf']>().toEqualTypeOf<readonly string[] | undefined>();
  });
});
