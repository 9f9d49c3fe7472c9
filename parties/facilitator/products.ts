/**
 * The product of a round's contributions, as it grows in the store block by block: `product:k` is that of the first k. Nobody else
 * is kept waiting for longer than one block takes.
 *
 * Single contributions are not kept. Each is in the product as soon as it is accepted, so nothing needs them any more, and
 * what is not there can neither be lost nor be opened by whoever has the disk and the model owner's key: there are sums of at
 * least two contributions from the second one on, and when a round ends, nothing but its aggregate.
 */
import { createHash } from 'node:crypto';
import { setImmediate as others } from 'node:timers/promises';
import { SealsumError } from '../../src/errors.ts';
import { rerandomiseBlock } from '../../src/paillier/aggregate.ts';
import type { Encryptor } from '../../src/paillier/encryptor.ts';
import { multiplyMany } from '../../src/paillier/multiply-many.ts';
import type { PublicKey } from '../../src/paillier/public-key.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import type { BlockPlace } from '../../src/storage/facilitator-store.ts';
import type { Blocks } from './blocks.ts';
import type { FacilitatorContext } from './context.ts';
import type { EncryptNoise } from './noise.ts';
import type { Upload } from './uploads.ts';

/** The last block of a series, to be committed with what makes the series count; all before it are in the store. */
export interface LastBlock {
  readonly place: BlockPlace;
  readonly block: number;
  readonly bytes: Uint8Array;
}

interface RoundPlace {
  readonly job: JobId;
  readonly round: number;
}

export interface Products {
  /** Multiplies contributions, at least one, into the product of the `count` before them. */
  fold(
    round: RoundPlace,
    count: number,
    uploads: readonly Upload[],
    blocks: Blocks,
    publicKey: PublicKey,
  ): Promise<LastBlock>;
  /**
   * Re-randomises the product of `count` contributions, with the job's noise where this facilitator adds it: the same noise
   * whenever a round is finished anew.
   *
   * @returns with the SHA-256 of the whole aggregate, in lowercase hexadecimal
   * @throws SealsumError aborted, once the signal says so
   */
  finish(
    round: RoundPlace,
    count: number,
    blocks: Blocks,
    encryptor: Encryptor,
    encryptNoise: EncryptNoise | undefined,
    signal: AbortSignal,
  ): Promise<LastBlock & { readonly digest: string }>;
}

export function productPlace({ job, round }: RoundPlace, count: number): BlockPlace {
  return { job, round, series: `product:${count}` };
}

export function createProducts({ store, clock, pool, checkpoint, metrics }: FacilitatorContext): Products {
  async function blockOf(place: BlockPlace, index: number): Promise<Uint8Array> {
    const found = await store.block(place, index);
    if (found === undefined)
      throw new Error(
        `block ${index} of ${place.series} of round ${place.round} of job ${place.job} is not in the store`,
      );
    return found;
  }

  /** A block of the round's noise: kept from the moment it is drawn. */
  async function noiseBlock(
    round: RoundPlace,
    index: number,
    { ciphertexts, ciphertextsPerBlock }: Blocks,
    draw: (first: number, count: number) => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    const place: BlockPlace = { ...round, series: 'product:noise' };
    const kept = await store.block(place, index);
    if (kept !== undefined) return kept;
    const first = index * ciphertextsPerBlock;
    const drawn = await draw(first, Math.min(ciphertextsPerBlock, ciphertexts - first));
    await store.keepBlock(place, index, drawn);
    checkpoint('facilitator.closing.noise-kept');
    return drawn;
  }

  return {
    fold: async (round, count, uploads, blocks, publicKey) => {
      const before = productPlace(round, count);
      const place = productPlace(round, count + uploads.length);
      const folded = async (index: number): Promise<Uint8Array> => {
        const factors = count === 0 ? [] : [await blockOf(before, index)];
        for (const upload of uploads) factors.push(index < upload.kept ? await upload.block(index) : upload.last);
        const started = clock.monotonic();
        const product = await multiplyMany(publicKey, factors, { pool, pause: others });
        metrics.crypto('fold', (clock.monotonic() - started) / 1000);
        return product;
      };
      const last = blocks.count - 1;
      for (let index = 0; index < last; index++) {
        await store.keepBlock(place, index, await folded(index));
        checkpoint('facilitator.contribution.block-folded');
        await others();
      }
      return { place, block: last, bytes: await folded(last) };
    },

    finish: async (round, count, blocks, encryptor, encryptNoise, signal) => {
      const place: BlockPlace = { ...round, series: 'aggregate' };
      const hash = createHash('sha256');
      const pause = async (): Promise<void> => {
        if (signal.aborted) throw new SealsumError('aborted', `closing round ${round.round} was stopped`);
        await others();
      };
      const spreading = { pool, signal, pause };
      for (let index = 0; ; index++) {
        await pause();
        const product = await blockOf(productPlace(round, count), index);
        const started = clock.monotonic();
        const noise =
          encryptNoise && (await noiseBlock(round, index, blocks, (first, n) => encryptNoise(first, n, spreading)));
        const bytes =
          noise === undefined
            ? await rerandomiseBlock(encryptor, product, spreading)
            : await multiplyMany(encryptor.publicKey, [product, noise], spreading);
        metrics.crypto('rerandomise', (clock.monotonic() - started) / 1000);
        hash.update(bytes);
        if (index === blocks.count - 1) return { place, block: index, bytes, digest: hash.digest('hex') };
        await store.keepBlock(place, index, bytes);
        checkpoint('facilitator.closing.block-kept');
      }
    },
  };
}
