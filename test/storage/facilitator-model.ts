/** What a facilitator's store is to do, in as few words as possible: everything in memory, copied before every change. */
import assert from 'node:assert/strict';
import { SealsumError } from '../../src/errors.ts';
import type { JobEvent } from '../../src/protocol/events.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import type {
  BlockPlace,
  FacilitatorChange,
  FacilitatorStore,
  JobRecord,
  Retention,
  RoundRecord,
} from '../../src/storage/facilitator-store.ts';

interface Block extends BlockPlace {
  readonly block: number;
  readonly bytes: Uint8Array;
}

interface State {
  jobs: JobRecord[];
  rounds: RoundRecord[];
  blocks: Block[];
  events: JobEvent[];
  last: number;
}

export class FacilitatorModel {
  #state: State = { jobs: [], rounds: [], blocks: [], events: [], last: 0 };

  get jobs(): readonly JobId[] {
    return this.#state.jobs.map((each) => each.signed.descriptor.job);
  }

  round(job: JobId, round: number): RoundRecord | undefined {
    return this.#state.rounds.find(({ state }) => state.job === job && state.round === round);
  }

  /** All of the change, or nothing and an error. */
  commit(change: FacilitatorChange): readonly JobEvent[] {
    const next = structuredClone(this.#state);
    const events = apply(next, change);
    this.#state = next;
    return events;
  }

  keepBlock(place: BlockPlace, block: number, bytes: Uint8Array): void {
    keepBlock(this.#state, place, block, bytes);
  }

  forgetBlocks(what: BlockPlace | 'uploads'): void {
    forget(this.#state, (each) =>
      what === 'uploads' ? each.series.startsWith('upload:') : isOf(each, what.job, what.round, what.series),
    );
  }

  retain(rule: Retention, now: number): { jobs: number; rounds: number; events: number } {
    const state = this.#state;
    const ended = state.jobs
      .map((record, position) => ({ record, position }))
      .filter(({ record }) => record.status !== 'open')
      .sort((one, other) => other.record.changedAt - one.record.changedAt || other.position - one.position);
    const jobs = ended
      .filter(({ record }, place) => place >= rule.endedJobs || record.changedAt < now - rule.endedJobDays * 86_400_000)
      .map(({ record }) => record.signed.descriptor.job);
    state.jobs = state.jobs.filter((each) => !jobs.includes(each.signed.descriptor.job));
    state.rounds = state.rounds.filter((each) => !jobs.includes(each.state.job));
    forget(state, (each) => jobs.includes(each.job));
    let rounds = 0;
    for (const job of this.jobs) {
      const known = state.rounds
        .filter((each) => each.state.job === job && each.state.status !== 'open' && each.signed !== undefined)
        .sort((one, other) => other.state.round - one.state.round);
      for (const { state: old } of known.slice(rule.rounds)) {
        rounds += 1;
        forget(state, (each) => isOf(each, job, old.round));
        state.rounds = state.rounds.map((each) => {
          if (each.state !== old) return each;
          const { state: kept, digest, manifest } = each;
          return { state: kept, digest, ...(manifest === undefined ? {} : { manifest }) };
        });
      }
    }
    const before = state.events.length;
    state.events = state.events.slice(-Math.max(1, rule.events));
    return { jobs: jobs.length, rounds, events: before - state.events.length };
  }

  /** Compares everything that can be read. */
  async requireSame(store: FacilitatorStore, names: readonly JobId[], rounds: readonly number[]): Promise<void> {
    const { jobs, blocks, events, last } = this.#state;
    assert.deepEqual(await store.jobs(), jobs);
    for (const name of names) {
      assert.deepEqual(
        await store.job(name),
        jobs.find((each) => each.signed.descriptor.job === name),
      );
      for (const round of rounds) assert.deepEqual(await store.round(name, round), this.round(name, round));
      for (const round of rounds)
        for (const series of ['aggregate', 'product:1', 'upload:a'] as const)
          for (const block of [0, 1])
            assert.deepEqual(
              await store.block({ job: name, round, series }, block),
              blocks.find((each) => isOf(each, name, round, series) && each.block === block)?.bytes,
            );
    }
    assert.equal(await store.lastEvent(), last);
    for (const after of [0, Math.floor(last / 2), last])
      for (const job of [undefined, names[0]])
        for (const limit of [0, 2, 1000])
          assert.deepEqual(
            await store.events(after, job, limit),
            events.filter((each) => each.id > after && (job === undefined || each.job === job)).slice(0, limit),
          );
  }
}

function isOf(each: BlockPlace, job: JobId, round?: number, series?: BlockPlace['series'] | 'products'): boolean {
  return (
    each.job === job &&
    (round === undefined || each.round === round) &&
    (series === undefined || (series === 'products' ? each.series.startsWith('product:') : each.series === series))
  );
}

function forget(state: State, wanted: (each: Block) => boolean): void {
  state.blocks = state.blocks.filter((each) => !wanted(each));
}

function keepBlock(state: State, { job, round, series }: BlockPlace, block: number, bytes: Uint8Array): void {
  forget(state, (each) => isOf(each, job, round, series) && each.block === block);
  state.blocks.push({ job, round, series, block, bytes });
}

function apply(state: State, change: FacilitatorChange): readonly JobEvent[] {
  if (change.job !== undefined) {
    const { status, round, changedAt, signed } = change.job;
    const known = state.jobs.findIndex((each) => each.signed.descriptor.job === signed.descriptor.job);
    const before = state.jobs[known];
    if (before === undefined) state.jobs.push(change.job);
    else state.jobs[known] = { ...before, status, round, changedAt };
  }
  for (const { job, view } of change.owners ?? []) {
    const known = state.jobs.findIndex((each) => each.signed.descriptor.job === job);
    const record = state.jobs[known];
    if (record?.owners.some(({ owner }) => owner === view.owner) !== true)
      throw new SealsumError('owner_not_on_roster', '');
    state.jobs[known] = { ...record, owners: record.owners.map((each) => (each.owner === view.owner ? view : each)) };
  }
  if (change.round !== undefined) applyRound(state, change.round);
  if (change.contributions !== undefined) applyContributions(state, change.contributions);
  for (const { job, round, series } of change.forget ?? []) forget(state, (each) => isOf(each, job, round, series));
  for (const { place, block, bytes } of change.blocks ?? []) keepBlock(state, place, block, bytes);
  const events = change.events.map((body) => ({ ...body, id: ++state.last }));
  state.events.push(...events);
  return events;
}

function applyContributions(
  state: State,
  { job, round, accepted }: NonNullable<FacilitatorChange['contributions']>,
): void {
  for (const each of accepted) {
    const known = state.rounds.findIndex((record) => record.state.job === job && record.state.round === round);
    const record = state.rounds[known];
    if (record === undefined) throw new SealsumError('internal', '');
    const { contributions } = record.state;
    if (contributions.some(({ owner }) => owner === each.owner)) throw new SealsumError('contribution_conflict', '');
    state.rounds[known] = { ...record, state: { ...record.state, contributions: [...contributions, each] } };
  }
}

function applyRound(state: State, record: RoundRecord): void {
  const { job, round, status, withdrawn, reason } = record.state;
  if (!state.jobs.some((each) => each.signed.descriptor.job === job)) throw new SealsumError('internal', '');
  const known = state.rounds.findIndex((each) => each.state.job === job && each.state.round === round);
  const before = state.rounds[known];
  if (before === undefined) state.rounds.push({ ...record, state: { ...record.state, contributions: [] } });
  else {
    const { openedAt, deadline, roster, quorum, contributions } = before.state;
    const rest = { job, round, openedAt, deadline, roster, quorum, contributions };
    state.rounds[known] = {
      ...before,
      state: { ...rest, status, withdrawn, ...(reason === undefined ? {} : { reason }) },
      ...(record.manifest === undefined ? {} : { manifest: record.manifest }),
    };
  }
}
