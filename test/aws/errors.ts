// The errors that the stand-in answers with: AWS's codes, HTTP statuses and wording.

export class AwsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.name = 'AwsError';
    this.code = code;
    this.status = status;
  }
}

export const validationError = (message: string): AwsError => new AwsError('ValidationError', 400, message);

/** The form in which AWS reports a member that breaks its model; `member` starts in lower case. */
export const constraintError = (value: string | undefined, member: string, constraint: string): AwsError =>
  validationError(
    `1 validation error detected: Value ${value === undefined ? 'null' : `'${value}'`} at '${member}' failed to satisfy constraint: ${constraint}`,
  );

export const noSuchEntity = (message: string): AwsError => new AwsError('NoSuchEntity', 404, message);
export const entityAlreadyExists = (message: string): AwsError =>
  new AwsError('EntityAlreadyExists', 409, message);
export const limitExceeded = (message: string): AwsError => new AwsError('LimitExceeded', 409, message);
export const deleteConflict = (message: string): AwsError => new AwsError('DeleteConflict', 409, message);
export const invalidInput = (message: string): AwsError => new AwsError('InvalidInput', 400, message);
export const malformedPolicy = (message: string): AwsError =>
  new AwsError('MalformedPolicyDocument', 400, message);
export const accessDenied = (message: string): AwsError => new AwsError('AccessDenied', 403, message);
