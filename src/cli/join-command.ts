/** `sealsum join`: answers an invitation with a fresh identity, made on the machine where it stays. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { exists } from '../config/files.ts';
import { createJoinRequest, openInvitation } from '../config/invitation.ts';
import { createPartyFolder, entryFor, rosterName } from '../config/project.ts';
import { readDocument, writeJoinRequest } from '../config/project-documents.ts';
import { createRoster, partiesOf, readRoster, writeRoster } from '../config/roster-file.ts';
import { spokenFingerprint } from '../config/spoken.ts';
import { SealsumError } from '../errors.ts';
import { named } from './files.ts';
import { usageError } from './program.ts';
import {
  chosenPassphrase,
  type PassphraseOptions,
  type ProjectServices,
  quoted,
  systemServices,
  withPassphraseOptions,
} from './project-services.ts';

const examples = `
Examples:
  sealsum join north.invitation.json project --data records.csv
  sealsum join research.invitation.json project --passphrase-file /run/credentials/passphrase --json`;

interface JoinOptions extends PassphraseOptions {
  readonly data?: string;
  readonly json: boolean;
}

export function registerJoinCommand(program: Command, services: ProjectServices = systemServices): void {
  const command = program
    .command('join')
    .summary('answer an invitation with a new identity')
    .description(
      'Check an invitation, make an identity, a roster and a config.toml, and write the answer to send back.',
    )
    .argument('<invitation>', 'the file that was sent')
    .argument('<folder>', 'where the project is on this machine')
    .option('--data <file>', 'of a data owner: its file of records, as seen from its config.toml (default: data.csv)')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', examples)
    .action(async (file: string, folder: string, options: JoinOptions) => {
      const document = await readDocument(file);
      const signed = within(file, () => openInvitation(document, services.clock.now()));
      const { name, role, facilitator, roster: members } = signed.invitation;
      if (options.data !== undefined && role !== 'data-owner') throw usageError('--data is for data owners');
      const rosterFile = join(folder, rosterName);
      const known = (await exists(rosterFile)) ? await readRoster(rosterFile) : undefined;
      if (known !== undefined && partiesOf(known).byKey(facilitator.fingerprint)?.name !== facilitator.name)
        throw new SealsumError('config_invalid', `${rosterFile} is of another project; take another folder`, {
          field: 'folder',
        });
      const passphrase = await chosenPassphrase(`the identity of ${name}`, options, { local: false }, services);
      const { data } = options;
      const { identity, config } = await createPartyFolder(folder, { name, role, passphrase, data }, services.random);
      if (known === undefined)
        await writeRoster(rosterFile, createRoster([...members, entryFor(identity)]), { replace: false });
      const answer = await writeJoinRequest(folder, createJoinRequest(signed, identity));
      if (options.json) {
        const { fingerprint } = identity;
        services.print(JSON.stringify({ name, role, fingerprint, facilitator, config, answer }, undefined, 2));
        return;
      }
      services.print(`You are invited as ${name}, ${role}, by ${facilitator.name} at ${facilitator.url}. Compare by telephone:

  ${facilitator.name}: ${spokenFingerprint(facilitator.fingerprint)}  theirs; if it is not what they read to you, delete ${folder}
  ${name}: ${spokenFingerprint(identity.fingerprint)}  yours; read it to them

Send ${answer} back. When you are admitted, you get a roster.toml: put it at ${rosterFile}, and start:

  sealsum ${role} --config ${quoted(config)}`);
    });
  withPassphraseOptions(command);
}

function within<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw named(file, error);
  }
}
