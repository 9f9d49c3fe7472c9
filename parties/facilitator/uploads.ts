/**
 * Contributions as they arrive: block by block, each looked at when it is complete and put away before the next one comes, so that
 * memory holds one block of each and no more, however long they are.
 */
import { createHash } from 'node:crypto';
import { setImmediate as others } from 'node:timers/promises';
import { SealsumError } from '../../src/errors.ts';
import { checkCiphertexts } from '../../src/paillier/ciphertexts.ts';
import type { PublicKey } from '../../src/paillier/public-key.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import type { BlockPlace } from '../../src/storage/facilitator-store.ts';
import type { Blocks } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';

/** What is announced of a contribution before its bytes are taken. */
export interface Announced {
  readonly job: JobId;
  readonly round: number;
  /** SHA-256 in lowercase hexadecimal. */
  readonly digest: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** A contribution that has arrived, is what was announced, and has nothing but ciphertexts in it. */
export interface Upload extends AsyncDisposable {
  readonly place: BlockPlace;
  /** How many of its blocks are in the store: all but the last. */
  readonly kept: number;
  readonly last: Uint8Array;
  /** Its blocks in the store. */
  block(index: number): Promise<Uint8Array>;
  /** Its blocks were forgotten in a commit. */
  forgotten(): void;
}

export interface Uploads {
  /**
   * Takes the bytes. Whoever gets an upload disposes of it.
   *
   * @throws SealsumError overloaded, ciphertext_invalid, body_too_large, signature_invalid when the bytes are others than announced
   */
  receive(announced: Announced, blocks: Blocks, publicKey: PublicKey): Promise<Upload>;
}

export function createUploads(context: FacilitatorContext): Uploads {
  const { store, clock, log, random, checkpoint, metrics, limits } = context;
  let count = 0;
  let reserved = 0;

  /** Sets memory aside; returns the way to give it back. */
  function reserve(bytes: number): () => void {
    if (reserved > 0 && reserved + bytes > limits.uploadBytes)
      throw new SealsumError('overloaded', `${count} contributions are arriving; try again in a moment`, {
        retryAfter: 1,
      });
    const change = (by: 1 | -1): void => {
      count += by;
      reserved += by * bytes;
      metrics.uploads(count, reserved);
    };
    change(1);
    return () => {
      change(-1);
    };
  }

  function validate(publicKey: PublicKey, blocks: Blocks, block: number, bytes: Uint8Array): void {
    const started = clock.monotonic();
    const first = block * blocks.ciphertextsPerBlock;
    try {
      checkCiphertexts(publicKey, bytes, bytes.length / blocks.width);
    } catch (error) {
      if (first === 0 || !(error instanceof SealsumError)) throw error;
      throw new SealsumError(error.code, `of the ciphertexts from number ${first} on: ${error.message}`, {
        field: 'ciphertexts',
        cause: error,
      });
    } finally {
      metrics.crypto('validate', (clock.monotonic() - started) / 1000);
    }
  }

  async function receive(
    { job, round, digest, body }: Announced,
    blocks: Blocks,
    publicKey: PublicKey,
  ): Promise<Upload> {
    const giveBack = reserve(blocks.bytesOf(0));
    const place: BlockPlace = { job, round, series: `upload:${Buffer.from(random(16)).toString('hex')}` };
    let inStore = false;
    const dispose = async (): Promise<void> => {
      giveBack();
      if (!inStore) return;
      // What cannot be forgotten now is forgotten at the next start: nobody will ask for it.
      await store.forgetBlocks(place).catch((error: unknown) => {
        log.warn({ err: error, job, round }, 'the blocks of a contribution could not be forgotten');
      });
      checkpoint('facilitator.contribution.upload-forgotten');
    };
    try {
      const hash = createHash('sha256');
      let block = new Uint8Array(blocks.bytesOf(0));
      let filled = 0;
      let arrived = 0;
      let kept = 0;
      for await (const chunk of body) {
        metrics.received(chunk.length);
        arrived += chunk.length;
        if (arrived > blocks.bytes) throw tooLong(blocks);
        hash.update(chunk);
        for (let taken = 0; taken < chunk.length; ) {
          const part = chunk.subarray(taken, taken + block.length - filled);
          block.set(part, filled);
          taken += part.length;
          filled += part.length;
          if (filled < block.length || kept === blocks.count - 1) continue;
          validate(publicKey, blocks, kept, block);
          inStore = true;
          await store.keepBlock(place, kept, block);
          kept += 1;
          checkpoint('facilitator.contribution.block-kept');
          // A store may still hold the old one.
          block = new Uint8Array(blocks.bytesOf(kept));
          filled = 0;
          await others();
        }
      }
      if (arrived < blocks.bytes) throw tooShort(blocks, arrived);
      if (hash.digest('hex') !== digest)
        throw new SealsumError('signature_invalid', 'the bytes that arrived are not those that were signed', {
          field: 'content-digest',
        });
      validate(publicKey, blocks, kept, block);
      checkpoint('facilitator.contribution.complete');
      return {
        place,
        kept,
        last: block,
        block: async (index) => {
          const found = await store.block(place, index);
          if (found === undefined) throw new Error(`block ${index} of ${place.series} is not in the store`);
          return found;
        },
        forgotten: () => {
          inStore = false;
        },
        [Symbol.asyncDispose]: dispose,
      };
    } catch (error) {
      await dispose();
      throw error;
    }
  }

  return { receive };
}

/** The refusal of a contribution of more bytes than the plan says. */
export function tooLong({ bytes, ciphertexts, width }: Blocks): SealsumError {
  return new SealsumError(
    'body_too_large',
    `ciphertexts: expected ${bytes} bytes (${ciphertexts} × ${width}), found more`,
    {
      field: 'ciphertexts',
    },
  );
}

/** The refusal of a contribution of fewer bytes than the plan says. */
export function tooShort({ bytes, ciphertexts, width }: Blocks, found: number): SealsumError {
  return new SealsumError(
    'ciphertext_invalid',
    `ciphertexts: expected ${bytes} bytes (${ciphertexts} × ${width}), found ${found}`,
    { field: 'ciphertexts' },
  );
}
