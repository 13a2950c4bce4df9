// What users write and read, as types read off the schemas of the two kinds.
import type { databaseSchema } from './database-schema.ts';
import type { FromSchema } from './infer.ts';
import type { userSchema } from './user-schema.ts';

export type DatabaseSpec = FromSchema<typeof databaseSchema>['spec'];
export type DatabaseStatus = NonNullable<FromSchema<typeof databaseSchema>['status']>;
export type UserSpec = FromSchema<typeof userSchema>['spec'];
export type UserStatus = NonNullable<FromSchema<typeof userSchema>['status']>;
export type AllowRule = DatabaseSpec['allow'][number];
/** By which role the operator sees AWS for a database; undefined where it is its own. */
export type AssumeRole = NonNullable<DatabaseSpec['assumeRole']>;
