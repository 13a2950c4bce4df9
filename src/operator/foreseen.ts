// A foreseen failure that ends a pass is trouble outside, and no defect: the pass comes again, and alerts on defects keep still.
import type { Reconcile } from '../controller/workers.ts';
import { asFailure, type Failure } from '../kernel/failure.ts';

/** What nobody foresaw is thrown on. */
export function retryForeseen(reconcile: Reconcile, note: (failure: Failure) => void): Reconcile {
  return async (key, signal) => {
    try {
      return await reconcile(key, signal);
    } catch (thrown) {
      const failure = asFailure(thrown);
      if (failure.kind === 'unexpected') throw thrown;
      note(failure);
      const { retryAfterMs } = failure;
      return {
        retry: true,
        because: failure,
        ...(retryAfterMs === undefined ? {} : { requeueAfterMs: retryAfterMs }),
      };
    }
  };
}
