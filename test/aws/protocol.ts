// The AWS query protocol's outer shape: which service an API version means, and the envelopes of answers.
import type { ServiceName } from './action.ts';
import type { AwsError } from './errors.ts';
import { toXml, type XmlValue } from './xml.ts';

export interface Protocol {
  readonly service: ServiceName;
  readonly namespace: string;
}

export const iamNamespace = 'https://iam.amazonaws.com/doc/2010-05-08/';

/** The service of a request is told by the API version that it names. */
export const protocols: ReadonlyMap<string, Protocol> = new Map([
  ['2010-05-08', { service: 'iam', namespace: iamNamespace }],
  ['2011-06-15', { service: 'sts', namespace: 'https://sts.amazonaws.com/doc/2011-06-15/' }],
  ['2014-10-31', { service: 'rds', namespace: 'http://rds.amazonaws.com/doc/2014-10-31/' }],
]);

export function resultXml(action: string, result: XmlValue, id: string, namespace: string): string {
  return toXml(
    `${action}Response`,
    { [`${action}Result`]: result, ResponseMetadata: { RequestId: id } },
    namespace,
  );
}

export function errorXml(error: AwsError, id: string, namespace: string): string {
  const type = error.status >= 500 ? 'Receiver' : 'Sender';
  return toXml(
    'ErrorResponse',
    { Error: { Type: type, Code: error.code, Message: error.message }, RequestId: id },
    namespace,
  );
}
