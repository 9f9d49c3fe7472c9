/** Work in slices and on threads: every part once, in order, whoever did it; refusals keep their codes; aborting ends it. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { OwnVector, WeightedVector } from '../../src/encoding/contribution.ts';
import { contribute } from '../../src/learning/contribute.ts';
import { closingSums } from '../../src/learning/inference/closing-sums.ts';
import { parseModel } from '../../src/learning/model.ts';
import { shareRecords } from '../../src/learning/records.ts';
import { contribution, ownVector } from '../../src/learning/task.ts';
import { bigintBackend } from '../../src/paillier/backend.ts';
import { decryptMany } from '../../src/paillier/decrypt-many.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import { encryptMany } from '../../src/paillier/encrypt-many.ts';
import { createEncryptor } from '../../src/paillier/encryptor.ts';
import { generateKeyPair } from '../../src/paillier/key-generation.ts';
import { multiplyMany } from '../../src/paillier/multiply-many.ts';
import { drawNoise } from '../../src/privacy/draw-noise.ts';
import { rational } from '../../src/privacy/rational.ts';
import { termsOf } from '../../src/protocol/terms.ts';
import { createThreadPool, type ThreadPool, type ThreadWork } from '../../src/threads/pool.ts';
import { type Items, spread } from '../../src/threads/spread.ts';
import { backends } from '../paillier/backends.ts';

const test = suite('threads');

const pool = createThreadPool({ threads: 2 });
const work = (name: string): ThreadWork => ({ beside: import.meta.url, file: './work-thread', name });

/** A pool that does what it is given on this thread, and notes it. */
function poolHere(answers: (input: unknown) => unknown): ThreadPool & { readonly given: unknown[] } {
  const given: unknown[] = [];
  return {
    given,
    threads: 2,
    usable: () => true,
    run: <Result>(_: ThreadWork, input: unknown) => {
      given.push(input);
      return Promise.resolve(answers(input) as Result);
    },
    close: () => Promise.resolve(),
  };
}

/** The pool, and what it is asked to run. */
function notingPool(): { readonly asked: string[]; readonly noting: ThreadPool } {
  const asked: string[] = [];
  const run: ThreadPool['run'] = (order, input, signal) => {
    asked.push(order.name);
    return pool.run(order, input, signal);
  };
  return { asked, noting: { ...pool, run } };
}

/** Keeps the processor for so many milliseconds. */
function burn(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test('every item once and in order, here and there', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: 60 }),
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom(0, 0.2, 6),
      async (count, together, cost) => {
        const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);
        const items: Items<number[]> = {
          count,
          together,
          here: (from, to) => {
            burn(cost * (to - from));
            return range(from, to);
          },
          there: (from, to) => ({ work: work('none'), input: [from, to] }),
        };
        const others = poolHere((input) => range(...(input as [number, number])));
        assert.deepEqual((await spread(items, { pool: others })).flat(), range(0, count), 'with a pool');
        assert.deepEqual(await spread(items, {}), [range(0, count)], 'without one all at once');
        if (cost === 0) assert.equal(others.given.length, 0, 'what costs nothing is done here');
        if (cost === 6 && count > 40) assert.ok(others.given.length > 0, 'what costs much is done there');
      },
    ),
    {
      numRuns: process.env.SLOW === undefined ? 15 : 200,
      // What costs nothing, little and much, whatever else chance takes.
      examples: [
        [60, 1, 0],
        [60, 4, 0.2],
        [45, 2, 6],
      ],
    },
  );
});

test('the event loop is served between slices', async () => {
  let turns = 0;
  let going = true;
  const count = (): void => {
    turns += 1;
    if (going) setImmediate(count);
  };
  setImmediate(count);
  const items: Items<number> = {
    count: 20,
    here: (from, to) => {
      burn(3 * (to - from));
      return to - from;
    },
    there: (from, to) => ({ work: work('none'), input: to - from }),
  };
  // Three milliseconds an item are a slice each, and 60 are no work for threads; nor is it where a busy processor makes it look so.
  const parts = await spread(items, { pool: { ...pool, usable: () => false } });
  going = false;
  assert.equal(
    parts.reduce((sum, each) => sum + each, 0),
    20,
  );
  assert.ok(turns >= 10, `${turns} turns`);
});

test('all threads get as many portions: one more for one of them would keep the others waiting', async () => {
  const here = poolHere((input) => input);
  let portions: (readonly [number, number])[] = [];
  // Some 500 ms: five portions of 100 ms, of which one thread would get three. A number that most divide, for a first item that is slow.
  const items: Items<unknown> = {
    count: 2521,
    here: (from, to) => {
      burn(0.2 * (to - from));
      return undefined;
    },
    there: (from, to) => {
      portions.push([from, to]);
      return { work: work('half'), input: undefined };
    },
  };
  // A first item that the machine put off promises far more work, in portions of which there may be one less: it is measured again.
  for (let attempt = 0; attempt < 10 && (portions.length === 0 || portions.length > 12); attempt += 1) {
    portions = [];
    await spread(items, { pool: here });
  }
  assert.ok(portions.length >= 6 && portions.length % 2 === 0, `${portions.length} portions`);
  const sizes = portions.map(([from, to]) => to - from);
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    2520,
  );
  assert.ok(Math.max(...sizes) - (sizes.at(-2) ?? 0) === 0, sizes.join(' '));
});

test('a signal that lives long is listened to once, however many portions there are, and not any more afterwards', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => {
    warnings.push(warning);
  };
  process.on('warning', note);
  const { signal } = new AbortController();
  const items: Items<bigint> = {
    count: 400,
    here: (from, to) => {
      burn(10 * (to - from));
      return 0n;
    },
    there: () => ({ work: work('double'), input: 1n }),
  };
  const parts = await spread(items, { pool, signal });
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  assert.ok(parts.length > 20, `${parts.length} parts`);
  assert.deepEqual(warnings, []);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('a refusal of a thread arrives with its code and field, a mistake as what it is, and the pool goes on', async () => {
  await assert.rejects(pool.run(work('refuse'), 'rho'), { code: 'privacy_invalid', field: 'rho', message: 'rho: no' });
  await assert.rejects(pool.run(work('err'), undefined), /thread erred/);
  assert.equal(await pool.run(work('double'), 21n), 42n);
});

test('a result takes its memory along, unless others share it', async () => {
  const single = createThreadPool({ threads: 1 });
  const lend = (how: 'whole' | 'part') => single.run<{ bytes: Uint8Array; left?: number }>(work('lend'), how);
  for (const how of ['whole', 'part', 'whole'] as const)
    assert.deepEqual((await lend(how)).bytes, Uint8Array.of(1, 2, 3));
  assert.equal((await lend('part')).left, 0, 'it went');
  assert.equal((await lend('whole')).left, 3, 'it stayed');
  await single.close();
});

test('what is aborted ends at once, also while a thread is at it, and the pool goes on', async () => {
  const controller = new AbortController();
  const waiting = pool.run(work('spin'), undefined, controller.signal);
  setTimeout(() => {
    controller.abort();
  }, 300);
  await assert.rejects(waiting, { code: 'aborted' });
  assert.equal(await pool.run(work('double'), 1n), 2n);
  const items: Items<number> = { count: 1, here: () => 1, there: () => ({ work: work('double'), input: 1n }) };
  await assert.rejects(spread(items, { pool, signal: AbortSignal.abort() }), { code: 'aborted' });
  await assert.rejects(spread(items, { signal: AbortSignal.abort() }), { code: 'aborted' });
});

/** Ciphertexts that are some 200 ms of work, by the name of what makes them; of others fewer. */
const counts: Readonly<Record<string, number>> = {
  native: 1500,
  'native-mulx': 250,
  'native-portable': 250,
  openssl: 160,
};

for (const backend of backends)
  test(`ciphertexts that threads made open to the plaintexts, on threads and here (${backend.name})`, async () => {
    const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
    const [encryptor, decryptor] = [createEncryptor(publicKey, { backend }), createDecryptor(privateKey, { backend })];
    // As many as take threads.
    const count = counts[backend.name] ?? 30;
    const plaintexts = Array.from({ length: count }, (_, index) => publicKey.n - 1n - BigInt(index) ** 3n);
    const { asked, noting } = notingPool();
    const { signal } = new AbortController();
    const bytes = await encryptMany(encryptor, plaintexts, { pool: noting, signal });
    assert.equal(bytes.length, count * 512);
    assert.deepEqual(decryptor.decryptBatch(bytes, count), plaintexts);
    assert.deepEqual(await decryptMany(decryptor, bytes, count, { pool: noting, signal }), plaintexts);
    assert.ok(asked.includes('encrypt') && asked.includes('decrypt'), `threads were asked: ${asked.join(' ')}`);
    const again = await encryptMany(encryptor, plaintexts, { pool: noting });
    assert.notDeepEqual(again, bytes);
    for (let at = 0; at < bytes.length; at += 512)
      assert.notDeepEqual(again.subarray(at, at + 512), bytes.subarray(at, at + 512));
    await assert.rejects(encryptMany(encryptor, [...plaintexts, publicKey.n], { pool }), {
      code: 'plaintext_out_of_range',
    });
    const broken = bytes.slice();
    broken.fill(0, broken.length - 512);
    await assert.rejects(decryptMany(decryptor, broken, count, { pool }), { code: 'ciphertext_invalid' });
    await assert.rejects(decryptMany(decryptor, bytes.subarray(1), count, { pool }), { code: 'ciphertext_invalid' });
  });

test('blocks that threads multiply are the product, whatever is multiplied where', async () => {
  const { publicKey, privateKey } = await generateKeyPair({ bits: 2048 });
  const encryptor = createEncryptor(publicKey);
  const count = 100;
  const few = [1n, 10n, 100n].map((unit) =>
    encryptor.encryptBatch(Array.from({ length: count }, (_, at) => unit * BigInt(at))),
  );
  // Some 400 ms of products.
  const blocks = Array.from({ length: 200 }, (_, at) => few[at % 3] ?? new Uint8Array());
  const { asked, noting } = notingPool();
  const product = await multiplyMany(publicKey, blocks, { pool: noting }, bigintBackend);
  assert.deepEqual(
    createDecryptor(privateKey).decryptBatch(product, count),
    Array.from({ length: count }, (_, at) => BigInt(at) * (67n + 67n * 10n + 66n * 100n)),
  );
  assert.deepEqual(product, await multiplyMany(publicKey, blocks, {}, bigintBackend));
  assert.ok(asked.includes('multiply'), `threads were asked: ${asked.join(' ')}`);
});

test('noise that threads draw has the variance that was asked for', async () => {
  const count = 400_000;
  const variance = 2 ** 32;
  const draws = await drawNoise(count, rational(BigInt(variance)), undefined, { pool });
  assert.equal(draws.length, count);
  const squares = draws.reduce((sum, each) => sum + Number(each) ** 2 / variance, 0);
  // χ² with that many degrees of freedom: six standard deviations, 2·10⁻⁹.
  assert.ok(Math.abs(squares - count) < 6 * Math.sqrt(2 * count), `χ² = ${squares}`);
  const sum = draws.reduce((total, each) => total + Number(each), 0);
  assert.ok(Math.abs(sum) < 6 * Math.sqrt(count * variance), `sum ${sum}`);
});

test('where no thread can be started the work is done here, and one is told why', async () => {
  const troubles: string[] = [];
  const broken = createThreadPool({
    execArgv: ['--import', 'no-such-loader'],
    onTrouble: ({ code, message }) => {
      troubles.push(`${code} ${message}`);
    },
  });
  const items: Items<number[]> = {
    count: 60,
    here: (from, to) => {
      burn(3 * (to - from));
      return Array.from({ length: to - from }, (_, at) => from + at);
    },
    there: () => ({ work: work('double'), input: 1n }),
  };
  const parts = await spread(items, { pool: broken });
  assert.deepEqual(
    parts.flat(),
    Array.from({ length: 60 }, (_, at) => at),
  );
  assert.equal(troubles.length, 1);
  assert.match(troubles[0] ?? '', /^backend_unavailable threads cannot be started here: /);
  assert.equal(broken.usable(), false);
  await assert.rejects(broken.run(work('double'), 1n), { code: 'backend_unavailable' });
  await broken.close();
});

test('many records are summed on a thread, to the same sums; by chance other records in every round', async () => {
  const names = ['a', 'b', 'c', 'd'];
  const features = names.map((name) => ({ name, type: 'continuous', range: [-1, 1] }));
  const document = {
    model_type: 'LINEAR_REGRESSION',
    data_props: { header: true, features, target: { name: 'y', type: 'continuous', range: [-1, 1] } },
    training: { solver: 'gradient' },
    participation: { max_records: 2 ** 20 },
  };
  const count = 210_000;
  const random = fc.sample(fc.double({ min: -1, max: 1, noNaN: true }), { numRuns: 1000, seed: 5 });
  const numbers = (step: number): Float64Array =>
    Float64Array.from({ length: count * (step === 1 ? 5 : 1) }, (_, at) =>
      step === 1 && at % 5 === 0 ? 1 : (random[(at * 7 + step) % 1000] ?? 0),
    );
  const records = shareRecords({
    count,
    width: 5,
    x: numbers(1),
    y: numbers(3),
    lines: new Int32Array(count),
    dropped: 0,
  });
  const { asked, noting } = notingPool();
  const parameters = Float64Array.of(0.5, -1, 0.25, 0, 1);
  for (const privacy of [undefined, { epsilon: 1, delta: 1e-6 }, { epsilon: 1, delta: 1e-6, sampling: 0.5 }]) {
    const model = parseModel({ ...document, ...(privacy === undefined ? {} : { privacy }) });
    const { task } = termsOf(model, 3);
    const reports: number[] = [];
    const options = {
      pool: noting,
      observe: ({ units }: { readonly units: number }): void => {
        reports.push(units);
      },
    };
    const summed = async (): Promise<WeightedVector> => {
      const { weight, values } = await contribute(task, records, parameters, options);
      return { weight, values: [...values.slice(0, values.length)] };
    };
    const sum = await summed();
    assert.equal(asked.pop(), 'contribute');
    if (privacy?.sampling === undefined) assert.deepEqual(sum, contribution(task, records, parameters));
    else {
      const again = await summed();
      assert.notDeepEqual(again, sum);
      // Binomial with 210,000 coins: six standard deviations.
      for (const units of reports) assert.ok(Math.abs(units - count / 2) < 6 * Math.sqrt(count / 4), `${units} units`);
    }
    assert.equal(reports.length, privacy === undefined ? 0 : 'sampling' in privacy ? 2 : 1);
  }
  // And so are those of a closing round, with a parameter more.
  const training = { ...document.training, inference: {}, diagnostics: {} };
  const { closing } = termsOf(parseModel({ ...document, training }), 3);
  assert.ok(closing !== undefined);
  const given = Float64Array.of(...parameters, 0.5);
  const slots = ({ weight, values }: OwnVector): WeightedVector => ({
    weight,
    values: [...values.slice(0, values.length)],
  });
  const onThread = slots(await contribute(closing.task, records, given, { pool: noting }));
  assert.equal(asked.pop(), 'contribute');
  assert.deepEqual(onThread, slots(ownVector(closing.task, closingSums(closing.task, records, given))));
});

test.after(() => pool.close());
test.run();
