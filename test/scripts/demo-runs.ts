/** Runs of the demo in tests: with a folder of data files, and a check that nothing is left when it is over. */
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { type Sample, textOf } from '../end-to-end/data.ts';
import { Folder } from '../end-to-end/folder.ts';
import { bundleOf } from '../support/program.ts';
import { type Ended, type RunningScript, type ScriptOptions, startScript } from './processes.ts';

export interface DemoContext {
  folder: Folder;
  /** Where the demo puts its temporary files. */
  temporary: string;
}

export async function enter(context: DemoContext): Promise<void> {
  context.folder = await Folder.create();
  context.temporary = `${context.folder.path}/temporary`;
  await mkdir(context.temporary);
}

export async function leave({ folder }: DemoContext): Promise<void> {
  await folder[Symbol.asyncDispose]();
}

/** Starts what scripts/demo.sh does, bundled where the runner of the tests has done that; as it is delivered, the examples run. */
export function startDemo({ temporary }: DemoContext, args: readonly string[], options?: ScriptOptions): RunningScript {
  const all = { ...options, env: { ...options?.env, TMPDIR: temporary } };
  const bundle = bundleOf('scripts/demo.ts');
  return bundle === undefined
    ? startScript('scripts/demo.sh', args, all)
    : startScript(process.execPath, [bundle, ...args], all);
}

/** Nobody is there any more, and no file is. */
export async function assertNothingIsLeft({ temporary }: DemoContext, script: RunningScript): Promise<void> {
  assert.deepEqual(await script.survivors(), []);
  assert.deepEqual(await readdir(temporary), []);
}

/** Runs the demo to its end. */
export async function runDemo(context: DemoContext, args: readonly string[], options?: ScriptOptions): Promise<Ended> {
  await using script = startDemo(context, args, options);
  const ended = await script.ended;
  await assertNothingIsLeft(context, script);
  return ended;
}

/** The arguments for a sample and a model.json of it. */
export async function argumentsFor({ folder }: DemoContext, sample: Sample, settings: object): Promise<string[]> {
  const data = await folder.write('data.csv', textOf(sample));
  const encryption = { key_bits: 2048 };
  const model = await folder.write('model.json', JSON.stringify({ ...sample.document, encryption, ...settings }));
  return ['--data', data, '--model', model];
}
