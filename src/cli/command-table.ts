/**
 * Commands by name: the code of one is loaded when it is asked for, so that help and every other command start without it.
 */
import { Command } from 'commander';
import { createProgram } from './program.ts';

/** Adds a command, or a few that belong together, to the program. */
type Register = (program: Command) => void;

export interface CommandRow {
  readonly name: string;
  /** The same as the command's own, which a test sees to. */
  readonly summary: string;
  readonly load: () => Promise<Register>;
  /** Whether it is left out of help and completion: a name from before. */
  readonly hidden?: boolean;
}

/** The commands under the headings of `sealsum --help`, in the order in which it lists them. */
export type CommandTable = Readonly<Record<string, readonly CommandRow[]>>;

/** The arguments with `help COMMAND` as `COMMAND --help`, which says the same. @param argv as of process.argv */
export function argumentsOf([node = '', main = '', first, ...rest]: readonly string[]): readonly string[] {
  if (first === 'help') return [node, main, ...rest, '--help'];
  return first === undefined ? [node, main] : [node, main, first, ...rest];
}

/**
 * The program that understands a command line: with the one command that the line names, or with the names and summaries of all
 * where it names none of them.
 *
 * @param argv as of process.argv
 */
export async function programFor(table: CommandTable, argv: readonly string[]): Promise<Command> {
  const program = createProgram();
  const name = argv.slice(2).find((word) => !word.startsWith('-'));
  const row = Object.values(table)
    .flat()
    .find((each) => each.name === name);
  if (row !== undefined) {
    (await row.load())(program);
    return program;
  }
  // Of a command that there is not, there is no help either: it is refused with the one that was meant.
  if (name !== undefined) program.helpOption(false);
  for (const [heading, rows] of Object.entries(table)) {
    program.commandsGroup(heading);
    for (const { name, summary, hidden = false } of rows)
      program.addCommand(new Command(name).usage(name).summary(summary), { hidden });
  }
  return program;
}

/** The program with all that every command understands. */
export async function wholeProgram(table: CommandTable): Promise<Command> {
  const program = createProgram();
  for (const [heading, rows] of Object.entries(table)) {
    program.commandsGroup(heading);
    for (const { name, load, hidden = false } of rows) {
      const there = program.commands.some((command) => command.name() === name);
      if (!there && !hidden) (await load())(program);
    }
  }
  return program;
}
