// The ARNs that RDS gives to clusters, instances and proxies.

/** Partition, account and region of what AWS tells are taken from here, never guessed. */
export type RdsARN = Readonly<
  Record<'partition' | 'region' | 'accountID' | 'name', string> & { kind: 'cluster' | 'db' | 'db-proxy' }
>;

const shape =
  /^arn:(?<partition>aws[a-z-]*):rds:(?<region>[a-z0-9-]+):(?<accountID>[0-9]{12}):(?<kind>cluster|db|db-proxy):(?<name>.*)$/;

/** The groups are named as the fields; whether the name is one of its kind is for the caller to judge. */
export const parseRdsARN = (arn: string | undefined): RdsARN | undefined =>
  shape.exec(arn ?? '')?.groups as RdsARN | undefined;
