/**
 * The worked examples of docs/protocol.md, computed by the code that the parties run. Nothing in them is secret or random: seeds and
 * primes stand here, and keys are far too small to protect anything.
 */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { packing } from '../../src/encoding/packing.ts';
import { createPlan } from '../../src/encoding/plan.ts';
import { digestOf, signatureBase, signRequest } from '../../src/http/message-signatures.ts';
import { partsOf } from '../../src/learning/division.ts';
import { compileFeatures, encodeTable, type Records } from '../../src/learning/features.ts';
import { closingSums } from '../../src/learning/inference/closing-sums.ts';
import { parseModel } from '../../src/learning/model.ts';
import { parseStatistics } from '../../src/learning/statistics/parse.ts';
import { encodeColumns } from '../../src/learning/statistics/records.ts';
import { statisticsSums } from '../../src/learning/statistics/task.ts';
import { readTable } from '../../src/learning/table.ts';
import { atClip, contribution, ownVector } from '../../src/learning/task.ts';
import { bigintToBytes } from '../../src/paillier/bytes.ts';
import { type BlumAnswer, modulusChallenges, verifyModulus } from '../../src/paillier/modulus-proof.ts';
import { proveModulus } from '../../src/paillier/modulus-prover.ts';
import { testOnlyPrivateKeyFromPrimes } from '../../src/paillier/private-key.ts';
import { publicKeyToJwk } from '../../src/paillier/public-key.ts';
import type { RandomBytes } from '../../src/paillier/random.ts';
import { ownerIdSchema, partyIdSchema } from '../../src/protocol/identifiers.ts';
import { createIdentity } from '../../src/protocol/identity.ts';
import { sha256 } from '../../src/protocol/manifest.ts';
import { decodeParameters, encodeParameters } from '../../src/protocol/parameters.ts';
import { contributionSignatureHeader } from '../../src/protocol/round-messages.ts';
import { canonicalDigest, objectDigest, signObject } from '../../src/protocol/signed.ts';
import { createTagSecret, tagsOf } from '../../src/protocol/tags.ts';
import { noiseToWire, type StatisticsTerms, termsOf } from '../../src/protocol/terms.ts';
import { planToWire } from '../../src/protocol/wire-plan.ts';
import { parseVectorSum } from '../../src/vector-sum/document.ts';
import { encodeVector } from '../../src/vector-sum/fixed-point-vector.ts';
import { vectorSumTerms } from '../../src/vector-sum/terms.ts';
import { fromBase64url } from '../paillier/keys.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const seedOf = (text: string): Buffer => createHash('sha256').update(text).digest();

const northSeed = seedOf('north');
const north = createIdentity(partyIdSchema.parse('north'), 'data-owner', northSeed);
const owner = ownerIdSchema.parse(north.name);

const identity = {
  name: north.name,
  seed: hex(northSeed),
  key: north.publicKey,
  jwk: `{"crv":"Ed25519","kty":"OKP","x":"${north.publicKey}"}`,
  fingerprint: north.fingerprint,
};

const object = { z: [1, 1e21, 1e-7, 0.1, 333_333_333.333_333_3], ä: 'a\n"ß"', '😀': null, a: true };
const signing = {
  kind: 'answer',
  object,
  canonical: canonicalize(object),
  canonical_digest: canonicalDigest(object),
  object_digest: objectDigest('answer', object),
  signature: signObject(north, 'answer', object),
};

const nonce = seedOf('nonce').subarray(0, 16);
const body = '{"hello":"world"}';
const created = 1_704_110_400;
const put = 'https://Sums.example.org:8443/jobs/job/owners/north';
const get = 'http://127.0.0.1:80/events?owner=north';

function request(method: string, url: string, content?: string) {
  const headers = signRequest(
    north,
    { method, url, ...(content === undefined ? {} : { bodyDigest: digestOf(content) }) },
    { now: created * 1000, random: () => nonce },
  );
  const { host, pathname, search } = new URL(url);
  const digest = headers['content-digest'];
  const base = signatureBase(
    [
      ['@method', method],
      ['@authority', host],
      ['@path', pathname],
      ['@query', search === '' ? '?' : search],
      ...(digest === undefined ? [] : [['content-digest', digest] as const]),
    ],
    headers['signature-input'].replace(/^sealsum=/, ''),
  );
  return {
    method,
    url,
    ...(content === undefined ? {} : { body: content }),
    created,
    nonce: hex(nonce),
    base: Buffer.from(base).toString('utf8'),
    headers,
  };
}

const settings = {
  model_type: 'LINEAR_REGRESSION',
  data_props: {
    header: true,
    features: [
      { name: 'age', type: 'continuous', range: [0, 100] },
      { name: 'ward', type: 'nominal', levels: ['north', 'south', 'west'] },
    ],
    target: { name: 'stay', type: 'continuous', range: [0, 64] },
  },
  training: { solver: 'gradient', rounds: 9, optimizer: 'sgd', learning_rate: 0.5 },
  encryption: { key_bits: 2048, fraction_bits: 16 },
  participation: { quorum: 2, deadline_seconds: 30, max_records: 4 },
};
/** As it travels: with every default, and nothing undefined. */
const asSent = (model: object): object => JSON.parse(JSON.stringify(parseModel(model))) as object;

const file = 'age,ward,stay\n25,north,16\n75,west,40\n50,south,32\n';
const parameters = [0.25, -0.5, 0.125, 0];
const table = await readTable({ text: file }, { header: true });
const map = compileFeatures(parseModel(settings));
const records = encodeTable(map, table);
const rowsOf = ({ count, width, x }: Records): number[][] =>
  Array.from({ length: count }, (_, row) => [...x.subarray(row * width, (row + 1) * width)]);

const features = {
  model: asSent(settings),
  model_hash: canonicalDigest(asSent(settings)),
  file,
  columns: map.columns,
  x: rowsOf(records),
  y: [...records.y],
};

const ownersOfJob = 3;

/** One owner's vector for the file above, for the model with some of its parts exchanged. */
function vectorWith(changes: object) {
  const model = parseModel({ ...settings, ...changes });
  const terms = termsOf(model, ownersOfJob);
  const { task } = terms;
  const given = task.parameterCount === 0 ? [] : parameters;
  const own = encodeTable(terms.map, table);
  const { weight, values } = contribution(atClip(task, undefined), own, Float64Array.from(given));
  const sent = asSent(model) as Record<string, unknown>;
  return {
    with: Object.fromEntries(Object.keys(changes).map((key) => [key, sent[key]])),
    plan: planToWire(terms.plan),
    noise: noiseToWire(model, terms),
    parameters: encodeParameters(given),
    weight: String(weight),
    values: values.map(String),
  };
}

const { encryption } = settings;
const vectors = {
  'vector-gradient': vectorWith({}),
  'vector-normal-equations': vectorWith({ training: { solver: 'normal-equations' } }),
  'vector-quantised': vectorWith({ encryption: { ...encryption, quantization_bits: 16 } }),
  'vector-private-records': vectorWith({ privacy: { rho: 0.5, clip: 1 } }),
  'vector-private-owner': vectorWith({
    encryption: { ...encryption, quantization_bits: 16 },
    privacy: { epsilon: 2, delta: 1e-6, clip: 0.25, unit: 'owner', place: 'facilitator' },
  }),
};

/** What contributions on encrypted parameters decrypt to. */
const hidden = { model_visibility: 'encrypted', training: { ...settings.training, parameter_bound: 2 } };
const onEncrypted = {
  'encrypted-exact': vectorWith(hidden),
  'encrypted-private': vectorWith({ ...hidden, privacy: { rho: 0.5, clip: 1.5, place: 'facilitator' } }),
};

/** The three records, then the first one again, twice. */
const repeated: Records = {
  ...records,
  count: 5,
  x: Float64Array.from([0, 1, 2, 0, 0].flatMap((row) => rowsOf(records)[row] ?? [])),
  y: Float64Array.from([0, 1, 2, 0, 0], (row) => records.y[row] ?? 0),
};
const seed = 3;
const division = {
  seed,
  x: rowsOf(repeated),
  y: [...repeated.y],
  fraction: 0.4,
  held_out: [...partsOf({ kind: 'held-out', seed, fraction: 0.4 }, repeated)],
  folds: 5,
  fold: [...partsOf({ kind: 'folds', seed, folds: 5 }, repeated)],
};

const { data_props } = settings;
const [age, ward] = data_props.features;
const narrow = { ...data_props, features: [{ ...age, range: [40, 60], within: [0, 100] }, ward] };
const validation = { fraction: 0.4, seed };
const divided = {
  'divided-gradient': vectorWith({
    data_props: narrow,
    training: { ...settings.training, freeze: ['ward'], validation },
  }),
  'divided-records': vectorWith({
    training: { ...settings.training, validation },
    privacy: { rho: 0.5, clip: 1 },
  }),
  'divided-folds': vectorWith({
    training: { solver: 'normal-equations', cross_validation: { folds: 2, seed } },
  }),
};

/** Of the round that closes a job: four parameters, and half of the width of the histogram. */
function closingWith(training: object) {
  const { with: changed, noise } = vectorWith({ training });
  const terms = termsOf(parseModel({ ...settings, training }), ownersOfJob);
  const { closing } = terms;
  if (closing === undefined) throw new Error('the model has no closing round');
  const given = [...parameters, 0.5].slice(0, closing.parameterCount);
  const own = encodeTable(terms.map, table);
  const { weight, values } = ownVector(closing.task, closingSums(closing.task, own, Float64Array.from(given)));
  return {
    with: changed,
    plan: planToWire(closing.plan),
    noise,
    parameters: encodeParameters(given),
    weight: String(weight),
    values: values.slice(0, values.length).map(String),
  };
}

const closing = {
  'closing-linear': closingWith({ ...settings.training, inference: { level: 0.95 }, diagnostics: { bins: 2 } }),
};

const statisticsFile = 'age,ward,visits,stay\n25,north,1,16\n75,?,0,40\n50,south,2,32\n,west,1,8\n';
const statisticsTable = await readTable({ text: statisticsFile }, { header: true });

/** One owner's statistics of the file above. */
function statisticsWith(privacy?: object) {
  const model = parseStatistics({
    model_type: 'STATISTICS',
    data_props: {
      header: true,
      columns: [
        { name: 'age', type: 'continuous', range: [0, 100] },
        { name: 'ward', type: 'nominal', levels: ['north', 'south', 'west'] },
        { name: 'visits', type: 'discrete', range: [0, 2], missing: 'refuse' },
        { name: 'stay', type: 'continuous', range: [0, 64], missing: 'refuse' },
      ],
    },
    statistics: {
      moments: ['stay'],
      covariance: ['age', 'stay'],
      histograms: [
        { column: 'age', edges: [20, 50, 80] },
        { column: 'stay', bins: 4 },
      ],
      contingency: [['ward', 'visits']],
    },
    encryption: { key_bits: 2048, fraction_bits: 16 },
    participation: { quorum: 2, deadline_seconds: 30, max_records: 4 },
    ...(privacy === undefined ? {} : { privacy }),
  });
  const terms = termsOf(model, ownersOfJob) as StatisticsTerms;
  const { weight, values } = statisticsSums(terms.task, encodeColumns(terms.map, statisticsTable));
  return {
    model,
    file: statisticsFile,
    plan: planToWire(terms.plan),
    noise: noiseToWire(model, terms),
    weight: String(weight),
    values: values.map(String),
  };
}

function vectorSumWith(document: object, vector: readonly number[], weight?: number) {
  const sum = parseVectorSum({
    model_type: 'VECTOR_SUM',
    length: vector.length,
    encryption: { key_bits: 2048 },
    ...document,
  });
  const terms = vectorSumTerms(sum, ownersOfJob);
  const { vector: encoded } = encodeVector(sum, vector, weight);
  return {
    model: sum,
    vector,
    plan: planToWire(terms.plan),
    noise: noiseToWire(sum, terms),
    weight: String(encoded.weight),
    values: encoded.values.map(String),
  };
}

const others = {
  'statistics-exact': statisticsWith(),
  'statistics-private': statisticsWith({ rho: 0.5 }),
  'sum-bound': vectorSumWith({ bits: 32, bound: 3, max_weight: 10 }, [0.1, -3, 2], 7),
  'sum-levels': vectorSumWith(
    {
      bits: 16,
      levels: 50_000,
      bound: 8,
      max_weight: 1000,
      parameters: 3,
      averaging: {
        tensors: [
          { name: 'weight', shape: [1, 2] },
          { name: 'bias', shape: [] },
        ],
        settings: [],
      },
    },
    [0.1, -8, 2],
    120,
  ),
  'sum-norm': vectorSumWith({ bits: 64, norm: 2, privacy: { rho: 0.5, place: 'facilitator' } }, [0.1, -3, 2]),
};

const northTags = createTagSecret(seedOf('tags of north'));
const modelOwnerTags = createTagSecret(seedOf('tags of the model owner'));
const context = { job: hex(seedOf('job')), round: 7, roundDigest: hex(seedOf('round')) };
const tagKey = northTags.agree(modelOwnerTags.publicKey, owner);
const tags = tagsOf(tagKey, context, 2);
const tagging = {
  owner,
  secret: hex(seedOf('tags of north')),
  public: northTags.publicKey,
  other_public: modelOwnerTags.publicKey,
  tag_key: hex(tagKey.export()),
  job_digest: context.job,
  round: context.round,
  round_digest: context.roundDigest,
  tags: tags.map((tag) => tag.toString(16).padStart(16, '0')),
};

const p = 0xd48de9c5a7a44d19e56cd9ae1a554c1bn;
const q = 0xce35c2cd3bf6641bdb0e2050b76932fbn;
const { publicKey, ...privateKey } = withPublic(testOnlyPrivateKeyFromPrimes(p, q));
const { n } = publicKey;

function withPublic(key: ReturnType<typeof testOnlyPrivateKeyFromPrimes>) {
  return { key, publicKey: key.publicKey };
}

/** Bytes that are the same in every run. */
function numbers(): RandomBytes {
  let drawn = 0;
  return (length) => createHash('shake256', { outputLength: length }).update(`number ${drawn++}`).digest();
}

const proofContext = 'sealsum modulus proof v1|job|model-owner';
const proof = await proveModulus(privateKey.key, Buffer.from(proofContext), { random: numbers() });
await verifyModulus(publicKey, proof, Buffer.from(proofContext));
const challenges = modulusChallenges(n, fromBase64url(proof.w), Buffer.from(proofContext));
const inHex = (value: bigint): string => hex(bigintToBytes(value, 32));
const [firstAnswer] = proof.blum;
const modulus = {
  public_key: publicKeyToJwk(publicKey),
  context: proofContext,
  w: proof.w,
  challenge_root_0: inHex(challenges.roots[0] ?? 0n),
  root_0: proof.roots[0],
  challenge_blum_0: inHex(challenges.blum[0] ?? 0n),
  blum_0: firstAnswer satisfies BlumAnswer | undefined,
};

const toyPlan = createPlan({
  keyBits: 256,
  length: 12,
  owners: 2,
  maxWeight: 10n,
  valueBound: 1000n,
  scale: 100,
  tags: true,
});
const slots = [1n, 4n, -4000n, 3999n, 0n, -1n, 2n, -3n, 5n, -8n, 13n, -21n, 34n, -55n];
const plaintexts = packing(toyPlan, slots, n, tags).slice(0, toyPlan.ciphertexts);
const randomisers = ['first', 'second'].map((text) => BigInt(`0x${hex(seedOf(text))}`) % n);
const ciphertexts = plaintexts.map((m, index) => {
  const r = randomisers[index] ?? 0n;
  return ((1n + m * n) * power(r, n, n * n)) % (n * n);
});
const packed = {
  plan: planToWire(toyPlan),
  slots: slots.map(Number),
  tags: tagging.tags,
  n: inHex(n),
  plaintexts: plaintexts.map(inHex),
  r: randomisers.map(inHex),
  bytes: ciphertexts.map((each) => hex(bigintToBytes(each, 64))).join(''),
};

const round = {
  job: 'm1',
  round: context.round,
  job_digest: context.job,
  model_hash: features.model_hash,
  roster: ['north', 'south', 'west'],
  quorum: 2,
  deadline_seconds: 30,
  parameters: encodeParameters(parameters),
};
const content = Buffer.from(packed.bytes, 'hex');
const statement = {
  job: round.job,
  round: round.round,
  round_digest: objectDigest('round', round),
  owner,
  digest: sha256(content),
  bytes: content.length,
};
const { key, value } = signObject(north, 'contribution', statement);

function power(base: bigint, exponent: bigint, modulo: bigint): bigint {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % modulo)
    if (rest % 2n === 1n) result = (result * square) % modulo;
  return result;
}

/** By the name that stands above each on the page. */
export const pageVectors: Readonly<Record<string, object>> = {
  identity,
  signing,
  'request-put': request('PUT', put, body),
  'request-get': request('GET', get),
  parameters: {
    values: parameters,
    text: encodeParameters(parameters),
    read: [...decodeParameters(encodeParameters(parameters))],
  },
  features,
  ...vectors,
  division,
  ...divided,
  ...closing,
  ...onEncrypted,
  ...others,
  modulus,
  tags: tagging,
  packing: packed,
  round: { descriptor: round, digest: statement.round_digest },
  statement: { statement, [contributionSignatureHeader]: `${key}.${value}` },
};

/** An example as it stands on the page: a field a line. */
export function writeVector(vector: object): string {
  const fields = Object.entries(JSON.parse(JSON.stringify(vector)) as object);
  return `{\n${fields.map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(',\n')}\n}\n`;
}
