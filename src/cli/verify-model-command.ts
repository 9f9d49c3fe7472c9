/** `sealsum verify model`: whether every contribution of a data owner that was acknowledged is in the aggregate of its round. */
import type { Command } from 'commander';
import { z } from 'zod';
import { partiesOf, readRoster } from '../config/roster-file.ts';
import { SealsumError } from '../errors.ts';
import { parseMessage } from '../http/problem.ts';
import { verifyInclusion } from '../protocol/manifest.ts';
import { type SignedReceipt, signedManifestSchema, signedReceiptSchema } from '../protocol/round-messages.ts';
import { type AccessOptions, openAccess, type PartyAccess, withAccessOptions } from './party-access.ts';
import { exitCodes, untilInterrupted, usageError } from './program.ts';
import { createProgress } from './progress.ts';
import { type ProjectServices, systemServices } from './project-services.ts';
import { counted } from './table.ts';

const help = `
The data owner must be running: it has the receipts, and asks the facilitator for the manifest of each round. Signatures and
digests are checked here, by the roster that its config.toml names. MODEL is the identifier of the job, which sealsum status shows.

A facilitator keeps manifests as long as the job; a round that was abandoned has none, and is counted apart.

Examples:
  sealsum verify model 0b3kq2vmlxse --config project/owner-1/config.toml
  sealsum verify model 0b3kq2vmlxse --config config.toml --json`;

interface RoundVerdict {
  readonly round: number;
  readonly verdict: 'included' | 'not included' | 'abandoned' | 'open';
  readonly reason?: string;
}

export function registerVerifyModelCommand(program: Command, services: ProjectServices = systemServices): void {
  const command = program
    .command('model')
    .summary("check that a data owner's contributions to a model are in its aggregates")
    .description('Check, round by round, that what a data owner contributed and was acknowledged is in the aggregate.')
    .argument('<model>', 'the identifier of the model, which is that of its job')
    .option('--json', 'print one JSON object', false)
    .addHelpText('after', help)
    .action((model: string, options: AccessOptions & { json: boolean }) =>
      untilInterrupted(async (signal) => {
        await using access = await openAccess(options, services, signal);
        const rounds = await verdicts(model, access, options.json, signal);
        const wrong = rounds.filter(({ verdict }) => verdict === 'not included');
        if (options.json) services.print(JSON.stringify({ model, whole: wrong.length === 0, rounds }));
        if (wrong.length === 0) {
          if (!options.json) services.print(inWords(model, rounds));
          return;
        }
        const [first] = wrong;
        if (!options.json)
          throw new SealsumError('manifest_invalid', `round ${first?.round ?? 0}: ${first?.reason ?? 'not included'}`);
        process.exitCode = exitCodes.refused;
      }),
    );
  withAccessOptions(command);
}

const receiptsAnswer: z.ZodType<{ readonly receipts: readonly SignedReceipt[] }> = z.object({
  receipts: z.array(signedReceiptSchema),
});
const manifestAnswer = z.object({ manifest: signedManifestSchema });

async function verdicts(
  model: string,
  access: PartyAccess,
  json: boolean,
  signal: AbortSignal,
): Promise<readonly RoundVerdict[]> {
  const { config } = access;
  if (config === undefined)
    throw usageError('name the config.toml of the data owner with --config: it says which roster counts');
  if (config.role !== 'data-owner')
    throw usageError(`${config.file}: only a data owner has contributed; a ${config.role} has no receipts`);
  const parties = partiesOf(await readRoster(config.roster));
  const path = `/jobs/${encodeURIComponent(model)}`;
  const { receipts } = parseMessage(
    receiptsAnswer,
    await access.get(`${path}/receipts`, signal),
    'the answer to GET /jobs/{job}/receipts',
  );
  using bar = createProgress({ what: 'verifying', unit: 'rounds', total: receipts.length, json });
  const found: RoundVerdict[] = [];
  for (const receipt of receipts) {
    found.push(await verdictOf(receipt));
    bar.update(found.length);
  }
  return found;

  async function verdictOf(signed: SignedReceipt): Promise<RoundVerdict> {
    const { round } = signed.receipt;
    try {
      const answer = await access.get(`${path}/rounds/${round}/manifest`, signal);
      const { manifest } = parseMessage(
        manifestAnswer,
        answer,
        'the answer to GET /jobs/{job}/rounds/{round}/manifest',
      );
      verifyInclusion(parties, facilitatorOf(signed), signed, manifest);
      return { round, verdict: 'included' };
    } catch (error) {
      if (!(error instanceof SealsumError)) throw error;
      if (error.code === 'round_abandoned') return { round, verdict: 'abandoned' };
      if (error.code === 'round_open') return { round, verdict: 'open' };
      const judged: readonly string[] = ['manifest_invalid', 'signature_invalid', 'party_unknown'];
      if (!judged.includes(error.code)) throw error;
      return { round, verdict: 'not included', reason: error.message };
    }
  }

  /** Whose key the receipt names: it must be a facilitator of the roster, which the check of its signature sees to. */
  function facilitatorOf({ signature }: SignedReceipt) {
    const signer = parties.all.find(
      ({ role, name }) =>
        role === 'facilitator' && parties.keysOf(name).some(({ fingerprint }) => fingerprint === signature.key),
    );
    if (signer !== undefined) return signer.name;
    throw new SealsumError('signature_invalid', 'the receipt is signed by none of the facilitators of the roster');
  }
}

function inWords(model: string, rounds: readonly RoundVerdict[]): string {
  const count = (which: RoundVerdict['verdict']): number => rounds.filter(({ verdict }) => verdict === which).length;
  if (rounds.length === 0) return `nothing was contributed to ${model}`;
  const apart = (['abandoned', 'open'] as const)
    .filter((which) => count(which) > 0)
    .map((which) => `, ${count(which)} ${which}`)
    .join('');
  return `included: the contributions to ${counted(count('included'), 'round')} of ${model}${apart}`;
}
