/**
 * sealsum's public interface, in the order in which data goes its way:
 *
 *     gradient → clip → fixed-point → pack → encrypt → send → multiply → decrypt → unpack → noise → renormalise → update
 *
 * Start with pipeline.ts: it shows the whole way on one screen.
 */

// Federated averaging: named tensors that owners train, weighted by their examples.
export {
  type AveragedRound,
  type AveragingDependencies,
  type AveragingJob,
  createAveragingJob,
} from './averaging/averaging-job.ts';
export type { AveragingOptions, Selection } from './averaging/options.ts';
export {
  type GivenRound,
  type MissedRound,
  type ParticipateOptions,
  type ParticipationSummary,
  participate,
  type Train,
  type Trained,
  type TrainingContext,
} from './averaging/participate.ts';
export {
  type AdaptiveOptions,
  type FedAdamOptions,
  type FedAvgMOptions,
  fedAdagrad,
  fedAdam,
  fedAvg,
  fedAvgM,
  fedYogi,
  type Strategy,
  type StrategyMemory,
} from './averaging/strategies.ts';
export {
  createTensorLayout,
  layoutOf,
  type NamedTensors,
  type Tensor,
  type TensorLayout,
  tensorOf,
} from './averaging/tensors.ts';
// Who belongs: identities, and the roster that names them.
export { parseRoster, partiesOf, type Roster, readRoster } from './config/roster-file.ts';
export { createKeyChecks, type KeyChecks } from './contributing/key-checks.ts';
// Numbers: fixed point, the plan with its proof, packing, quantisation, renormalisation.
export { contributionSlots, type WeightedVector } from './encoding/contribution.ts';
// Encrypted numbers to compute with, whose bits are tracked.
export { type EncryptedVector, meanVectors, sumVectors } from './encoding/encrypted-vector.ts';
export { decryptVector, type RenormaliseOptions, renormaliseVector } from './encoding/encrypted-vector-decryption.ts';
export {
  encryptVector,
  type VectorOptions,
  type VectorRange,
  vectorFromCiphertexts,
} from './encoding/encrypted-vector-encryption.ts';
export { type EncryptedVectorJson, vectorFromJson, vectorToJson } from './encoding/encrypted-vector-json.ts';
export type { PlainOptions } from './encoding/encrypted-vector-numbers.ts';
export { fromFixedPoint, quantise, toFixedPoint } from './encoding/fixed-point.ts';
export { pack, type TagCheck, unpack } from './encoding/packing.ts';
export { createPlan, describePlan, type Plan, type PlanRequest } from './encoding/plan.ts';
export {
  type Quantisation,
  quantisationBound,
  quantisationScale,
  quantiseToBits,
  type Rounding,
  stochasticRounding,
} from './encoding/quantisation.ts';
export { renormalise } from './encoding/renormalise.ts';
// Every refusal.
export { type ErrorCode, SealsumError } from './errors.ts';
export { createFacilitatorClient, type FacilitatorClient } from './http/facilitator-client.ts';
export {
  type CollectedStatistics,
  followModel,
  followStatistics,
  type TrainedModel,
} from './http/model-owner-client.ts';
// Learning: model.json, tables, tasks, trainers, predictions.
export { type CrossValidation, crossValidate, type FoldResult, type FoldSums } from './learning/cross-validation.ts';
export { readDataFile } from './learning/data-file.ts';
export {
  type ExportedModel,
  type ExportedPredictor,
  exportJson,
  readExportedModel,
} from './learning/export/exported-model.ts';
export type { ExportOrigin, FittedModel } from './learning/export/fitted-model.ts';
export { exportOnnx } from './learning/export/onnx.ts';
export { exportPmml } from './learning/export/pmml.ts';
export {
  compileFeatures,
  encodeRows,
  encodeTable,
  type FeatureMap,
  type Records,
  rowsOf,
} from './learning/features.ts';
export type { FeatureRow } from './learning/fields.ts';
export { crossValidationFrom, type FoldTrainings, foldTrainingsOf } from './learning/fold-trainings.ts';
export { closingStatistics, closingSums } from './learning/inference/closing-sums.ts';
export { type ClosingTask, closingTaskOf } from './learning/inference/closing-task.ts';
export type { Diagnostics } from './learning/inference/diagnostics.ts';
export type { CoefficientPrecision, Inference, ReportedParameters } from './learning/inference/standard-errors.ts';
export type { Metrics } from './learning/metrics.ts';
export { type Model, parseModel } from './learning/model.ts';
export { type AnyModel, parseDocument } from './learning/model-document.ts';
export { createOptimiser, type Optimiser, type OptimiserState } from './learning/optimisers.ts';
export { type PooledFit, trainPooled } from './learning/pooled.ts';
export { type DataUnitParameters, type Prediction, parametersInDataUnits, predict } from './learning/prediction.ts';
// Statistics of declared columns, by the same sum.
export type { StatisticsModel } from './learning/statistics/model.ts';
export { pooledStatistics } from './learning/statistics/pooled.ts';
export { compileColumns, encodeColumns, type StatisticsMap } from './learning/statistics/records.ts';
export { reportOf, type StatisticsReport } from './learning/statistics/report.ts';
export { createStatisticsTask, type StatisticsTask, statisticsSums } from './learning/statistics/task.ts';
export { readTable, type Table, type TableOptions, type TableSource } from './learning/table.ts';
export {
  contribution,
  createTask,
  type EncryptedTask,
  isEncrypted,
  type Statistics,
  statisticsOf,
  type Task,
} from './learning/task.ts';
export { createTrainer, restoreTrainer, type Trainer, type TrainerState } from './learning/trainer.ts';
export { aggregate } from './paillier/aggregate.ts';
// Paillier: integers in, ciphertexts out.
export {
  availableBackends,
  type BackendName,
  bigintBackend,
  type ModularBackend,
  opensslBackend,
  preferBackend,
  selectBackend,
} from './paillier/backend.ts';
export {
  addCiphertexts,
  addPlaintext,
  checkCiphertexts,
  decodeCiphertexts,
  encodeCiphertexts,
  multiplyCiphertext,
  validateCiphertexts,
} from './paillier/ciphertexts.ts';
export { createDecryptor, type Decryptor, type DecryptorOptions } from './paillier/decryptor.ts';
export { createEncryptor, type Encryptor, type EncryptorOptions } from './paillier/encryptor.ts';
export { generateKeyPair, type KeyPair } from './paillier/key-generation.ts';
export {
  PrivateKey,
  type PrivateKeyJwk,
  privateKeyFromJwk,
  privateKeyFromPrimes,
  privateKeyToJwk,
} from './paillier/private-key.ts';
export {
  type Ciphertext,
  ciphertextBytes,
  type Plaintext,
  PublicKey,
  type PublicKeyJwk,
  publicKeyFromJwk,
  publicKeyFromModulus,
  publicKeyToJwk,
} from './paillier/public-key.ts';
export { type RandomBytes, systemRandom } from './paillier/random.ts';
export { publicKeyThumbprint } from './paillier/thumbprint.ts';
// The whole way: seal() for a data owner, aggregate() for the facilitator, open() for the model owner; where parameters are encrypted,
// encryptParameters() for the model owner and sealEncrypted() for a data owner.
export {
  encryptParameters,
  type Opener,
  type OwnMatrix,
  open,
  openVector,
  prepareMatrix,
  type Sealer,
  seal,
  sealEncrypted,
  sealVector,
} from './pipeline.ts';
export { ACCOUNTANTS, type Accountant, rhoOfRounds } from './privacy/accounting/accountants.ts';
export { leastNoiseMultiplier, type NoiseTarget } from './privacy/accounting/calibrate-noise.ts';
export {
  type Composition,
  compose,
  epsilonOf,
  NO_ROUNDS,
  type RoundLoss,
  roundsOf,
} from './privacy/accounting/composition.ts';
export { epsilonOfDistributedGaussian } from './privacy/accounting/distributed-gaussian.ts';
export type { NoisyRounds } from './privacy/accounting/parameters.ts';
export { epsilonOfSkellam } from './privacy/accounting/skellam.ts';
export { composeRho, deltaFromRho, epsilonFromRho, rhoFromEpsilon } from './privacy/accounting/zcdp.ts';
// Privacy: clipping, exact noise, accounting, the ledger.
export { type Caps, createCaps } from './privacy/budget.ts';
export { type Calibration, calibrate, type PrivacyTarget } from './privacy/calibration.ts';
export { CLIP_SCALE, type ClippedVector, clipToIntegers } from './privacy/clipping.ts';
export { sampleDiscreteGaussian, sampleDiscreteGaussians } from './privacy/discrete-gaussian.ts';
export {
  type Charge,
  type Cost,
  createLedger,
  type Ledger,
  type LedgerEntry,
  type LedgerStore,
  type Spent,
} from './privacy/ledger.ts';
export { type Rational, rational, rationalFromNumber } from './privacy/rational.ts';
export { type PrivacyStatement, privacyStatement } from './privacy/statement.ts';
// Aggregation profiles: a program's own things as vectors, and what is summed of them as such things again.
export { type AggregateOptions, type AggregationProfile, collectAs, submitAs } from './profiles/profile.ts';
export { type ProfileOptions, plainVectors, stateDictionaries } from './profiles/profiles.ts';
export { type FloatType, readSafetensors, type StateDictionary, writeSafetensors } from './profiles/safetensors.ts';
// Protocol and HTTP: what a job fixes, and the clients of two of the parties.
export { type Clock, systemClock } from './protocol/clock.ts';
export { type OwnerId, ownerIdSchema } from './protocol/identifiers.ts';
export { createIdentity, createParty, type Identity, type Party, type Role } from './protocol/identity.ts';
export { createParties, type Parties } from './protocol/parties.ts';
export {
  checkTags,
  createTagSecret,
  expectedTags,
  type TagContext,
  type TagKey,
  type TagSecret,
  tagOf,
  tagsOf,
} from './protocol/tags.ts';
export { noiseToWire, type Terms, termsOf } from './protocol/terms.ts';
export type { Group } from './protocol/tree.ts';
// Threads, for seal() and open() of much.
export { createThreadPool, type ThreadPool, type ThreadPoolOptions } from './threads/pool.ts';
export type { Spreading } from './threads/spread.ts';
// The secure sum as a library: a controller that opens rounds, clients that each give one vector to them.
export { Client } from './vector-sum/client.ts';
export type { ClientOptions, Submission, SubmitOptions } from './vector-sum/client-options.ts';
export { type ClientStore, memoryClientStore } from './vector-sum/client-store.ts';
export { Controller, type ControllerOptions, type VectorSumOptions } from './vector-sum/controller.ts';
export { type FixedPointBits, type PrivacyAsked, parseVectorSum, type VectorSum } from './vector-sum/document.ts';
export type { FacilitatorTree, GroupOptions } from './vector-sum/groups.ts';
export { openClientStore } from './vector-sum/open-client-store.ts';
export { type ReadParty, readParty } from './vector-sum/read-party.ts';
export type { JobReference, RoundReference } from './vector-sum/references.ts';
export type { SumPrivacy } from './vector-sum/sum-privacy.ts';
export { vectorSumTerms } from './vector-sum/terms.ts';
export type { Expected } from './vector-sum/vector-job.ts';
export type { CollectedSum, StartOptions, SumRound, VectorSumJob } from './vector-sum/vector-sum-job.ts';
