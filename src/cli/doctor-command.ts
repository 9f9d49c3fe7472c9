/** `sealsum doctor`: looks at all that a party needs, and says what is wrong and how to mend it. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { readAnyConfig } from '../config/load.ts';
import type { PartyConfig } from '../config/party-config.ts';
import { bold, green, hasColours, red, yellow } from './colours.ts';
import { fileChecks, type Known } from './doctor/file-checks.ts';
import { type Check, type Finding, findingsOf } from './doctor/finding.ts';
import { machineChecks, thisMachine } from './doctor/machine-checks.ts';
import { networkChecks } from './doctor/network-checks.ts';
import { storeChecks } from './doctor/store-checks.ts';
import { printable } from './printable.ts';
import { exitCodes, untilInterrupted } from './program.ts';
import { type ProjectServices, systemServices } from './project-services.ts';
import { counted } from './table.ts';

const help = `
It looks at the machine (Node, memory, the native kernel), the configuration, roster, passphrase, identity, certificates, token,
data, the folder and disk of the store, the store itself, the port, the facilitator's address, certificate and version, the clocks,
and whether the facilitator takes what this party signs. The party may be running or not. Nothing is changed, no secret is told.

Exit code 0 says that there is no problem, warnings apart; 1 that there is one.

Examples:
  sealsum doctor --config project/owner-1/config.toml
  sealsum doctor --config project/facilitator/config.toml --json`;

export function registerDoctorCommand(program: Command, services: ProjectServices = systemServices): void {
  program
    .command('doctor')
    .summary('look for what keeps a party from working, and say how to mend it')
    .description('Check configuration, keys, roster, clock, reachability, disk and store of a party, and the machine.')
    .addOption(
      new Option('--config <file>', 'the config.toml of the party (default: that of this folder)').env(
        'SEALSUM_CONFIG',
      ),
    )
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', help)
    .action((options: { config?: string; json: boolean }) =>
      untilInterrupted(async (signal) => {
        const findings: Finding[] = [];
        const colours = hasColours(process.stdout, services.env);
        let party: PartyConfig | undefined;
        const tell = (found: readonly Finding[]): void => {
          findings.push(...found);
          if (!options.json) for (const finding of found) services.print(lineOf(finding, colours));
        };
        for (const check of machineChecks(thisMachine())) tell(await findingsOf(check, signal));
        tell(
          await findingsOf(
            {
              name: 'configuration',
              look: async () => {
                party = await readAnyConfig(options.config);
                return `${party.file}: ${party.role} ${party.name}`;
              },
              mend: 'correct the file, or name that of the party with --config; sealsum init and sealsum join make one',
            },
            signal,
          ),
        );
        if (party !== undefined) for await (const found of lookAt(party, services, signal)) tell(found);
        const problems = findings.filter(({ status }) => status === 'problem').length;
        const warnings = findings.filter(({ status }) => status === 'warning').length;
        if (options.json) {
          const { name, role } = party ?? {};
          services.print(JSON.stringify({ ok: problems === 0, name, role, problems, warnings, findings }));
        } else {
          const verdict = problems === 0 ? 'no problem' : counted(problems, 'problem');
          services.print(`\n${bold(`${verdict}, ${counted(warnings, 'warning')}`, colours)}`);
        }
        if (problems > 0) process.exitCode = exitCodes.refused;
      }),
    );
}

/** One after the other: what is learnt by one is used by the next. */
async function* lookAt(
  config: PartyConfig,
  services: ProjectServices,
  signal: AbortSignal,
): AsyncGenerator<readonly Finding[]> {
  const known: Known = {};
  const groups: readonly (() => readonly Check[])[] = [
    () => fileChecks(config, known, services),
    () => storeChecks(config),
    () => networkChecks(config, known, services, signal),
  ];
  for (const checks of groups) for (const check of checks()) yield await findingsOf(check, signal);
}

const paints = { ok: green, warning: yellow, problem: red, skipped: (text: string): string => text } as const;

function lineOf({ check, status, message, mend }: Finding, colours: boolean): string {
  const line = `${paints[status](status.padEnd(9), colours)}${check.padEnd(15)}${printable(message)}`;
  return mend === undefined ? line : `${line}\n${' '.repeat(24)}mend: ${mend}`;
}
