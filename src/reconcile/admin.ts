// The admin of an IamDatabase whose roles the operator keeps: the schema asks for one, and nothing is begun without.
import type { DatabaseSpec } from '../api/schema.ts';
import { Failure } from '../kernel/failure.ts';

export const noAdmin = new Failure(
  'invalid',
  'AdminSecretMissing',
  'The IamDatabase has no spec.admin, which role.delivery Managed needs.',
);

export function adminOf({ admin }: DatabaseSpec): NonNullable<DatabaseSpec['admin']> {
  if (admin === undefined) throw noAdmin;
  return admin;
}
