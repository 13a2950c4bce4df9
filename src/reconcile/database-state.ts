// What the operator knows of one IamDatabase between passes; kept in memory only.
import type { RoleServer } from '../resources/role/resource.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import type { Failure } from './kernel/failure.ts';

export interface DatabaseState {
  /** The last resolved target; a Failure only while there is none, or once it is known to be no longer true. */
  readonly target: ResolvedTarget | Failure;
  /** The rehearsal's answer. */
  readonly admin: { readonly serverVersion: string } | Failure;
  /** Connections to the server behind the target, as the admin. */
  readonly server: RoleServer | undefined;
}
