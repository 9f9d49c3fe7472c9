/**
 * A data owner as a page: it opens the identity that it is given, shows what a sum asks and promises, and contributes a vector.
 * What it has spent is in the browser's database, and stays there when the page is closed.
 */
import {
  Client,
  createParties,
  createParty,
  openClientStore,
  openSecrets,
  type Parties,
  type Party,
  partyIdSchema,
  SealsumError,
  type SumPrivacy,
} from '../../src/client.browser.ts';
import type { Project } from './project.ts';

function part<E extends Element>(selector: string, kind: new () => E): E {
  const found = document.querySelector(selector);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${selector}`);
}
const input = (name: string): HTMLInputElement => part(`[name=${name}]`, HTMLInputElement);

const ownerForm = part('#owner', HTMLFormElement);
const contributionForm = part('#contribution', HTMLFormElement);
const project = (await (await fetch('project.json')).json()) as Project;

let client: Client | undefined;
const opened = (): Client => {
  if (client === undefined) throw new Error('no identity was opened');
  return client;
};

function say(text: string, refused = false): void {
  const status = part('#status', HTMLOutputElement);
  status.textContent = text;
  status.className = refused ? 'refused' : '';
}

/** Does what a form asks for, one thing at a time, and says why it could not. */
function onSubmit(form: HTMLFormElement, work: () => Promise<void>): void {
  const button = form.querySelector('button');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (button !== null) button.disabled = true;
    work()
      .catch((error: unknown) => {
        const { message } = error instanceof Error ? error : { message: String(error) };
        say(error instanceof SealsumError ? `${error.code}: ${message}` : message, true);
      })
      .finally(() => {
        if (button !== null) button.disabled = false;
      });
  });
}

async function openOwner(): Promise<void> {
  say('Opening the identity …');
  const name = partyIdSchema.parse(part('[name=name]', HTMLSelectElement).value);
  const file = input('identity').files?.[0];
  if (file === undefined) return;
  const document: unknown = JSON.parse(await file.text());
  const { identity, storageKey } = await openSecrets(document, name, 'data-owner', input('passphrase').value);
  input('passphrase').value = '';
  const rho = input('rho').valueAsNumber;
  const store = await openClientStore(`sealsum ${name}`, identity);
  client = new Client({
    facilitator: project.facilitator,
    identity,
    storageKey,
    parties: partiesOf(project),
    store,
    policy: Number.isNaN(rho) ? {} : { rho_total: rho },
  });
  try {
    await showJobs(client);
  } catch (error) {
    // The next try opens it again.
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

async function showJobs(client: Client): Promise<void> {
  const jobs = (await client.jobs()).filter(({ status }) => status === 'open');
  const choices = part('[name=job]', HTMLSelectElement);
  choices.replaceChildren(...jobs.map(({ job }) => new Option(job)));
  ownerForm.hidden = true;
  contributionForm.hidden = jobs.length === 0;
  say(jobs.length === 0 ? `${client.owner}: no sum asks for you at present; load the page again later` : '');
  await showLedger();
  if (jobs.length > 0) await showPromise();
}

function partiesOf({ parties }: Project): Parties {
  const party = ({ name, role }: Project['parties'][number], key: string): Party =>
    createParty(partyIdSchema.parse(name), role, key);
  return createParties(
    parties.map((each) => party(each, each.key)),
    parties.flatMap((each) => each.previous.map((key) => party(each, key))),
  );
}

async function showPromise(): Promise<void> {
  const asked = await opened().privacyOf(part('[name=job]', HTMLSelectElement).value);
  part('#promise', HTMLElement).replaceChildren(
    ...Object.entries(describe(asked)).flatMap(([term, text]) => {
      const [dt, dd] = [document.createElement('dt'), document.createElement('dd')];
      [dt.textContent, dd.textContent] = [term, text];
      return [dt, dd];
    }),
  );
}

function describe({ modelOwner, sum, owners, quorum, statement, perRound, account, refused }: SumPrivacy) {
  const limit = sum.norm === undefined ? `each within ±${sum.bound ?? 0}` : `shortened to the length ${sum.norm}`;
  const left = account.left === null ? 'no limit' : account.left.rho.value.toFixed(3);
  return {
    You: opened().owner,
    'Asked by': modelOwner,
    Vector: `${sum.length} numbers, ${limit}`,
    Owners: `at least ${quorum} of ${owners}`,
    Promise: statement.guarantee,
    ...(perRound === null ? {} : { 'Costs a round': `ρ = ${perRound.rho.toFixed(3)}` }),
    'Left of the budget': left,
    ...(refused === null ? {} : { 'Would be refused': refused.message }),
  };
}

async function contribute(): Promise<void> {
  const job = part('[name=job]', HTMLSelectElement).value;
  const { sum } = await opened().privacyOf(job);
  const vector = numbersOf(part('[name=vector]', HTMLTextAreaElement).value, sum.length);
  say('Checking what was promised, and the key …');
  await opened().join(job);
  say('Waiting for the round …');
  const round = await opened().nextRound(job);
  say('Encrypting and sending …');
  const { receipt, clipped, norm } = await opened().submit(job, round, vector);
  const shortened = clipped ? `; it was shortened, its length was ${norm.toPrecision(4)}` : '';
  say(`Contributed to round ${round}: ${receipt.receipt.bytes} bytes, acknowledged by the facilitator${shortened}.`);
  await showLedger();
  await showPromise();
}

/** The client refuses what is wrong too, once the round is there; people should not wait for that. */
function numbersOf(text: string, length: number): Float64Array {
  const words = text.split(/[\s,;]+/).filter((each) => each !== '');
  if (words.length !== length) throw new Error(`${length} numbers are asked for, and these are ${words.length}`);
  return Float64Array.from(words, (word, index) => {
    const number = Number(word);
    if (Number.isFinite(number)) return number;
    throw new Error(`number ${index + 1} of them is none: ${word}`);
  });
}

async function showLedger(): Promise<void> {
  const { entries } = await opened().ledger();
  part('#ledger', HTMLElement).toggleAttribute('hidden', entries.length === 0);
  part('#ledger tbody', HTMLElement).replaceChildren(
    ...entries.map(({ job, round, rho, at }) => {
      const row = document.createElement('tr');
      for (const text of [job, String(round), rho === null ? 'no privacy' : rho.value.toFixed(3), at.slice(0, 16)])
        row.insertCell().textContent = text;
      return row;
    }),
  );
}

const owners = project.parties.filter(({ role }) => role === 'data-owner');
part('[name=name]', HTMLSelectElement).replaceChildren(...owners.map(({ name }) => new Option(name)));
part('[name=job]', HTMLSelectElement).addEventListener('change', () => {
  showPromise().catch((error: unknown) => {
    say(String(error), true);
  });
});
input('file').addEventListener('change', () => {
  void input('file')
    .files?.[0]?.text()
    .then((text) => {
      part('[name=vector]', HTMLTextAreaElement).value = text.trim();
    });
});
onSubmit(ownerForm, openOwner);
onSubmit(contributionForm, contribute);
