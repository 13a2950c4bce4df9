// For tests of the plan: one wish, one server, and the plan's answers.
import { type Granted, type ModelServer, observe } from './model-server.ts';
import { planRole } from '../../src/resources/role/plan.ts';
import type { RoleOwner } from '../../src/resources/role/owner.ts';
import type { DesiredRole, PresentRole, RoleChange } from '../../src/resources/role/role.ts';

export const owner: RoleOwner = {
  operatorID: 'operator-1',
  trustedOperatorIDs: ['operator-0'],
  namespaceUID: 'namespace-1',
  namespace: 'payments',
  name: 'checkout',
  uid: 'object-2',
  serverResourceID: 'cluster-ABC',
};
export const present: PresentRole = {
  ensure: 'present',
  username: 'checkout',
  owner,
  memberOf: ['writers'],
  literallyAllowedGroups: [],
  adopt: false,
  connectionLimit: 5,
  connectDatabases: ['orders'],
  settings: {},
  reservedUsernames: ['other_admin'],
};
export const absent = { ensure: 'absent', username: 'checkout', owner } as const satisfies DesiredRole;
export const disabled = { ensure: 'disabled', username: 'checkout', owner } as const satisfies DesiredRole;
export const empty: DesiredRole = { ensure: 'empty', username: 'checkout', owner };
export const released = { ensure: 'released', username: 'checkout', owner } as const satisfies DesiredRole;

export const us: Granted = new Set(['us']);
export const person: Granted = new Set(['person']);

export const server: ModelServer = {
  version: 170_004,
  role: undefined,
  groups: new Map([
    ['writers', { never: [], byNameOnly: [] }],
    ['readers', { never: [], byNameOnly: [] }],
  ]),
  databases: new Map([['orders', { byPublic: false, byGroups: [] }]]),
  owns: false,
  hangsOnIt: false,
  heldBy: undefined,
};

/** The plan's changes; throws its refusal. */
export const changesOf = (desired: DesiredRole, state: ModelServer): readonly RoleChange[] => {
  const plan = planRole(desired, observe(state, desired));
  if ('refused' in plan) throw plan.refused;
  return plan;
};
export const reasonOf = (desired: DesiredRole, state: ModelServer): string => {
  const plan = planRole(desired, observe(state, desired));
  return 'refused' in plan ? plan.refused.reason : `planned: ${plan.map((change) => change.do).join(', ')}`;
};
