// The access keys that exist: long-lived ones of users and the root, and temporary ones of role sessions.
import { randomBytes } from 'node:crypto';

export interface Credential {
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** ARN of the root, a user, or an assumed-role session. */
  readonly principal: string;
  /** Text of the session policy that narrows it. */
  readonly sessionPolicy?: string;
  /** As EKS Pod Identity gives a session: they go along into each role that it assumes. */
  readonly hasTransitiveTags?: boolean;
  /** Long-lived keys have none. */
  readonly expiresAt?: Date;
  /** As GetCallerIdentity gives it: AIDA…, AROA…:session, or the account. */
  readonly userId: string;
}

export interface IssuedCredential extends Credential {
  readonly accessKeyId: string;
}

export interface CredentialStore {
  lookup(accessKeyId: string): Credential | undefined;
  issue(credential: Omit<Credential, 'secretAccessKey' | 'sessionToken'>): IssuedCredential;
  /** One that somebody else issued. */
  add(accessKeyId: string, credential: Credential): void;
  delete(accessKeyId: string): void;
  all(): readonly IssuedCredential[];
}

export function createCredentialStore(): CredentialStore {
  const credentials = new Map<string, Credential>();
  return {
    lookup: (accessKeyId) => credentials.get(accessKeyId),
    issue: (credential) => {
      const temporary = credential.expiresAt !== undefined;
      const accessKeyId = (temporary ? 'ASIA' : 'AKIA') + keyText();
      const issued: Credential = {
        ...credential,
        secretAccessKey: randomBytes(30).toString('base64'),
        // As long as real ones, because token size is what breaks clients.
        ...(temporary
          ? { sessionToken: `IQoJb3JpZ2luX2Vj${randomBytes(777).toString('base64').replaceAll('\n', '')}` }
          : {}),
      };
      credentials.set(accessKeyId, issued);
      return { ...issued, accessKeyId };
    },
    add: (accessKeyId, credential) => {
      credentials.set(accessKeyId, credential);
    },
    delete: (accessKeyId) => {
      credentials.delete(accessKeyId);
    },
    all: () => [...credentials].map(([accessKeyId, credential]) => ({ ...credential, accessKeyId })),
  };
}

function keyText(): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  return Array.from(randomBytes(16), (byte) => alphabet[byte % 32]).join('');
}
