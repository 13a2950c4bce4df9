// The admin's login over a change of its password: whichever of two is taken, and how long a refusal may be passing.
import type { Client } from 'pg';
import { Failure } from '../../kernel/failure.ts';
import type { Secret } from '../../kernel/secret.ts';
import { troubleOf } from './failures.ts';

/** As long as those who rotate passwords need from the first place that has the new one to the last. */
const graceMs = 180_000;

export interface AdminLogin {
  /** Connects with the password as it is now. */
  (connect: (password: Secret<string>) => Promise<Client>): Promise<Client>;
}

/**
 * A password that worked may be refused because only the server has the new one yet, or because only the Secret has: so the
 * one that worked last is tried as well, and for a while a refusal is told as what it probably is.
 */
export function adminLogin(options: {
  readonly username: string;
  /** Asked for at each login. */
  readonly password: () => Promise<Secret<string>>;
  /** A token is never the same twice, and nobody changes it. */
  readonly byToken: boolean;
  /** Milliseconds, of any clock. */
  readonly now: () => number;
  readonly timeScale: number;
}): AdminLogin {
  const { username, byToken, now, timeScale } = options;
  let worked: Secret<string> | undefined;
  let refusedSince: number | undefined;

  return async (connect) => {
    if (byToken) return await connect(await options.password());
    // Where it is kept may be away while the server is not.
    const password = await options.password().catch((error: unknown) => {
      if (worked === undefined || !(error instanceof Failure) || !isOutage(error)) throw error;
      return worked;
    });
    try {
      const client = await connect(password);
      worked = password;
      refusedSince = undefined;
      return client;
    } catch (error) {
      if (worked === undefined || troubleOf(error) !== 'refused: password') throw error;
      refusedSince ??= now();
      if (now() - refusedSince >= graceMs * timeScale) throw error;
      const isAnother = worked.reveal() !== password.reveal();
      const client = isAnother ? await connect(worked).catch(ifPassword) : undefined;
      if (client !== undefined) return client;
      throw changing(username, error);
    }
  };
}

const isOutage = ({ kind }: Failure) => kind === 'unavailable' || kind === 'throttled';

/** Undefined where this one is refused as well. */
function ifPassword(error: unknown): undefined {
  if (troubleOf(error) !== 'refused: password') throw error;
  return undefined;
}

const changing = (username: string, cause: unknown) =>
  new Failure(
    'unavailable',
    'AdminChanging',
    `The server refuses the password of admin "${username}", which it took before: probably it is being changed, and not every place has the new one yet. The operator reads it again at each try.`,
    { cause },
  );
