/**
 * A round as the services drive it: something happens, and at once it is settled if it is time. Every interleaving of
 * contributions, repeats, conflicts, withdrawals and the passing of time is held against what was sent, kept apart.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { SealsumError } from '../../src/errors.ts';
import type { JobId, OwnerId, PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity } from '../../src/protocol/identity.ts';
import {
  type AcceptedContribution,
  acceptContribution,
  contributionOf,
  hasWithdrawn,
  missingOwners,
  openRound,
  type RoundState,
  settleRound,
  withdrawOwner,
} from '../../src/protocol/round.ts';

const test = suite('round');
const runs = process.env.SLOW === undefined ? 2000 : 50_000;

const openedAt = 1_700_000_000_000;
const patience = 10_000;
const { fingerprint } = createIdentity('a' as PartyId, 'data-owner', new Uint8Array(32));
const names = ['a', 'b', 'c', 'd', 'e', 'f'] as OwnerId[];
const strangers = ['x', 'y'] as OwnerId[];

type Step =
  | { readonly kind: 'contribute'; readonly owner: OwnerId; readonly digest: string }
  | { readonly kind: 'withdraw'; readonly owner: OwnerId }
  | { readonly kind: 'wait'; readonly milliseconds: number };

interface Scenario {
  readonly roster: readonly OwnerId[];
  readonly quorum: number;
  readonly steps: readonly Step[];
}

const owners = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...names) },
  { weight: 1, arbitrary: fc.constantFrom(...strangers) },
);
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('contribute' as const),
      owner: owners,
      digest: fc.constantFrom('1', '2'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('withdraw' as const), owner: owners }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      milliseconds: fc.oneof(fc.nat(patience / 2), fc.constantFrom(0, 1, patience - 1, patience)),
    }),
  },
);
const scenarios: fc.Arbitrary<Scenario> = fc.subarray(names, { minLength: 2 }).chain((roster) =>
  fc.record({
    roster: fc.constant(roster),
    quorum: fc.integer({ min: 2, max: roster.length }),
    steps: fc.array(steps, { maxLength: 30 }),
  }),
);

function open({ roster, quorum }: Pick<Scenario, 'roster' | 'quorum'>): RoundState {
  const deadline = openedAt + patience;
  return openRound({ job: 'job' as JobId, round: 3, roster, quorum, openedAt, deadline });
}

/** The schema of a signature is not looked at here; who signed what is for the manifest to check. */
function contribution(owner: OwnerId, digest: string): AcceptedContribution {
  const signature = { party: owner, key: fingerprint, value: 'signature' };
  return { owner, digest, bytes: 1024, signature };
}

/** What a step makes of a state, or the error that refuses it. */
function attempt(state: RoundState, step: Step): RoundState | SealsumError {
  try {
    if (step.kind === 'contribute') return acceptContribution(state, contribution(step.owner, step.digest));
    return step.kind === 'withdraw' ? withdrawOwner(state, step.owner) : state;
  } catch (error) {
    assert.ok(error instanceof SealsumError, String(error));
    return error;
  }
}

/** Plays a scenario, calling `check` with every state that others would see and what led to it. */
function play(
  scenario: Scenario,
  check: (before: RoundState, step: Step, tried: RoundState | SealsumError, after: RoundState, now: number) => void,
): void {
  let state = open(scenario);
  let now = openedAt;
  for (const step of scenario.steps) {
    if (step.kind === 'wait') now += step.milliseconds;
    const tried = attempt(state, step);
    const after = settleRound(tried instanceof SealsumError ? state : tried, now);
    check(state, step, tried, after, now);
    state = after;
  }
}

const holds = (scenario: Scenario, check: Parameters<typeof play>[1]): boolean => {
  play(scenario, check);
  return true;
};

test('what was accepted stays, in order, at most one contribution per owner; nobody else is withdrawn, and once', () => {
  fc.assert(
    fc.property(scenarios, (scenario) => {
      const sent: AcceptedContribution[] = [];
      return holds(scenario, (before, step, tried, after) => {
        const isNew = step.kind === 'contribute' && !(tried instanceof SealsumError) && tried !== before;
        if (isNew) sent.push(contribution(step.owner, step.digest));
        assert.deepEqual(after.contributions, sent);
        assert.equal(new Set(sent.map((each) => each.owner)).size, sent.length);
        assert.ok(sent.every((each) => scenario.roster.includes(each.owner)));
        assert.equal(new Set(after.withdrawn).size, after.withdrawn.length);
        for (const owner of after.withdrawn)
          assert.ok(scenario.roster.includes(owner) && !sent.some((each) => each.owner === owner));
      });
    }),
    { numRuns: runs },
  );
});

test('a contribution is new once, then only repeated, and refused by the first reason that holds', () => {
  fc.assert(
    fc.property(scenarios, (scenario) =>
      holds(scenario, (before, step, tried) => {
        if (step.kind !== 'contribute') return;
        const earlier = before.contributions.find((each) => each.owner === step.owner);
        const expected = !scenario.roster.includes(step.owner)
          ? 'owner_not_on_roster'
          : earlier !== undefined && earlier.digest !== step.digest
            ? 'contribution_conflict'
            : earlier !== undefined
              ? 'the same'
              : { open: 'accepted', closed: 'round_closed', abandoned: 'round_abandoned' }[before.status];
        const found = tried instanceof SealsumError ? tried.code : tried === before ? 'the same' : 'accepted';
        assert.equal(found, expected);
      }),
    ),
    { numRuns: runs },
  );
});

test('closed means at least the quorum; abandoned means less, and the reason names exactly who was missing', () => {
  fc.assert(
    fc.property(scenarios, (scenario) =>
      holds(scenario, (_before, _step, _tried, after) => {
        const contributors = after.contributions.map((each) => each.owner);
        const missing = scenario.roster.filter((owner) => !contributors.includes(owner));
        assert.deepEqual(missingOwners(after), missing);
        if (after.status === 'closed') assert.ok(contributors.length >= scenario.quorum);
        if (after.status === 'abandoned') {
          assert.ok(contributors.length < scenario.quorum);
          assert.deepEqual(/missing (.*)$/.exec(after.reason ?? '')?.[1]?.split(', '), missing);
        } else assert.equal(after.reason, undefined);
      }),
    ),
    { numRuns: runs },
  );
});

test('a round is open only while it waits for somebody who can still make a difference', () => {
  fc.assert(
    fc.property(scenarios, (scenario) =>
      holds(scenario, (_before, _step, _tried, after, now) => {
        const waitingFor = missingOwners(after).filter((owner) => !after.withdrawn.includes(owner));
        const waits =
          now < openedAt + patience &&
          waitingFor.length > 0 &&
          after.contributions.length + waitingFor.length >= scenario.quorum;
        if (after.status === 'open') assert.ok(waits);
      }),
    ),
    { numRuns: runs },
  );
});

test('a round ends only for a reason: all have spoken, the quorum is out of reach, or the deadline', () => {
  fc.assert(
    fc.property(scenarios, (scenario) => {
      const silent = new Set(scenario.roster);
      return holds(scenario, (before, step, tried, after, now) => {
        if (before.status === 'open' && !(tried instanceof SealsumError) && step.kind !== 'wait')
          silent.delete(step.owner);
        const reached = after.contributions.length + silent.size;
        if (before.status === 'open' && after.status !== 'open')
          assert.ok(now >= openedAt + patience || silent.size === 0 || reached < scenario.quorum);
      });
    }),
    { numRuns: runs },
  );
});

test('a final state never changes, whatever comes', () => {
  fc.assert(
    fc.property(scenarios, (scenario) =>
      holds(scenario, (before, _step, tried, after) => {
        if (before.status === 'open') return;
        assert.equal(after, before);
        if (!(tried instanceof SealsumError)) assert.equal(tried, before);
      }),
    ),
    { numRuns: runs },
  );
});

test('settling twice is settling once, and no step changes the state it was given', () => {
  fc.assert(
    fc.property(scenarios, (scenario) =>
      holds(scenario, (before, step, _tried, after, now) => {
        assert.equal(settleRound(after, now), after);
        const copy = structuredClone(before);
        attempt(before, step);
        settleRound(before, now);
        assert.deepEqual(before, copy);
      }),
    ),
    { numRuns: runs },
  );
});

test('a state read from a store is worth as much as one that was followed, and no branch disturbs another', () => {
  fc.assert(
    fc.property(scenarios, (scenario) =>
      holds(scenario, (before, step, tried, after, now) => {
        const read = structuredClone(before);
        const again = attempt(read, step);
        if (tried instanceof SealsumError) assert.equal(again instanceof SealsumError ? again.code : again, tried.code);
        else assert.deepEqual(again, tried);
        assert.deepEqual(settleRound(again instanceof SealsumError ? read : again, now), after);
        // Another step from the same state, whose outcome is thrown away, as after a commit that failed.
        for (const owner of names) attempt(before, { kind: 'contribute', owner, digest: '3' });
        for (const owner of [...names, ...strangers]) {
          const expected = before.contributions.find((each) => each.owner === owner);
          assert.equal(contributionOf(before, owner), expected);
          assert.equal(hasWithdrawn(before, owner), before.withdrawn.includes(owner));
        }
        assert.deepEqual(missingOwners(after), missingOwners(structuredClone(after)));
      }),
    ),
    { numRuns: runs / 4 },
  );
});

test('the deadline counts from its very millisecond on', () => {
  const roster = names.slice(0, 3);
  const two = ['a', 'b'].reduce(
    (state, owner) => acceptContribution(state, contribution(owner as OwnerId, '1')),
    open({ roster, quorum: 2 }),
  );
  assert.equal(settleRound(two, openedAt + patience - 1).status, 'open');
  assert.equal(settleRound(two, openedAt + patience).status, 'closed');
  const one = acceptContribution(open({ roster, quorum: 2 }), contribution('b' as OwnerId, '1'));
  assert.equal(settleRound(one, openedAt + patience - 1).status, 'open');
  const abandoned = settleRound(one, openedAt + patience);
  assert.equal(abandoned.status, 'abandoned');
  assert.equal(abandoned.reason, 'round 3 was abandoned after 10 s: 1 of at least 2 contributions, missing a, c');
});

test('a withdrawal out of the quorum abandons at once and says so', () => {
  const state = settleRound(withdrawOwner(open({ roster: names.slice(0, 2), quorum: 2 }), 'b' as OwnerId), openedAt);
  assert.equal(
    state.reason,
    'round 3 was abandoned because the quorum is out of reach: 0 of at least 2 contributions, missing a, b',
  );
});

test('who withdrew may still contribute while the round is open, and is not waited for', () => {
  const withdrawn = withdrawOwner(open({ roster: names.slice(0, 4), quorum: 2 }), 'd' as OwnerId);
  const back = acceptContribution(withdrawn, contribution('d' as OwnerId, '1'));
  assert.deepEqual(back.withdrawn, []);
  const others = names
    .slice(0, 2)
    .reduce((state, owner) => acceptContribution(state, contribution(owner, '1')), withdrawn);
  assert.equal(settleRound(others, openedAt).status, 'open');
  assert.equal(settleRound(acceptContribution(others, contribution('c' as OwnerId, '1')), openedAt).status, 'closed');
});

test('a roster below the quorum opens no round', () => {
  assert.throws(
    () => open({ roster: names.slice(0, 2), quorum: 3 }),
    (error) => {
      assert.ok(error instanceof SealsumError);
      assert.equal(error.code, 'owners_too_few');
      assert.equal(error.field, 'roster');
      assert.equal(error.message, 'round 3 needs 3 owners and its roster names 2');
      return true;
    },
  );
});

test.run();
