/** What is said about a job, there and back through JSON, and what none of it may be. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import type { z } from 'zod';
import {
  type JobDescriptor,
  jobListSchema,
  jobViewSchema,
  ownerListSchema,
  type SignedAnswer,
  signedAnswerSchema,
  signedJobSchema,
} from '../../src/protocol/job-messages.ts';
import { changesOf, without } from '../support/changes.ts';
import { descriptor, signedAnswer, signedJob } from './samples.ts';

const test = suite('messages about jobs');

const travelled = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** What a schema says of a message: `path: code` for each issue, and the names of unknown fields. */
function issues(schema: z.ZodType, message: unknown): readonly string[] {
  const parsed = schema.safeParse(message);
  if (parsed.success) return [];
  return parsed.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `${[...issue.path, ...issue.keys].join('.')}: unknown`
      : `${issue.path.join('.')}: ${issue.code}`,
  );
}

const jobWith = (changes: object): unknown => ({ ...signedJob, descriptor: { ...descriptor, ...changes } });
const answerWith = (changes: object): unknown => ({ ...signedAnswer, answer: { ...signedAnswer.answer, ...changes } });

test('a job travels unchanged, with noise and without', () => {
  assert.deepEqual(signedJobSchema.parse(travelled(signedJob)), signedJob);
  const plain = jobWith({ noise: null, public_key: { kty: 'DAJ', alg: 'PAI-GN1', n: 'AQAB' } });
  assert.deepEqual(signedJobSchema.parse(travelled(plain)), plain);
});

test('a job that lacks a field, has one too many, or something of another kind in one is refused, naming it', () => {
  for (const field of Object.keys(descriptor) as (keyof JobDescriptor)[]) {
    const said = issues(signedJobSchema, { ...signedJob, descriptor: without(descriptor, field) });
    assert.ok(said.length > 0 && said.every((each) => each.startsWith(`descriptor.${field}: `)), said.join());
    for (const wrong of [true, '', ' ', [[]], -1, 0.0001, 'a\u0000', 1e300]) {
      if (field === 'deadline_seconds' && wrong === 0.0001) continue;
      const [first] = issues(signedJobSchema, jobWith({ [field]: wrong }));
      assert.ok(first?.startsWith(`descriptor.${field}`), `${field} ${JSON.stringify(wrong)}: ${first}`);
    }
  }
  const places: readonly (readonly [unknown, string])[] = [
    [{ ...signedJob, more: 1 }, 'more'],
    [jobWith({ more: 1 }), 'descriptor.more'],
    [jobWith({ plan: { ...descriptor.plan, more: 1 } }), 'descriptor.plan.more'],
    [jobWith({ noise: { ...descriptor.noise, more: 1 } }), 'descriptor.noise.more'],
    [jobWith({ public_key: { ...descriptor.public_key, p: '7' } }), 'descriptor.public_key.p'],
    [jobWith({ public_key_proof: { ...descriptor.public_key_proof, n: '7' } }), 'descriptor.public_key_proof.n'],
    [{ ...signedJob, signature: { ...signedJob.signature, more: 1 } }, 'signature.more'],
  ];
  for (const [message, place] of places) assert.deepEqual(issues(signedJobSchema, message), [`${place}: unknown`]);
  for (const message of [undefined, null, [], 'x', 7, {}]) assert.ok(issues(signedJobSchema, message).length > 0);
});

test('a quorum is of at least two and at most the whole roster, and the roster names each of two or more once', () => {
  const roster = descriptor.roster;
  for (const quorum of [2, 3]) assert.deepEqual(issues(signedJobSchema, jobWith({ quorum })), []);
  for (const [changes, issue] of [
    [{ quorum: 0 }, 'descriptor.quorum: too_small'],
    [{ quorum: 1 }, 'descriptor.quorum: too_small'],
    [{ quorum: 2.5 }, 'descriptor.quorum: invalid_type'],
    [{ quorum: 4 }, 'descriptor.quorum: custom'],
    [{ roster: ['anna'] }, 'descriptor.roster: custom'],
    [{ roster: [] }, 'descriptor.roster: custom'],
    [{ roster: [...roster, 'anna'] }, 'descriptor.roster: custom'],
    [{ roster: [...roster, '../x'] }, 'descriptor.roster.3: invalid_format'],
    [{ deadline_seconds: 0 }, 'descriptor.deadline_seconds: too_small'],
    [{ deadline_seconds: 86_401 }, 'descriptor.deadline_seconds: too_big'],
  ] as const)
    assert.equal(issues(signedJobSchema, jobWith(changes))[0], issue, JSON.stringify(changes));
  const quorum = signedJobSchema.safeParse(jobWith({ quorum: 1 }));
  assert.equal(quorum.error?.issues[0]?.message, 'a sum of fewer than two owners would reveal one of them');
});

test('a noise is of whole numbers in one form, in one of three places', () => {
  const { noise } = descriptor;
  assert.ok(noise !== null);
  for (const [changes, place] of [
    [{ place: 'nowhere' }, 'place'],
    [{ unit: 'row' }, 'unit'],
    [{ neighbours: 'next door' }, 'neighbours'],
    [{ shares: 0 }, 'shares'],
    [{ shares: 1.5 }, 'shares'],
    [{ variance: '0' }, 'variance'],
    [{ variance: '012' }, 'variance'],
    [{ variance: '-1' }, 'variance'],
    [{ variance: '1.5' }, 'variance'],
    [{ variance: '9'.repeat(1001) }, 'variance'],
    [{ rounds: 0 }, 'rounds'],
    [{ rho_per_round: { numerator: '1', denominator: '+4' } }, 'rho_per_round.denominator'],
  ] as const)
    assert.match(
      issues(signedJobSchema, jobWith({ noise: { ...noise, ...changes } }))[0] ?? '',
      new RegExp(`^descriptor\\.noise\\.${place}: `),
    );
});

test('a model may be anything, nested 64 levels deep and no deeper', () => {
  const nested = (levels: number): unknown =>
    levels === 0 ? 1 : levels % 2 === 0 ? [nested(levels - 1)] : { a: nested(levels - 1) };
  // The model itself is the first level.
  assert.deepEqual(issues(signedJobSchema, jobWith({ model: { a: nested(63) } })), []);
  for (const levels of [64, 65, 1000])
    assert.deepEqual(issues(signedJobSchema, jobWith({ model: { a: nested(levels) } })), ['descriptor.model: custom']);
  const hostile: unknown = JSON.parse(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);
  assert.deepEqual(issues(signedJobSchema, jobWith({ model: hostile })), ['descriptor.model: custom']);
  for (const model of [null, [], 'x', 7]) assert.ok(issues(signedJobSchema, jobWith({ model })).length > 0);
});

test('an answer travels unchanged; ready comes with a tag key, and nothing else does', () => {
  assert.deepEqual(signedAnswerSchema.parse(travelled(signedAnswer)), signedAnswer);
  const { tag_key, ...bare } = signedAnswer.answer;
  for (const status of ['refused', 'withdrawn'] as const) {
    const answer: SignedAnswer['answer'] = { ...bare, status, reason: 'x'.repeat(1000) };
    assert.deepEqual(signedAnswerSchema.parse(travelled({ ...signedAnswer, answer })), { ...signedAnswer, answer });
    assert.deepEqual(issues(signedAnswerSchema, answerWith({ status })), ['answer.tag_key: custom']);
  }
  assert.deepEqual(issues(signedAnswerSchema, { ...signedAnswer, answer: bare }), ['answer.tag_key: custom']);
  assert.ok(tag_key !== undefined);
  for (const [changes, issue] of [
    [{ status: 'absent' }, 'answer.status: invalid_value'],
    [{ status: 'invited' }, 'answer.status: invalid_value'],
    [{ reason: 'x'.repeat(1001) }, 'answer.reason: too_big'],
    [{ reason: null }, 'answer.reason: invalid_type'],
    [{ tag_key: tag_key.slice(1) }, 'answer.tag_key: invalid_format'],
    [{ tag_key: tag_key.replace(/.$/, 'B') }, 'answer.tag_key: invalid_format'],
    [{ job_digest: descriptor.model_hash.toUpperCase() }, 'answer.job_digest: invalid_format'],
    [{ owner: 'a/b' }, 'answer.owner: invalid_format'],
    [{ records: 7 }, 'answer.records: unknown'],
  ] as const)
    assert.deepEqual(issues(signedAnswerSchema, answerWith(changes)).slice(0, 1), [issue], JSON.stringify(changes));
});

test('a message with one thing changed is another message or none: nothing is repaired or left out in reading', () => {
  for (const { path, value } of [
    ...changesOf(signedJob, ['descriptor.public_key_proof']),
    ...changesOf(signedAnswer),
  ]) {
    const schema = path.startsWith('answer') ? signedAnswerSchema : signedJobSchema;
    const parsed = schema.safeParse(value);
    if (parsed.success) assert.deepEqual(parsed.data, value, path);
  }
});

test("a facilitator's views are read as they were written, and what they say beside is ignored", () => {
  const view = {
    ...signedJob,
    status: 'open',
    owners: [
      { owner: 'anna', status: 'ready', answer: signedAnswer },
      { owner: 'bert', status: 'absent' },
      { owner: 'cora', status: 'refused', reason: 'no' },
    ],
    round: 0,
    created_at: '2024-01-01T00:00:00.000Z',
  };
  assert.deepEqual(jobViewSchema.parse(travelled(view)), view);
  assert.deepEqual(jobViewSchema.parse({ ...view, more: 1 }), view);
  for (const changes of [
    { status: 'lost' },
    { round: -1 },
    { round: 0.5 },
    { owners: [{ owner: 'anna', status: 'away' }] },
    { owners: [{ owner: 'anna', status: 'ready', answer: { ...signedAnswer, more: 1 } }] },
    { descriptor: { ...descriptor, quorum: 1 } },
    { created_at: 7 },
  ])
    assert.ok(!jobViewSchema.safeParse({ ...view, ...changes }).success, JSON.stringify(changes));

  const summary = { job: 'job', status: 'finished', roster: ['anna', 'bert'], round: 3, created_at: 'x' };
  assert.deepEqual(jobListSchema.parse({ jobs: [summary] }), { jobs: [summary] });
  for (const wrong of [{ jobs: [{ ...summary, job: '' }] }, { jobs: {} }, {}, []])
    assert.ok(!jobListSchema.safeParse(wrong).success);
  assert.deepEqual(ownerListSchema.parse({ owners: ['anna'], more: 1 }), { owners: ['anna'] });
  for (const wrong of [{ owners: [''] }, { owners: 'anna' }, {}]) assert.ok(!ownerListSchema.safeParse(wrong).success);
});

test.run();
