/** `sealsum fingerprints`: what people read to each other to know that they have the same roster. */
import type { Command } from 'commander';
import { readRoster } from '../config/roster-file.ts';
import { fingerprintJson, fingerprintTable, type ProjectServices, systemServices } from './project-services.ts';

const examples = `
Examples:
  sealsum fingerprints project/roster.toml
  sealsum fingerprints roster.toml --json`;

export function registerFingerprintsCommand(program: Command, services: ProjectServices = systemServices): void {
  program
    .command('fingerprints')
    .summary('print the fingerprints of a roster')
    .description('Print name, role and fingerprint of everybody on a roster, and the digest of all of it, to compare.')
    .argument('<roster>', 'a roster.toml')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', examples)
    .action(async (file: string, { json }: { json: boolean }) => {
      const roster = await readRoster(file);
      services.print(json ? JSON.stringify(fingerprintJson(roster), undefined, 2) : fingerprintTable(roster));
    });
}
