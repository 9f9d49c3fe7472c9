/**
 * What two data owners hold, have heard and can ask for, together, of a third one: nothing of its records, its vectors, its keys
 * and its answers. And what all parties write to their logs and measurements: nothing that is anybody's secret.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import { openJobKeys } from '../../parties/model-owner/job-keys.ts';
import { createSignedFetch } from '../../src/http/signed-fetch.ts';
import { primesOf } from '../../src/paillier/private-key.ts';
import { systemRandom } from '../../src/paillier/random.ts';
import { systemClock } from '../../src/protocol/clock.ts';
import { type JobId, jobIdSchema, ownerIdSchema } from '../../src/protocol/identifiers.ts';
import type { SignedAnswer } from '../../src/protocol/job-messages.ts';
import { sha256 } from '../../src/protocol/manifest.ts';
import { decodeParameters } from '../../src/protocol/parameters.ts';
import { contributionSignatureHeader, type RoundView } from '../../src/protocol/round-messages.ts';
import { createAuditLog } from '../../src/storage/audit-log.ts';
import { createModelStore } from '../../src/storage/durable-model-store.ts';
import { linearSample, textOf } from '../end-to-end/data.ts';
import { until } from '../support/until.ts';
import { type Consortium, type Exchange, type OwnerParty, over, post, startConsortium, train } from './consortium.ts';
import { addressesOf } from './fuzzing.ts';
import {
  found,
  holdings,
  type Place,
  place,
  type Secret,
  sayings,
  secretBytes,
  secretNumber,
  secretText,
} from './secrets.ts';

/** What only cora has: two values of a record, and so many records. */
const planted = { age: '63.07182818284', outcome: '41.31415926535' } as const;
const records = 1237;

const plain = linearSample(90);
/** Every age and outcome with digits of its own behind it, so that nothing else, such as a time, is written like it. */
const sample = {
  ...plain,
  rows: plain.rows.map((row, index) => {
    const [age = '', visits, ward, outcome = ''] = row.split(',');
    const digits = String(271_828_182 + 7919 * index);
    return [age.includes('.') ? `${age}${digits}` : `${age}.0${digits}`, visits, ward, `${outcome}${digits}`].join(',');
  }),
};
const young = (row: number): boolean => Number(sample.rows[row]?.split(',')[0]) <= 60;
const ofAnna = textOf(sample, (row) => row % 3 === 0 && young(row));
const ofBert = textOf(sample, (row) => row % 3 === 1 && young(row));
const ofCora = [
  sample.header,
  `${planted.age},3,south,${planted.outcome}`,
  ...Array.from({ length: records - 1 }, (_, index) => sample.rows[(index * 3 + 2) % 90]),
  '',
].join('\n');

const document = {
  ...sample.document,
  training: { solver: 'gradient', rounds: 2 },
  encryption: { key_bits: 2048 },
  participation: { quorum: 2, deadline_seconds: 120 },
};
/** A model that cora's planted record does not fit. */
const narrow = structuredClone(document) as unknown as { data_props: { features: { range?: number[] }[] } };
for (const feature of narrow.data_props.features.slice(0, 1)) feature.range = [0, 62];

interface Context {
  consortium: Consortium;
  anna: OwnerParty;
  bert: OwnerParty;
  cora: OwnerParty;
  /** Three jobs: one that is over, one that cora refused, and one that stands still with cora's contribution only. */
  jobs: readonly JobId[];
  /** Lets the third go on. */
  goOn: () => void;
}

const test = suite('what is held');

/** All of them, at work; whatever keeps them from it is told here, and not by a test that finds nothing. */
const context = await begin();

test.after(async () => {
  context.goOn();
  await context.consortium[Symbol.asyncDispose]();
});

async function begin(): Promise<Context> {
  let goOn = (): void => undefined;
  const standstill = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let halted = false;
  const consortium = await startConsortium({ anna: ofAnna, bert: ofBert, cora: ofCora }, async (who, method, path) => {
    if (halted && method === 'PUT' && ['anna', 'bert'].includes(who.name) && path.includes('/contributions/'))
      await standstill;
  });
  const [anna, bert, cora] = consortium.owners;
  assert.ok(anna !== undefined && bert !== undefined && cora !== undefined);
  const first = await train(consortium.modelOwner, document);
  assert.equal(first.status, 'finished', JSON.stringify(first.failure));
  const second = await train(consortium.modelOwner, narrow);
  assert.equal(second.status, 'finished', JSON.stringify(second.failure));
  // Anna and bert keep still from the third one's first round on.
  halted = true;
  const third = await post(consortium.modelOwner, { ...document, name: 'third' });
  await until('cora to contribute', () => coraContributed(cora, third), 60_000);
  const jobs = [first.id, second.id, third].map((id) => jobIdSchema.parse(id));
  return { consortium, anna, bert, cora, jobs, goOn };
}

async function coraContributed({ service }: OwnerParty, job: string): Promise<boolean> {
  return (await service.receipts(jobIdSchema.parse(job)).catch(() => [])).length > 0;
}

const requestsOf = ({ exchanges }: OwnerParty, method: string, path: RegExp): readonly Exchange[] =>
  exchanges.filter((each) => each.method === method && path.test(each.path));

const contributionsOf = (owner: OwnerParty): readonly Exchange[] => requestsOf(owner, 'PUT', /\/contributions\//);
const answersOf = (owner: OwnerParty): readonly SignedAnswer[] =>
  requestsOf(owner, 'PUT', /\/owners\//).map(({ sent }) => JSON.parse(Buffer.from(sent).toString()) as SignedAnswer);

/** Everything that is cora's alone, but for what manifests say. */
function secretsOf(cora: OwnerParty): Secret[] {
  const contributions = contributionsOf(cora).map(({ path, sent }) => secretBytes(`cora's ${path}`, sent));
  const answers = answersOf(cora).flatMap(({ answer, signature }) => [
    secretText('the signature of an answer', signature.value),
    ...(answer.tag_key === undefined ? [] : [secretText('a tag key', answer.tag_key)]),
    ...(answer.reason === undefined ? [] : [secretText('the reason of an answer', answer.reason)]),
  ]);
  const reasons = cora.service
    .jobs()
    .flatMap(({ reason }) => (reason === undefined ? [] : [secretText('a reason', reason)]));
  assert.ok(contributions.length >= 4 && answers.length >= 5 && reasons.length === 1);
  return [
    ...contributions,
    ...answers,
    ...reasons,
    secretText('a value of a record', planted.age),
    secretText('a value of a record', planted.outcome),
    secretText('the name of the data file', 'cora.csv'),
    secretBytes('the seed', cora.identity.seed),
    secretBytes('the key of the store', cora.storageKey),
  ];
}

/** What manifests say of cora, and nothing else does. */
function onlyInManifests(cora: OwnerParty): Secret[] {
  return contributionsOf(cora).flatMap(({ path, sent, headers }) => [
    secretText(`the digest of cora's ${path}`, sha256(sent)),
    secretText(`the signature of cora's ${path}`, headers[contributionSignatureHeader]?.split('.')[1] ?? ''),
  ]);
}

/** JSON without its manifests; anything else as it is. */
function withoutManifests({ where, content }: Place): Place {
  try {
    return place(
      where,
      JSON.stringify(JSON.parse(content.toString()), (key, value: unknown) => (key === 'manifest' ? 0 : value)),
    );
  } catch {
    return { where, content };
  }
}

/** Every answer that an owner gets when it asks for everything, with its own signature; and of streams what has happened. */
async function everythingAsked(
  { facilitator }: Consortium,
  { identity }: OwnerParty,
  jobs: readonly JobId[],
): Promise<Place[]> {
  const signed = createSignedFetch({ identity, fetch, clock: systemClock, random: systemRandom });
  const places: Place[] = [];
  for (const path of await pathsOf(facilitator.url, jobs)) {
    const stop = new AbortController();
    const response = await signed(`${facilitator.url}${path}`, {
      signal: stop.signal,
      headers: { 'last-event-id': '0' },
    });
    let content: Buffer;
    if (response.headers.get('content-type') === 'text/event-stream') {
      const job = jobs.find((each) => path.includes(each));
      const of = job === undefined ? { owner: ownerIdSchema.parse(identity.name) } : { job };
      const last = (await facilitator.facilitator.reader(identity, of)(0)).at(-1)?.id ?? 0;
      content = await eventsUpTo(last, response);
    } else content = Buffer.from(await response.arrayBuffer());
    stop.abort();
    places.push(place(`${path} as ${identity.name} is answered`, content));
  }
  return places;
}

/** The addresses of the document, and some that might be there, for these jobs and all that is in them. */
async function pathsOf(url: string, jobs: readonly JobId[]): Promise<readonly string[]> {
  const templates = (await addressesOf(url)).map(({ path }) => path);
  const more = [
    '/events?owner=anna',
    '/events?owner=bert',
    '/events?owner=cora',
    '/jobs/{job}/owners',
    '/jobs/{job}/rounds',
    '/jobs/{job}/rounds/{round}/contributions',
    '/contributions',
    '/receipts',
    '/ledger',
    '/datasets',
    '/status',
  ];
  const fill = (paths: readonly string[], name: string, values: readonly (string | number)[]): string[] =>
    paths.flatMap((path) => (path.includes(name) ? values.map((value) => path.replace(name, String(value))) : [path]));
  const inJobs = fill([...new Set([...templates, ...more])], '{job}', jobs);
  return fill(fill(inJobs, '{round}', [1, 2, 3, 4]), '{owner}', ['anna', 'bert', 'cora']);
}

/** What a stream says up to an event. */
async function eventsUpTo(last: number, response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const body: ReadableStream<Uint8Array> = response.body ?? assert.fail('a stream without a body');
  for await (const chunk of body) {
    chunks.push(chunk);
    if (Buffer.concat(chunks).includes(`id: ${last}\n`)) break;
  }
  return Buffer.concat(chunks);
}

/** What a stream says in so many milliseconds: one that has no last event. */
async function eventsWithin(time: number, response: Response): Promise<string> {
  const body: ReadableStream<Uint8Array> = response.body ?? assert.fail('a stream without a body');
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  const timer = setTimeout(() => void reader.cancel(), time);
  for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
  clearTimeout(timer);
  return Buffer.concat(chunks).toString();
}

/** The age and the outcome of a row. */
function valuesOf(row: string): readonly string[] {
  const [age = '', , , outcome = ''] = row.split(',');
  return [age, outcome];
}

/** Everything of two owners. */
async function heldByTheOthers({ consortium, anna, bert, jobs }: Context): Promise<Place[]> {
  const places: Place[] = [];
  for (const owner of [anna, bert]) {
    places.push(...(await holdings(owner)), ...(await everythingAsked(consortium, owner, jobs)));
    for (const path of await pathsOf(owner.url, jobs)) {
      const response = await fetch(`${owner.url}${path}`, { headers: { 'last-event-id': '0' } });
      const isStream = response.headers.get('content-type') === 'text/event-stream';
      const said = isStream ? await eventsWithin(1000, response) : await response.text();
      places.push(place(`${path} of ${owner.identity.name}`, said));
    }
    const folder = dirname(owner.store);
    for (const file of await readdir(folder))
      places.push(place(`${owner.identity.name}'s ${file}`, await readFile(join(folder, file))));
  }
  return places;
}

function requireNothingOf(cora: OwnerParty, places: readonly Place[]): void {
  assert.ok(places.length > 100);
  assert.equal(found(secretsOf(cora), places), undefined);
  const bare = places.map(withoutManifests);
  assert.equal(found(onlyInManifests(cora), bare), undefined);
  for (const { where, content } of bare) {
    const text = content.toString('latin1');
    assert.ok(!new RegExp(`\\b${records}\\b`).test(text), `the number of records in ${where}`);
    // As an event or a view says of whom it is; rosters name owners in another way.
    assert.ok(!/"owner":"cora"/.test(text), `something about cora in ${where}: ${text.slice(0, 500)}`);
  }
}

test('while a round is open, two owners hold nothing of the third, who has contributed to it', async () => {
  requireNothingOf(context.cora, await heldByTheOthers(context));
});

test('what is looked for would be found: cora herself holds it', async () => {
  const { cora } = context;
  const folder = dirname(cora.store);
  const own: Place[] = [
    ...(await holdings(cora)),
    ...cora.exchanges.map(({ path, sent, headers }) =>
      place(path, Buffer.concat([Buffer.from(JSON.stringify(headers)), sent])),
    ),
    place('her views', JSON.stringify([cora.service.jobs(), await cora.datasets.views()])),
    place('her file', await readFile(join(folder, 'cora.csv'))),
    place('her identity', cora.identity.seed),
    place('her store key', Buffer.from(cora.storageKey).toString('base64')),
  ];
  for (const secret of [...secretsOf(cora), ...onlyInManifests(cora)])
    assert.ok(found([secret], own) !== undefined, `${secret.what} is nowhere`);
  assert.ok(own.some(({ content }) => new RegExp(`\\b${records}\\b`).test(content.toString('latin1'))));
  assert.ok(own.some(({ content }) => /"owner":"cora"/.test(content.toString('latin1'))));
});

test('no log and no measurement says a value of a record or parameter, a key, a signature or a contribution', async () => {
  const { consortium, jobs } = context;
  const { owners, modelOwner, facilitator } = consortium;
  const everybody = [...owners, modelOwner];
  const secrets: Secret[] = [...everybody, facilitator].map(({ identity }) =>
    secretBytes(`the seed of ${identity.name}`, identity.seed),
  );
  for (const { identity, storageKey } of everybody)
    secrets.push(secretBytes(`the store key of ${identity.name}`, storageKey));
  const [, , standing] = jobs;
  assert.ok(standing !== undefined);
  const store = createModelStore(modelOwner.database, createAuditLog(modelOwner.identity, systemClock));
  const proposal = (await store.training(standing))?.proposal;
  assert.ok(proposal !== undefined);
  const { keyPair } = openJobKeys(standing, proposal.sealedKeys, modelOwner.storageKey);
  const { p, q } = primesOf(keyPair.privateKey);
  secrets.push(secretNumber('a prime', p), secretNumber('a prime', q));
  for (const text of [planted.age, planted.outcome, ...sample.rows.flatMap(valuesOf)])
    secrets.push(secretText('a value of a record', text));
  for (const { exchanges, identity } of everybody)
    for (const { method, path, headers, sent, received } of exchanges) {
      const what = `${method} ${path} by ${identity.name}`;
      const signatures = /sealsum=:(.+):/.exec(headers.signature ?? '')?.[1] ?? assert.fail(what);
      const texts = [signatures, ...[sent, Buffer.concat(received)].flatMap((bytes) => signaturesIn(bytes))];
      for (const text of texts) secrets.push(secretText(`a signature in ${what}`, text));
      if (path.includes('/contributions/')) secrets.push(secretBytes(`the bytes of ${what}`, sent));
      if (path.endsWith('/aggregate')) secrets.push(secretBytes(`the aggregate of ${what}`, Buffer.concat(received)));
      for (const value of parametersIn(method, path, Buffer.concat(received)))
        secrets.push(secretText(`a parameter of ${what}`, value));
    }
  assert.ok(secrets.length > 200);
  const places = (await Promise.all([...everybody, { ...facilitator, url: facilitator.url }].map(sayings))).flat();
  assert.ok(places.every(({ content }) => content.length > 200));
  assert.equal(found(secrets, places), undefined);
});

test('every line of every log is JSON, and says of which request, and of which job and round, it is', () => {
  const { owners, modelOwner, facilitator } = context.consortium;
  const [first] = context.jobs;
  for (const { identity, lines } of [...owners, modelOwner, facilitator]) {
    const logged = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    for (const { party, level, time, msg } of logged)
      assert.ok([party, level, time, msg].every((each) => typeof each === 'string'));
    const requests = logged.filter(({ msg }) => msg === 'request');
    assert.ok(requests.length > 0, identity.name);
    const names = new Set(requests.map(({ request_id }) => request_id));
    assert.equal(names.size, requests.length, `two requests to ${identity.name} of one name`);
    assert.ok(!names.has(undefined));
  }
  const told = facilitator.lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  for (const round of [1, 2]) {
    const about = told.filter((line) => line.job === first && line.round === round);
    for (const type of ['round.opened', 'round.closed'])
      assert.ok(
        about.some(({ msg }) => msg === type),
        type,
      );
    for (const owner of ['anna', 'bert', 'cora']) {
      const path = `/jobs/${first}/rounds/${round}/contributions/${owner}`;
      const line = about.find((each) => each.msg === 'request' && each.path === path);
      assert.deepEqual([line?.method, line?.sender, line?.status], ['PUT', owner, 201]);
    }
  }
});

/** The signatures that stand in JSON. */
function signaturesIn(bytes: Uint8Array): readonly string[] {
  return [
    ...Buffer.from(bytes)
      .toString('latin1')
      .matchAll(/"value":"([A-Za-z0-9_-]{86})"/g),
  ].map(([, value]) => value ?? '');
}

/** The parameters of a round that was shown, as they travel and as JSON writes them; those with few digits may stand anywhere. */
function parametersIn(method: string, path: string, answer: Buffer): readonly string[] {
  if (method !== 'GET' || !/\/rounds\/[0-9]+$/.test(path)) return [];
  const { signed } = JSON.parse(answer.toString()) as RoundView;
  const travelling = signed?.descriptor.parameters ?? '';
  const numbers = Array.from(decodeParameters(travelling), (value) => JSON.stringify(value));
  return [travelling, ...numbers].filter((text) => text.length >= 8);
}

test('when everything is over, two owners hold nothing more of the third than its line in each manifest', async () => {
  const { consortium, cora, jobs, goOn } = context;
  goOn();
  const [, , third] = jobs;
  assert.equal((await over(consortium.modelOwner, third ?? '')).status, 'finished');
  const places = await heldByTheOthers({ ...context, jobs });
  requireNothingOf(cora, places);
  const manifests = found(onlyInManifests(cora), places);
  assert.match(manifests ?? '', /^the digest of cora's .*\/rounds\/[0-9]\/contributions\/cora in /);
});

test.run();
