/** The data owner's interface, for its own people. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { createDataOwnerApp } from '../../../parties/data-owner/app.ts';
import { openDataset } from '../../../parties/data-owner/dataset.ts';
import { createDataOwner } from '../../../parties/data-owner/service.ts';
import { createFacilitatorClient } from '../../../src/http/facilitator-client.ts';
import { createLog } from '../../../src/http/log.ts';
import { generateKeyPair } from '../../../src/paillier/key-generation.ts';
import { createLedger } from '../../../src/privacy/ledger.ts';
import { systemClock } from '../../../src/protocol/clock.ts';
import type { OwnerId } from '../../../src/protocol/identifiers.ts';
import { createMemoryDataOwnerStore } from '../../../src/storage/data-owner-store.ts';
import { createMemoryLedgerStore } from '../../../src/storage/memory-ledger-store.ts';
import { dealtOut, linearSample } from '../../end-to-end/data.ts';
import { Folder, getJson, patience, startConsortium, trainOver } from '../../end-to-end/parties.ts';
import { until as untilWithin } from '../../support/until.ts';

const test = suite("the data owner's interface");

const until = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  untilWithin(what, holds, patience);

const keyPair = await generateKeyPair({ bits: 2048 });
const newKeyPair = (): Promise<typeof keyPair> => Promise.resolve(keyPair);
const sample = linearSample(40);
const document = { ...sample.document, encryption: { key_bits: 2048 } };

interface Job {
  readonly job: string;
  readonly status: string;
  readonly records?: number;
  readonly dropped?: number;
  readonly round?: number;
  readonly reason?: string;
}

test('shows whom it follows, its data set, its jobs and its ledger', async () => {
  await using consortium = await startConsortium({ data: dealtOut(sample, 2), newKeyPair });
  const { facilitator, modelOwner, folder, owners } = consortium;
  const url = owners[0]?.url ?? '';
  const idle = { owner: 'owner-1', facilitator: facilitator.url, connected: true };
  assert.deepEqual(await getJson(`${url}/status`), { ...idle, jobs: {} });
  assert.deepEqual(await getJson(`${url}/readyz`), { status: 'ready' });
  const { datasets } = await getJson<{ datasets: { name: string; path: string; bytes: number }[] }>(`${url}/datasets`);
  assert.equal(datasets.length, 1);
  assert.deepEqual(
    [datasets[0]?.name, datasets[0]?.path, datasets[0]?.bytes],
    ['owner-1.csv', `${folder.path}/owner-1.csv`, Buffer.byteLength(dealtOut(sample, 2)[0] ?? '')],
  );

  const good = await trainOver(modelOwner, document);
  assert.equal(good.status, 'finished', good.failure?.detail);
  const narrow = { ...sample.document.data_props, target: { name: 'outcome', range: [0, 1] } };
  const bad = await trainOver(modelOwner, { ...document, data_props: narrow });
  assert.equal(bad.status, 'failed');
  await until('the owner has heard of both ends', async () => {
    const { jobs } = await getJson<{ jobs: Job[] }>(`${url}/jobs`);
    return jobs[0]?.status === 'ended' && jobs[1]?.status === 'refused';
  });
  const { jobs } = await getJson<{ jobs: Job[] }>(`${url}/jobs`);
  assert.deepEqual(
    jobs.map(({ job, records, dropped, round }) => ({ job, records, dropped, round })),
    [
      { job: good.id, records: 20, dropped: 0, round: 1 },
      { job: bad.id, records: undefined, dropped: undefined, round: undefined },
    ],
  );
  assert.match(jobs[1]?.reason ?? '', /^line 2, outcome: expected a number within \[0, 1\]/);
  assert.deepEqual(await getJson(`${url}/status`), { ...idle, jobs: { ended: 1, refused: 1 } });

  const ledger = await getJson<{ entries: { job: string; round: number; rho: null }[] }>(`${url}/ledger`);
  assert.deepEqual(
    { ...ledger, entries: ledger.entries.map(({ job, round, rho }) => ({ job, round, rho })) },
    {
      spent_rho: { numerator: '0', denominator: '1', value: 0 },
      rounds: 1,
      unprotected_rounds: 1,
      entries: [{ job: good.id, round: 1, rho: null }],
    },
  );
});

test('is not ready before it has found the facilitator, and says why', async () => {
  await using folder = await Folder.create();
  const stop = new AbortController();
  const { signal } = stop;
  const owner = 'north' as OwnerId;
  const facilitatorUrl = 'http://127.0.0.1:9';
  const log = createLog('north', 'silent');
  const ledgerStore = createMemoryLedgerStore();
  const ledger = createLedger(ledgerStore);
  const dataOwner = createDataOwner({
    owner,
    client: createFacilitatorClient({ url: facilitatorUrl, fetch, clock: systemClock }),
    dataset: await openDataset(await folder.write('data.csv', 'x')),
    store: createMemoryDataOwnerStore(),
    ledger,
    clock: systemClock,
    log,
    signal,
  });
  const app = createDataOwnerApp({ owner, facilitatorUrl, dataOwner, ledger, ledgerStore, log, signal });
  const running = dataOwner.run();
  const response = await app.request('/readyz');
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { status: 'not ready', reason: 'not connected to the facilitator' });
  stop.abort();
  await running;
  assert.deepEqual(await (await app.request('/readyz')).json(), { status: 'not ready', reason: 'stopping' });
});

test('describes itself, and refuses what it does not know as a problem', async () => {
  await using consortium = await startConsortium({ data: dealtOut(sample, 2), newKeyPair });
  const url = consortium.owners[0]?.url ?? '';
  const { paths } = await getJson<{ paths: Record<string, object> }>(`${url}/openapi.json`);
  assert.deepEqual(Object.keys(paths).sort(), ['/datasets', '/jobs', '/ledger', '/status']);
  const unknown = await fetch(`${url}/records`);
  assert.equal(unknown.status, 404);
  assert.equal(((await unknown.json()) as { type: string }).type, 'urn:sealsum:problem:route-unknown');
});

test.run();
