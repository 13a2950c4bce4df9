// The partitions of AWS that the operator knows: which regions are theirs, and what their names of servers end in.
import { Failure } from '../../kernel/failure.ts';
import type { ResolvedTarget, Target } from './target.ts';

interface Partition {
  readonly regions: RegExp;
  readonly suffix: string;
}

const partitions: ReadonlyMap<string, Partition> = new Map([
  ['aws-cn', { regions: /^cn-/, suffix: '.amazonaws.com.cn' }],
  ['aws-us-gov', { regions: /^us-gov-/, suffix: '.amazonaws.com' }],
  // Those of isolated partitions are named alike, and have other names and certificate authorities.
  ['aws', { regions: /^(?!cn-|us-gov-|[a-z]{2,3}-iso)/, suffix: '.amazonaws.com' }],
]);

/** The partition that a region is in; undefined for one that the operator does not know. */
export function partitionOf(region: string): string | undefined {
  return [...partitions].find(([, { regions }]) => regions.test(region))?.[0];
}

/** Names that AWS told have to be AWS's; with type Explicit the owner answers for the name. */
export function checkPartition(
  { partition, region, endpoint, readerEndpoint }: ResolvedTarget,
  type: Target['type'],
): Failure | undefined {
  const known = partitions.get(partition);
  if (known === undefined || partitionOf(region) !== partition) return unknownRegion(region);
  const names =
    type === 'Explicit' ? [] : [endpoint, ...(readerEndpoint === undefined ? [] : [readerEndpoint])];
  if (names.every((name) => name.endsWith(known.suffix))) return undefined;
  return new Failure(
    'invalid',
    'PartitionNotSupported',
    `AWS names an endpoint of the database that does not end in ${known.suffix}, as those of partition ${partition} do.`,
  );
}

export const unknownRegion = (region: string): Failure =>
  new Failure(
    'invalid',
    'PartitionNotSupported',
    `Region ${region} is in no partition that the operator knows (aws, aws-cn, aws-us-gov), or not in the one that was told. With type Explicit leave spec.target.explicit.partition out: it follows from the region.`,
  );
