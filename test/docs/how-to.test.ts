/**
 * The how-tos as they stand, each in a shell of its own with real processes: every command succeeds and prints what the page says. Replaced
 * are the ports, by free ones, the folder `trial` and the file `trial.txt`, and the address of the database by that of the tests; where
 * none answers, that page is skipped by name.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import { inPostgres, postgresUrl } from '../storage/places.ts';
import { root } from '../support/program.ts';
import { assertPrinted, freePorts, openShell, stepsOf } from './shell-page.ts';

const folder = join(root, 'docs', 'how-to');
const written = 'postgres://sealsum@db.example.org:5432/sealsum';
const schema = `how_to_${process.pid}`;
const noDatabase = await inPostgres('select 1').then(
  () => undefined,
  () => 'no PostgreSQL answers',
);

const test = suite('how-to');

test.before(async () => {
  await promisify(execFile)(join(root, 'scripts', 'prepare.sh'));
});

test('there are pages, most of which have commands', () => {
  const pages = readdirSync(folder);
  assert.ok(pages.length >= 5);
  assert.ok(pages.filter((page) => stepsOf(readFileSync(join(folder, page), 'utf8')).length > 0).length >= 4);
});

for (const page of readdirSync(folder)) {
  const text = readFileSync(join(folder, page), 'utf8');
  const steps = stepsOf(text);
  if (steps.length === 0) continue;
  const skipped = text.includes(written) ? noDatabase : undefined;
  const run = async (): Promise<void> => {
    const place = await mkdtemp(join(tmpdir(), 'sealsum-how-to-'));
    const first = await freePorts(5);
    const ports = new Map(['8080', '9090', '5000'].map((port, index) => [port, String(first + index)]));
    const local = (said: string): string =>
      said
        .replaceAll(`${written}?schema=facilitator`, `${postgresUrl}?schema=${schema}`)
        .replaceAll(/\btrial\b/g, join(place, 'trial'))
        .replaceAll(/\b(8080|9090|5000)\b/g, (port) => ports.get(port) ?? port);
    const shell = openShell(root, { ...process.env, SEALSUM_PASSPHRASE: undefined });
    try {
      for (const { commands, output } of steps) {
        const printed = await shell.run(local(commands), AbortSignal.timeout(120_000));
        if (process.env.SHOW !== undefined) console.log(printed);
        if (output !== undefined) assertPrinted(printed, local(output));
      }
    } finally {
      await shell[Symbol.asyncDispose]();
      await rm(place, { recursive: true, force: true });
      if (text.includes(written)) await inPostgres(`drop schema if exists ${schema} cascade`);
    }
  };
  if (skipped === undefined) test(page, run);
  else test.skip(`${page}: ${skipped}`, run);
}

test.run();
