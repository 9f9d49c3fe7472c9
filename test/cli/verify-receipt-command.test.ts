/** `sealsum verify-receipt`: included or not, by exit code, in words and as JSON. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { createProgram, runProgram } from '../../src/cli/program.ts';
import { registerVerifyReceiptCommand } from '../../src/cli/verify-receipt-command.ts';
import { createRoster, writeRoster } from '../../src/config/roster-file.ts';
import type { JobId, OwnerId, PartyId } from '../../src/protocol/identifiers.ts';
import { createIdentity, type Identity, type Role } from '../../src/protocol/identity.ts';
import { sha256 } from '../../src/protocol/manifest.ts';
import type {
  ContributionStatement,
  Manifest,
  SignedManifest,
  SignedReceipt,
} from '../../src/protocol/round-messages.ts';
import { objectDigest, signObject } from '../../src/protocol/signed.ts';
import { program } from '../support/program.ts';

interface Context {
  folder: string;
}

const test = suite<Context>('sealsum verify-receipt');

function identity(name: string, role: Role): Identity {
  return createIdentity(name as PartyId, role, Buffer.from(sha256(Buffer.from(name)), 'hex'));
}
const facilitator = identity('facilitator', 'facilitator');
const anna = identity('anna', 'data-owner');
const bert = identity('bert', 'data-owner');

const statementOf = (owner: Identity, changes: Partial<ContributionStatement> = {}): ContributionStatement => ({
  job: 'job' as JobId,
  round: 3,
  round_digest: sha256(Buffer.from('round')),
  owner: owner.name as OwnerId,
  digest: sha256(Buffer.from(owner.name)),
  bytes: 512,
  ...changes,
});

function receiptOf(statement: ContributionStatement, signer = facilitator): SignedReceipt {
  return { receipt: statement, signature: signObject(signer, 'receipt', statement) };
}

function manifestOf(owners: readonly Identity[], changes: Partial<Manifest> = {}): SignedManifest {
  const contributions = owners.map((owner) => {
    const { digest, bytes } = statementOf(owner);
    return {
      owner: owner.name as OwnerId,
      digest,
      bytes,
      signature: signObject(owner, 'contribution', statementOf(owner)),
    };
  });
  const manifest: Manifest = {
    job: 'job' as JobId,
    round: 3,
    job_digest: sha256(Buffer.from('job')),
    round_digest: sha256(Buffer.from('round')),
    model_hash: sha256(Buffer.from('model')),
    contributions,
    count: contributions.length,
    aggregate_digest: sha256(Buffer.from('sum')),
    ...changes,
  };
  return { manifest, signature: signObject(facilitator, 'manifest', manifest) };
}

interface Ran {
  readonly code: number;
  readonly output: string;
  readonly complaint: string;
}

function exitCode(): number {
  return Number(process.exitCode ?? 0);
}

/** Runs the command in this process. */
async function verify(...args: readonly string[]): Promise<Ran> {
  const said = { output: '', complaint: '' };
  const { log, error } = console;
  const before = exitCode();
  const listeners = new Set(process.stdout.rawListeners('error'));
  const program = createProgram().configureOutput({
    outputError: (text) => {
      said.complaint += text;
    },
  });
  registerVerifyReceiptCommand(program);
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    console.log = (text: string) => {
      said.output += `${text}\n`;
    };
    console.error = (text: string) => {
      said.complaint += `${text}\n`;
    };
    process.exitCode = 0;
    await runProgram(program, ['node', 'sealsum', 'verify-receipt', ...args]);
    return { ...said, code: exitCode() };
  } finally {
    console.log = log;
    console.error = error;
    process.exitCode = before;
    // Every program listens for a reader that leaves; one process has one program, but for this one.
    for (const listener of process.stdout.rawListeners('error'))
      if (!listeners.has(listener)) process.stdout.off('error', listener as () => void);
  }
}

async function file(folder: string, name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, JSON.stringify(content));
  return path;
}

function rosterOf(...parties: readonly Identity[]): ReturnType<typeof createRoster> {
  return createRoster(parties.map(({ name, role, publicKey }) => ({ name, role, key: publicKey, previous: [] })));
}

test.before(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'sealsum-receipt-'));
  await writeRoster(join(context.folder, 'roster.toml'), rosterOf(facilitator, anna, bert), { replace: false });
});

test.after(async ({ folder }) => {
  await rm(folder, { recursive: true });
});

test('says that a contribution is included', async ({ folder }) => {
  const roster = join(folder, 'roster.toml');
  const receipt = await file(folder, 'receipt.json', receiptOf(statementOf(anna)));
  const manifest = await file(folder, 'manifest.json', manifestOf([bert, anna]));
  assert.deepEqual(await verify(receipt, manifest, '--roster', roster), {
    code: 0,
    output: 'included: the contribution of anna to round 3 of job job\n',
    complaint: '',
  });
  const { code, output } = await verify(
    receipt,
    manifest,
    '--roster',
    roster,
    '--json',
    '--facilitator',
    'facilitator',
  );
  const { digest } = statementOf(anna);
  const { manifest: summed } = manifestOf([bert, anna]);
  const digests = { manifest_digest: objectDigest('manifest', summed), aggregate_digest: summed.aggregate_digest };
  const expected = { included: true, job: 'job', round: 3, owner: 'anna', digest, ...digests };
  assert.deepEqual([code, JSON.parse(output)], [0, expected]);
});

test('reads what the parties answer, and takes the receipt for the round of the manifest', async ({ folder }) => {
  const roster = join(folder, 'roster.toml');
  const receipts = [2, 3].map((round) => receiptOf(statementOf(anna, { round })));
  const receipt = await file(folder, 'receipts.json', { receipts });
  const signed = manifestOf([bert, anna]);
  const view = { job: 'job', round: 3, status: 'closed', roster: ['anna', 'bert'], manifest: signed };
  for (const answer of [signed, view, { manifest: signed, receipt: receipts[1], included: false }]) {
    const manifest = await file(folder, 'answer.json', answer);
    assert.equal((await verify(receipt, manifest, '--roster', roster)).code, 0);
  }
  const other = await file(folder, 'other.json', manifestOf([bert, anna], { round: 4 }));
  const { code, complaint } = await verify(receipt, other, '--roster', roster);
  assert.deepEqual([code, complaint], [1, 'sealsum: none of the receipts is for round 4 of job job\n']);
});

const misfits: readonly { what: string; receipt: SignedReceipt; manifest: SignedManifest; reason: RegExp }[] = [
  {
    what: 'a contribution that is left out',
    receipt: receiptOf(statementOf(anna)),
    manifest: manifestOf([bert]),
    reason: /leaves out anna, whose contribution the receipt acknowledges/,
  },
  {
    what: 'other bytes',
    receipt: receiptOf(statementOf(anna, { digest: 'a'.repeat(64) })),
    manifest: manifestOf([bert, anna]),
    reason: /names other bytes of anna/,
  },
  {
    what: 'another round',
    receipt: receiptOf(statementOf(anna, { round: 2 })),
    manifest: manifestOf([bert, anna]),
    reason: /is not of round 2 of job job/,
  },
  {
    what: 'another descriptor of the round',
    receipt: receiptOf(statementOf(anna, { round_digest: 'a'.repeat(64) })),
    manifest: manifestOf([bert, anna]),
    reason: /another round descriptor/,
  },
  {
    what: 'a receipt that somebody else signed',
    receipt: receiptOf(statementOf(anna), bert),
    manifest: manifestOf([bert, anna]),
    reason: /the receipt is not signed by facilitator/,
  },
  {
    what: 'a manifest that was changed',
    receipt: receiptOf(statementOf(anna)),
    manifest: { ...manifestOf([bert]), manifest: manifestOf([bert, anna]).manifest },
    reason: /the manifest is not signed by facilitator/,
  },
];

for (const { what, receipt, manifest, reason } of misfits)
  test(`refuses ${what}, with exit code 1`, async ({ folder }) => {
    const files = [await file(folder, 'a.json', receipt), await file(folder, 'b.json', manifest)];
    const options = ['--roster', join(folder, 'roster.toml')];
    const told = await verify(...files, ...options);
    assert.deepEqual([told.code, told.output], [1, '']);
    assert.match(told.complaint, reason);
    const json = await verify(...files, ...options, '--json');
    assert.deepEqual([json.code, json.complaint], [1, '']);
    const verdict = JSON.parse(json.output) as { included: boolean; reason: string };
    assert.equal(verdict.included, false);
    assert.match(verdict.reason, reason);
  });

test('wants to know which of several facilitators must have signed', async ({ folder }) => {
  const other = identity('other', 'facilitator');
  const roster = join(folder, 'two.toml');
  await writeRoster(roster, rosterOf(facilitator, other, anna, bert), { replace: false });
  const receipt = await file(folder, 'receipt.json', receiptOf(statementOf(anna)));
  const manifest = await file(folder, 'manifest.json', manifestOf([bert, anna]));
  const unsaid = await verify(receipt, manifest, '--roster', roster);
  assert.deepEqual(
    [unsaid.code, unsaid.complaint],
    [2, 'sealsum: say with --facilitator which one: facilitator, other\n'],
  );
  assert.equal((await verify(receipt, manifest, '--roster', roster, '--facilitator', 'facilitator')).code, 0);
  const wrong = await verify(receipt, manifest, '--roster', roster, '--facilitator', 'other');
  assert.deepEqual([wrong.code, /not signed by other/.test(wrong.complaint)], [1, true]);
  const nobody = await verify(receipt, manifest, '--roster', roster, '--facilitator', 'anna');
  assert.deepEqual([nobody.code, nobody.complaint], [2, 'sealsum: the roster names no facilitator anna\n']);
});

test('says what is missing or is not what it should be', async ({ folder }) => {
  const roster = join(folder, 'roster.toml');
  const receipt = await file(folder, 'receipt.json', receiptOf(statementOf(anna)));
  const manifest = await file(folder, 'manifest.json', manifestOf([bert, anna]));
  const missing = join(folder, 'none.json');
  assert.equal((await verify(missing, manifest, '--roster', roster)).code, 2);
  assert.equal((await verify(receipt, manifest)).code, 2);
  assert.equal((await verify(receipt, manifest, '--roster', missing)).code, 2);
  const swapped = await verify(manifest, receipt, '--roster', roster);
  assert.equal(swapped.code, 1);
  assert.match(swapped.complaint, /receipt\.json: the manifest: manifest: /);
});

test('is a command of sealsum, and reads standard input', async ({ folder }) => {
  const manifest = await file(folder, 'manifest.json', manifestOf([bert, anna]));
  const args = ['verify-receipt', '-', manifest, '--roster', join(folder, 'roster.toml')];
  const child = spawn(process.execPath, [...program('src/cli/main.ts'), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify({ receipts: [receiptOf(statementOf(anna))] }));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString('utf8');
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.deepEqual([code, output], [0, 'included: the contribution of anna to round 3 of job job\n']);
});

test.run();
