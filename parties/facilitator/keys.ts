/** The public keys of open jobs, and the means of re-randomising under them: made when they are needed, dropped when not. */
import type { Logger } from '../../src/http/log.ts';
import { createEncryptor, type Encryptor } from '../../src/paillier/encryptor.ts';
import { type PublicKey, publicKeyFromJwk } from '../../src/paillier/public-key.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import type { JobRecord } from '../../src/storage/facilitator-store.ts';

export interface Keys {
  publicKeyOf(job: JobRecord): PublicKey;
  encryptorOf(job: JobRecord): Encryptor;
  /** Builds the table that makes re-randomising fast, a piece at a time; nothing happens when that has begun, or no tables are wanted. */
  buildTable(job: JobRecord): void;
  /** Computes ahead, while nothing else is to be done, what makes the next re-randomising faster. */
  prepareNext(job: JobRecord): void;
  release(job: JobId): void;
  stop(): void;
}

/** Rounds for which a job's table is made to pay: its facilitator is not told how many there will be. */
const roundsExpected = 256;

/** Ciphertexts of the next aggregate for which there is something in memory, at most: some 800 kB at 3072 bits. */
const mostPrepared = 1024;

/** Public keys in memory; checking one takes about 10 ms. */
const keysKept = 64;

/** What the keys need of a facilitator. */
export interface KeysContext {
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly limits: { readonly tables: number };
}

export function createKeys({ random, log, limits }: KeysContext): Keys {
  const publicKeys = new Map<JobId, PublicKey>();
  const encryptors = new Map<
    JobId,
    { readonly encryptor: Encryptor; readonly stop: AbortController; begun: boolean }
  >();

  function dropEncryptor(job: JobId): void {
    encryptors.get(job)?.stop.abort();
    encryptors.delete(job);
  }

  function release(job: JobId): void {
    publicKeys.delete(job);
    dropEncryptor(job);
  }

  function publicKeyOf({ signed: { descriptor } }: JobRecord): PublicKey {
    const key = publicKeys.get(descriptor.job) ?? publicKeyFromJwk(descriptor.public_key);
    recall(publicKeys, descriptor.job, key, keysKept, (oldest) => publicKeys.delete(oldest));
    return key;
  }

  function prepared(job: JobRecord) {
    const { job: name, plan } = job.signed.descriptor;
    const known = encryptors.get(name) ?? {
      encryptor: createEncryptor(publicKeyOf(job), { random, expected: roundsExpected * plan.ciphertexts }),
      stop: new AbortController(),
      begun: false,
    };
    recall(encryptors, name, known, Math.max(1, limits.tables), dropEncryptor);
    return known;
  }

  return {
    publicKeyOf,
    encryptorOf: (job) => prepared(job).encryptor,
    buildTable: (job) => {
      if (limits.tables === 0) return;
      const known = prepared(job);
      if (known.begun) return;
      known.begun = true;
      known.encryptor.prepare(known.stop.signal).catch((error: unknown) => {
        if (!known.stop.signal.aborted)
          log.warn({ err: error, job: job.signed.descriptor.job }, 'no table could be built');
      });
    },
    prepareNext: (job) => {
      const { encryptor, stop } = prepared(job);
      void encryptor.prepareNext(Math.min(job.signed.descriptor.plan.ciphertexts, mostPrepared), stop.signal);
    },
    release,
    stop: () => {
      for (const job of [...encryptors.keys()]) release(job);
    },
  };
}

/** Keeps something that was just used, and drops what was not in use for longest when there is too much. */
function recall<K, V>(kept: Map<K, V>, key: K, value: V, most: number, drop: (oldest: K) => void): void {
  kept.delete(key);
  kept.set(key, value);
  const [oldest] = kept.keys();
  if (kept.size > most && oldest !== undefined) drop(oldest);
}
