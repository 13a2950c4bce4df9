// The outer shapes of AWS's protocols: what a request asks of which service, and the envelopes of answers.
import type { ServiceName } from './action.ts';
import { parseEksRequest } from './eks/request.ts';
import { AwsError } from './errors.ts';
import { type Parameters, parseForm, parseJson } from './query.ts';
import { toXml, type XmlValue } from './xml.ts';

export interface Protocol {
  readonly service: ServiceName;
  readonly contentType: string;
  answer(action: string, result: XmlValue, id: string): string;
  failure(error: AwsError, id: string): string;
  /** Where the code of an error is not a part of the text. */
  failureHeaders?(error: AwsError): Readonly<Record<string, string>>;
}

export interface Asked {
  readonly protocol: Protocol;
  readonly action: string;
  readonly parameters: Parameters;
}

const query = (service: ServiceName, namespace: string): Protocol => ({
  service,
  contentType: 'text/xml',
  answer: (action, result, id) =>
    toXml(
      `${action}Response`,
      { [`${action}Result`]: result, ResponseMetadata: { RequestId: id } },
      namespace,
    ),
  failure: (error, id) =>
    toXml(
      'ErrorResponse',
      {
        Error: {
          Type: error.status >= 500 ? 'Receiver' : 'Sender',
          Code: error.code,
          Message: error.message,
        },
        RequestId: id,
      },
      namespace,
    ),
});

const json = (service: ServiceName): Protocol => ({
  service,
  contentType: 'application/x-amz-json-1.1',
  answer: (_action, result) => JSON.stringify(result ?? {}),
  failure: ({ code, message }) => JSON.stringify({ __type: code, Message: message }),
});

/** The query protocol: the service of a request is told by the API version that it names. */
const byVersion: ReadonlyMap<string, Protocol> = new Map([
  ['2010-05-08', query('iam', 'https://iam.amazonaws.com/doc/2010-05-08/')],
  ['2011-06-15', query('sts', 'https://sts.amazonaws.com/doc/2011-06-15/')],
  ['2014-10-31', query('rds', 'http://rds.amazonaws.com/doc/2014-10-31/')],
]);

/** The JSON protocol: service and action are told by a header. */
const byTarget: ReadonlyMap<string, Protocol> = new Map([['secretsmanager', json('secretsmanager')]]);

/** REST with JSON: service and action are told by method and path. A result is the one text `json`. */
const eks: Protocol = {
  service: 'eks',
  contentType: 'application/json',
  answer: (_action, result) => {
    const text: unknown = typeof result === 'object' && 'json' in result ? result['json'] : undefined;
    if (typeof text !== 'string') throw new Error('an action of EKS answers with a text in JSON');
    return text;
  },
  failure: ({ message }) => JSON.stringify({ message }),
  failureHeaders: ({ code }) => ({ 'x-amzn-errortype': restCodes.get(code) ?? code }),
};

/** EKS calls by other names what all services refuse. */
const restCodes: ReadonlyMap<string, string> = new Map([
  ['AccessDenied', 'AccessDeniedException'],
  ['ExpiredToken', 'ExpiredTokenException'],
  ['IncompleteSignature', 'IncompleteSignatureException'],
  ['InternalFailure', 'ServerException'],
  ['InvalidClientTokenId', 'UnrecognizedClientException'],
  ['MissingAuthenticationToken', 'MissingAuthenticationTokenException'],
  ['ServiceUnavailable', 'ServiceUnavailableException'],
  ['SignatureDoesNotMatch', 'InvalidSignatureException'],
  ['Throttling', 'ThrottlingException'],
  ['ValidationError', 'InvalidParameterException'],
]);

/** What is answered to a request that no protocol knows. */
export const unknownProtocol: Protocol = query('iam', 'https://iam.amazonaws.com/doc/2010-05-08/');

/** Throws AWS's answer to what cannot be read. */
export function readRequest(request: {
  readonly method: string | undefined;
  readonly url: string;
  readonly contentType: string;
  readonly target: string;
  readonly body: string;
}): Asked {
  const { method, contentType, target, body } = request;
  const rest = parseEksRequest(method ?? '', request.url);
  if (rest !== undefined) return { protocol: eks, action: rest.actionName, parameters: rest.parameters };
  if (method === 'POST' && contentType.startsWith('application/x-www-form-urlencoded')) {
    const parameters = parseForm(body);
    const action = parameters.optional('Action') ?? '';
    const version = parameters.optional('Version') ?? '';
    const protocol = byVersion.get(version);
    if (protocol !== undefined) return { protocol, action, parameters };
    throw new AwsError('InvalidAction', 400, `Could not find operation ${action} for version ${version}`);
  }
  const [prefix = '', action = ''] = target.split('.');
  const protocol = byTarget.get(prefix);
  if (method === 'POST' && protocol?.contentType === contentType) {
    return { protocol, action, parameters: parseJson(body) };
  }
  throw new AwsError(
    'UnknownOperationException',
    404,
    `This stand-in speaks the AWS query protocol (POST, form-encoded), JSON 1.1 and EKS's REST; got ${method} ${contentType} ${target}`,
  );
}
