/**
 * Where a party keeps the secret of its dashboard's sessions: JSON that nobody else may read, made at the first start. Whoever
 * deletes it signs everybody out.
 */
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import type { SessionState } from '../http/dashboard/sessions.ts';
import { exists, readPrivateFile, writePrivateFile } from './files.ts';

const secretBytes = 32;

const schema = z.strictObject({
  format: z.literal('sealsum dashboard sessions'),
  version: z.literal(1),
  secret: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/)
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64url'))),
  ended: z.record(z.string(), z.number()),
});

/**
 * What the file says; a new secret, written, where there is none.
 *
 * @throws SealsumError identity_invalid when others may read it, or it is none; config_invalid when it cannot be written
 */
export async function openSessionFile(path: string, random: (bytes: number) => Uint8Array): Promise<SessionState> {
  if (await exists(path)) return readSessionFile(path);
  const state = { secret: random(secretBytes), ended: {} };
  await writeSessionFile(path, state);
  return state;
}

async function readSessionFile(path: string): Promise<SessionState> {
  const text = (await readPrivateFile(path, 'dashboard.sessions')).toString('utf8');
  try {
    const { secret, ended } = schema.parse(JSON.parse(text));
    return { secret, ended };
  } catch (cause) {
    throw new SealsumError(
      'identity_invalid',
      `${path} does not hold the sessions of a dashboard: delete it, and everybody signs in anew`,
      { field: 'dashboard.sessions', cause },
    );
  }
}

export async function writeSessionFile(path: string, { secret, ended }: SessionState): Promise<void> {
  const document = {
    format: 'sealsum dashboard sessions',
    version: 1,
    secret: Buffer.from(secret).toString('base64url'),
    ended,
  };
  await writePrivateFile(path, `${JSON.stringify(document)}\n`, { replace: true });
}
