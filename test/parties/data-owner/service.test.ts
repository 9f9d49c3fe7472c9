/** What a data owner does about jobs and rounds, and what it does not let others do with it. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createKeyChecks } from '../../../src/contributing/key-checks.ts';
import { type ErrorCode, SealsumError } from '../../../src/errors.ts';
import type { OwnedJobView } from '../../../src/http/owned-job.ts';
import type { JobDescriptor } from '../../../src/protocol/job-messages.ts';
import { encodeParameters } from '../../../src/protocol/parameters.ts';
import type { SignedReceipt } from '../../../src/protocol/round-messages.ts';
import { objectDigest, signObject, verifyObject } from '../../../src/protocol/signed.ts';
import { textOf } from '../../end-to-end/data.ts';
import { document, type Life, parameters, sample, until, World } from './harness.ts';
import {
  anna,
  bert,
  bertIdentity,
  cora,
  describe,
  describeRound,
  facilitator,
  modelOwner,
  parties,
  signJob,
  signRound,
  stranger,
} from './scripted-facilitator.ts';

const test = suite('a data owner');

const descriptor = await describe(document);
const { job } = descriptor;
/** Its proof is verified by the tests of participation. */
const keys = createKeyChecks();

const round = (number: number, changes: Parameters<typeof describeRound>[3] = {}) =>
  signRound(describeRound(descriptor, number, parameters, changes));

const shown = (life: Life): OwnedJobView | undefined => life.owner.jobs().at(-1);

/** A process that has said that it is ready. */
async function ready(world: World): Promise<Life> {
  const life = await world.live({ keys });
  world.script.propose(signJob(descriptor));
  await until('anna is ready', () => world.script.standing(job) === 'ready');
  return life;
}

async function acknowledged(world: World, number: number): Promise<void> {
  await until(`the receipt of round ${number} is kept`, async () => {
    return (await world.store().contribution(job, number))?.receipt !== undefined;
  });
}

test('accepts a job, contributes to its rounds, keeps the receipts and says so in its audit log', async () => {
  await using world = await World.create();
  const life = await ready(world);
  const answer = world.script.answers[0];
  assert.ok(answer !== undefined);
  verifyObject(parties, { name: anna, role: 'data-owner' }, 'answer', answer.answer, answer.signature);
  const digest = objectDigest('job', descriptor);
  assert.deepEqual(
    { ...answer.answer, tag_key: '' },
    { job, owner: anna, job_digest: digest, status: 'ready', tag_key: '' },
  );
  for (const number of [1, 2]) {
    world.script.openRound(round(number));
    await acknowledged(world, number);
    world.script.closeRound(job, number);
  }
  assert.equal(shown(life)?.round, 2);
  world.script.endJob(job);
  await until('the job is over', () => shown(life)?.status === 'ended');

  assert.equal(world.script.sent.length, 2);
  for (const { statement, signature, bytes } of world.script.sent) {
    verifyObject(parties, { name: anna, role: 'data-owner' }, 'contribution', statement, signature);
    assert.equal(statement.bytes, bytes.length);
  }
  assert.deepEqual(await world.charged(), [1, 2]);
  const receipts = await life.owner.receipts(job);
  assert.deepEqual(
    receipts.map(({ receipt }) => receipt),
    world.script.sent.map(({ statement }) => statement),
  );
  assert.equal((await world.store().contribution(job, 2))?.bytes, undefined);
  assert.deepEqual(await world.auditTypes(), [
    'job.accepted',
    'round.charged 1',
    'contribution.kept 1',
    'contribution.acknowledged 1',
    'round.charged 2',
    'contribution.kept 2',
    'contribution.acknowledged 2',
    'job.ended',
  ]);
  const kept = (await world.audit())[2]?.body.details;
  assert.ok(kept !== undefined);
  assert.equal(kept.digest, world.script.sent[0]?.statement.digest);
  assert.equal(kept.round_digest, objectDigest('round', round(1).descriptor));
  assert.equal(kept.signature, round(1).signature.value);
});

test('refuses a job and says why, in full to its own people only; a restart changes nothing', async () => {
  await using world = await World.create(`${textOf(sample)}999,1,north,1\n`);
  const life = await world.live({ keys });
  world.script.propose(signJob(descriptor));
  await until('anna has refused', () => world.script.standing(job) === 'refused');
  const reason = 'the data do not fit the model (age); the owner knows the line';
  assert.equal(world.script.answers[0]?.answer.reason, reason);
  assert.match(shown(life)?.reason ?? '', /^line 14, age: /);
  await life.stop();

  const again = await world.live({ keys });
  await until('the new process has caught up', () => again.owner.connected() && again.owner.queued() === 0);
  assert.equal(shown(again)?.status, 'refused');
  assert.match(shown(again)?.reason ?? '', /^line 14, age: /);
  assert.equal(world.script.answers.length, 1);
  world.script.openRound(round(1));
  world.script.endJob(job);
  await until('the end is heard of', async () => (await world.store().job(job))?.status === 'ended');
  assert.equal(shown(again)?.status, 'refused');
  assert.deepEqual([world.script.sent.length, await world.charged()], [0, []]);
  assert.deepEqual(await world.auditTypes(), ['job.refused', 'job.ended']);
});

test('a refused job may be replaced by a better one of the same name', async () => {
  await using world = await World.create();
  await world.live({ keys });
  world.script.propose(signJob({ ...descriptor, quorum: 3 }));
  await until('anna has refused', () => world.script.standing(job) === 'refused');
  world.script.propose(signJob(descriptor));
  await until('anna is ready', () => world.script.standing(job) === 'ready');
});

test('goes on with an accepted job after a restart, with the same answer, and reads its data anew', async () => {
  await using world = await World.create();
  const life = await ready(world);
  world.script.openRound(round(1));
  await acknowledged(world, 1);
  await life.stop();
  await world.folder.write(
    'data.csv',
    textOf(sample, (row) => row < 8),
  );
  world.script.missAnna(job);
  world.script.openRound(round(2));
  const again = await world.live({ keys });
  await acknowledged(world, 2);
  await until('anna is ready again', () => world.script.standing(job) === 'ready');
  assert.deepEqual([shown(again)?.status, shown(again)?.records, shown(again)?.round], ['ready', 8, 2]);
  const [first, second] = world.script.answers;
  assert.deepEqual(second, first);
  assert.deepEqual(await world.charged(), [1, 2]);
});

test('withdraws after a restart when its data no longer fit, and stays so', async () => {
  await using world = await World.create();
  await (await ready(world)).stop();
  await world.folder.write('data.csv', 'age,visits\n1,2\n');
  const again = await world.live({ keys });
  await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
  assert.match(shown(again)?.reason ?? '', /header has no such column/);
  await again.stop();
  await world.folder.write('data.csv', textOf(sample));
  world.script.openRound(round(1));
  const last = await world.live({ keys });
  await until('the last process has caught up', () => last.owner.connected() && last.owner.queued() === 0);
  assert.equal(shown(last)?.status, 'withdrawn');
  assert.deepEqual(await world.charged(), []);
});

test('says that it is ready again when it hears that it missed a deadline', async () => {
  await using world = await World.create();
  await ready(world);
  world.script.missAnna(job);
  await until('anna is ready again', () => world.script.standing(job) === 'ready');
  assert.equal(world.script.answers.length, 2);
});

/** Refusals of a job, end to end: what is kept and told. The list of reasons is with the tests of participation. */
for (const { fault, change, code } of [
  { fault: 'with a quorum that is not its model’s', change: { quorum: 3 }, code: /quorum of the job/ },
  { fault: 'with another plan', change: { plan: { ...descriptor.plan, slot_bits: 99 } }, code: /another plan/ },
  { fault: 'without the noise it should have', change: { noise: null }, code: /noise that the job states/ },
  {
    fault: 'with a bad proof',
    change: { public_key_proof: { ...descriptor.public_key_proof, w: 'AA' } },
    code: /proof\.w/,
  },
] as const satisfies readonly { fault: string; change: Partial<JobDescriptor>; code: RegExp }[])
  test(`a job ${fault} is refused, and nothing is spent on it`, async () => {
    await using world = await World.create();
    await world.live();
    world.script.propose(signJob({ ...descriptor, ...change }));
    await until('anna has refused', () => world.script.standing(job) === 'refused');
    assert.match(world.script.answers[0]?.answer.reason ?? '', code);
    world.script.openRound(round(1));
    world.script.endJob(job);
    await until('the end is heard of', async () => (await world.store().job(job))?.status === 'ended');
    assert.deepEqual([world.script.sent.length, await world.charged()], [0, []]);
  });

test('a job that nobody of the roster signed is refused', async () => {
  await using world = await World.create();
  const life = await world.live({ keys });
  world.script.propose(signJob(descriptor, stranger));
  await until('anna has refused', () => world.script.standing(job) === 'refused');
  assert.match(shown(life)?.reason ?? '', /^the job is not signed by model-owner/);
});

/** What is wrong with a round that a facilitator shows, and what anna says of it. */
const badRounds: readonly { fault: string; bad: ReturnType<typeof signRound> | undefined; reason: RegExp }[] = [
  { fault: 'without a signature', bad: undefined, reason: /shown without what its model owner signed$/ },
  {
    fault: 'signed by somebody else',
    bad: signRound(describeRound(descriptor, 1, parameters), bertIdentity),
    reason: /^the round is not signed by model-owner/,
  },
  {
    fault: 'changed after it was signed',
    bad: { ...round(1), descriptor: { ...round(1).descriptor, parameters: encodeParameters([0, 0, 0, 0, 0]) } },
    reason: /signature does not match$/,
  },
  {
    fault: 'of another job descriptor',
    bad: round(1, { job_digest: 'a'.repeat(64) }),
    reason: /job_digest of round 1/,
  },
  { fault: 'of another model', bad: round(1, { model_hash: 'a'.repeat(64) }), reason: /model_hash of round 1/ },
  { fault: 'with another quorum', bad: round(1, { quorum: 3 }), reason: /quorum of round 1/ },
  { fault: 'with another deadline', bad: round(1, { deadline_seconds: 29 }), reason: /deadline_seconds of round 1/ },
  { fault: 'under another number', bad: round(2), reason: /the round of round 1/ },
  { fault: 'of fewer than a quorum', bad: round(1, { roster: [anna] }), reason: /quorum of the job is 2$/ },
  {
    fault: 'with too few parameters',
    bad: round(1, { quorum: 2, parameters: encodeParameters([1]) }),
    reason: /gives 1 parameters/,
  },
];

for (const { fault, bad, reason } of badRounds)
  test(`a round ${fault} costs nothing: the owner withdraws and says why`, async () => {
    await using world = await World.create();
    const life = await ready(world);
    world.script.tampering.round = ({ signed, ...view }) =>
      bad === undefined || signed === undefined ? view : { ...view, signed: bad };
    world.script.openRound(round(1));
    await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
    assert.match(world.script.answers.at(-1)?.answer.reason ?? '', reason);
    assert.match(shown(life)?.reason ?? '', reason);
    assert.deepEqual([world.script.sent.length, await world.charged()], [0, []]);
    assert.deepEqual(await world.auditTypes(), ['job.accepted', 'job.withdrawn']);
  });

test('a round that the facilitator keeps open for longer than agreed is refused', async () => {
  await using world = await World.create();
  await ready(world);
  world.script.tampering.round = (view) => ({ ...view, deadline: '2024-01-01T00:01:00.000Z' });
  world.script.openRound(round(1));
  await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
  assert.deepEqual(await world.charged(), []);
});

test('a round that is shown when it opens is contributed to without asking, and checked like any other', async () => {
  await using world = await World.create();
  await ready(world);
  world.script.showing = true;
  for (const number of [1, 2]) {
    world.script.openRound(round(number));
    await acknowledged(world, number);
    world.script.closeRound(job, number);
  }
  assert.ok(!world.script.requests.includes('round'));
  world.script.tampering.round = (view) => ({ ...view, deadline: '2024-01-01T00:01:00.000Z' });
  world.script.openRound(round(3));
  await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
  assert.deepEqual(await world.charged(), [1, 2]);
});

test('a second descriptor that is shown with its event is refused as well', async () => {
  await using world = await World.create();
  await ready(world);
  world.script.showing = true;
  world.script.openRound(round(1));
  await acknowledged(world, 1);
  world.script.replaceRound(signRound(describeRound(descriptor, 1, [0.5, 0.4, 0.3, 0.2, 0.1])));
  await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
  assert.ok((await world.auditTypes()).some((type) => type.startsWith('round.conflict')));
  assert.equal(world.script.sent.length, 1);
});

test('a round that was shown a while ago, or is another one than its event says, is asked for', async () => {
  for (const late of [true, false]) {
    await using world = await World.create();
    await ready(world);
    world.script.showing = true;
    let goOn = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    world.script.tampering.before = (request) => (request === 'contribute' ? held : undefined);
    world.script.openRound(round(1));
    await until('a contribution is under way', () => world.script.requests.includes('contribute'));
    if (!late) world.script.tampering.round = (view) => ({ ...view, round: 3 });
    world.script.openRound(round(2));
    world.script.tampering.round = (view) => view;
    // It has ended by the time that anna can see to it.
    world.script.abandonRound(job, 2);
    // Events are heard a moment after they are told.
    await new Promise((resolve) => setImmediate(resolve));
    if (late) world.clock.advance(1001);
    goOn();
    await acknowledged(world, 1);
    await until('the round was looked at', () => world.script.requests.includes('round'));
    await until('nothing is left to do', () => world.script.sent.length === 1);
    assert.deepEqual(await world.charged(), [1]);
  }
});

test('a round that does not ask this owner is left alone', async () => {
  await using world = await World.create();
  const life = await ready(world);
  world.script.openRound(round(1, { roster: [bert, cora] }));
  await until('the round was looked at', () => world.script.requests.includes('round') && life.owner.queued() === 0);
  assert.equal(shown(life)?.status, 'ready');
  assert.deepEqual(await world.charged(), []);
});

test('a second descriptor of a round that was contributed to is refused for ever, with the evidence kept', async () => {
  await using world = await World.create();
  const life = await ready(world);
  world.script.openRound(round(1));
  await acknowledged(world, 1);
  const other = signRound(describeRound(descriptor, 1, [0.5, 0.4, 0.3, 0.2, 0.1]));
  world.script.replaceRound(other);
  await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');

  const [first, second] = [round(1), other].map((each) => objectDigest('round', each.descriptor));
  assert.ok(first !== undefined && second !== undefined);
  const reason = `round 1 is another one (${second}) than this owner contributed to (${first})`;
  assert.equal(shown(life)?.reason, reason);
  assert.equal(world.script.answers.at(-1)?.answer.reason, reason);
  const entries = await world.audit();
  const evidence = entries.find(({ body }) => body.type === 'round.conflict')?.body.details;
  const { key, value } = other.signature;
  assert.deepEqual(evidence, { kept: first, shown: second, signed_by: 'model-owner', key, signature: value });
  const before = entries.find(({ body }) => body.type === 'contribution.kept')?.body.details;
  assert.deepEqual([before?.round_digest, before?.signature], [first, round(1).signature.value]);
  assert.ok(world.lines.some((line) => line.includes(first) && line.includes(second)));

  await life.stop();
  const again = await world.live({ keys });
  world.script.replaceRound(other);
  world.script.openRound(round(2));
  world.script.endJob(job);
  await until('the end is heard of', async () => (await world.store().job(job))?.status === 'ended');
  assert.equal(shown(again)?.status, 'withdrawn');
  assert.equal(world.script.sent.length, 1);
  assert.deepEqual(await world.charged(), [1]);
});

test('a second descriptor that the model owner did not sign says nothing of it, and is no reason to send either', async () => {
  await using world = await World.create();
  await ready(world);
  world.script.openRound(round(1));
  await acknowledged(world, 1);
  world.script.replaceRound(signRound(describeRound(descriptor, 1, [1, 1, 1, 1, 1]), stranger));
  await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
  assert.equal(world.script.sent.length, 1);
  assert.ok(!(await world.auditTypes()).some((type) => type.startsWith('round.conflict')));
});

test('another descriptor under the name of an accepted job ends the accepted one, and is refused', async () => {
  await using world = await World.create();
  const life = await ready(world);
  world.script.openRound(round(1));
  await acknowledged(world, 1);
  const other = await describe({ ...document, privacy: { rho: 1 } });
  world.script.propose(signJob(other));
  await until('anna has refused', () => world.script.standing(job) === 'refused');
  const digests = [descriptor, other].map((each) => objectDigest('job', each));
  assert.equal(world.script.answers.at(-1)?.answer.job_digest, digests[1]);
  assert.equal(shown(life)?.status, 'withdrawn');
  const evidence = (await world.audit()).find(({ body }) => body.type === 'job.conflict')?.body.details;
  assert.deepEqual([evidence?.kept, evidence?.shown, evidence?.signed_by], [...digests, modelOwner.name]);

  await life.stop();
  await world.live({ keys });
  world.script.openRound(signRound(describeRound(other, 1, parameters)));
  world.script.endJob(job);
  await until('the end is heard of', async () => (await world.store().job(job))?.status === 'ended');
  assert.deepEqual(await world.charged(), [1]);
});

test('a job whose record is forgotten but whose rounds were charged is refused', async () => {
  await using world = await World.create();
  const rho = { numerator: 1n, denominator: 10n };
  const cost = { dataset: 'data.csv', rho, unit: 'record', neighbours: 'zero-out', sampling: 1 } as const;
  await world.ledgerStore().append({ job, round: 1, ...cost, at: '2023-01-01T00:00:00.000Z' });
  await world.live({ keys });
  world.script.propose(signJob(descriptor));
  await until('anna has refused', () => world.script.standing(job) === 'refused');
  assert.match(world.script.answers[0]?.answer.reason ?? '', /were charged before/);
});

const badReceipts: readonly { fault: string; forge: (receipt: SignedReceipt) => SignedReceipt; reason: RegExp }[] = [
  {
    fault: 'that the facilitator did not sign',
    forge: ({ receipt }) => ({ receipt, signature: signObject(bertIdentity, 'receipt', receipt) }),
    reason: /^the receipt is not signed by facilitator/,
  },
  {
    fault: 'that is signed as something else',
    forge: ({ receipt }) => ({ receipt, signature: signObject(facilitator, 'contribution', receipt) }),
    reason: /signature does not match$/,
  },
  {
    fault: 'for other bytes',
    forge: ({ receipt }) => {
      const other = { ...receipt, digest: 'b'.repeat(64) };
      return { receipt: other, signature: signObject(facilitator, 'receipt', other) };
    },
    reason: /^the receipt for round 1 is one for another contribution/,
  },
  {
    fault: 'for another round',
    forge: ({ receipt }) => {
      const other = { ...receipt, round: 2 };
      return { receipt: other, signature: signObject(facilitator, 'receipt', other) };
    },
    reason: /one for another contribution/,
  },
];

for (const { fault, forge, reason } of badReceipts)
  test(`a receipt ${fault} is not kept, and ends the job for this owner`, async () => {
    await using world = await World.create();
    const life = await ready(world);
    world.script.tampering.receipt = forge;
    world.script.openRound(round(1));
    await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
    assert.match(shown(life)?.reason ?? '', reason);
    assert.deepEqual(await life.owner.receipts(job), []);
    assert.ok((await world.auditTypes()).includes('receipt.refused 1'));
    await until('the bytes are forgotten', async () => (await world.store().contribution(job, 1))?.bytes === undefined);
  });

/** Errors after which the same is sent again. */
const passing: readonly ErrorCode[] = [
  'facilitator_unreachable',
  'request_failed',
  'overloaded',
  'too_many_requests',
  'store_unavailable',
  'internal',
  'signature_expired',
  'party_unknown',
];

for (const request of ['job', 'answerJob', 'round', 'contribute'] as const)
  test(`what goes wrong with "${request}" and passes is tried again until it is through`, async () => {
    await using world = await World.create();
    const life = await world.live({ keys });
    const left: ErrorCode[] = [...passing];
    world.script.tampering.before = (asked) => {
      const code = asked === request ? left.shift() : undefined;
      if (code !== undefined) throw new SealsumError(code, 'not now');
    };
    world.script.propose(signJob(descriptor));
    if (request === 'job' || request === 'answerJob')
      await world.passUntil('anna is ready', () => world.script.standing(job) === 'ready');
    else await until('anna is ready', () => world.script.standing(job) === 'ready');
    world.script.openRound(round(1));
    await world.passUntil('the receipt is kept', async () => (await life.owner.receipts(job)).length === 1);
    assert.deepEqual(left, []);
    assert.deepEqual(await world.charged(), [1]);
    assert.equal(new Set(world.script.sent.map(({ statement }) => statement.digest)).size, 1);
  });

test('a contribution whose answers are lost is sent again with its bytes, and its receipt kept once', async () => {
  await using world = await World.create();
  const life = await ready(world);
  let lost = 0;
  world.script.tampering.after = (request) => {
    if (request !== 'contribute' || ++lost > 3) return;
    throw new SealsumError('facilitator_unreachable', 'the line broke');
  };
  world.script.openRound(round(1));
  await world.passUntil('the receipt is kept', async () => (await life.owner.receipts(job)).length === 1);
  const [first, ...others] = world.script.sentTo(job, 1);
  assert.equal(others.length, 3);
  for (const bytes of others) assert.deepEqual(bytes, first);
  assert.deepEqual(await world.charged(), [1]);
});

test('a receipt that was lost is asked for when the round has closed, and when the job has ended', async () => {
  for (const ends of [false, true]) {
    await using world = await World.create();
    const life = await ready(world);
    let deaf = true;
    world.script.tampering.after = (request) => {
      if (request === 'contribute' && deaf) throw new SealsumError('facilitator_unreachable', 'the line broke');
    };
    world.script.openRound(round(1));
    await until('it is taken', () => world.script.taken(job, 1) !== undefined);
    deaf = false;
    world.script.closeRound(job, 1);
    if (ends) world.script.endJob(job);
    await until('the receipt is kept', async () => (await life.owner.receipts(job)).length === 1);
    if (ends) await until('the job is over', () => shown(life)?.status === 'ended');
    assert.deepEqual(world.script.sentTo(job, 1)[1], world.script.sentTo(job, 1)[0]);
  }
});

test('a contribution that came too late is forgotten, and the next round is contributed to', async () => {
  await using world = await World.create();
  const life = await ready(world);
  world.script.tampering.before = (request) => {
    if (request !== 'contribute' || world.script.requests.filter((each) => each === 'contribute').length > 1) return;
    world.script.abandonRound(job, 1);
  };
  world.script.openRound(round(1));
  await until('the bytes are forgotten', async () => {
    const kept = await world.store().contribution(job, 1);
    return kept !== undefined && kept.bytes === undefined;
  });
  world.script.openRound(round(2));
  await acknowledged(world, 2);
  assert.equal(shown(life)?.status, 'ready');
  assert.deepEqual(await world.charged(), [1, 2]);
  assert.ok((await world.auditTypes()).includes('contribution.forgotten 1'));
  // Never again, also if the round should be shown as open.
  const { signed } = await world.script.client.round(job, 1, new AbortController().signal);
  assert.ok(signed !== undefined);
  const requests = world.script.requests.length;
  world.script.replaceRound(signed);
  await until('the round was looked at', () => world.script.requests.length > requests && life.owner.queued() === 0);
  assert.equal(world.script.sentTo(job, 1).length, 1);
  assert.deepEqual(await world.charged(), [1, 2]);
});

test('a contribution that the facilitator refuses for good is the end of the job for this owner', async () => {
  await using world = await World.create();
  const life = await ready(world);
  world.script.tampering.before = (request) => {
    if (request === 'contribute') throw new SealsumError('ciphertext_invalid', 'ciphertext 0 is 0');
  };
  world.script.openRound(round(1));
  await until('anna has withdrawn', () => world.script.standing(job) === 'withdrawn');
  assert.equal(shown(life)?.reason, 'ciphertext 0 is 0');
});

test('what was missed while no line stood is done when one stands again', async () => {
  await using world = await World.create();
  let down = false;
  const life = await world.live({ keys });
  world.script.tampering.before = () => {
    if (down) throw new SealsumError('facilitator_unreachable', 'nobody answers');
  };
  down = true;
  world.script.breakLines();
  await until('the line is broken', () => !life.owner.connected());
  world.script.propose(signJob(descriptor));
  world.script.openRound(round(1));
  down = false;
  await acknowledged(world, 1);
  down = true;
  world.script.breakLines();
  await until('the line is broken', () => !life.owner.connected());
  world.script.endJob(job);
  down = false;
  await until('the job is over', () => shown(life)?.status === 'ended');
});

test('a job that the facilitator has forgotten is over', async () => {
  await using world = await World.create();
  const life = await ready(world);
  world.script.forgetJob(job);
  world.script.breakLines();
  await until('the job is over', () => shown(life)?.status === 'ended');
});

test('a store that fails for a while is put up with', async () => {
  await using world = await World.create();
  let failures = 0;
  const full = new SealsumError('store_unavailable', 'the disk is full');
  const store = world.store();
  const life = await world.live({
    keys,
    changes: {
      store: { ...store, commit: (change) => (++failures % 3 === 0 ? store.commit(change) : Promise.reject(full)) },
    },
  });
  world.script.propose(signJob(descriptor));
  await world.passUntil('anna is ready', () => world.script.standing(job) === 'ready');
  world.script.openRound(round(1));
  await world.passUntil('the receipt is kept', async () => (await life.owner.receipts(job)).length === 1);
  assert.deepEqual(await world.charged(), [1]);
  assert.equal(new Set(world.script.sent.map(({ statement }) => statement.digest)).size, 1);
  assert.equal(shown(life)?.status, 'ready');
});

test('a facilitator that does not take this owner ends it', async () => {
  await using world = await World.create();
  const refused = new SealsumError('party_unknown', 'nobody here knows anna');
  const life = await world.live({
    changes: {
      client: {
        ...world.script.client,
        // biome-ignore lint/correctness/useYield: a stream that is refused gives nothing
        followAll: async function* () {
          await Promise.resolve();
          throw refused;
        },
      },
    },
  });
  await assert.rejects(life.ended(), refused);
});

test('a facilitator that is not there is told once for every outage, in one word and without a stack', async () => {
  await using world = await World.create();
  const unreachable = new TypeError('fetch failed', {
    cause: Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:8080'), { code: 'ECONNREFUSED' }),
  });
  const life = await world.live({
    changes: {
      client: {
        ...world.script.client,
        // biome-ignore lint/correctness/useYield: no event comes through a line that breaks
        followAll: async function* (_owner, _signal, hooks = {}) {
          hooks.onBroken?.(unreachable);
          hooks.onBroken?.(unreachable);
          await hooks.onConnected?.();
          hooks.onBroken?.(new SealsumError('request_failed', 'it was answered 502'));
        },
      },
    },
  });
  await life.ended();
  const told = world.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const broken = told.filter(({ msg }) => msg === 'no line to the facilitator; trying again');
  assert.deepEqual(
    broken.map(({ level, reason }) => [level, reason]),
    [
      ['warn', 'ECONNREFUSED'],
      ['warn', 'it was answered 502'],
    ],
  );
  assert.equal(world.lines.join('').includes('    at '), false);
});

test('tells whether a manifest includes what was acknowledged', async () => {
  await using world = await World.create();
  const life = await ready(world);
  const { owner } = life;
  world.script.openRound(round(1));
  await acknowledged(world, 1);
  await assert.rejects(owner.inclusion(job, 1), { code: 'round_open' });
  const manifest = world.script.closeRound(job, 1);
  const [receipt] = await owner.receipts(job);
  assert.deepEqual(await owner.inclusion(job, 1), { manifest, receipt, included: true });

  const without = { ...manifest.manifest, contributions: manifest.manifest.contributions.slice(0, 2) };
  world.script.tampering.round = (view) => ({
    ...view,
    manifest: { manifest: without, signature: signObject(facilitator, 'manifest', without) },
  });
  const left = await owner.inclusion(job, 1);
  assert.equal(left.included, false);
  assert.match(left.reason ?? '', /leaves out anna/);
  world.script.tampering.round = (view) => ({ ...view, manifest: { ...manifest, manifest: without } });
  assert.match((await owner.inclusion(job, 1)).reason ?? '', /manifest is not signed by facilitator/);
  delete world.script.tampering.round;

  world.script.openRound(round(2, { roster: [bert, cora] }));
  world.script.closeRound(job, 2);
  const none = await owner.inclusion(job, 2);
  assert.deepEqual([none.included, none.receipt], [false, null]);
  world.script.openRound(round(3, { roster: [bert, cora] }));
  world.script.abandonRound(job, 3);
  await assert.rejects(owner.inclusion(job, 3), { code: 'round_abandoned' });
  await assert.rejects(owner.inclusion(job, 4), { code: 'round_unknown' });
  await assert.rejects(owner.receipts('other' as typeof job), { code: 'job_unknown' });
});

test('forgets the oldest jobs that are over', async () => {
  await using world = await World.create();
  const life = await world.live({ keys });
  const names = Array.from({ length: 103 }, (_, index) => `job-${index}`);
  for (const name of names) {
    const bad = { ...descriptor, job: name as typeof job, quorum: 3 };
    world.script.propose(signJob(bad));
    await until('it is refused', () => world.script.standing(bad.job) === 'refused');
    world.script.endJob(bad.job);
    await until('the end is heard of', async () => (await world.store().job(bad.job))?.status !== 'refused');
    world.clock.advance(1);
  }
  await until('the oldest are forgotten', () => life.owner.jobs().length === 100 && life.owner.queued() === 0);
  assert.deepEqual(
    life.owner.jobs().map(({ job: name }) => name),
    names.slice(3),
  );
});

test('never logs a parameter, a contribution or a record', async () => {
  await using world = await World.create();
  const life = await ready(world);
  world.script.openRound(round(1, { parameters: encodeParameters([0.123454321, 0.2, 0.3, 0.4, 0.5]) }));
  await acknowledged(world, 1);
  await life.stop();
  const log = world.lines.join('');
  assert.ok(log.includes('following the facilitator'));
  const bytes = Buffer.from(world.script.sent[0]?.bytes ?? []);
  const secrets = ['0.123454321', bytes.toString('hex').slice(0, 32), bytes.toString('base64url').slice(0, 32)];
  const values = sample.rows.map((row) => row.split(',').at(-1) ?? '').filter((value) => value.length > 4);
  for (const secret of [...secrets, ...values]) assert.ok(!log.includes(secret), 'something secret was logged');
});

test.run();
