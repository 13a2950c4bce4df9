// Wishes about roles, what became of them, and a server on which something happens in between.
import { converge, type Outcome } from '../../src/kernel/converge.ts';
import { roleResource } from '../../src/resources/role/resource.ts';
import type { RoleOwner } from '../../src/resources/role/owner.ts';
import type {
  AbsentRole,
  DesiredRole,
  ObservedRole,
  PresentRole,
  RoleChange,
  ScriptedRole,
} from '../../src/resources/role/role.ts';
import type { RoleServer, Session } from '../../src/resources/role/server.ts';

export const owner: RoleOwner = {
  operatorID: 'operator-1',
  trustedOperatorIDs: [],
  namespaceUID: 'namespace-uid-1',
  namespace: 'payments',
  name: 'checkout',
  uid: 'object-uid-1',
  serverResourceID: 'cluster-ABC',
};

/** The same server, with something happening between its round trips. */
export function between(
  server: RoleServer,
  happens: {
    readonly before?: (sql: string) => Promise<void>;
    readonly after?: (sql: string) => Promise<void>;
  },
): RoleServer {
  const disturbed = (session: Session): Session => ({
    ...session,
    async run(kind, sql, preparation) {
      await happens.before?.(sql);
      const answer = await session.run(kind, sql, preparation);
      await happens.after?.(sql);
      return answer;
    },
  });
  return {
    ...server,
    hold: async (work, signal) =>
      await server.hold(async (session) => await work(disturbed(session)), signal),
  };
}

export const soon = () => AbortSignal.timeout(30_000);
export type Wish = Partial<Omit<PresentRole, 'owner'>> & { readonly owner?: Partial<RoleOwner> };

export const wish = (username: string, changes: Wish = {}): PresentRole => ({
  ensure: 'present',
  username,
  memberOf: ['orders_readwrite'],
  literallyAllowedGroups: [],
  adopt: false,
  connectionLimit: -1,
  connectDatabases: ['orders'],
  settings: {},
  reservedUsernames: [],
  ...changes,
  owner: { ...owner, ...changes.owner },
});
export const gone = (username: string, changes: Partial<RoleOwner> = {}): ScriptedRole => ({
  ensure: 'absent',
  username,
  owner: { ...owner, ...changes },
});
/** Dropped, after what it owns was handed over. */
export const inherited = (username: string, reassignTo: string): ScriptedRole => ({
  ensure: 'absent',
  username,
  owner,
  reassignTo,
});
export const ended = <E extends AbsentRole['ensure']>(
  username: string,
  ensure: E,
): AbsentRole & { readonly ensure: E } => ({
  ensure,
  username,
  owner,
});

export const bring = async (
  server: RoleServer,
  desired: DesiredRole,
): Promise<Outcome<ObservedRole, RoleChange>> =>
  await converge(roleResource(server), desired, 'Enforce', soon());
export const done = (outcome: Outcome<ObservedRole, RoleChange>) =>
  'changes' in outcome ? outcome.changes.map((change) => change.do) : [];
export const reason = (outcome: Outcome<ObservedRole, RoleChange>) =>
  'failure' in outcome ? outcome.failure.reason : outcome.result;
