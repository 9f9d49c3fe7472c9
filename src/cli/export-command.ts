/** `sealsum export`: a finished model as a file (JSON, PMML, ONNX), or its card. */
import { createHash } from 'node:crypto';
import { type Command, Option } from 'commander';
import { type FileFormat, fetchModelFile, fileFormats, newestModel } from '../http/model-files.ts';
import { writeOutput } from './files.ts';
import { type ModelOwnerOptions, openModelOwner, withModelOwnerOptions } from './model-owner-access.ts';
import { usageError } from './program.ts';

const help = `
MODEL is the id of a finished model, or latest.

Formats:
  json       what sealsum reads back and predicts with, without any server (readExportedModel)
  pmml       PMML 4.4, coefficients in the data's own units
  onnx       an ONNX graph in double precision, one input for each feature
  card       the model's card in Markdown: data, owners, fit, privacy, rounds with their digests, limitations
  card-json  the same as JSON

Examples:
  sealsum export latest --format pmml --output stay.pmml
  sealsum export latest --format card
  sealsum export 0b7c9a52-6d0e-4c8f-9a51-2f4f0e8f7f11 --format onnx --output stay.onnx --json
  sealsum export latest --format json --model-owner https://research.example.org:9090 --token-file access-token > stay.json`;

interface ExportOptions extends ModelOwnerOptions {
  readonly format: FileFormat;
  readonly output?: string;
  readonly json: boolean;
}

/** What --json prints of a file that was written. */
interface Written {
  readonly model: string;
  readonly format: FileFormat;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

export function registerExportCommand(program: Command): void {
  const command = program
    .command('export')
    .summary('write a finished model as JSON, PMML or ONNX, or its card')
    .description('Ask a model owner for a finished model as a file that others read, or for its card.')
    .argument('<model>', 'the id of a model, or latest')
    .addOption(new Option('--format <format>', 'what to write').choices(fileFormats).default('json'))
    .option('--output <file>', 'where to write it; standard output unless given')
    .option('--json', 'say as one JSON object what was written (with --output)', false)
    .addHelpText('after', help)
    .action(async (model: string, options: ExportOptions) => {
      const { format, output, json } = options;
      if (json && output === undefined) throw usageError('--json goes together with --output');
      if (format === 'onnx' && output === undefined && process.stdout.isTTY)
        throw usageError('onnx is no text: give --output, or redirect standard output');
      await using asking = await openModelOwner(options);
      const id = model === 'latest' ? await newestModel(asking) : model;
      const content = await fetchModelFile(asking, id, format);
      await writeOutput(output ?? '-', content);
      if (output === undefined) return;
      const sha256 = createHash('sha256').update(content).digest('hex');
      const written: Written = { model: id, format, file: output, bytes: content.length, sha256 };
      if (json) console.log(JSON.stringify(written));
      else console.error(`wrote ${output}: ${format} of model ${id}, ${content.length} bytes, SHA-256 ${sha256}`);
    });
  withModelOwnerOptions(command);
}
