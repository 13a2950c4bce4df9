// IAM's patterns and limits for names, paths, ARNs, descriptions and tags.
import { constraintError, invalidInput, limitExceeded, validationError } from '../errors.ts';
import { memberName, type Parameters } from '../query.ts';
import type { Tags } from './state.ts';

/** Quotas of the account; tests may change them. */
export interface Limits {
  attachedPoliciesPerRole: number;
  policies: number;
  policySize: number;
  rolePoliciesSize: number;
  roles: number;
  trustPolicySize: number;
  versionsPerPolicy: number;
}

export const awsDefaultLimits: Readonly<Limits> = {
  attachedPoliciesPerRole: 10,
  policies: 1500,
  policySize: 6144,
  rolePoliciesSize: 10_240,
  roles: 1000,
  trustPolicySize: 2048,
  versionsPerPolicy: 5,
};

export function policyName(parameters: Parameters): string {
  return entityName(parameters, 'PolicyName', 128);
}

export function roleName(parameters: Parameters): string {
  return entityName(parameters, 'RoleName', 64);
}

export function entityName(parameters: Parameters, parameter: string, maxLength: number): string {
  const name = parameters.required(parameter);
  const member = memberName(parameter);
  if (name === '') {
    throw constraintError(name, member, 'Member must have length greater than or equal to 1');
  }
  if (name.length > maxLength) {
    throw constraintError(name, member, `Member must have length less than or equal to ${maxLength}`);
  }
  if (!/^[\w+=,.@-]+$/.test(name)) {
    throw validationError(
      `The specified value for ${member} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-`,
    );
  }
  return name;
}

/** Also for path prefixes, which need not end with a slash. */
export function path(parameters: Parameters, parameter: 'Path' | 'PathPrefix' = 'Path'): string {
  const value = parameters.optional(parameter) ?? '/';
  const member = memberName(parameter);
  const pattern = parameter === 'Path' ? /^(\/|\/[\x21-\x7f]+\/)$/ : /^\/[\x21-\x7f]*$/;
  if (value.length > 512) {
    throw constraintError(value, member, 'Member must have length less than or equal to 512');
  }
  if (!pattern.test(value)) {
    throw validationError(
      `The specified value for ${member} is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.`,
    );
  }
  return value;
}

export function policyArn(parameters: Parameters, parameter = 'PolicyArn'): string {
  const arn = parameters.required(parameter);
  if (arn.length < 20) {
    throw constraintError(arn, memberName(parameter), 'Member must have length greater than or equal to 20');
  }
  if (!/^arn:aws[a-z-]*:iam::(\d{12}|aws):policy\/[\x21-\x7f]+$/.test(arn)) {
    throw invalidInput(`ARN ${arn} is not valid.`);
  }
  return arn;
}

export function versionId(parameters: Parameters): string {
  const id = parameters.required('VersionId');
  if (!/^v[1-9][0-9]*(\.[A-Za-z0-9-]*)?$/.test(id)) {
    throw constraintError(
      id,
      'versionId',
      String.raw`Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`,
    );
  }
  return id;
}

export function description(parameters: Parameters): string | undefined {
  const text = parameters.optional('Description');
  if (text !== undefined && text.length > 1000) {
    throw constraintError(text, 'description', 'Member must have length less than or equal to 1000');
  }
  return text;
}

export function tags(parameters: Parameters): Tags {
  const pairs = parameters
    .structures('Tags')
    .map((tag) => [tag.required('Key'), tag.required('Value')] as const);
  if (new Set(pairs.map(([key]) => key.toLowerCase())).size < pairs.length) {
    throw invalidInput('Duplicate tag keys found. Please note that Tag keys are case insensitive.');
  }
  for (const [key, value] of pairs) {
    checkTagText(key, 'key', 1, 128);
    checkTagText(value, 'value', 0, 256);
    if (key.toLowerCase().startsWith('aws:')) {
      throw invalidInput('Tag keys beginning with aws: are reserved for AWS use.');
    }
  }
  return checkTagCount(new Map(pairs));
}

/** Adds tags; a key that differs in case only replaces the old one. */
export function mergeTags(old: Tags, added: Tags): Tags {
  const replaced = new Set([...added.keys()].map((key) => key.toLowerCase()));
  const kept = [...old].filter(([key]) => !replaced.has(key.toLowerCase()));
  return checkTagCount(new Map([...kept, ...added]));
}

export function removeTags(old: Tags, keys: readonly string[]): Tags {
  const removed = new Set(keys.map((key) => key.toLowerCase()));
  return new Map([...old].filter(([key]) => !removed.has(key.toLowerCase())));
}

function checkTagCount(tags: Tags): Tags {
  if (tags.size > 50) throw limitExceeded('The number of tags has reached the maximum limit.');
  return tags;
}

function checkTagText(text: string, member: string, min: number, max: number): void {
  const at = `tags.1.member.${member}`;
  if (text.length < min) {
    throw constraintError(text, at, `Member must have length greater than or equal to ${min}`);
  }
  if (text.length > max) {
    throw constraintError(text, at, `Member must have length less than or equal to ${max}`);
  }
  if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(text)) {
    throw constraintError(
      text,
      at,
      String.raw`Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*`,
    );
  }
}
