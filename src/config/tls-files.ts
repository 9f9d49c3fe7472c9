/** Certificates and keys in PEM files, read and checked before anybody connects. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { SealsumError } from '../errors.ts';
import type { ClientTls, ServerTls } from '../http/transport.ts';
import { readPrivateFile, readTextFile } from './files.ts';
import type { FacilitatorSettings, TlsSettings } from './party-config.ts';

/** @param now milliseconds since 1970 @throws SealsumError config_invalid, identity_invalid */
export async function readServerTls({ certificate, key, clientCa }: TlsSettings, now: number): Promise<ServerTls> {
  return {
    ...(await readPair('tls', certificate, key, now)),
    ...(clientCa === undefined ? {} : { clientCa: await readCertificates(clientCa, 'tls.client_ca') }),
  };
}

/**
 * Undefined where nothing is configured.
 *
 * @param table of config.toml, for errors
 * @throws SealsumError config_invalid, identity_invalid
 */
export async function readClientTls(
  { ca, certificate, key }: FacilitatorSettings,
  now: number,
  table: 'facilitator' | 'upstream' = 'facilitator',
): Promise<ClientTls | undefined> {
  if (ca === undefined && certificate === undefined) return undefined;
  return {
    ...(ca === undefined ? {} : { ca: await readCertificates(ca, `${table}.ca`) }),
    ...(certificate === undefined || key === undefined ? {} : await readPair(table, certificate, key, now)),
  };
}

async function readPair(
  table: string,
  certificateFile: string,
  keyFile: string,
  now: number,
): Promise<{ cert: string; key: string }> {
  const cert = await readCertificates(certificateFile, `${table}.certificate`);
  const key = (await readPrivateFile(keyFile, `${table}.key`)).toString('utf8');
  // The first one is the party's own.
  const own = new X509Certificate(cert);
  if (!own.checkPrivateKey(parseKey(key, keyFile, `${table}.key`)))
    throw new SealsumError('config_invalid', `${keyFile} is not the key of ${certificateFile}`, {
      field: `${table}.key`,
    });
  if (now < Date.parse(own.validFrom) || now > Date.parse(own.validTo))
    throw new SealsumError(
      'config_invalid',
      `${certificateFile} is valid from ${own.validFrom} to ${own.validTo}, which is not now`,
      { field: `${table}.certificate` },
    );
  return { cert, key };
}

function parseKey(text: string, file: string, field: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    const encrypted = text.includes('ENCRYPTED');
    const mend = encrypted ? 'is encrypted; decrypt it, and chmod 600 it' : 'holds no private key in PEM';
    throw new SealsumError('config_invalid', `${file} ${mend}`, { field });
  }
}

/** The text of a file in which every certificate can be read; there is one at least. */
async function readCertificates(file: string, field: string): Promise<string> {
  const text = await readTextFile(file, field);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new SealsumError('config_invalid', `${file} holds no certificate in PEM`, { field });
  try {
    for (const block of blocks) new X509Certificate(block);
  } catch (cause) {
    throw new SealsumError('config_invalid', `${file} holds a certificate that cannot be read`, { field, cause });
  }
  return text;
}
