/** Whole vector sums over real sockets with an owner in a real browser, on a page with a strict Content Security Policy. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { suite } from 'uvu';
import { bundleForBrowsers } from '../../scripts/browser-bundle.ts';
import type { FacilitatorOptions } from '../end-to-end/parties.ts';
import { Folder } from '../end-to-end/parties.ts';
import { launchChromium, runInChromium } from '../support/chromium.ts';
import type { Ask, Outcome, Setting } from './browser-page.ts';
import { type Stage, setStage } from './stage.ts';

const subject = 'a client in a browser';
const test = suite(subject);

/** Everything that a page does not need is forbidden, and so is making code or markup of text. */
const policy =
  "default-src 'none'; script-src 'self'; connect-src http://127.0.0.1:*; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

let browser: Browser;
let folder: Folder;
let server: Server;
let origin: string;

test.before(async () => {
  folder = await Folder.create();
  const script = join(folder.path, 'page.js');
  await bundleForBrowsers('test/vector-sum/browser-page.ts', script);
  server = createServer((request, response) => {
    const served = async (): Promise<void> => {
      const isScript = request.url === '/page.js';
      response.setHeader('content-security-policy', policy);
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(
        isScript
          ? await readFile(script)
          : '<!doctype html><title>owner</title><script type="module" src="page.js"></script>',
      );
    };
    void served();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  browser = await launchChromium();
});

test.after(async () => {
  await browser.close();
  server.closeAllConnections();
  server.close();
  await folder[Symbol.asyncDispose]();
});

/** Two owners, of which the second is one in a browser. */
function setTwo(before?: FacilitatorOptions['before'], origins: readonly string[] = [origin]): Promise<Stage> {
  return setStage({ owners: 2, origins, ...(before === undefined ? {} : { before }) });
}

function settingOf({ cast, facilitator }: Stage, more: Partial<Setting> = {}): Setting {
  const identity = cast.owners[1];
  assert.ok(identity !== undefined);
  const parties = cast.parties.all.map(({ name, role, publicKey }) => ({ name, role, key: publicKey }));
  return { facilitator: facilitator.url, name: identity.name, seed: [...identity.seed], parties, ...more };
}

interface Tab extends AsyncDisposable {
  readonly page: Page;
  readonly ask: Ask;
  /** What it gave. */
  readonly value: (outcome: Promise<Outcome>) => Promise<unknown>;
}

/** A tab with the page, whose complaints are this test's. */
async function openTab(context = browser.newContext()): Promise<Tab> {
  const shared = await context;
  const page = await shared.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.exposeFunction('complain', (text: string) => complaints.push(text));
  await page.addInitScript(
    "addEventListener('securitypolicyviolation', (event) => complain(event.violatedDirective + ' ' + event.blockedURI))",
  );
  await page.goto(origin, { waitUntil: 'networkidle' });
  const ask: Ask = (name, ...input) =>
    page.evaluate(
      ([asked, given]) => {
        const { ask } = globalThis as unknown as { ask: (name: string, ...input: unknown[]) => Promise<Outcome> };
        return ask(asked, ...given);
      },
      [name, input] as const,
    );
  return {
    page,
    ask,
    value: async (outcome) => {
      const found = await outcome;
      assert.ok('value' in found, JSON.stringify(found));
      return found.value;
    },
    [Symbol.asyncDispose]: async () => {
      await page.close();
      assert.deepEqual(complaints, []);
    },
  };
}

test('a round of an owner in Node and one in a browser, refusals, and the same receipt again', async () => {
  await using stage = await setTwo();
  const [north] = stage.clients;
  assert.ok(north !== undefined);
  await using tab = await openTab();
  const { ask, value } = tab;
  assert.equal(await value(ask('open', settingOf(stage, { policy: { rho_total: 1 } }))), 'owner-2');
  const job = await stage.job({ length: 3, bits: 32, norm: 2, rounds: 2, privacy: { rho: 0.5, place: 'data-owners' } });
  await Promise.all([north.join(job), value(ask('join', job.id))]);
  const round = await job.startRound();
  assert.equal(await value(ask('next', job.id)), 1);

  assert.deepEqual(await ask('submit', job.id, 1, [0, null, 0]), { code: 'number_not_finite', field: 'value 1' });
  assert.deepEqual(await ask('submit', job.id, 1, [0, 0]), { code: 'plan_mismatch', field: 'length' });
  assert.deepEqual(await ask('submit', job.id, 9, [0, 0, 0]), { code: 'round_unknown', field: 'round' });
  assert.deepEqual(await value(ask('spent')), [{ rounds: 0, rho: 0 }]);

  const given = await value(ask('submit', job.id, 1, [3, 0, 4]));
  const { receipt, ...told } = given as { receipt: { receipt: { owner: string; round: number } } };
  assert.deepEqual(told, { norm: 5, clipped: true });
  assert.deepEqual([receipt.receipt.owner, receipt.receipt.round], ['owner-2', 1]);
  await north.submit(job, round, [0.5, 0.5, 0]);
  assert.deepEqual(await value(ask('submit', job.id, 1, [3, 0, 4])), given);
  assert.deepEqual(await ask('submit', job.id, 1, [3, 0, 0]), { code: 'contribution_conflict', field: 'vector' });

  const { sum, contributors } = await round.collect();
  assert.deepEqual([...contributors].sort(), ['owner-1', 'owner-2']);
  // σ = 2/√(2·0.25) = 2.8 on each value: twelve of them are passed less than once in 10^32 rounds.
  for (const [index, exact] of [1.7, 0.5, 1.6].entries()) assert.ok(Math.abs((sum[index] ?? 0) - exact) < 12 * 2.83);
  assert.equal(await value(ask('included', job.id, 1)), true);
  assert.deepEqual(await value(ask('spent')), [{ rounds: 1, rho: 0.25 }]);
});

test('sums of every width are exact', async () => {
  await using stage = await setTwo();
  const [north] = stage.clients;
  assert.ok(north !== undefined);
  await using tab = await openTab();
  const { ask, value } = tab;
  await value(ask('open', settingOf(stage)));
  for (const bits of [16, 64] as const) {
    const job = await stage.job({ length: 40, bits, bound: 1, maxWeight: 3 });
    const vector = Array.from({ length: 40 }, (_, index) => (index - 20) / 32);
    await Promise.all([north.join(job), value(ask('join', job.id))]);
    const round = await job.startRound();
    await Promise.all([north.submit(job, round, vector, { weight: 3 }), value(ask('submit', job.id, 1, vector))]);
    const { sum, weight } = await round.collect();
    assert.deepEqual(
      [...sum],
      vector.map((each) => 4 * each),
    );
    assert.equal(weight, 4);
  }
});

test('a job that its policy does not take is refused by the page, and the model owner reads why', async () => {
  await using stage = await setTwo();
  const [north] = stage.clients;
  assert.ok(north !== undefined);
  await using tab = await openTab();
  const { ask, value } = tab;
  await value(ask('open', settingOf(stage, { policy: { places: ['data-owners'] } })));
  const job = await stage.job({ length: 1, bits: 16, norm: 1, privacy: { rho: 1, place: 'model-owner' } });
  await north.join(job);
  assert.deepEqual(await ask('join', job.id), { code: 'policy_refused', field: 'policy.places' });
  await assert.rejects(job.startRound(), { code: 'owners_too_few', message: /owner-2/ });
});

test('what is in IndexedDB outlives the page: the ledger, and the very bytes of a contribution', async () => {
  const sent: Uint8Array[] = [];
  let isBroken = true;
  await using stage = await setTwo((app) => async (request) => {
    if (request.method !== 'PUT' || !request.url.endsWith('contributions/owner-2')) return await app(request);
    const bytes = new Uint8Array(await request.arrayBuffer());
    sent.push(bytes);
    if (isBroken) return new Response(null, { status: 503 });
    return await app(new Request(request, { body: bytes }));
  });
  const [north] = stage.clients;
  assert.ok(north !== undefined);
  const context = await browser.newContext();
  await using tab = await openTab(Promise.resolve(context));
  const { ask, value, page } = tab;
  const setting = settingOf(stage, { store: 'vectors', policy: { rho_total: 1 }, patience: 0 });
  await value(ask('open', setting));
  const job = await stage.job({ length: 2, bits: 32, norm: 1, rounds: 2, privacy: { rho: 1, place: 'facilitator' } });
  await Promise.all([north.join(job), value(ask('join', job.id))]);
  const round = await job.startRound();
  await north.submit(job, round, [0.5, 0]);
  assert.deepEqual(await ask('submit', job.id, 1, [0, 0.5]), { code: 'facilitator_unreachable', field: undefined });

  // Another tab of the same origin may not spend from the same ledger meanwhile.
  await using other = await openTab(Promise.resolve(context));
  assert.deepEqual(await other.ask('open', setting), { code: 'store_unavailable', field: undefined });

  await page.reload({ waitUntil: 'networkidle' });
  const stranger = stage.cast.owners[0];
  assert.ok(stranger !== undefined);
  const strange = { ...setting, name: stranger.name, seed: [...stranger.seed] };
  assert.deepEqual(await ask('open', strange), { code: 'config_invalid', field: 'location' });
  await value(ask('open', setting));
  assert.deepEqual(await value(ask('spent')), [{ rounds: 1, rho: 0.5 }]);
  isBroken = false;
  const given = await value(ask('submit', job.id, 1, [0, 0.5]));
  assert.ok(sent.length >= 2);
  for (const bytes of sent) assert.deepEqual(bytes, sent[0]);
  assert.deepEqual([...(await round.collect()).contributors].sort(), ['owner-1', 'owner-2']);
  await page.reload({ waitUntil: 'networkidle' });
  await value(ask('open', setting));
  assert.deepEqual(await value(ask('submit', job.id, 1, [0, 0.5])), given);
  assert.deepEqual(await value(ask('spent')), [{ rounds: 1, rho: 0.5 }]);
});

test('a page from an origin that the facilitator does not name reaches nothing', async () => {
  await using stage = await setTwo(undefined, ['https://owners.example.org']);
  const job = await stage.job({ length: 1, bits: 16, bound: 1 });
  await using tab = await openTab();
  await tab.value(tab.ask('open', settingOf(stage, { patience: 0 })));
  assert.deepEqual(await tab.ask('join', job.id), { code: 'facilitator_unreachable', field: undefined });
  assert.ok(job.owners().every(({ status }) => status !== 'ready'));
});

runInChromium(subject, test);
