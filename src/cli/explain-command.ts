/** `sealsum explain`: what lies behind a refusal, and what to do. */
import type { Command } from 'commander';
import { nearestName } from '../config/nearest-name.ts';
import { problemTypes } from '../http/problem.ts';
import { describeProblem, problemEntry } from '../http/problem-pages.ts';
import { usageError } from './program.ts';

const help = `
KIND is the end of a problem's type (urn:sealsum:problem:key-invalid), the whole of it, or an error's code (key_invalid).
Without one, all kinds are listed.

Examples:
  sealsum explain key-invalid
  sealsum explain policy_refused --json
  sealsum explain`;

interface Options {
  readonly json: boolean;
}

/** @param print takes what is said on standard output, without the newline at its end */
export function registerExplainCommand(program: Command, print: (text: string) => void = console.log): void {
  program
    .command('explain')
    .argument('[kind]', 'the kind of a refusal, such as key-invalid')
    .summary('what lies behind a refusal, and what to do')
    .description('Print what a kind of refusal means, what causes it, and what to do about it.')
    .option('--json', 'print one JSON object, or a list of them', false)
    .addHelpText('after', help)
    .action((kind: string | undefined, { json }: Options) => {
      const types = kind === undefined ? problemTypes : [known(kind)];
      const found = types.flatMap((type) => problemEntry(type) ?? []);
      if (json) print(JSON.stringify(kind === undefined ? found : found[0], undefined, 2));
      else if (kind === undefined) print(listOf(found));
      else for (const entry of found) print(describeProblem(entry).trimEnd());
    });
}

function listOf(entries: readonly { readonly type: string; readonly title: string }[]): string {
  const width = Math.max(...entries.map(({ type }) => type.length));
  return entries.map(({ type, title }) => `${type.padEnd(width)}  ${title}`).join('\n');
}

/** The type that somebody means. @throws CommanderError with the nearest one when there is none */
function known(kind: string): string {
  const type = kind.replace(/^urn:sealsum:problem:/, '').replaceAll('_', '-');
  if (problemTypes.includes(type)) return type;
  const nearest = nearestName(type, problemTypes);
  throw usageError(
    `there is no kind of refusal ${kind}; ${nearest === undefined ? 'sealsum explain lists them' : `did you mean ${nearest}?`}`,
  );
}
