/**
 * Ten thousand requests to the interface of a data owner in the middle of its work, by its own people, by others on its machine
 * and by pages of other sites: none is answered with 5xx, none hangs, nothing is changed by them, and the owner contributes to
 * the round that was open, and to the next one.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { jobIdSchema } from '../../src/protocol/identifiers.ts';
import { dealtOut, linearSample } from '../end-to-end/data.ts';
import { until } from '../support/until.ts';
import { type Consortium, type OwnerParty, over, post, startConsortium, train } from './consortium.ts';
import { assertSame, dumpOf } from './dump.ts';
import { bombard, fuzzed } from './fuzzing.ts';
import type { LineRequest } from './line.ts';
import {
  assertNoLineIsKept,
  assertProper,
  belonging,
  bodyLimit,
  nearly,
  type Sending,
  token,
  wild,
} from './local-requests.ts';
import { assertNoComplaint } from './refused.ts';

const test = suite('fuzzed requests to a data owner');

const sample = linearSample(60);
const document = {
  ...sample.document,
  training: { solver: 'gradient', rounds: 2 },
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 3600 },
};
/** A model that some records do not fit. */
const narrow = {
  ...document,
  data_props: { ...document.data_props, target: { name: 'outcome', range: [0, 1] } },
};

interface Scene extends AsyncDisposable {
  readonly consortium: Consortium;
  readonly anna: OwnerParty;
  /** A job that is over, one that anna refused, and one to whose first round she has made, but not sent, her contribution. */
  readonly over: string;
  readonly refused: string;
  readonly standing: string;
  /** Lets her send it. */
  readonly goOn: () => void;
}

async function createScene(): Promise<Scene> {
  let goOn = (): void => undefined;
  const standstill = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let halted = false;
  let waiting = 0;
  const [ofAnna = '', ofBert = ''] = dealtOut(sample, 2);
  const consortium = await startConsortium(
    { anna: ofAnna, bert: ofBert },
    async ({ name }, method, path) => {
      if (!halted || name !== 'anna' || method !== 'PUT' || !path.includes('/contributions/')) return;
      waiting += 1;
      await standstill;
    },
    { token, bodyLimit },
  );
  try {
    const [anna] = consortium.owners;
    assert.ok(anna !== undefined);
    const first = await train(consortium.modelOwner, document);
    assert.equal(first.status, 'finished', JSON.stringify(first.failure));
    const second = await train(consortium.modelOwner, narrow);
    assert.equal(second.failure?.code, 'owners_too_few');
    halted = true;
    const standing = await post(consortium.modelOwner, document);
    // What was to be kept for the first two is in the store before anna turns to the third.
    await until('anna to have made her contribution', () => waiting === 1, 60_000);
    await until('the first job to be over', () =>
      anna.service.jobs().some(({ job, status }) => job === first.id && status === 'ended'),
    );
    return {
      consortium,
      anna,
      over: first.id,
      refused: second.id,
      standing,
      goOn,
      [Symbol.asyncDispose]: async () => {
        goOn();
        await consortium[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    goOn();
    await consortium[Symbol.asyncDispose]();
    throw error;
  }
}

const get = (path: string): LineRequest => ({ method: 'GET', path, headers: {} });

const routesOf = (job: string): readonly LineRequest[] =>
  [
    '/status',
    '/jobs',
    `/jobs/${job}/request`,
    `/jobs/${job}/receipts`,
    `/jobs/${job}/rounds/1/manifest`,
    '/events',
    '/ledger',
    '/datasets',
    '/metrics',
  ].map(get);

/** What is asked as it must be, of what there is not, or not yet. */
function untimely({ over: past, standing }: Scene): fc.Arbitrary<Sending> {
  const round = (name: string): string => `/jobs/${past}/rounds/${name}/manifest`;
  return fc.constantFrom(
    ...(
      [
        ['/jobs/nowhere/receipts', 'job_unknown'],
        ['/jobs/nowhere/request', 'job_unknown'],
        ['/jobs/nowhere/rounds/1/manifest', 'job_unknown'],
        [`/jobs/${'a'.repeat(63)}/receipts`, 'job_unknown'],
        [`/jobs/${'a'.repeat(64)}/receipts`, 'message_invalid'],
        ['/jobs/-a/receipts', 'message_invalid'],
        ['/jobs/%2e%2e%2fstatus/receipts', 'message_invalid'],
        [`/jobs/${standing}/rounds/1/manifest`, 'round_open'],
        [`/jobs/${standing}/rounds/2/manifest`, 'round_unknown'],
        [round('9'), 'round_unknown'],
        [round('999999999'), 'round_unknown'],
        ...['0', '-1', '01', '1.0', '1e0', '1000000001', '9999999999', '9'.repeat(400), '%31%00', '١'].map(
          (name) => [round(encodeURI(name).replaceAll('%25', '%')), 'message_invalid'] as const,
        ),
      ] as const
    ).map(([path, code]) => ({ request: belonging(get(path)), refused: [code] })),
  );
}

test(`${fuzzed} requests are each refused or harmless, and the owner goes on contributing`, async () => {
  await using scene = await createScene();
  const { anna, consortium, standing } = scene;
  const before = await dumpOf(anna.database);
  const said = anna.lines.length;
  const names = { job: [scene.over, scene.refused, standing, 'nowhere'], round: ['1', '2'] };
  const requests = fc.oneof(
    { weight: 6, arbitrary: await wild(anna, names) },
    { weight: 5, arbitrary: nearly(routesOf(scene.over), anna.port) },
    { weight: 1, arbitrary: untimely(scene) },
  );
  const seen = await bombard(
    anna.port,
    requests,
    ({ request }) => request,
    (sending, request, answer) => {
      assertProper(sending, request, answer);
      // There is nothing that its own people could change here.
      if (!['GET', 'HEAD'].includes(request.method))
        assert.ok(answer.status >= 400, `${request.method} ${request.path}`);
    },
  );
  // What was sent got somewhere: every kind of answer was met.
  for (const status of [200, 400, 401, 403, 404, 409, 413])
    assert.ok((seen.get(status) ?? 0) > 0, `${status} was never answered: ${JSON.stringify([...seen])}`);
  assertSame(await dumpOf(anna.database), before, 'a fuzzed request');
  assertNoComplaint({ party: { lines: anna.lines.slice(said) } });

  assert.ok(anna.service.connected());
  scene.goOn();
  const view = await over(consortium.modelOwner, standing);
  assert.equal(view.status, 'finished', JSON.stringify(view.failure));
  const job = jobIdSchema.parse(standing);
  const rounds = (await anna.service.receipts(job)).map(({ receipt }) => receipt.round);
  assert.deepEqual(rounds, [1, 2, 3]);
  for (const round of rounds) assert.equal((await anna.service.inclusion(job, round)).included, true);
});

test('what is no HTTP, is cut off or comes too slowly is refused and leaves nothing', async () => {
  const server = { headersTimeout: 300, bodyGrace: 200, bodyBytesPerSecond: 1_000_000 };
  await using consortium = await startConsortium({ anna: dealtOut(sample, 1)[0] ?? '' }, undefined, {
    token,
    bodyLimit,
    server,
  });
  const [anna] = consortium.owners;
  assert.ok(anna !== undefined);
  await assertNoLineIsKept(anna, routesOf('job'));
});

test.run();
