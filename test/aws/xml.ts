// Writes the XML of the AWS query protocol from plain values.

/** A list is an array of named elements, because AWS names the items of each list (member, DBCluster, entry ...). */
export type XmlValue =
  | string
  | number
  | boolean
  | Date
  | undefined
  | readonly XmlElement[]
  | { readonly [name: string]: XmlValue };
export type XmlElement = readonly [name: string, value: XmlValue];

export function list(item: string, values: readonly XmlValue[]): readonly XmlElement[] {
  return values.map((value) => [item, value] as const);
}

export function toXml(name: string, value: XmlValue, namespace?: string): string {
  if (value === undefined) return '';
  const attribute = namespace === undefined ? '' : ` xmlns="${escaped(namespace)}"`;
  return `<${name}${attribute}>${content(value)}</${name}>`;
}

function content(value: Exclude<XmlValue, undefined>): string {
  if (typeof value === 'string') return escaped(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof Date) return value.toISOString().replace(/\.\d{3}Z$/, 'Z');
  const elements: readonly XmlElement[] = isList(value) ? value : Object.entries(value);
  return elements.map(([name, inner]) => toXml(name, inner)).join('');
}

// Array.isArray alone does not narrow readonly arrays away.
function isList(value: readonly XmlElement[] | object): value is readonly XmlElement[] {
  return Array.isArray(value);
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;');
}
