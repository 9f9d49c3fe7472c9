/** The config.toml of a new party: what it needs, and in comments what is most often added. */
import type { PartyId } from '../protocol/identifiers.ts';
import type { Role } from '../protocol/identity.ts';
import { defaultPorts } from './party-config.ts';
import { tomlLine } from './toml-file.ts';

export interface NewConfig {
  readonly name: PartyId;
  readonly role: Role;
  readonly passphraseFile?: string | undefined;
  /** Of a data owner. */
  readonly data?: string | undefined;
  readonly port?: number | undefined;
  readonly publicUrls?: readonly string[] | undefined;
}

export function configText({ name, role, passphraseFile, data, port, publicUrls = [] }: NewConfig): string {
  const lines = [
    `# The configuration of ${name}. Paths are relative to this file; a field that is not known is refused by name.`,
    '',
    tomlLine('name', name),
    tomlLine('role', role),
    tomlLine('identity', 'identity.json'),
    ...(passphraseFile === undefined ? [] : [tomlLine('passphrase_file', passphraseFile)]),
    tomlLine('roster', '../roster.toml'),
    `${tomlLine('store', 'state.sqlite')} # or a postgres:// URL`,
    ...ofRole[role](data),
    '',
    '[listen]',
    `${tomlLine('host', '127.0.0.1')} # others than this machine are served with [tls] only`,
    tomlLine('port', port ?? defaultPorts[role]),
    ...(publicUrls.length === 0 ? [] : [tomlLine('public_urls', publicUrls)]),
    '',
    '# [tls]',
    '# certificate = "tls/certificate.pem"',
    '# key = "tls/key.pem"',
    '# client_ca = "tls/clients.pem" # who signs the certificates that clients must show',
    '',
    '# [dashboard] # pages for your own people at /ui; the party prints a link to sign in when it starts',
    '# enabled = false # on without it',
    ...(role === 'facilitator' ? ofFacilitator : ofClient),
    ...(role === 'data-owner' ? ofDataOwner : []),
  ];
  return `${lines.join('\n')}\n`;
}

const ofRole: Readonly<Record<Role, (data: string | undefined) => readonly string[]>> = {
  facilitator: () => [],
  'data-owner': (data = 'data.csv') => [
    `${tomlLine('data', data)} # CSV, TSV, JSON lines or Parquet; what jobs get that name no other data set`,
    '# datasets = "datasets" # the folder for what POST /datasets uploads',
    '# access_token_file = "access-token" # what its own people show; without it only this machine is served',
  ],
  'model-owner': () => [
    '# evaluation_data = "evaluation.csv" # rows that every finished model predicts',
    '# owners = ["owner-1", "owner-2"] # who may contribute; all of the roster without it',
    '# access_token_file = "access-token" # what its own people show; without it only this machine is served',
  ],
};

const ofFacilitator: readonly string[] = [
  '',
  '# [browsers] # data owners that take part by a page in a browser',
  '# origins = ["https://owners.example.org"] # where such pages come from; none without it',
];

const ofClient: readonly string[] = [
  '',
  '# [facilitator] # where it is stands in the roster',
  '# ca = "tls/authority.pem" # who signed its certificate, where the system does not know',
];

const ofDataOwner: readonly string[] = [
  '',
  '# [queries.admissions] # a data set that is read from a PostgreSQL database, by a user who may read and no more',
  '# postgres = "postgres://reader@db.example.org/ward?sslmode=verify-full"',
  '# password_file = "reader-password"',
  '# query = "select age, sex, days from stays where discharged is not null"',
  '# timeout_seconds = 300',
  '',
  '# [policy] # in which jobs this owner takes part; in all that the protocol allows without it',
  '# rho_total = 0.25 # what may be spent of a data set in all; with any cap, jobs without differential privacy are refused',
  '# rho_per_round = 0.05',
  '# epsilon = 4 # a cap in other words: what all rounds together must give, with delta',
  '# delta = 1e-6',
  '# places = ["facilitator", "data-owners"] # who may add the noise; "model-owner" is the third',
  '# units = ["record", "owner"] # what must be hidden',
  '# neighbours = ["zero-out", "substitution"]',
  '# trust_parameter_bound = true # noise of others than the model owner on parameters that are encrypted; false without it',
  '# least_quorum = 3 # contributors that every round must have at least',
  '# model_owners = ["model-owner"] # who may propose jobs; every one of the roster without it',
  '# features = ["age", "outcome"] # the columns that jobs may use, the target too; all without it',
  '# consent = "ask" # a person approves every job (sealsum consent, or the dashboard); "automatic" without it',
];
