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
    ...(role === 'facilitator' ? [] : ofClient),
  ];
  return `${lines.join('\n')}\n`;
}

const ofRole: Readonly<Record<Role, (data: string | undefined) => readonly string[]>> = {
  facilitator: () => [],
  'data-owner': (data = 'data.csv') => [
    `${tomlLine('data', data)} # CSV or TSV`,
    '# access_token_file = "access-token" # what its own people show; without it only this machine is served',
  ],
  'model-owner': () => [
    '# evaluation_data = "evaluation.csv" # rows that every finished model predicts',
    '# owners = ["owner-1", "owner-2"] # who may contribute; all of the roster without it',
    '# access_token_file = "access-token" # what its own people show; without it only this machine is served',
  ],
};

const ofClient: readonly string[] = [
  '',
  '# [facilitator] # where it is stands in the roster',
  '# ca = "tls/authority.pem" # who signed its certificate, where the system does not know',
];
