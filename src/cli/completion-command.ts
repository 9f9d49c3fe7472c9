/** `sealsum completion`: a script that completes commands, options and their choices in a shell. */
import { Argument, type Command } from 'commander';
import { completionScript, type Shell, shells } from './completion-scripts.ts';

const help = `
Print it again after an update: it has the commands and options of this version.

Examples:
  sealsum completion bash > ~/.local/share/bash-completion/completions/sealsum
  sealsum completion zsh > ~/.zfunc/_sealsum
  sealsum completion fish > ~/.config/fish/completions/sealsum.fish`;

/**
 * @param whole the program with all of its commands
 * @param print takes what is said on standard output, without the newline at its end
 */
export function registerCompletionCommand(
  program: Command,
  whole: () => Promise<Command>,
  print: (text: string) => void = console.log,
): void {
  program
    .command('completion')
    .summary('print a script that completes commands and options in a shell')
    .description('Print a completion script for a shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText('after', help)
    .action(async (shell: Shell) => {
      print(completionScript(shell, await whole()).trimEnd());
    });
}
