// Reads requests: the form-encoded ones of the AWS query protocol (members, numbered lists, structures) and flat JSON.
import { AwsError, constraintError, validationError } from './errors.ts';

export interface Parameters {
  /** The value of a member; an absent one is AWS's "Member must not be null". */
  required(name: string): string;
  optional(name: string): string | undefined;
  integer(name: string, range: { min: number; max: number }): number | undefined;
  /** The texts of a list such as `TagKeys.member.1`. */
  texts(name: string, item?: string): readonly string[];
  /** The structures of a list such as `Tags.member.1.Key`. */
  structures(name: string, item?: string): readonly Parameters[];
  /** Every member as it was sent, for the request log. */
  all(): Readonly<Record<string, string>>;
  /** The outermost names that were sent, `Tags` for `Tags.member.1.Key`. */
  names(): ReadonlySet<string>;
}

export function parseForm(body: string): Parameters {
  const members = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(body)) {
    if (members.has(name)) throw validationError(`Duplicate parameter ${name}.`);
    members.set(name, value);
  }
  return parametersOf(members);
}

/** Texts only: nothing else is sent by those whose actions are here. */
export function parseJson(body: string): Parameters {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new AwsError('SerializationException', 400, 'The request is no JSON.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AwsError('SerializationException', 400, 'The request is no JSON object.');
  }
  const members = Object.entries(value).map(([name, one]: [string, unknown]) => {
    if (typeof one !== 'string') throw new AwsError('SerializationException', 400, `${name} is no text.`);
    return [name, one] as const;
  });
  return parametersOf(new Map(members));
}

function parametersOf(members: ReadonlyMap<string, string>): Parameters {
  const under = (prefix: string): ReadonlyMap<string, string> =>
    new Map(
      [...members]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, value]) => [name.slice(prefix.length), value]),
    );

  return {
    required: (name) => {
      const value = members.get(name);
      if (value === undefined) throw constraintError(undefined, memberName(name), 'Member must not be null');
      return value;
    },
    optional: (name) => members.get(name),
    integer: (name, { min, max }) => {
      const text = members.get(name);
      if (text === undefined) return undefined;
      const value = Number(text);
      if (text === '' || !Number.isInteger(value)) throw validationError(`${name} must be an integer.`);
      if (value > max) {
        throw constraintError(text, memberName(name), `Member must have value less than or equal to ${max}`);
      }
      if (value < min) {
        throw constraintError(
          text,
          memberName(name),
          `Member must have value greater than or equal to ${min}`,
        );
      }
      return value;
    },
    texts: (name, item = 'member') => {
      const items: string[] = [];
      for (let i = 1; ; i++) {
        const value = members.get(`${name}.${item}.${i}`);
        if (value === undefined) return items;
        items.push(value);
      }
    },
    structures: (name, item = 'member') => {
      const items: Parameters[] = [];
      for (let i = 1; ; i++) {
        const inner = under(`${name}.${item}.${i}.`);
        if (inner.size === 0) return items;
        items.push(parametersOf(inner));
      }
    },
    all: () => Object.fromEntries(members),
    names: () => new Set([...members.keys()].map((name) => name.split('.')[0] ?? name)),
  };
}

export function memberName(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
