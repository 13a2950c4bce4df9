// One record for each call to AWS, for metrics.
import { performance } from 'node:perf_hooks';
import type { FailureKind } from '../../kernel/failure.ts';
import { type AwsAction, awsFailure, httpStatus } from './aws-failure.ts';

export interface AwsCall {
  readonly service: 'rds' | 'sts' | 'secretsmanager' | 'eks';
  readonly operation: string;
  readonly region: string;
  /** HTTP status; undefined if no answer came. */
  readonly status: number | undefined;
  readonly outcome: 'ok' | FailureKind;
  readonly durationMs: number;
}

export type OnCall = (call: AwsCall) => void;

interface RecordedCall
  extends Pick<AwsCall, 'service' | 'operation' | 'region'>,
    Pick<AwsAction, 'of' | 'by'> {}

/** Sends, records the answer, and throws what goes wrong as a Failure. */
export async function recorded<T>(
  { service, operation, region, of, by }: RecordedCall,
  onCall: OnCall,
  send: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const record = (status: number | undefined, outcome: AwsCall['outcome']) => {
    onCall({ service, operation, region, status, outcome, durationMs: performance.now() - start });
  };
  try {
    const value = await send();
    record(200, 'ok');
    return value;
  } catch (thrown) {
    const failure = awsFailure(thrown, { action: `${service}:${operation}`, of, by });
    record(httpStatus(thrown), failure.kind);
    throw failure;
  }
}
