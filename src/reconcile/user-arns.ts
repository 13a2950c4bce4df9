// What rds-db:connect has to be allowed on for a user: the server itself, and each proxy in its own region and account.
import { dbUserARN } from '../resources/policy/arn.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';

export function userARNs(username: string, target: ResolvedTarget): readonly string[] {
  return target.resourceIDs.map((resourceID) => {
    const proxy = target.proxies?.find((one) => one.resourceID === resourceID);
    const { partition, region, accountID } = proxy ?? target;
    return dbUserARN({ partition, region, accountID, resourceID, username });
  });
}
