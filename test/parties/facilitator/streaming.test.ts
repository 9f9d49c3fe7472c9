/** Contributions and aggregates in blocks: however they are cut, the sum is the same, and what is not accepted leaves no trace. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { suite } from 'uvu';
import type { Receipt } from '../../../parties/facilitator/contributions.ts';
import { createFacilitatorMetrics } from '../../../parties/facilitator/metrics.ts';
import { startProduct } from '../../../src/paillier/aggregate.ts';
import { bigintToBytes } from '../../../src/paillier/bytes.ts';
import type { OwnerId } from '../../../src/protocol/identifiers.ts';
import { sha256 } from '../../../src/protocol/manifest.ts';
import { createAuditLog } from '../../../src/storage/audit-log.ts';
import { type Database, openDatabase } from '../../../src/storage/database.ts';
import { createFacilitatorStore } from '../../../src/storage/durable-facilitator-store.ts';
import { createTestClock } from '../../support/clock.ts';
import { until, within } from '../../support/until.ts';
import {
  anna,
  bert,
  codeOf,
  contributionOf,
  cora,
  createStore,
  describeJob,
  ended,
  facilitatorIdentity,
  hesitantStore,
  identityOf,
  keys,
  mona,
  never,
  openSum,
  planFor,
  refusal,
  signContribution,
  startFacilitator,
  sumOf,
  type TestFacilitator,
  type TestFacilitatorOptions,
  trio,
} from './harness.ts';

const test = suite('contributions in blocks');

const { job } = describeJob();
/** Values of a plan of five ciphertexts. */
const length = 270;
const count = 5;
const width = 512;
assert.equal(planFor(3, length).ciphertexts, count);
const sent: readonly Uint8Array[] = [0, 1, 2].map((number) => contributionOf(number, 3, length));
const bytesOf = (owner: OwnerId): Uint8Array => sent[trio.indexOf(owner)] ?? new Uint8Array();

interface Opened extends TestFacilitator {
  readonly database: Database;
}

/** A facilitator with an open round for three owners. */
async function opened(blockBytes: number, more: TestFacilitatorOptions = {}): Promise<Opened> {
  const clock = createTestClock();
  const database = await openDatabase(':memory:', { role: 'facilitator' });
  const store = createFacilitatorStore(database, createAuditLog(facilitatorIdentity, clock));
  const party = await startFacilitator({ clock, store, ...more, limits: { blockBytes, ...more.limits } });
  await party.create({ length });
  await party.open(1);
  return { ...party, database };
}

/** What is in the store of the round: how many blocks of each series. */
async function blocksIn({ database }: Opened): Promise<Record<string, number>> {
  const found = await database.read(({ rows }) => rows.selectFrom('blocks').select('series').execute());
  const series: Record<string, number> = {};
  for (const each of found) {
    const name = each.series.startsWith('upload:') ? 'upload' : each.series;
    series[name] = (series[name] ?? 0) + 1;
  }
  return series;
}

/** A contribution whose bytes come in these pieces. */
function send(
  party: TestFacilitator,
  owner: OwnerId,
  body: AsyncIterable<Uint8Array>,
  bytes = bytesOf(owner),
): Promise<Receipt> {
  const statement = party.statement(1, owner, bytes);
  return party.facilitator.contribute(identityOf(owner), {
    job,
    round: 1,
    owner,
    digest: statement.digest,
    bytes: bytes.length,
    signature: signContribution(statement),
    body,
  });
}

function pieces(bytes: Uint8Array, cuts: readonly number[]): Readable {
  const ends = [...cuts, bytes.length].map((cut) => cut % (bytes.length + 1)).sort((one, other) => one - other);
  ends.push(bytes.length);
  let start = 0;
  return Readable.from(
    ends.map((end) => {
      const piece = bytes.subarray(start, end);
      start = Math.max(start, end);
      return piece;
    }),
  );
}

/** A body that a test ends when it likes. */
function slowly(bytes: Uint8Array) {
  let go: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const gone = new Promise<void>((resolve, reject) => {
    go = resolve;
    fail = reject;
  });
  gone.catch(() => undefined);
  let begun = false;
  async function* body(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 3 * width + 17);
    begun = true;
    await gone;
    yield bytes.subarray(3 * width + 17);
  }
  return { body: body(), begun: () => begun, go, fail };
}

test('however a contribution is cut into blocks and pieces, product and sum are the same', async () => {
  const [first, second, third] = sent;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const product = startProduct(keys.publicKey, first);
  product.multiply(second);
  const cuts = fc.array(fc.nat(count * width), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(1, width, width + 1, 2 * width, 3 * width, 4 * width + 511, 5 * width, 2 ** 18),
      fc.tuple(cuts, cuts, cuts),
      async (blockBytes, [ofAnna, ofBert, ofCora]) => {
        await using party = await opened(blockBytes);
        const blocks = Math.ceil(count / Math.max(1, Math.min(count, Math.floor(blockBytes / width))));
        await send(party, anna, pieces(first, ofAnna));
        assert.deepEqual(await blocksIn(party), { 'product:1': blocks });
        await send(party, bert, pieces(second, ofBert));
        assert.deepEqual(await blocksIn(party), { 'product:2': blocks });
        const kept: Uint8Array[] = [];
        for (let block = 0; block < blocks; block++)
          kept.push((await party.store.block({ job, round: 1, series: 'product:2' }, block)) ?? new Uint8Array());
        assert.equal(sha256(Buffer.concat(kept)), sha256(product.bytes()));
        await send(party, cora, pieces(third, ofCora));
        const { manifest } = await ended(party);
        assert.deepEqual(await blocksIn(party), { aggregate: blocks });
        const aggregate = await party.client.aggregate(job, 1, never);
        assert.equal(manifest?.manifest.aggregate_digest, sha256(aggregate));
        assert.deepEqual(openSum(aggregate, 3, 3, length), sumOf([0, 1, 2], length));
        await party.database.close();
      },
    ),
    { numRuns: process.env.SLOW === undefined ? 8 : 200 },
  );
});

test('an aggregate comes with its length and its digest', async () => {
  await using party = await opened(width);
  for (const owner of trio) await party.contribute(1, owner, bytesOf(owner));
  await ended(party);
  const response = await party.fetchAs(mona)(`${party.url}/jobs/job/rounds/1/aggregate`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  assert.equal(response.headers.get('content-type'), 'application/octet-stream');
  assert.equal(response.headers.get('content-length'), String(count * width));
  const digest = Buffer.from(sha256(bytes), 'hex').toString('base64');
  assert.equal(response.headers.get('content-digest'), `sha-256=:${digest}:`);
  // Whoever leaves in the middle, or asks for the head only, does no harm.
  const stop = new AbortController();
  await party.fetchAs(mona)(`${party.url}/jobs/job/rounds/1/aggregate`, { signal: stop.signal });
  stop.abort();
  const head = await party.fetchAs(mona)(`${party.url}/jobs/job/rounds/1/aggregate`, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), String(count * width));
  assert.deepEqual(await party.client.aggregate(job, 1, never), bytes);
});

test('a ciphertext that is none, in whatever block, is refused, and nothing is left of the others', async () => {
  const metrics = createFacilitatorMetrics();
  await using party = await opened(2 * width, { metrics });
  const { n } = keys.publicKey;
  for (let index = 0; index < count; index++) {
    const bytes = new Uint8Array(bytesOf(anna));
    bytes.set(bigintToBytes(3n * n, width), index * width);
    const error = await refusal(send(party, anna, pieces(bytes, [100]), bytes));
    assert.equal(error.code, 'ciphertext_invalid');
    const block = Math.floor(index / 2);
    const within = block === 0 ? '' : `of the ciphertexts from number ${2 * block} on: `;
    const size = block === 2 ? 1 : 2;
    assert.equal(
      error.message,
      `${within}ciphertext ${index % 2} (of ${size}, counted from 0): expected gcd(c, n) = 1`,
    );
    assert.deepEqual(await blocksIn(party), {});
  }
  await party.contribute(1, anna, bytesOf(anna));
  const text = await metrics.registry.metrics();
  assert.match(text, /sealsum_contributions_total\{outcome="ciphertext_invalid"\} 5/);
  assert.match(text, /sealsum_contributions_total\{outcome="accepted"\} 1/);
  assert.match(text, /^sealsum_uploads 0$/m);
  assert.match(text, /^sealsum_upload_bytes 0$/m);
});

test('a body that breaks off, is too short, too long or another leaves nothing, and may come again', async () => {
  await using party = await opened(width);
  const bytes = bytesOf(anna);
  const broken = slowly(bytes);
  const work = send(party, anna, broken.body);
  await until('the first blocks to be kept', async () => (await blocksIn(party)).upload === 3);
  broken.fail(new Error('the line broke'));
  await assert.rejects(work, /the line broke/);
  assert.deepEqual(await blocksIn(party), {});
  const one = new Uint8Array(1);
  const attempts: readonly (readonly [readonly Uint8Array[], string])[] = [
    [[bytes.subarray(1)], 'ciphertext_invalid'],
    [[], 'ciphertext_invalid'],
    [[bytes, one], 'body_too_large'],
    [[one, bytes], 'body_too_large'],
    [[bytesOf(bert)], 'signature_invalid'],
    [[bytes.subarray(0, 4 * width), bytesOf(bert).subarray(4 * width)], 'signature_invalid'],
  ];
  for (const [chunks, code] of attempts) {
    assert.equal(await codeOf(send(party, anna, Readable.from(chunks))), code);
    assert.deepEqual(await blocksIn(party), {});
  }
  assert.equal((await send(party, anna, pieces(bytes, []))).created, true);
});

test('the same contribution on two lines at once is accepted once; another beside it is refused', async () => {
  await using party = await opened(width);
  const other = contributionOf(9, 3, length);
  const lines = [slowly(bytesOf(anna)), slowly(bytesOf(anna)), slowly(other)] as const;
  const works = [
    send(party, anna, lines[0].body),
    send(party, anna, lines[1].body),
    send(party, anna, lines[2].body, other),
  ] as const;
  await until('all to be under way', () => lines.every((line) => line.begun()));
  lines[0].go();
  const first = await works[0];
  assert.equal(first.created, true);
  lines[1].go();
  assert.deepEqual(await works[1], { created: false, value: first.value });
  lines[2].go();
  assert.equal(await codeOf(works[2]), 'contribution_conflict');
  assert.deepEqual(await blocksIn(party), { 'product:1': count });
});

test('what is still arriving when the round or the job ends is late, and told so', async () => {
  await using party = await opened(width);
  await party.contribute(1, anna, bytesOf(anna));
  await party.contribute(1, bert, bytesOf(bert));
  const late = slowly(bytesOf(cora));
  const work = send(party, cora, late.body);
  await until('it to be under way', late.begun);
  party.clock.advance(30_000);
  await ended(party);
  late.go();
  assert.equal(await codeOf(work), 'round_closed');
  assert.deepEqual(await blocksIn(party), { aggregate: count });
  assert.deepEqual(openSum(await party.client.aggregate(job, 1, never), 2, 3, length), sumOf([0, 1], length));
  // And of what has no turn before the deadline, nothing is in the sum either.
  await party.open(2);
  const statement = party.statement(2, cora, bytesOf(cora));
  const second = slowly(bytesOf(cora));
  const gone = party.facilitator.contribute(identityOf(cora), {
    job,
    round: 2,
    owner: cora,
    digest: statement.digest,
    bytes: statement.bytes,
    signature: signContribution(statement),
    body: second.body,
  });
  await until('it to be under way', second.begun);
  await party.client.endJob(job, 'cancelled', never);
  second.go();
  assert.equal(await codeOf(gone), 'job_ended');
  assert.deepEqual(await blocksIn(party), {});
});

test('more contributions than there is memory for are sent away with a moment to come back', async () => {
  await using party = await opened(width, { limits: { uploadBytes: 2 * width } });
  const lines = [slowly(bytesOf(anna)), slowly(bytesOf(bert))] as const;
  const works = [send(party, anna, lines[0].body), send(party, bert, lines[1].body)];
  await until('both to be under way', () => lines.every((line) => line.begun()));
  const error = await refusal(send(party, cora, pieces(bytesOf(cora), [])));
  assert.deepEqual([error.code, error.retryAfter], ['overloaded', 1]);
  assert.equal(error.message, '2 contributions are arriving; try again in a moment');
  const statement = party.statement(1, cora, bytesOf(cora));
  const { key, value } = signContribution(statement);
  const response = await party.fetchAs(cora)(`${party.url}/jobs/job/rounds/1/contributions/cora`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream', 'contribution-signature': `${key}.${value}` },
    body: new Uint8Array(bytesOf(cora)),
  });
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1']);
  for (const line of lines) line.go();
  await Promise.all(works);
  await party.contribute(1, cora, bytesOf(cora));
  await ended(party);
});

test('others have their turn while a round is closed: one after every ciphertext', async () => {
  await using party = await opened(2 * width);
  let turns = 0;
  let counting = true;
  const tick = (): void => {
    turns += 1;
    if (counting) setImmediate(tick);
  };
  await party.contribute(1, anna, bytesOf(anna));
  await party.contribute(1, bert, bytesOf(bert));
  setImmediate(tick);
  await send(party, cora, pieces(bytesOf(cora), []));
  const before = turns;
  await party.facilitator.drained();
  counting = false;
  assert.ok(turns - before >= count, `${turns - before} turns`);
  assert.equal((await ended(party)).status, 'closed');
});

test('a facilitator that stops parks the closing of a round, and the next one begins it anew', async () => {
  let stop: () => void = () => undefined;
  const checkpoint = (place: string): void => {
    if (place === 'facilitator.closing.block-kept') stop();
  };
  const party = await opened(width, { checkpoint });
  stop = party.facilitator.stop;
  for (const owner of trio) await party.contribute(1, owner, bytesOf(owner));
  await within('the closing to be parked', party.facilitator.drained());
  assert.equal((await party.store.round(job, 1))?.state.status, 'open');
  assert.equal((await blocksIn(party)).aggregate, 1);
  await party.stop();
  await using next = await startFacilitator({ store: party.store, clock: party.clock, limits: { blockBytes: width } });
  const { manifest } = await ended(next);
  assert.equal(manifest?.manifest.count, 3);
  assert.deepEqual(openSum(await next.client.aggregate(job, 1, never), 3, 3, length), sumOf([0, 1, 2], length));
  assert.deepEqual(await blocksIn({ ...next, database: party.database }), { aggregate: count });
});

test('a job that ends does not wait for a round to be closed', async () => {
  let end: () => void = () => undefined;
  const checkpoint = (place: string): void => {
    if (place === 'facilitator.closing.block-kept') end();
  };
  await using party = await opened(width, { checkpoint });
  const over = new Promise<void>((resolve, reject) => {
    end = () => {
      party.facilitator.endJob(mona, job, 'cancelled').then(resolve, reject);
    };
  });
  for (const owner of trio) await party.contribute(1, owner, bytesOf(owner));
  await within('the job to end', over);
  await party.facilitator.drained();
  assert.deepEqual(await blocksIn(party), {});
  assert.equal((await party.client.job(job, never)).status, 'cancelled');
  const types = (await party.store.events(0, job, 100)).map(({ type }) => type);
  assert.deepEqual(types.slice(-2), ['round.contribution', 'job.ended']);
});

test('a job that could not be ended has its round closed after all', async () => {
  let end: () => void = () => undefined;
  let failures = 0;
  const clock = createTestClock();
  const store = hesitantStore(await createStore(clock), () =>
    failures-- > 0 ? Promise.reject(new Error('disk full')) : Promise.resolve(),
  );
  const checkpoint = (place: string): void => {
    if (place === 'facilitator.closing.block-kept') end();
  };
  await using party = await startFacilitator({ clock, store, checkpoint, limits: { blockBytes: width } });
  await party.create({ length });
  await party.open(1);
  const failed = new Promise<unknown>((resolve) => {
    end = () => {
      end = () => undefined;
      failures = 1;
      party.facilitator.endJob(mona, job, 'cancelled').then(resolve, resolve);
    };
  });
  for (const owner of trio) await party.contribute(1, owner, bytesOf(owner));
  assert.match(String(await within('the job not to end', failed)), /disk full/);
  assert.equal((await ended(party)).manifest?.manifest.count, 3);
});

test.run();
