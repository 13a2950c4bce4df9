// What the Describe actions have in common: one thing by name, or all in pages, narrowed by filters.
import { AwsError } from '../errors.ts';
import type { Parameters } from '../query.ts';
import { list, type XmlValue } from '../xml.ts';

export interface Description<T> {
  readonly items: readonly T[];
  readonly identifier: string | undefined;
  readonly nameOf: (item: T, index: number) => string;
  readonly notFound: (identifier: string) => AwsError;
  /** The values that a filter is compared with. */
  readonly filters: Readonly<Record<string, (item: T) => readonly string[]>>;
  readonly members: readonly [list: string, item: string];
  readonly show: (item: T) => XmlValue;
}

export function describe<T>(pageSize: number, parameters: Parameters, about: Description<T>): XmlValue {
  const wanted = maxRecords(parameters);
  const named = about.items
    .map((item, index) => ({ item, name: about.nameOf(item, index) }))
    .filter(({ name }) => about.identifier === undefined || name === about.identifier);
  if (about.identifier !== undefined && named.length === 0) throw about.notFound(about.identifier);

  const filters = parameters.structures('Filters', 'Filter').map((filter) => {
    const name = filter.required('Name');
    const valuesOf = about.filters[name];
    if (valuesOf === undefined) throw invalidValue(`Unrecognized filter name: ${name}`);
    const values = filter.texts('Values', 'Value');
    if (values.length === 0) throw invalidValue(`Filter ${name} must have at least one value.`);
    return (item: T): boolean => valuesOf(item).some((value) => values.includes(value));
  });
  const after = parameters.optional('Marker');
  const previous = after === undefined ? '' : decodeMarker(after);
  const rest = named
    .filter(({ item }) => filters.every((holds) => holds(item)))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .filter(({ name }) => name > previous);
  const shown = rest.slice(0, Math.min(wanted, pageSize));
  const last = shown.at(-1);
  const [member, itemName] = about.members;
  return {
    [member]: list(
      itemName,
      shown.map(({ item }) => about.show(item)),
    ),
    Marker:
      last === undefined || shown.length === rest.length
        ? undefined
        : Buffer.from(`after:${last.name}`).toString('base64'),
  };
}

function maxRecords(parameters: Parameters): number {
  const text = parameters.optional('MaxRecords');
  if (text === undefined) return 100;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 20 || value > 100) {
    throw invalidValue(`Invalid value ${text} for MaxRecords. Must be between 20 and 100`);
  }
  return value;
}

function decodeMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64').toString();
  if (!text.startsWith('after:')) throw invalidValue(`Marker ${marker} is not valid`);
  return text.slice('after:'.length);
}

function invalidValue(message: string): AwsError {
  return new AwsError('InvalidParameterValue', 400, message);
}
