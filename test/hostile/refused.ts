/** What it means that a hostile request is refused. */
import assert from 'node:assert/strict';
import { assertLeftAsBefore, assertSame, dumpOf } from './dump.ts';
import type { Codes } from './forgeries.ts';
import { type Answer, type LineRequest, refusalIn, send } from './line.ts';
import type { World } from './world.ts';

/** What changes with every request whose signature is right, refused or not. */
export const nonces: readonly string[] = ['nonces'];

/** Sends a request that must be refused with one of these codes and leave no trace. */
export async function refused(
  { party }: Pick<World, 'party'>,
  request: LineRequest,
  codes: Codes,
  what: string,
): Promise<void> {
  const before = await dumpOf(party.database, nonces);
  const answer = await send(party.port, request);
  assert.ok(answer !== undefined, `${what}: the line was broken`);
  assertRefused(answer, codes, what);
  assertSame(await dumpOf(party.database, nonces), before, what);
}

/** The same, of one whose line may also be closed while it is still being sent. */
export async function refusedOrClosed(
  { party }: Pick<World, 'party'>,
  request: LineRequest,
  codes: Codes,
  what: string,
): Promise<void> {
  const before = await dumpOf(party.database, nonces);
  const answer = await send(party.port, request);
  if (answer !== undefined) assertRefused(answer, codes, what);
  await assertLeftAsBefore(() => dumpOf(party.database, nonces), before, what);
}

export function assertRefused(answer: Answer, codes: Codes, what: string): void {
  const { status, body } = answer;
  assert.ok(status >= 400 && status < 500, `${what}: ${status} ${body.toString()}`);
  const { code } = refusalIn(answer, what);
  assert.ok(codes.includes(code), `${what}: refused as ${code}, not as ${codes.join(' or ')}: ${body.toString()}`);
}

/** That nothing was seen as a fault of its own. */
export function assertNoComplaint({ party }: { readonly party: { readonly lines: readonly string[] } }): void {
  assert.equal(
    party.lines.find((line) => line.includes('"level":"error"')),
    undefined,
  );
}
