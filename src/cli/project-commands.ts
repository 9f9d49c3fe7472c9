/** The commands that make a project and keep its identities: init, invite, join, admit, fingerprints, rotate, passphrase. */
import type { Command } from 'commander';
import { registerAdmitCommand } from './admit-command.ts';
import { registerFingerprintsCommand } from './fingerprints-command.ts';
import { registerInitCommand } from './init-command.ts';
import { registerInviteCommand } from './invite-command.ts';
import { registerJoinCommand } from './join-command.ts';
import type { ProjectServices } from './project-services.ts';
import { registerPassphraseCommand, registerRotateCommand } from './rotate-command.ts';

export function registerProjectCommands(program: Command, services: ProjectServices): void {
  registerInitCommand(program, services);
  registerInviteCommand(program, services);
  registerJoinCommand(program, services);
  registerAdmitCommand(program, services);
  registerFingerprintsCommand(program, services);
  registerRotateCommand(program, services);
  registerPassphraseCommand(program, services);
}
