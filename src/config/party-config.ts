/** How a party is configured: config.toml with the defaults filled in, and what the command line said put above it. */
import type { LogLevel } from '../http/log.ts';
import type { OwnerId, PartyId } from '../protocol/identifiers.ts';
import type { Role } from '../protocol/identity.ts';
import type { OwnerPolicy } from './owner-policy.ts';
import type { QuerySettings } from './query-settings.ts';

export interface ListenSettings {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** How others address this party; empty where that is what the server says of itself. */
  readonly publicUrls: readonly string[];
  /** Whether to serve others than this machine without TLS. */
  readonly allowPlaintext: boolean;
}

/** Paths of PEM files. */
export interface TlsSettings {
  readonly certificate: string;
  readonly key: string;
  /** Who signs the certificates that clients must show; nobody needs one without it. */
  readonly clientCa?: string;
}

/** Where the facilitator is; the paths are of PEM files. */
export interface FacilitatorSettings {
  /** Which of the roster's facilitators; needed where there are several. */
  readonly name?: PartyId;
  /** What the roster says unless given here. */
  readonly url?: string;
  /** Who signed its certificate; the system's authorities unless given. */
  readonly ca?: string;
  /** What to show it where it asks for a client certificate. */
  readonly certificate?: string;
  readonly key?: string;
  /** Whether to speak to another machine without TLS. */
  readonly allowPlaintext: boolean;
}

/** A facilitator above this one in a tree, and where it is. */
export interface UpstreamSettings extends FacilitatorSettings {
  readonly name: PartyId;
  readonly url: string;
}

/** What one party may ask of this one; see defaultLimits for what they are unless given. */
export interface Limits {
  /** Of one party, in the long run. */
  readonly requestsPerSecond: number;
  /** Of one party, at once. */
  readonly burst: number;
  /** Of one party, event streams included. */
  readonly concurrentRequests: number;
  /** Of everybody together. */
  readonly connections: number;
  readonly headerBytes: number;
  /** Of every request but a contribution. */
  readonly bodyBytes: number;
  /** Seconds for which a body is waited for in any case; what has not come by then must come at 1 KiB a second. */
  readonly bodySeconds: number;
  /** Of one contribution. */
  readonly contributionBytes: number;
  /** Of one data set that is uploaded. */
  readonly datasetBytes: number;
}

/** The pages for a party's own people, where it serves them. */
export type DashboardSettings =
  | {
      readonly enabled: true;
      /** The path of the file that keeps what sessions are signed with; without one, sessions end with the process. */
      readonly sessions?: string;
      /** Whether browsers come by https:. */
      readonly secure: boolean;
    }
  /** `reason` says why not, where nobody has asked for that. */
  | { readonly enabled: false; readonly reason?: string };

/** What a facilitator keeps; see defaultRetention for what holds unless given. */
export interface Retention {
  /** How many of a running job's last ended rounds keep their ciphertexts. */
  readonly rounds: number;
  /** How many ended jobs are kept. */
  readonly endedJobs: number;
  /** How many events are kept. */
  readonly events: number;
  /** Ended jobs older than this many days go. */
  readonly days: number;
}

export interface CommonConfig {
  /** The absolute path of config.toml. */
  readonly file: string;
  readonly name: PartyId;
  readonly identity: string;
  readonly passphraseFile?: string;
  readonly roster: string;
  /** The path of a SQLite file, `:memory:`, or a postgres:// URL, which may hold a password. */
  readonly store: string;
  readonly listen: ListenSettings;
  readonly tls?: TlsSettings;
  readonly logLevel: LogLevel;
  /** How much the clocks of others may differ from this one. */
  readonly clockToleranceSeconds: number;
  readonly limits: Limits;
  readonly dashboard: DashboardSettings;
}

export interface FacilitatorConfig extends CommonConfig {
  readonly role: 'facilitator';
  readonly retention: Retention;
  /** Whose pages may be clients in browsers, as browsers name them. */
  readonly origins: readonly string[];
  /** The facilitators that may fold what this one releases, where a job says so. */
  readonly upstream: readonly UpstreamSettings[];
}

/** What those have who take part through a facilitator and serve their own people. */
export interface ClientConfig extends CommonConfig {
  readonly facilitator: FacilitatorSettings;
  /** The path of a file with the token that its own people show. */
  readonly accessTokenFile?: string;
}

export interface DataOwnerConfig extends ClientConfig {
  readonly role: 'data-owner';
  /** The path of the data file that jobs get which name no other. */
  readonly data?: string;
  /** The path of the folder with the data sets that were uploaded. */
  readonly datasets: string;
  /** Data sets that are queries of a database. */
  readonly queries: readonly QuerySettings[];
  /** In which jobs it takes part. */
  readonly policy: OwnerPolicy;
}

export interface ModelOwnerConfig extends ClientConfig {
  readonly role: 'model-owner';
  /** The path of a file with rows that every finished model predicts. */
  readonly evaluationData?: string;
  /** Who may contribute to its models; all data owners of the roster unless given. */
  readonly owners?: readonly OwnerId[];
}

export type PartyConfig = FacilitatorConfig | DataOwnerConfig | ModelOwnerConfig;
export type ConfigOf<R extends Role> = Extract<PartyConfig, { readonly role: R }>;

/** What the command line or the environment says; it goes before the file. Paths are relative to the current folder. */
export interface PartyOptions {
  /** The path of config.toml; that of the current folder unless given. */
  readonly config?: string;
  readonly name?: string;
  readonly port?: number;
  readonly host?: string;
  readonly logLevel?: LogLevel;
  readonly store?: string;
  /** Of a data owner and a model owner: the facilitator's URL. */
  readonly facilitator?: string;
  /** The file of a data owner, or the evaluation data of a model owner. */
  readonly data?: string;
  /** Of a model owner: the owners' names with commas between. */
  readonly owners?: string;
}

export const defaultPorts: Readonly<Record<Role, number>> = {
  facilitator: 8080,
  'data-owner': 5000,
  'model-owner': 9090,
};

export const defaultLimits: Limits = {
  requestsPerSecond: 50,
  burst: 100,
  concurrentRequests: 32,
  connections: 4096,
  headerBytes: 16_384,
  bodyBytes: 16_777_216,
  bodySeconds: 60,
  contributionBytes: 67_108_864,
  datasetBytes: 1_000_000_000,
};

export const defaultRetention: Retention = { rounds: 2, endedJobs: 1000, events: 100_000, days: 30 };
