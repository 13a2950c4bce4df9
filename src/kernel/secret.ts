// A value that must never be printed: tokens and passwords live as this until the driver call.

const redacted = '[redacted]';

/** Holds a secret; every way of printing it says `[redacted]`. */
export class Secret<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The secret itself, to be called only where a driver or a wire needs it. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return redacted;
  }
}
