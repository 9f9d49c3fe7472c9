/**
 * What must hold of every round and every training, whatever happened: checked with the model owner's key and everybody's
 * records, which no party has together.
 */
import { isDeepStrictEqual } from 'node:util';
import { contributionSlots, type WeightedVector } from '../../src/encoding/contribution.ts';
import type { Records } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { contribution, statisticsOf } from '../../src/learning/task.ts';
import { createTrainer, type Trainer } from '../../src/learning/trainer.ts';
import { createDecryptor } from '../../src/paillier/decryptor.ts';
import type { KeyPair } from '../../src/paillier/key-generation.ts';
import { openVector } from '../../src/pipeline.ts';
import type { JobId } from '../../src/protocol/identifiers.ts';
import { decodeParameters } from '../../src/protocol/parameters.ts';
import { type Terms, termsOf } from '../../src/protocol/terms.ts';
import type { FacilitatorStore, JobRecord, RoundRecord } from '../../src/storage/facilitator-store.ts';
import { recordsOf } from './sample.ts';

export interface RoundChecks {
  /** Looks at the rounds that ended since the last call. @returns what is wrong */
  look(store: FacilitatorStore): Promise<readonly string[]>;
  /** The parameters that the closed rounds of a job lead to, so far. */
  parametersOf(job: JobId): readonly number[] | undefined;
  readonly counts: { closed: number; abandoned: number };
}

interface Followed {
  readonly terms: Terms;
  readonly records: readonly Records[];
  /** A training in plain numbers, fed with exactly whom the manifests name. */
  readonly trainer: Trainer;
}

export function createRoundChecks(keyPair: KeyPair, owners: number): RoundChecks {
  const decryptor = createDecryptor(keyPair.privateKey);
  const jobs = new Map<JobId, Followed>();
  const counts = { closed: 0, abandoned: 0 };
  let seen = 0;

  function follow(record: JobRecord): Followed {
    const { job, model: document, roster } = record.signed.descriptor;
    const known = jobs.get(job);
    if (known !== undefined) return known;
    const model = parseModel(document);
    const terms = termsOf(model, roster.length);
    const records = Array.from({ length: owners }, (_, index) => recordsOf(index, owners, terms.map));
    const followed = { terms, records, trainer: createTrainer(model, terms.map, terms.task) };
    jobs.set(job, followed);
    return followed;
  }

  async function checkClosed(store: FacilitatorStore, record: JobRecord, round: RoundRecord): Promise<string[]> {
    const { job, quorum } = record.signed.descriptor;
    const { manifest } = round.manifest ?? {};
    const place = `round ${round.state.round} of job ${job}`;
    if (manifest === undefined || round.signed === undefined) return [`${place} is closed without a manifest`];
    const contributors = manifest.contributions.map(({ owner }) => owner);
    if (contributors.length < quorum) return [`${place} is closed with ${contributors.length} contributors`];
    if (new Set(contributors).size !== contributors.length) return [`${place} names an owner twice`];
    const stranger = contributors.find((owner) => !round.state.roster.includes(owner));
    if (stranger !== undefined) return [`${place} contains ${stranger}, who is not on its roster`];

    const { terms, records, trainer } = follow(record);
    const blocks: Uint8Array[] = [];
    for (let index = 0; ; index++) {
      const block = await store.block({ job, round: round.state.round, series: 'aggregate' }, index);
      if (block === undefined) break;
      blocks.push(block);
    }
    const parameters = decodeParameters(round.signed.descriptor.parameters);
    if (!isDeepStrictEqual([...parameters], [...trainer.parameters]))
      return [`${place} was asked with other parameters than the rounds before it lead to`];
    let sum: WeightedVector;
    try {
      // The tags are the model owner's to check; here it is the values.
      sum = openVector(terms.plan, decryptor, Buffer.concat(blocks), contributors.length, () => undefined);
    } catch (error) {
      return [`${place} is not the sum of ${contributors.join(', ')}: ${String(error)}`];
    }
    const expected = contributors
      .map((owner) => records[Number(owner.replace('owner-', ''))])
      .map((each) =>
        each === undefined ? [] : contributionSlots(terms.plan, contribution(terms.task, each, parameters)),
      )
      .reduce((total, slots) => total.map((value, index) => value + (slots[index] ?? 0n)));
    trainer.absorb(statisticsOf(terms.task, sum, contributors.length));
    return isDeepStrictEqual([sum.weight, ...sum.values], expected.slice(1))
      ? []
      : [`${place} is not the sum of what ${contributors.join(', ')} contributed`];
  }

  return {
    counts,
    look: async (store) => {
      const problems: string[] = [];
      for (const event of await store.events(seen, undefined, 10_000)) {
        seen = event.id;
        if (event.round === undefined || (event.type !== 'round.closed' && event.type !== 'round.abandoned')) continue;
        const [job, round] = [await store.job(event.job), await store.round(event.job, event.round)];
        const place = `round ${event.round} of job ${event.job}`;
        if (job === undefined || round === undefined) problems.push(`${place} has ended and is not there`);
        else if (event.type === 'round.closed') {
          counts.closed += 1;
          if (job.status === 'open') problems.push(...(await checkClosed(store, job, round)));
        } else {
          counts.abandoned += 1;
          const missing = round.state.roster.filter(
            (owner) => !round.state.contributions.some((c) => c.owner === owner),
          );
          if (!missing.every((owner) => event.reason?.includes(owner) === true))
            problems.push(`${place} was abandoned without naming who was missing: ${event.reason ?? ''}`);
        }
      }
      return problems;
    },
    parametersOf: (job) => {
      const parameters = jobs.get(job)?.trainer.parameters;
      return parameters === undefined ? undefined : [...parameters];
    },
  };
}
