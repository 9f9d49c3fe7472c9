/** Finished models as files that people take away, in the formats of src/learning/export, and their cards. */
import { exportJson } from '../../src/learning/export/exported-model.ts';
import type { FittedModel } from '../../src/learning/export/fitted-model.ts';
import { exportOnnx } from '../../src/learning/export/onnx.ts';
import { exportPmml } from '../../src/learning/export/pmml.ts';
import { timestamp } from '../../src/protocol/clock.ts';
import { version } from '../../src/version.ts';
import type { ModelCard } from './model-card.ts';
import { modelCardText } from './model-card-text.ts';
import type { FinishedModel } from './predictions.ts';

export const exportFormats = ['json', 'pmml', 'onnx'] as const;
export type ExportFormat = (typeof exportFormats)[number];

export const cardFormats = ['markdown', 'json'] as const;
export type CardFormat = (typeof cardFormats)[number];

/** What writes the files. */
export const program: string = `sealsum ${version}`;

export interface ExportedFile {
  /** For `Content-Disposition`: letters, digits, dots and hyphens. */
  readonly name: string;
  readonly mediaType: string;
  readonly content: string | Uint8Array<ArrayBuffer>;
}

/** @throws SealsumError model_invalid where the format cannot hold the model */
export function exportModel(record: FinishedModel, format: ExportFormat): ExportedFile {
  const fitted = fittedModel(record);
  const name = `${fileName(record)}.${format}`;
  switch (format) {
    case 'json':
      return { name, mediaType: 'application/json', content: exportJson(fitted) };
    case 'pmml':
      return { name, mediaType: 'application/xml', content: exportPmml(fitted) };
    case 'onnx':
      return { name, mediaType: 'application/octet-stream', content: exportOnnx(fitted) };
  }
}

export function exportCard(record: FinishedModel, card: ModelCard, format: CardFormat): ExportedFile {
  const name = `${fileName(record)}-card`;
  if (format === 'json') {
    const content = `${JSON.stringify(card, undefined, 2)}\n`;
    return { name: `${name}.json`, mediaType: 'application/json', content };
  }
  return { name: `${name}.md`, mediaType: 'text/markdown; charset=utf-8', content: modelCardText(card) };
}

function fittedModel({ id, model, parameters, createdAt, endedAt, privacy }: FinishedModel): FittedModel {
  return {
    model,
    parameters: Float64Array.from(parameters),
    origin: {
      program,
      model: id,
      ...(model.name === undefined ? {} : { name: model.name }),
      finished_at: timestamp(endedAt ?? createdAt),
      privacy: privacy.guarantee,
    },
  };
}

/** The model's name where letters and digits are left of it, and the beginning of its id, which two models do not share. */
function fileName({ id, model }: FinishedModel): string {
  const name = (model.name ?? '')
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  return `${name === '' ? 'model' : name}-${id.slice(0, 8)}`;
}
