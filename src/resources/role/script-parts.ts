// What the scripts about a role have in common: reading it and its mark, and judging whose it is.
import { literal } from './quote.ts';
import type { RoleOwner } from './owner.ts';

export const fail = (message: string): string => `RAISE EXCEPTION USING MESSAGE = ${literal(message)};`;

/** Variables of every block; `my_` keeps them apart from columns. */
export const declarations = `DECLARE
  my_role oid;
  my_comment text;
  my_login boolean;
  my_limit integer;
  my_mark jsonb;
  my_one text;`;

export const readRole = (
  username: string,
): string => `  SELECT oid, rolcanlogin, rolconnlimit, shobj_description(oid, 'pg_authid')
    INTO my_role, my_login, my_limit, my_comment FROM pg_roles WHERE rolname = ${literal(username)};
  IF my_comment LIKE 'Kept by iamdb-operator for %' THEN
    BEGIN
      my_mark := substring(my_comment FROM ${literal('\\{.*\\}$')})::jsonb;
    EXCEPTION WHEN data_exception THEN my_mark := NULL;
    END;
  END IF;`;

/** As `mayKeep` judges it. */
export function mayKeepSQL({
  namespace,
  name,
  namespaceUID,
  operatorID,
  trustedOperatorIDs,
}: RoleOwner): string {
  const trusted = trustedOperatorIDs.map((id) => `OR my_mark->>'operator' = ${literal(id)}`).join(' ');
  return `COALESCE(my_mark->>'v' = '1' AND my_mark->>'namespace' = ${literal(namespace)} AND my_mark->>'name' = ${literal(name)}
    AND (my_mark->>'operator' = ${literal(operatorID)} AND my_mark->>'namespaceUID' = ${literal(namespaceUID)} ${trusted}), false)`;
}

/** As `mayEnd` judges it. */
export const mayEndSQL = (owner: RoleOwner): string =>
  `my_mark->>'operator' = ${literal(owner.operatorID)} AND ${mayKeepSQL(owner)}`;

/** What an earlier script, or the operator, recorded in the mark. */
export const marked = (key: 'groups' | 'databases' | 'settings'): string =>
  `SELECT jsonb_array_elements_text(COALESCE(my_mark->'${key}', '[]'))`;
