// What the core tells the log about: things that went wrong and were contained.

export interface Incident {
  readonly what:
    | 'list-failed'
    | 'watch-failed'
    | 'watch-silent'
    | 'watch-expired'
    | 'watch-out-of-order'
    | 'handler-threw'
    | 'index-threw'
    | 'pass-failed'
    | 'pass-threw'
    | 'pass-overran'
    | 'lease-attempt-failed'
    | 'lease-lost'
    | 'event-dropped';
  /** Whose trouble it is: a reflector's name, a key, a lease, an event's reason. */
  readonly subject: string;
  readonly error?: unknown;
  /** How long until the next try, where there is one. */
  readonly waitMs?: number;
  /** What a person has to do about it, where only that helps. */
  readonly remedy?: string;
}

/** Must not throw and must not block. */
export type Report = (incident: Incident) => void;
