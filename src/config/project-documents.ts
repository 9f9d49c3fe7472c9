/** The JSON files with which the machines of a project come to know each other, and where they lie. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SealsumError } from '../errors.ts';
import { readTextFile, writePublicFile } from './files.ts';
import { openInvitation, type SignedInvitation, type SignedJoinRequest } from './invitation.ts';
import type { SignedSuccession } from './successor.ts';

const invitationFolder = 'invitations';

/** Keeps an invitation in the project and gives the path of its file, which is the one to send; a newer one replaces it. */
export async function writeInvitation(project: string, signed: SignedInvitation): Promise<string> {
  const folder = join(project, invitationFolder);
  await mkdir(folder, { recursive: true });
  return await writeDocument(join(folder, `${signed.invitation.name}.invitation.json`), signed);
}

/** The invitations that a project has sent; those that cannot be read any more, such as edited ones, count for nothing. */
export async function readInvitations(project: string): Promise<SignedInvitation[]> {
  const folder = join(project, invitationFolder);
  const files = await readdir(folder).catch((): string[] => []);
  const found: SignedInvitation[] = [];
  for (const file of files.filter((name) => name.endsWith('.invitation.json')).sort()) {
    const document = await readDocument(join(folder, file));
    try {
      found.push(openInvitation(document, Number.NEGATIVE_INFINITY));
    } catch (error) {
      if (!(error instanceof SealsumError)) throw error;
    }
  }
  return found;
}

export async function writeJoinRequest(project: string, signed: SignedJoinRequest): Promise<string> {
  return await writeDocument(join(project, `${signed.join.name}.join.json`), signed);
}

export async function writeSuccession(folder: string, signed: SignedSuccession): Promise<string> {
  return await writeDocument(join(folder, `${signed.successor.name}.successor.json`), signed);
}

/** The JSON of a file. @throws SealsumError config_invalid, message_invalid */
export async function readDocument(path: string): Promise<unknown> {
  const text = await readTextFile(path, path);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new SealsumError('message_invalid', `${path}: expected JSON`);
  }
}

async function writeDocument(path: string, document: unknown): Promise<string> {
  await writePublicFile(path, `${JSON.stringify(document, undefined, 2)}\n`, { replace: true });
  return path;
}
