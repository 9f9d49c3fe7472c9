/** `sealsum rotate` and `sealsum passphrase`: a new identity, or the same under another passphrase. */
import { dirname } from 'node:path';
import { type Command, Option } from 'commander';
import { changePassphrase, rotateIdentity } from '../config/change-secrets.ts';
import { readAnyConfig } from '../config/load.ts';
import type { PartyConfig } from '../config/party-config.ts';
import { existingPassphrase, newPassphrase, randomPassphrase } from '../config/passphrase.ts';
import { writeSuccession } from '../config/project-documents.ts';
import { readRoster } from '../config/roster-file.ts';
import { spokenFingerprint } from '../config/spoken.ts';
import { createParty } from '../protocol/identity.ts';
import { usageError } from './program.ts';
import { type ProjectServices, systemServices } from './project-services.ts';

const rotateExamples = `
Examples:
  sealsum rotate --config project/north/config.toml
  SEALSUM_CONFIG=config.toml sealsum rotate --json`;

const passphraseExamples = `
Examples:
  sealsum passphrase --config project/north/config.toml
  sealsum passphrase --config project/north/config.toml --random
  sealsum passphrase --new-passphrase-file new.txt --json`;

export function registerRotateCommand(program: Command, services: ProjectServices = systemServices): void {
  program
    .command('rotate')
    .summary('give a party a new identity')
    .description(
      'Make a new identity and a statement, signed with the old one and the new one, that sealsum admit takes.',
    )
    .addOption(configOption())
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', rotateExamples)
    .action(async ({ config: file, json }: { config: string; json: boolean }) => {
      const { clock, random, print } = services;
      const config = await readAnyConfig(file);
      const roster = await readRoster(config.roster);
      const passphrase = await presentPassphrase(config, services);
      const rotation = await rotateIdentity(config, roster, passphrase, { random, now: clock.now() });
      const { successor } = rotation.succession;
      const statement = await writeSuccession(dirname(config.file), rotation.succession);
      const { fingerprint } = createParty(successor.name, successor.role, successor.to);
      if (json) {
        const { name, identity, role } = config;
        const { repeated, oldFile: old_identity } = rotation;
        print(JSON.stringify({ name, role, fingerprint, statement, identity, old_identity, repeated }));
        return;
      }
      print(`${
        rotation.repeated
          ? `${config.name} has a new identity already that its roster does not name; this is its statement again.`
          : `${config.name} has a new identity in ${config.identity}.`
      } Its fingerprint, to read out:

  ${spokenFingerprint(fingerprint)}

1. Send ${statement} to whoever keeps the roster, who runs: sealsum admit ${successor.name}.successor.json --project FOLDER
2. The new roster.toml is copied to all machines, this one too. Until then ${config.name} goes on with ${rotation.oldFile}.
3. Restart ${config.name}; when everybody has the new roster, delete ${rotation.oldFile}.`);
    });
}

export function registerPassphraseCommand(program: Command, services: ProjectServices = systemServices): void {
  program
    .command('passphrase')
    .summary('seal an identity under another passphrase')
    .description('Change the passphrase of an identity. A passphrase_file of the configuration gets the new one.')
    .addOption(configOption())
    .option('--new-passphrase-file <file>', 'take the new passphrase from a file')
    .option('--random', 'take a random one; for a configuration with a passphrase_file')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', passphraseExamples)
    .action(async (options: { config: string; newPassphraseFile?: string; random?: true; json: boolean }) => {
      const { terminal, random, print } = services;
      const config = await readAnyConfig(options.config);
      const { passphraseFile } = config;
      if (options.random === true && passphraseFile === undefined)
        throw usageError(`--random needs a passphrase_file in ${config.file}: nobody could type it`);
      const passphrase = await presentPassphrase(config, services);
      const next =
        options.random === true
          ? randomPassphrase(random)
          : // What the environment holds is the present one.
            await newPassphrase(`the identity of ${config.name}`, {
              file: options.newPassphraseFile,
              env: {},
              terminal,
            });
      await changePassphrase(config, passphrase, next, random);
      if (options.json) {
        const { name, role, identity } = config;
        print(JSON.stringify({ name, role, identity, passphrase_file: passphraseFile ?? null }));
        return;
      }
      const where = passphraseFile === undefined ? '' : `, which is in ${passphraseFile}`;
      print(`${config.identity} is sealed under the new passphrase${where}.`);
    });
}

function configOption(): Option {
  return new Option('--config <file>', 'the config.toml of the party').default('config.toml').env('SEALSUM_CONFIG');
}

async function presentPassphrase(config: PartyConfig, { env, terminal }: ProjectServices): Promise<string> {
  return await existingPassphrase(`the identity of ${config.name}`, { file: config.passphraseFile, env, terminal });
}
