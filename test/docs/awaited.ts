// Names that the pages use and that are not there yet; each is taken out once it is.

export const awaited: readonly string[] = [
  '--role-arn',
  '--authentication',
  'ProxyUsesSecrets',
  'ProxyNotFound',
  'ProxyTargetsElsewhere',
  'ProxyNotReady',
  'BlueGreenInProgress',
  'RoleLeft',
  'spec.role.delivery',
  'proxies',
  'role',
  'assumeRole',
];
