/** Completion for shells, written out from what the program's commands and options are: no shell has to start the program for it. */
import type { Command, Option } from 'commander';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Flag {
  /** Long, and short where there is one. */
  readonly names: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

interface Place {
  /** Of the command, such as `verify log`; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly flags: readonly Flag[];
  /** What arguments may be, whichever of them. */
  readonly choices: readonly string[];
}

/** @param program with all of its commands */
export function completionScript(shell: Shell, program: Command): string {
  return { bash, zsh, fish }[shell](program.name(), placesOf(program, ''));
}

function placesOf(command: Command, path: string): Place[] {
  const commands = command.commands.map((each) => ({ name: each.name(), summary: each.summary() }));
  const help = { names: ['--help', '-h'], description: 'show help', takesValue: false, choices: [] };
  const flags = [...command.options.filter(({ hidden }) => !hidden).map(flagOf), help];
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  const below = command.commands.flatMap((each) => placesOf(each, `${path} ${each.name()}`.trim()));
  return [{ path, commands, flags, choices }, ...below];
}

function flagOf({ long, short, description, required, optional, argChoices }: Option): Flag {
  const names = [long, short].filter((name) => name !== undefined);
  return { names, description, takesValue: required || optional, choices: argChoices ?? [] };
}

/** A text as all three shells take it between single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The pattern of a `case` in which something is one of these. */
function pattern(texts: readonly string[]): string {
  return texts.map(quoted).join('|');
}

/** Where a command is below another, or the program: what a word must follow to go down. */
function steps(places: readonly Place[]): readonly string[] {
  return places.flatMap(({ path, commands }) => commands.map(({ name }) => `${path}:${name}`));
}

function bash(name: string, places: readonly Place[]): string {
  const values = places.flatMap(({ path, flags }) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map(({ names, choices }) => {
        const words =
          choices.length === 0 ? '' : `COMPREPLY=($(compgen -W ${quoted(choices.join(' '))} -- "$current")); `;
        return `    ${pattern(names.map((flag) => `${path}:${flag}`))}) ${words}return ;;`;
      }),
  );
  const words = places.map(({ path, commands, flags, choices }) => {
    const arguments_ = [...commands.map((each) => each.name), ...choices].join(' ');
    return `    ${quoted(path)}) words=${quoted(arguments_)}; flags=${quoted(flags.flatMap(({ names }) => names).join(' '))} ;;`;
  });
  return `# ${name} completion bash: source this, or put it into ~/.local/share/bash-completion/completions/${name}
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" place='' words='' flags='' index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$place:\${COMP_WORDS[index]}" in
      ${pattern(steps(places))}) place="\${place:+$place }\${COMP_WORDS[index]}" ;;
    esac
  done
  # What an option takes: one of its choices, else a file, which the shell completes by itself.
  case "$place:$previous" in
${values.join('\n')}
  esac
  case "$place" in
${words.join('\n')}
  esac
  if [[ "$current" == -* ]]; then words="$flags"; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`;
}

/** A word and what it means, as _describe takes them. */
function described(word: string, meaning: string): string {
  return quoted(`${word.replaceAll(':', '\\:')}:${meaning}`);
}

function zsh(name: string, places: readonly Place[]): string {
  const values = places.flatMap(({ path, flags }) =>
    flags
      .filter(({ takesValue }) => takesValue)
      .map(({ names, choices }) => {
        const what = choices.length === 0 ? '_files' : `compadd -- ${choices.map(quoted).join(' ')}`;
        return `    ${pattern(names.map((flag) => `${path}:${flag}`))}) ${what}; return ;;`;
      }),
  );
  const words = places.map(({ path, commands, flags, choices }) => {
    const below = commands.map((each) => described(each.name, each.summary));
    const own = [...below, ...choices.map((each) => described(each, ''))].join(' ');
    const options = flags.flatMap(({ names, description }) => names.map((flag) => described(flag, description)));
    return `    ${quoted(path)}) entries=(${own}); flags=(${options.join(' ')}) ;;`;
  });
  return `#compdef ${name}
# ${name} completion zsh: put this into a folder of $fpath as _${name}
_${name}() {
  local place='' index
  local -a entries flags
  for ((index = 2; index < CURRENT; index++)); do
    case "$place:$words[index]" in
      ${pattern(steps(places))}) place="\${place:+$place }$words[index]" ;;
    esac
  done
  case "$place:$words[CURRENT-1]" in
${values.join('\n')}
  esac
  case "$place" in
${words.join('\n')}
  esac
  if [[ "$words[CURRENT]" == -* ]]; then
    _describe option flags
  elif (( $#entries )); then
    _describe command entries
  else
    _files
  fi
}
if [[ "$funcstack[1]" == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fish(name: string, places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, flags, choices }) => {
    const at = `-n ${quoted(`__${name}_at ${quoted(path)}`)}`;
    return [
      ...commands.map((each) => `complete -c ${name} ${at} -f -a ${quoted(each.name)} -d ${quoted(each.summary)}`),
      ...(choices.length === 0 ? [] : [`complete -c ${name} ${at} -f -a ${quoted(choices.join(' '))}`]),
      ...flags.map(({ names, description, takesValue, choices: of }) => {
        const spelt = names
          .map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
          .join(' ');
        const value = takesValue ? (of.length === 0 ? ' -r' : ` -x -a ${quoted(of.join(' '))}`) : '';
        return `complete -c ${name} ${at} ${spelt}${value} -d ${quoted(description)}`;
      }),
    ];
  });
  return `# ${name} completion fish: put this into ~/.config/fish/completions/${name}.fish
function __${name}_at
  set -l place ''
  for word in (commandline -opc)[2..-1]
    if contains -- "$place:$word" ${steps(places).map(quoted).join(' ')}
      set place (string trim -- "$place $word")
    end
  end
  test "$place" = "$argv[1]"
end
${lines.join('\n')}
`;
}
