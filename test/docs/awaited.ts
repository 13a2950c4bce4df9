// Names that the pages use and that are not there yet; each is taken out once it is.

export const awaited: readonly string[] = ['RoleLeft', 'spec.role.delivery', 'role', 'aws.eksClusterName'];
