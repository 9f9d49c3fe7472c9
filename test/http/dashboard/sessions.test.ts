/** Signing in: a link that is good once and for a while, and sessions that nobody can make up. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createSessions, type DashboardSessions, type SessionState } from '../../../src/http/dashboard/sessions.ts';
import { systemRandom } from '../../../src/paillier/random.ts';
import { partyIdSchema } from '../../../src/protocol/identifiers.ts';
import { createTestClock, type TestClock } from '../../support/clock.ts';

const test = suite('sessions of a dashboard');

interface World {
  readonly clock: TestClock;
  readonly sessions: DashboardSessions;
  /** What was kept last. */
  readonly state: () => SessionState;
  /** Another process with what was kept. */
  readonly restart: (name?: string) => DashboardSessions;
}

function world(): World {
  const clock = createTestClock();
  let state: SessionState = { secret: systemRandom(32), ended: {} };
  const restart = (name = 'north'): DashboardSessions =>
    createSessions({
      party: partyIdSchema.parse(name),
      state,
      keep: (next) => {
        state = next;
        return Promise.resolve();
      },
      clock,
      random: systemRandom,
    });
  return { clock, sessions: restart(), state: () => state, restart };
}

const refused = (sessions: DashboardSessions, token: string, code = 'login_invalid'): void => {
  assert.throws(() => sessions.redeem(token), { code });
};

test('a token of 256 bits is good once, and its cookie for twelve hours, also after a restart', () => {
  const { clock, sessions, restart } = world();
  const token = sessions.issueToken();
  assert.equal(Buffer.from(token, 'base64url').length, 32);
  const { cookie, session } = sessions.redeem(token);
  refused(sessions, token);
  refused(restart(), token);
  assert.deepEqual(sessions.read(cookie), session);
  clock.advance(12 * 3_600_000 - 1);
  assert.deepEqual(restart().read(cookie), session);
  clock.advance(1);
  assert.equal(sessions.read(cookie), undefined);
});

test('a token is void after ten minutes, when another one was made, and for another process', () => {
  const { clock, sessions, restart } = world();
  const old = sessions.issueToken();
  const newer = sessions.issueToken();
  refused(sessions, old);
  clock.advance(600_000 - 1);
  refused(restart(), newer);
  sessions.redeem(newer);
  const late = sessions.issueToken();
  clock.advance(600_000);
  refused(sessions, late);
  refused(sessions, '');
});

test('nothing but what was signed here is a session', () => {
  const { clock, sessions, restart } = world();
  const { cookie } = sessions.redeem(sessions.issueToken());
  const [id = '', end = '', mac = ''] = cookie.split('.');
  const other = Buffer.alloc(16, 7).toString('base64url');
  for (const forged of [
    undefined,
    '',
    'x',
    `${id}.${end}`,
    `${id}.${Number(end) + 1}.${mac}`,
    `${other}.${end}.${mac}`,
    `${id}.${end}.${mac.slice(0, -1)}${mac.endsWith('A') ? 'E' : 'A'}`,
    `${id}.${end}.${mac}.`,
    `${cookie} `,
  ])
    assert.equal(sessions.read(forged), undefined, forged);
  // Another party, even with the same secret; and the same party with another one.
  assert.equal(restart('south').read(cookie), undefined);
  const stranger = createSessions({
    party: partyIdSchema.parse('north'),
    state: { secret: new Uint8Array(32), ended: {} },
    keep: () => Promise.resolve(),
    clock,
    random: systemRandom,
  });
  assert.equal(stranger.read(cookie), undefined);
});

test('a session that was ended stays so after a restart, and is forgotten when it would be over', async () => {
  const { clock, sessions, state, restart } = world();
  const { cookie, session } = sessions.redeem(sessions.issueToken());
  const over = sessions.signalOf(session);
  assert.equal(over.aborted, false);
  await sessions.end(session);
  assert.equal(over.aborted, true);
  assert.equal(sessions.read(cookie), undefined);
  assert.equal(restart().read(cookie), undefined);
  assert.deepEqual(state().ended, { [session.id]: session.expiresAt });
  clock.advance(13 * 3_600_000);
  const next = sessions.redeem(sessions.issueToken());
  await sessions.end(next.session);
  assert.deepEqual(Object.keys(state().ended), [next.session.id]);
});

test('what follows a session ends with it', () => {
  const { clock, sessions } = world();
  const { session } = sessions.redeem(sessions.issueToken());
  const over = sessions.signalOf(session);
  assert.equal(sessions.signalOf(session), over);
  clock.advance(12 * 3_600_000);
  assert.equal(over.aborted, true);
});

test('ten attempts in vain at once, and one more every six seconds; whoever has the link is let in all the same', () => {
  const { clock, sessions } = world();
  for (let attempt = 0; attempt < 10; attempt += 1) refused(sessions, 'guess');
  assert.throws(() => sessions.redeem('guess'), { code: 'too_many_requests', retryAfter: 6 });
  clock.advance(6000);
  refused(sessions, 'guess');
  refused(sessions, 'guess', 'too_many_requests');
  sessions.redeem(sessions.issueToken());
});

test.run();
