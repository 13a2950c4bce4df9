// What a pass can see and do: caches, shared passes and effects, as ports that src/operator fills.
import type { IamDatabase, IamDatabaseUser } from '../api/objects.ts';
import type { DatabaseStatus, UserStatus } from '../api/schema.ts';
import type { Condition, Reason } from '../api/conditions.ts';
import type { EventReason } from '../api/event-reasons.ts';
import type { RoleDocuments } from '../resources/access/role-rights.ts';
import type { AccessVerdict, AccessWish } from '../resources/access/verdict.ts';
import type {
  ConnectionChange,
  DocumentKind,
  DesiredConnection,
  ObservedConnection,
} from '../resources/connection/plan.ts';
import type { InlineChange, ObservedInline } from '../resources/policy/inline/inline.ts';
import type { KnownPolicy } from '../resources/policy/known-roles.ts';
import type { ObservedPolicies, PolicyChange } from '../resources/policy/policy.ts';
import type { RoleServer } from '../resources/role/resource.ts';
import type { RoleOwner } from '../resources/role/owner.ts';
import type { DesiredRole, ObservedRole, RoleChange } from '../resources/role/role.ts';
import type { ResolvedTarget } from '../resources/target/target.ts';
import type { ObservedTrustBundle, TrustBundleChange } from '../resources/trust-bundle/plan.ts';
import type { DatabaseState } from './database-state.ts';
import type { Outcome, Resource } from '../kernel/converge.ts';
import type { Failure } from '../kernel/failure.ts';
import type { Preview } from '../kernel/preview.ts';
import type { Loss } from './loss.ts';
import type { Mode } from './mode.ts';
import type { AssociationView } from './principals.ts';
import type { View } from './standing.ts';

/** A status as a pass writes it: the schema's, with our closed conditions. */
export type Reported<S> = Omit<S, 'conditions'> & { readonly conditions: readonly Condition[] };

/** Writes to an object of ours in the API server; each answers with what is stored afterwards. */
export interface ObjectWrites<T, S> {
  /** Sets the finalizer, refusing if the object changed since it was read. */
  hold(object: T, signal: AbortSignal): Promise<T>;
  release(object: T, signal: AbortSignal): Promise<void>;
  /** Has a deadline of its own. */
  report(object: T, status: Reported<S>): Promise<void>;
}

export interface Event {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason | EventReason;
  readonly message: string;
}

export interface World extends View, AssociationView {
  /** Whose objects this operator sees: recorded with each policy, so that nobody else's are taken for orphans. */
  scope(): string;
  /** Resource ids of all databases of an account that are resolved. */
  resourceIDs(account: string): ReadonlySet<string>;
  readonly settings: {
    readonly proveAsOperator: boolean;
    /** Namespaces whose ServiceAccounts the operator may have tokens of. */
    readonly proveWithServiceAccountsIn: readonly string[];
    readonly bundleMountPath: string;
    readonly allowLocalAddresses: boolean;
    /** Factor on every timer. */
    readonly timeScale: number;
    /** Plan: nothing is changed, whatever the objects say. */
    readonly mode: Mode;
  };
  /** Milliseconds since the epoch. */
  now(): number;

  user(key: string): IamDatabaseUser | undefined;
  /** Looks at the Pod Identity associations of the ServiceAccounts that a user names. Never throws. */
  lookAtPodIdentities(user: IamDatabaseUser, signal: AbortSignal): Promise<void>;
  readonly userWrites: ObjectWrites<IamDatabaseUser, UserStatus>;
  readonly databaseWrites: ObjectWrites<IamDatabase, DatabaseStatus>;
  event(about: IamDatabase | IamDatabaseUser, event: Event): void;
  /** Logs a failure with its cause, which no status shows. */
  note(failure: Failure): void;

  /** Replaces what is known of a database (undefined: forget it) and wakes its users if that is news to them. */
  learn(database: string, state: DatabaseState | undefined): void;
  /** Opens (or finds open) the server behind a target; closes what it replaces. */
  open(database: IamDatabase, target: ResolvedTarget): RoleServer;
  resolve(spec: IamDatabase['spec'], signal: AbortSignal): Promise<ResolvedTarget>;
  /** What should be known of how the admin logs in, though it may work. Throws a Failure where AWS cannot be asked. */
  adviceOn(spec: IamDatabase['spec'], signal: AbortSignal): Promise<string | undefined>;
  /** Closes the server of a database that is not administered any more. */
  close(database: string): void;
  rehearse(server: RoleServer, signal: AbortSignal): Promise<{ readonly serverVersion: string }>;

  /** Reads the mark of a contested role, for markOf; answers with why it could not be read. */
  readMark(
    database: string,
    serverResourceID: string,
    username: string,
    signal: AbortSignal,
  ): Promise<Failure | undefined>;
  /** Whether, and how, the role of a user that has begun turned out to be somebody else's. Such a one is not vetted. */
  readonly disowned: {
    has(uid: string): boolean;
    get(uid: string): Stranger | undefined;
    set(uid: string, found: Stranger): void;
    delete(uid: string): void;
  };
  /** Whether this process saw the user's role to be ours: only then may a policy let anybody in as it. */
  readonly vetted: { has(uid: string): boolean; add(uid: string): void; delete(uid: string): void };

  role(server: RoleServer): Resource<DesiredRole, ObservedRole, RoleChange>;
  /** What hangs on a role that could not be dropped, as a sentence; undefined if the role is gone. */
  whyKept(observed: ObservedRole): string | undefined;
  /** That a role of that name stays because it is not ours, as a sentence. */
  whyLeftAlone(observed: ObservedRole, owner: RoleOwner): string | undefined;

  /** What rds-db:connect has to be allowed on, for this user on that target. */
  arnsOf(user: IamDatabaseUser, target: ResolvedTarget): readonly string[];
  /** The policy that holds all of these ARNs, if one does. */
  policyHolding(observed: ObservedPolicies, arns: readonly string[]): string | undefined;
  /** IAM roles whose policies of ours hold this user name: those that the user no longer names, too. Throws Failure. */
  rolesHolding(user: IamDatabaseUser, signal: AbortSignal): Promise<readonly string[]>;
  /** Its finalizer was released: no more passes over it. */
  ended(user: IamDatabaseUser): void;
  /** Forgets what is remembered of a user that is gone. */
  forget(user: IamDatabaseUser): void;

  /** Which ARNs a policy of ours allows for nobody who is declared here, and keeps. */
  withoutUser(policy: KnownPolicy): readonly string[];
  /** Remembers nothing of an IAM role's policies that may have changed unseen: the next pass over them reads it. */
  lookAfresh(roleARN: string): void;
  /** Tries again to attach what others detached. */
  forgive(roleARN: string): void;
  /** A place among the passes that may change something; answers what gives it back, or undefined if none came free. */
  turnToChange(key: string, signal: AbortSignal): Promise<(() => void) | undefined>;
  /**
   * Tells that a pass will ask for the policies of these IAM roles soon, so that one pass over them serves all; what is
   * answered is called right before it does, or when it does not after all.
   */
  onTheWay(roleARNs: readonly string[]): () => void;
  /** One pass over all policies of ours for an IAM role, begun after the call; shared by all who wait. */
  convergePolicy(roleARN: string, signal: AbortSignal, urgency?: 'first'): Promise<RolePolicies>;
  /** The same for a trust bundle. */
  convergeBundle(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Outcome<ObservedTrustBundle, TrustBundleChange>>;
  /** Whether anybody but this user asks for that bundle, or may. */
  isBundleShared(user: IamDatabaseUser, name: string): boolean;
  /** What of an IAM role's policies would change if this user were present in them. */
  previewPolicy(user: IamDatabaseUser, roleARN: string, signal: AbortSignal): Promise<Preview>;
  /** The same for its trust bundle. */
  previewBundle(user: IamDatabaseUser, signal: AbortSignal): Promise<Preview>;
  /** What the policies of an IAM role of somebody else say; undefined: there is no such role. Throws Failure. */
  roleDocuments(roleARN: string, signal: AbortSignal): Promise<RoleDocuments | undefined>;
  readonly connection: Resource<DesiredConnection, ObservedConnection, ConnectionChange>;
  /** Names of the connection ConfigMaps in our cache that belong to this object. */
  connectionsOf(user: IamDatabaseUser): readonly string[];
  /** The same for what others are to attach or to run. */
  documentsOf(user: IamDatabaseUser, kind: DocumentKind): readonly string[];

  roots(region: string, partition: string, signal: AbortSignal): Promise<string>;
  /** Amazon's public roots, which certificates of RDS Proxies chain to. */
  publicRoots(): string;
  verify(wish: AccessWish, database: IamDatabase, signal: AbortSignal): Promise<AccessVerdict>;
  readonly proofs: Map<string, Proof>;
  /** By uid: what decided about a user at its last pass, to tell an edit from a drift. */
  readonly declared: Map<string, string>;
  /** By uid: as what its role was last seen to be as it is to be, where its database may sleep. */
  readonly seen: Map<string, string>;
  /** By uid: users that work and are not allowed any more. Begins anew with the process, and so does their grace. */
  readonly losses: Map<string, Loss>;
  /** By uid: since when a deleted user waits for a database that cannot be reached. Begins anew with the process. */
  readonly waitsSince: Map<string, number>;
  /** Whether the caches hold everything. */
  isComplete(): boolean;
  wakeDatabase(name: string): void;
  /** Consecutive passes of a key that failed, for the back-off. */
  readonly failures: Map<string, number>;
}

/** What a pass over an IAM role found and did. */
export interface RolePolicies {
  readonly managed: Outcome<ObservedPolicies, PolicyChange>;
  /** Undefined where the operator may not keep inline policies. */
  readonly inline: Outcome<ObservedInline, InlineChange> | undefined;
}

/** A role that is somebody else's: whether a mark says so. */
export type Stranger = 'marked' | 'unmarked';

/** What is remembered of the last proof of a user. */
export interface Proof {
  readonly verdict: AccessVerdict;
  readonly generation: number;
  readonly arns: readonly string[];
  /** The roles that its principals were. */
  readonly roleARNs: readonly string[];
  /** Endpoint, address and database; undefined for a proof carried over a restart. */
  readonly where: string | undefined;
  /** When the login was. */
  readonly at: number;
  /** From when on the interval to the next one counts: later than `at` for a proof carried over a restart. */
  readonly countsFrom: number;
  /** The roots by which the server's certificate was rejected: others may take it. */
  readonly rejectedRoots?: string;
  /** Since when the verdict is this one. */
  readonly since: number;
  /** When its policy or role last changed by our hand. */
  readonly changedAt: number | undefined;
}
