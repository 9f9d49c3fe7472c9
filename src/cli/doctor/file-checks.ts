/** The files of a party: identity, passphrase, roster, certificates, token, records. */
import { X509Certificate } from 'node:crypto';
import { exists, readPrivateFile, statDataFile } from '../../config/files.ts';
import { oldIdentityFile, readSecrets } from '../../config/identity-file.ts';
import { readAccessToken, requireNamed } from '../../config/load.ts';
import type { PartyConfig } from '../../config/party-config.ts';
import { existingPassphrase, passphraseVariable } from '../../config/passphrase.ts';
import { entryOf, type Roster, type RosterEntry, readRoster, rosterDigest } from '../../config/roster-file.ts';
import { spoken } from '../../config/spoken.ts';
import { readServerTls } from '../../config/tls-files.ts';
import { requireSafeListening } from '../../http/transport.ts';
import { formatOf } from '../../learning/data-file.ts';
import type { Identity } from '../../protocol/identity.ts';
import type { ProjectServices } from '../project-services.ts';
import { counted } from '../table.ts';
import { type Check, type Finding, ok, problem, skipped, warning } from './finding.ts';

/** What checks have learnt of a party, for those that come after them. */
export interface Known {
  roster?: Roster;
  /** Whom the roster knows by this key. */
  identity?: Identity;
}

/** Milliseconds before the end of a certificate at which its successor should be asked for. */
const certificateNotice = 30 * 24 * 3600 * 1000;

export function fileChecks(config: PartyConfig, known: Known, services: ProjectServices): readonly Check[] {
  return [
    {
      name: 'roster',
      look: () => lookAtRoster(config, known),
      mend: 'get the present roster.toml from whoever keeps it',
    },
    {
      name: 'passphrase',
      look: () => lookAtPassphrase(config),
      mend: 'put the passphrase there, in a file of the user who runs the party (chmod 600)',
    },
    {
      name: 'identity',
      look: () => lookAtIdentity(config, known, services),
      mend: 'restore identity.json and its passphrase from a backup, for the user who runs the party (chmod 600)',
    },
    ...(config.tls === undefined
      ? []
      : [
          {
            name: 'certificate',
            look: () => lookAtCertificate(config, services),
            mend: 'look at tls.certificate and tls.key: the key must be that of the certificate (docs/how-to/tls.md)',
          },
        ]),
    {
      name: 'access',
      look: () => lookAtAccess(config),
      mend: 'look at listen.host, [tls] and access_token_file (docs/how-to/three-hosts.md)',
    },
    ...dataChecks(config),
  ];
}

async function lookAtRoster(config: PartyConfig, known: Known): Promise<readonly Omit<Finding, 'check'>[]> {
  const roster = await readRoster(config.roster);
  known.roster = roster;
  const { name, role } = config;
  const entry = entryOf(roster, name);
  const mend = 'have yourself admitted by whoever keeps it (sealsum admit), and copy the new roster.toml here';
  if (entry === undefined) return [problem(`${config.roster} does not name ${name}`, mend)];
  if (entry.role !== role)
    return [
      problem(
        `${config.roster} says that ${name} is a ${entry.role}, and ${config.file} that it is a ${role}`,
        `set role = "${entry.role}" if the roster is right`,
      ),
    ];
  requireNamed(config, roster);
  const digest = spoken(Buffer.from(rosterDigest(roster), 'hex'));
  const parties = counted(roster.parties.length, 'entry').replace(/entrys$/, 'entries');
  const found = [ok(`${config.roster}: ${parties}, ${name} among them; its digest, for all to compare: ${digest}`)];
  for (const needed of ['facilitator', 'model-owner', 'data-owner'] as const)
    if (!roster.parties.some((each) => each.role === needed))
      found.push(warning(`the roster names no ${needed}`, 'invite one with sealsum invite, and admit it'));
  return found;
}

async function lookAtPassphrase({ passphraseFile, file }: PartyConfig): Promise<Omit<Finding, 'check'>> {
  if (passphraseFile === undefined)
    return ok(`${file} names no passphrase_file: it is typed at the start, or ${passphraseVariable} holds it`);
  await readPrivateFile(passphraseFile, 'passphrase_file');
  return ok(`${passphraseFile} is there, for its owner only`);
}

async function lookAtIdentity(
  config: PartyConfig,
  known: Known,
  { env, terminal }: ProjectServices,
): Promise<readonly Omit<Finding, 'check'>[]> {
  const { identity: path, name, role, passphraseFile } = config;
  await readPrivateFile(path, 'identity');
  if (passphraseFile === undefined && env[passphraseVariable] === undefined && !terminal.interactive)
    return [skipped(`${path} is there, for its owner only; nobody says its passphrase, so it was not opened`)];
  const passphrase = await existingPassphrase(`the identity of ${name}`, { file: passphraseFile, env, terminal });
  const { identity } = await readSecrets(path, name, role, passphrase);
  const entry = known.roster === undefined ? undefined : entryOf(known.roster, name);
  if (entry === undefined) return [ok(`${path} opens; no roster says whether its key is the present one`)];
  const old = oldIdentityFile(path);
  const before = (await exists(old)) ? (await readSecrets(old, name, role, passphrase)).identity : undefined;
  if (entry.key === identity.publicKey) {
    known.identity = identity;
    const found = [ok(`${path} opens, and the roster names its key`)];
    if (before !== undefined)
      found.push(warning(`${old} is still there`, 'delete it when everybody has the roster with the new key'));
    return found;
  }
  return [strangeKey(entry, before, config, known)];
}

/** The roster names another key: the one before a rotation that is not admitted yet, one after it, or a stranger's. */
function strangeKey(
  entry: RosterEntry,
  before: Identity | undefined,
  { identity: path, roster, name }: PartyConfig,
  known: Known,
): Omit<Finding, 'check'> {
  if (before?.publicKey !== entry.key)
    return problem(
      `${roster} names another key of ${name} than ${path} holds`,
      'get the present roster.toml; if it still does, restore identity.json from a backup, or have a new one admitted',
    );
  known.identity = before;
  return warning(
    `${path} was rotated, and the roster names the key from before: ${name} goes on with that one`,
    `send ${name}.successor.json to whoever keeps the roster (sealsum admit), and copy the new roster.toml here`,
  );
}

async function lookAtCertificate(
  { tls }: PartyConfig,
  { clock }: ProjectServices,
): Promise<Omit<Finding, 'check'> | readonly Omit<Finding, 'check'>[]> {
  if (tls === undefined) return [];
  const { cert } = await readServerTls(tls, clock.now());
  return judgeCertificate(new X509Certificate(cert), tls.certificate, clock.now());
}

/** @param where it is, for people @param now milliseconds since 1970 */
export function judgeCertificate(
  {
    validTo,
    validFrom,
    fingerprint256,
    subjectAltName,
  }: Pick<X509Certificate, 'validTo' | 'validFrom' | 'fingerprint256' | 'subjectAltName'>,
  where: string,
  now: number,
): Omit<Finding, 'check'> {
  const until = Date.parse(validTo);
  const said = `${where}: for ${subjectAltName ?? 'no name'}, until ${validTo}, SHA-256 ${fingerprint256}`;
  const mend = 'have it renewed by whoever signed it';
  if (now > until) return problem(`${where} has expired: ${validTo}`, mend);
  if (now < Date.parse(validFrom)) return problem(`${where} is valid from ${validFrom} only`, 'look at the clock');
  const days = Math.floor((until - now) / (24 * 3600 * 1000));
  return until - now < certificateNotice ? warning(`${said}: ${counted(days, 'day')} are left`, mend) : ok(said);
}

async function lookAtAccess(config: PartyConfig): Promise<Omit<Finding, 'check'>> {
  const { host, allowPlaintext } = config.listen;
  const localToken = await readAccessToken(config);
  requireSafeListening({
    host,
    tls: config.tls !== undefined,
    allowPlaintext,
    needsToken: config.role !== 'facilitator',
    localToken,
  });
  const guarded =
    config.role === 'facilitator'
      ? 'by signed requests'
      : localToken === undefined
        ? 'without a token'
        : 'with its token';
  return ok(`serves ${host}${config.tls === undefined ? '' : ' with TLS'}, ${guarded}`);
}

function dataChecks(config: PartyConfig): readonly Check[] {
  const [file, field] =
    config.role === 'data-owner'
      ? [config.data, 'data']
      : config.role === 'model-owner'
        ? [config.evaluationData, 'evaluation_data']
        : [];
  if (file === undefined || field === undefined) return [];
  return [
    {
      name: 'data',
      look: async () => {
        const { size } = await statDataFile(file, field);
        return `${file}: ${size} bytes, ${await formatOf(file)}`;
      },
      mend: `put the file there, or name another in ${config.file}: ${field} = "…"`,
    },
  ];
}
