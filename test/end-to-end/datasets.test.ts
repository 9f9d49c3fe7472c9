/** Data sets that were uploaded to owners over HTTP, each in its own format, chosen by a model.json and trained on over real sockets. */
import assert from 'node:assert/strict';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { suite } from 'uvu';
import { compileFeatures, encodeTable } from '../../src/learning/features.ts';
import { parseModel } from '../../src/learning/model.ts';
import { trainPooled } from '../../src/learning/pooled.ts';
import { type DataUnitParameters, parametersInDataUnits } from '../../src/learning/prediction.ts';
import { joinRecords } from '../../src/learning/records.ts';
import { readTable } from '../../src/learning/table.ts';
import { dealtOut, linearSample } from './data.ts';
import { oneKey } from './keys.ts';
import { getJson, type RunningOwner, startConsortium, trainOver } from './parties.ts';

const test = suite('uploaded data sets end to end');

const newKey = await oneKey();
const settings = { encryption: { key_bits: 2048 }, participation: { quorum: 3, deadline_seconds: 60 } };

/** A CSV as Parquet, its numbers as doubles. */
function asParquet(text: string): Uint8Array {
  const [header = '', ...rows] = text.trim().split('\n');
  const cells = rows.map((row) => row.split(','));
  const columnData = header.split(',').map((name, column) => {
    const data = cells.map((row) => row[column] ?? '');
    return data.every((cell) => cell !== '' && Number.isFinite(Number(cell)))
      ? ({ name, data: data.map(Number), type: 'DOUBLE' } as const)
      : ({ name, data, type: 'STRING' } as const);
  });
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

/** The same as JSON lines: an object a line. */
function asJsonLines(text: string): string {
  const [header = '', ...rows] = text.trim().split('\n');
  const names = header.split(',');
  const value = (cell: string): string | number => (cell !== '' && Number.isFinite(Number(cell)) ? Number(cell) : cell);
  return rows
    .map((row) =>
      JSON.stringify(Object.fromEntries(row.split(',').map((cell, column) => [names[column], value(cell)]))),
    )
    .join('\n');
}

async function upload({ url }: RunningOwner, name: string, type: string, body: string | Uint8Array): Promise<void> {
  const headers = { 'content-type': type };
  const response = await fetch(`${url}/datasets?name=${name}`, { method: 'POST', body: Buffer.from(body), headers });
  assert.equal(response.status, 201, await response.text());
}

test('a model trains on the data set that it names, and one that names none on what each owner was started with', async () => {
  const [first, second] = [linearSample(60), linearSample(150)];
  await using consortium = await startConsortium({ data: dealtOut(first, 3), newKey });
  const { modelOwner, owners } = consortium;
  const texts = dealtOut(second, 3);
  for (const [index, owner] of owners.entries()) {
    const text = texts[index] ?? '';
    if (index === 0) await upload(owner, 'second', 'application/vnd.apache.parquet', asParquet(text));
    else if (index === 1) await upload(owner, 'second', 'application/jsonl', asJsonLines(text));
    else await upload(owner, 'second', 'text/csv', text);
  }
  const { data_props } = second.document;
  const named = { ...second.document, ...settings, data_props: { ...data_props, dataset: 'second' } };
  const expected = async (parts: readonly string[]): Promise<DataUnitParameters> => {
    const model = parseModel(named);
    const map = compileFeatures(model);
    const tables = await Promise.all(parts.map((text) => readTable({ text }, model.data_props)));
    const all = joinRecords(tables.map((table) => encodeTable(map, table)));
    return parametersInDataUnits(model, map, trainPooled(model, all).parameters);
  };
  for (const [document, parts] of [
    [named, texts],
    [{ ...first.document, ...settings }, dealtOut(first, 3)],
  ] as const) {
    const view = await trainOver(modelOwner, document);
    assert.equal(view.status, 'finished', view.failure?.detail);
    const { coefficients } = await getJson<DataUnitParameters>(`${modelOwner.url}/models/${view.id}/parameters`);
    const wanted = (await expected(parts)).coefficients.flat();
    for (const [index, value] of coefficients.flat().entries())
      assert.ok(Math.abs(value - (wanted[index] ?? Number.NaN)) < 1e-6, `${value}, ${wanted[index]}`);
  }

  // Two are not the quorum: who has no such data set is told to the model owner, by the field and without a list.
  const unknown = { ...named, data_props: { ...data_props, dataset: 'third' } };
  const refused = await trainOver(modelOwner, unknown);
  assert.equal(refused.status, 'failed');
  assert.match(refused.failure?.detail ?? '', /this owner has no data set third/);
  assert.doesNotMatch(refused.failure?.detail ?? '', /second/);
});

test.run();
