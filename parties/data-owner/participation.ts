/**
 * One data owner in one training: it accepts or refuses the job as any (src/contributing/acceptance.ts), has encoded all of its
 * records before it says "ready", and contributes what the model asks of them. What it tells others of a refusal names columns and
 * fields of the model, never a line or a value of its data.
 */
import {
  type Accepted,
  type AcceptanceDependencies as AnyAcceptanceDependencies,
  acceptSum,
  type Understood,
} from '../../src/contributing/acceptance.ts';
import type { Participation } from '../../src/contributing/participation.ts';
import { SealsumError } from '../../src/errors.ts';
import type { ClippingReport } from '../../src/learning/clipped-sums.ts';
import { type AnyModel, columnsAsked, parseDocument } from '../../src/learning/model-document.ts';
import { type Records, shareRecords } from '../../src/learning/records.ts';
import { atClip, isEncrypted } from '../../src/learning/task.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { type OwnMatrix, prepareMatrix, seal, sealEncrypted } from '../../src/pipeline.ts';
import { decodeEncryptedParameters } from '../../src/protocol/encrypted-parameters.ts';
import type { JobDescriptor, SignedJob } from '../../src/protocol/job-messages.ts';
import { decodeParameters } from '../../src/protocol/parameters.ts';
import { type AnyTerms, termsOf } from '../../src/protocol/terms.ts';
import { isVectorSum } from '../../src/vector-sum/document.ts';
import type { HeldDataset } from './dataset.ts';
import type { DatasetHolder } from './datasets.ts';

export interface AcceptanceDependencies extends Omit<AnyAcceptanceDependencies, 'dataset'> {
  readonly datasets: Pick<DatasetHolder, 'hold'>;
}

export interface Training extends Understood {
  readonly settings: AnyModel;
  readonly terms: AnyTerms;
}

/**
 * Accepts a training.
 *
 * @throws SealsumError saying why not: as acceptSum(), dataset_unknown, and data_invalid. The data set is held then too: whoever
 *   takes no part lets go of it.
 * @param isKnown whether this owner takes part already: what is left of its budget is a matter of each round then
 */
export async function acceptJob(
  signed: SignedJob,
  dependencies: AcceptanceDependencies,
  isKnown = false,
): Promise<Participation> {
  const { datasets, pool, progress, signal, random = systemRandom } = dependencies;
  let dataset: HeldDataset | undefined;
  const hold = (asked: string | undefined): string => {
    dataset = datasets.hold(signed.descriptor.job, asked);
    return dataset.name;
  };
  const accepted = await acceptSum(signed, readTraining, { ...dependencies, dataset: hold }, isKnown);
  const { settings, terms } = accepted.job;
  if (dataset === undefined) throw new SealsumError('internal', 'a job was accepted without a data set');
  const read = await dataset.records(settings, terms.map, signal);
  const records = pool === undefined ? read : shareRecords(read);
  progress('data-owner.records-read');
  const onEncrypted = encryptedContributions(accepted, records);
  return {
    ...accepted,
    records: records.count,
    dropped: records.dropped,
    contribution: (round, roundDigest, observe) => {
      const { round: number, parameters, encrypted_parameters: ciphertexts, clip, closing } = round.descriptor;
      if (closing === true) {
        const { task, plan } = requireClosing(terms);
        const sealer = { ...accepted.sealer, task, plan, observe };
        return seal(sealer, records, decodeParameters(parameters), accepted.tags(number, roundDigest, plan));
      }
      const task = atClip(terms.task, clip);
      const tags = accepted.tags(number, roundDigest);
      if (ciphertexts !== undefined) return onEncrypted(ciphertexts, tags, observe);
      return seal({ ...accepted.sealer, task, random, observe }, records, decodeParameters(parameters), tags);
    },
  };
}

/** checkRound() has seen to it that there are such terms. */
function requireClosing({ closing }: AnyTerms): NonNullable<AnyTerms['closing']> {
  if (closing !== undefined) return closing;
  throw new SealsumError('plan_mismatch', 'the model has no closing round', { field: 'closing' });
}

/** Contributions on parameters that this owner does not see; what it has of its records for them is computed before the first. */
function encryptedContributions(
  { job, sealer }: Accepted<Training>,
  records: Records,
): (parameters: string, tags: readonly bigint[], observe?: (clipping: ClippingReport) => void) => Promise<Uint8Array> {
  let kept: OwnMatrix | undefined;
  return async (parameters, tags, observe) => {
    const { task } = job.terms;
    if (!isEncrypted(task))
      throw new SealsumError('plan_mismatch', 'the model has no encrypted parameters', {
        field: 'encrypted_parameters',
      });
    kept ??= await prepareMatrix({ ...sealer, task }, records);
    if (kept.report !== undefined) observe?.(kept.report);
    const { publicKey } = sealer.encryptor;
    const bytes = decodeEncryptedParameters(publicKey, parameters, task.parameterCount);
    return sealEncrypted(sealer, kept, bytes, tags);
  };
}

/** As a data owner reads what trainings ask of it. @throws SealsumError model_invalid, plan_unsafe, privacy_invalid */
export function readTraining(document: JobDescriptor['model'], owners: number): Training {
  if (isVectorSum(document))
    throw new SealsumError(
      'model_invalid',
      'the job sums vectors, which programs give that use sealsum as a library; this owner has a data set and no vector',
      { field: 'model_type' },
    );
  const settings = parseDocument(document);
  const terms = termsOf(settings, owners);
  const { rounds, parameterCount, clipping } = terms.task;
  const isHidden = isEncrypted(terms.task);
  return {
    settings,
    terms,
    rounds,
    parameterCount: isHidden ? 0 : parameterCount,
    encryptedCount: isHidden ? parameterCount : undefined,
    adaptsClip: clipping?.sign !== undefined,
    columns: columnsAsked(settings),
    dataset: settings.data_props.dataset,
  };
}
