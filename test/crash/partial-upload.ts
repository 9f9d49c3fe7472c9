/** A contribution of which only the beginning arrives, as when its owner dies while it sends. */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { signRequest } from '../../src/http/message-signatures.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { jobIdSchema, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import { contributionStatement, sha256 } from '../../src/protocol/manifest.ts';
import { contributionSignatureHeader } from '../../src/protocol/round-messages.ts';
import { objectDigest, signObject } from '../../src/protocol/signed.ts';
import type { Consortium } from './consortium.ts';
import type { OwnerName } from './samples.ts';

/**
 * Sends, in an owner's name, the first `part` bytes of what looks like a contribution of `bytes`, and hangs up when the other side
 * has had a moment to take them.
 */
export async function sendPart(
  { clientOf, facilitator, project, signal, owners }: Consortium,
  name: OwnerName,
  id: string,
  { width, bytes, part }: { readonly width: number; readonly bytes: number; readonly part: number },
): Promise<void> {
  const job = jobIdSchema.parse(id);
  const identity = project.identityOf(owners[name].name);
  const { signed } = await clientOf(identity.name).round(job, 1, signal);
  if (signed === undefined) throw new Error(`round 1 of job ${id} is shown without its descriptor`);
  const content = ciphertextsLike(bytes, width);
  const owner = ownerIdSchema.parse(name);
  const said = { owner, digest: sha256(content), bytes };
  const statement = contributionStatement(signed, objectDigest('round', signed.descriptor), said);
  const { key, value } = signObject(identity, 'contribution', statement);
  const url = `${facilitator.url}/jobs/${id}/rounds/1/contributions/${name}`;
  const head = { method: 'PUT', url, bodyDigest: Buffer.from(said.digest, 'hex') };
  const sent = request(url, {
    method: 'PUT',
    headers: {
      ...signRequest(identity, head, { now: Date.now(), random: systemRandom }),
      'content-type': 'application/octet-stream',
      'content-length': bytes,
      [contributionSignatureHeader]: `${key}.${value}`,
    },
  });
  await new Promise<void>((resolve) => {
    // The line breaks, at whichever end.
    sent.once('error', () => {
      resolve();
    });
    sent.once('response', () => {
      resolve();
    });
    sent.write(content.subarray(0, part), () => {
      void pause(200).then(() => sent.destroy());
    });
    sent.once('close', resolve);
  });
}

/** Numbers that are in the range of ciphertexts, one after the other, and encrypt nothing in particular. */
function ciphertextsLike(bytes: number, width: number): Buffer {
  const content = randomBytes(bytes);
  for (let start = 0; start < bytes; start += width) content.fill(0, start, start + 2);
  return content;
}
