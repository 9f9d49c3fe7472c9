/**
 * Encrypted vectors as JSON: the only way from one party to another.
 *
 * Every vector has one form: decimal integers without leading zeros, ciphertexts of fixed width in base64url without padding. Whatever else
 * is refused. Bound and scale are the sender's word; the ciphertexts are checked to be some under the key that is named.
 */
import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { SealsumError } from '../errors.ts';
import { type ModularBackend, selectBackend } from '../paillier/backend.ts';
import { bitLength } from '../paillier/bytes.ts';
import { checkCiphertexts } from '../paillier/ciphertexts.ts';
import type { Encryptor } from '../paillier/encryptor.ts';
import { ciphertextBytes, type PublicKey } from '../paillier/public-key.ts';
import { publicKeyThumbprint } from '../paillier/thumbprint.ts';
import type { Spreading } from '../threads/spread.ts';
import { EncryptedVector, requireSameKey } from './encrypted-vector.ts';
import { ciphertextCount, requireRoom, slotLayout } from './encrypted-vector-slots.ts';

/** A vector as it travels. */
export interface EncryptedVectorJson {
  /** The public key's JWK thumbprint (RFC 7638, SHA-256). */
  readonly key: string;
  readonly length: number;
  /** In decimal: integer = real × scale. */
  readonly scale: string;
  /** In decimal: the greatest magnitude of an integer. */
  readonly bound: string;
  readonly slot_bits: number;
  /** One after the other, each big-endian in as many bytes as n² has, in base64url. */
  readonly ciphertexts: string;
}

/** A scale of 16,384 bits has 4933 digits, and no bound is greater. */
const mostDigits = 4933;
const count = z.int({ error: 'expected an integer' }).min(1, 'expected at least 1');

const schema = z.strictObject({
  key: z.string({ error: 'expected the thumbprint of the key' }),
  length: count,
  scale: decimal(/^[1-9][0-9]*$/, 'expected a decimal integer of at least 1 without leading zeros'),
  bound: decimal(/^(0|[1-9][0-9]*)$/, 'expected a decimal integer without leading zeros'),
  slot_bits: count,
  ciphertexts: z.string({ error: 'expected ciphertexts in base64url' }),
});

/**
 * The vector for somebody else. Where operations made it, its ciphertexts are re-randomised first.
 *
 * @param encryptor for the key of the vector; gives the randomness
 * @throws SealsumError plan_mismatch where it has another key; aborted
 */
export async function vectorToJson(
  encryptor: Encryptor,
  vector: EncryptedVector,
  spreading: Spreading = {},
): Promise<EncryptedVectorJson> {
  requireSameKey(vector.publicKey, encryptor.publicKey);
  const { fresh } = EncryptedVector.partsOf(vector);
  const outgoing = EncryptedVector.partsOf(fresh ? vector : await vector.rerandomise(encryptor, spreading));
  return {
    key: publicKeyThumbprint(outgoing.publicKey),
    length: outgoing.length,
    scale: outgoing.scale.toString(),
    bound: outgoing.bound.toString(),
    slot_bits: outgoing.layout.slotBits,
    ciphertexts: Buffer.from(outgoing.ciphertexts).toString('base64url'),
  };
}

/**
 * The vector that somebody else sent.
 *
 * @param publicKey the key that is expected
 * @throws SealsumError message_invalid naming the field that is not as expected, plan_mismatch where the key is another, plan_unsafe
 *   and number_out_of_bounds where bound and scale do not fit, ciphertext_invalid naming the ciphertext that is none
 */
export function vectorFromJson(
  publicKey: PublicKey,
  json: unknown,
  options: { readonly backend?: ModularBackend } = {},
): EncryptedVector {
  const { backend = selectBackend() } = options;
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw refused(parsed.error);
  const { key, length, slot_bits: slotBits, ciphertexts: text } = parsed.data;
  if (key !== publicKeyThumbprint(publicKey))
    throw new SealsumError('plan_mismatch', 'key: the vector was encrypted under another', { field: 'key' });
  const range = { scale: BigInt(parsed.data.scale), bound: BigInt(parsed.data.bound) };
  const layout = slotLayout(bitLength(publicKey.n), slotBits);
  if (layout.slotBits !== slotBits)
    throw invalid('slot_bits', `expected ${layout.slotBits} where one value has a ciphertext of its own`);
  requireRoom('bound', layout, range);
  const ciphertexts = ciphertextCount(layout, length);
  const bytes = fromBase64url(text, ciphertexts * ciphertextBytes(publicKey));
  checkCiphertexts(publicKey, bytes, ciphertexts, backend);
  return new EncryptedVector({ publicKey, backend, length, layout, ...range, ciphertexts: bytes, fresh: true });
}

/** So many bytes, from the one text that they have. */
function fromBase64url(text: string, length: number): Uint8Array {
  const characters = Math.ceil((4 * length) / 3);
  if (text.length !== characters)
    throw invalid('ciphertexts', `expected ${characters} characters for ${length} bytes, found ${text.length}`);
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text)
    throw invalid('ciphertexts', 'expected canonical base64url: no padding, no other characters');
  return new Uint8Array(bytes);
}

function decimal(form: RegExp, expectation: string): z.ZodString {
  return z
    .string({ error: expectation })
    .max(mostDigits, `expected at most ${mostDigits} digits`)
    .regex(form, expectation);
}

/** The error for the first thing that zod found. */
function refused({ issues: [issue] }: z.ZodError): SealsumError {
  if (issue?.code === 'unrecognized_keys') return invalid((issue.keys[0] ?? '').slice(0, 40), 'is not a known field');
  const field = issue?.path.join('.') ?? '';
  return field === '' ? invalid('vector', 'expected a JSON object') : invalid(field, issue?.message ?? 'is not valid');
}

function invalid(field: string, what: string): SealsumError {
  return new SealsumError('message_invalid', `${field}: ${what}`, { field });
}
