/** What a contribution says of itself before its bytes come: whose it is, how long, and which. */
import { SealsumError } from '../../src/errors.ts';
import { parseMessage } from '../../src/http/problem.ts';
import type { OwnerId } from '../../src/protocol/identifiers.ts';
import { contributionSignatureHeader } from '../../src/protocol/round-messages.ts';
import { type ObjectSignature, objectSignatureSchema } from '../../src/protocol/signed.ts';

/** @throws SealsumError message_invalid */
export function signatureOf(header: string | undefined, owner: OwnerId): ObjectSignature {
  const [key, value, ...more] = (header ?? '').split('.');
  if (value === undefined || more.length > 0)
    throw new SealsumError(
      'message_invalid',
      `${contributionSignatureHeader}: expected the fingerprint of a key, a dot, and its signature of the contribution`,
      { field: contributionSignatureHeader },
    );
  return parseMessage(objectSignatureSchema, { party: owner, key, value }, contributionSignatureHeader);
}

/** @throws SealsumError message_invalid */
export function lengthOf(header: string | undefined): number {
  if (header === undefined || !/^[0-9]{1,15}$/.test(header))
    throw new SealsumError('message_invalid', 'content-length: say how many bytes will come', {
      field: 'content-length',
    });
  return Number(header);
}

/** In lowercase hexadecimal. @throws SealsumError message_invalid */
export function digestOf(digest: Uint8Array | undefined): string {
  if (digest === undefined)
    throw new SealsumError('message_invalid', 'content-digest: say the SHA-256 of the bytes, and sign it', {
      field: 'content-digest',
    });
  return Buffer.from(digest).toString('hex');
}
