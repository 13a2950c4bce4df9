// What the demo is doing, one line a step, with its time.

export interface Progress {
  /** Ends the step before. */
  step(text: string): void;
  done(): void;
}

export function createProgress(): Progress {
  let step: { readonly text: string; readonly began: number } | undefined;
  const done = () => {
    if (step !== undefined)
      console.error(`  ${((performance.now() - step.began) / 1000).toFixed(1).padStart(6)} s  ${step.text}`);
    step = undefined;
  };
  return {
    done,
    step: (text) => {
      done();
      step = { text, began: performance.now() };
      // What takes long is announced, not only reported.
      if (!process.stderr.isTTY) console.error(`            ${text} ...`);
    },
  };
}
