/**
 * Files of named tensors in the format of safetensors (https://github.com/huggingface/safetensors, "Format"): the length of a header
 * in 8 bytes, a header of JSON, and the tensors' values, row by row and little-endian, one tensor after the other without gaps.
 *
 * Everything of a file is checked before any of it is believed. Of its types of values those that are floating-point numbers of 2, 4
 * and 8 bytes are read, and each as the double that it is.
 */
import { createTensorLayout, layoutOf, type NamedTensors, type Tensor } from '../averaging/tensors.ts';
import { SealsumError } from '../errors.ts';
import { bfloat16, binary16, decodeSmall, encodeSmall, type SmallFloat } from './floats.ts';

/** A type of values, by its name in the format. */
export type FloatType = 'F64' | 'F32' | 'BF16' | 'F16';

/** What is in a file. */
export interface StateDictionary {
  readonly tensors: NamedTensors;
  /** Of every tensor how its values are written. */
  readonly types: ReadonlyMap<string, FloatType>;
  /** What else the file says, as text. */
  readonly metadata: Readonly<Record<string, string>>;
}

interface Coding {
  readonly bytes: number;
  read(view: DataView, at: number): number;
  /** False: the value is too great for the type. */
  write(view: DataView, at: number, value: number): boolean;
}

const small = (type: SmallFloat): Coding => ({
  bytes: 2,
  read: (view, at) => decodeSmall(type, view.getUint16(at, true)),
  write: (view, at, value) => {
    const bits = encodeSmall(type, value);
    if (bits !== undefined) view.setUint16(at, bits, true);
    return bits !== undefined;
  },
});

/** In the order in which the format's own library writes tensors: the widest first. */
const codings: Readonly<Record<FloatType, Coding>> = {
  F64: {
    bytes: 8,
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, value) => {
      view.setFloat64(at, value, true);
      return true;
    },
  },
  F32: {
    bytes: 4,
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, value) => {
      view.setFloat32(at, value, true);
      return Number.isFinite(Math.fround(value));
    },
  },
  BF16: small(bfloat16),
  F16: small(binary16),
};
const types = Object.keys(codings) as FloatType[];

/** Bytes of a header, at most: the format's own limit. */
const longestHeader = 100_000_000;

/**
 * Reads a file.
 *
 * @throws SealsumError data_invalid for what is no such file, with field `header` or the tensor that is wrong, such as
 *   `tensor "bias"`, and for tensors of other types; number_not_finite for values that are NaN or infinite
 */
export function readSafetensors(file: Uint8Array): StateDictionary {
  const { header, text, values } = split(file);
  requireOnce(text);
  const { __metadata__: metadata = {}, ...named } = header;
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== 'string'))
    throw refuse('__metadata__ says something else than texts');
  const entries = Object.entries(named).map(([name, entry]) => readEntry(name, entry));
  requireContiguous(entries, values.byteLength);
  const tensors = new Map<string, Tensor>();
  for (const { name, type, shape, begin, size } of inOrderOfNames(entries)) {
    const coding = codings[type];
    const read = Float64Array.from({ length: size }, (_, index) => coding.read(values, begin + index * coding.bytes));
    tensors.set(name, { shape, values: read });
  }
  layoutOf(tensors);
  return {
    tensors,
    types: new Map(entries.map(({ name, type }) => [name, type])),
    metadata: metadata as Readonly<Record<string, string>>,
  };
}

/**
 * Writes a file, byte for byte as the format's own library does. A value that its type does not hold becomes the nearest that it does.
 *
 * @throws SealsumError data_invalid naming a tensor that is none or has no type, number_not_finite; number_out_of_bounds with field
 *   `tensor "name" value j` for a value that its type would make infinite
 */
export function writeSafetensors({
  tensors,
  types: typesOf,
  metadata = {},
}: Omit<StateDictionary, 'metadata'> & Partial<StateDictionary>): Uint8Array {
  const layout = layoutOf(tensors);
  const entries = layout.places.map(({ name, shape, size }) => {
    const type = typesOf.get(name);
    if (type === undefined || !types.includes(type))
      throw refuseTensor(name, `has no type of values: give one of ${types.join(', ')}`);
    return { name, type, shape, size };
  });
  entries.sort(
    (left, right) => types.indexOf(left.type) - types.indexOf(right.type) || (left.name < right.name ? -1 : 1),
  );
  const header: [string, unknown][] = Object.keys(metadata).length === 0 ? [] : [['__metadata__', metadata]];
  let end = 0;
  for (const { name, type, shape, size } of entries) {
    const begin = end;
    end += size * codings[type].bytes;
    header.push([name, { dtype: type, shape, data_offsets: [begin, end] }]);
  }
  // By hand, as an object puts names that are numbers before the others.
  const text = `{${header.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`;
  const written = Buffer.from(text);
  const padded = Math.ceil(written.length / 8) * 8;
  const file = new Uint8Array(8 + padded + end);
  file.fill(0x20, 8, 8 + padded);
  file.set(written, 8);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded), true);
  const view = new DataView(file.buffer, 8 + padded);
  let at = 0;
  for (const { name, type } of entries)
    for (const [index, value] of (tensors.get(name)?.values ?? new Float64Array(0)).entries()) {
      if (!codings[type].write(view, at, value)) {
        const field = `tensor ${JSON.stringify(name)} value ${index}`;
        throw new SealsumError('number_out_of_bounds', `${field} is too great for ${type}; write it as F64`, { field });
      }
      at += codings[type].bytes;
    }
  return file;
}

interface Split {
  readonly header: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly values: DataView;
}

function split(file: Uint8Array): Split {
  if (!(file instanceof Uint8Array)) throw refuse('expected the bytes of a file');
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 8) throw refuse(`the file has ${file.length} bytes, fewer than the length of a header takes`);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(longestHeader)) throw refuse(`it is to be ${length} bytes long, more than ${longestHeader}`);
  const end = 8 + Number(length);
  if (end > file.length) throw refuse(`it is to be ${length} bytes long, and the file ends before`);
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file.subarray(8, end));
    header = JSON.parse(text);
  } catch (cause) {
    throw refuse('it is no JSON', cause);
  }
  if (!text.startsWith('{') || !isRecord(header)) throw refuse('it is no JSON object that begins with "{"');
  return { header, text, values: new DataView(file.buffer, file.byteOffset + end, file.length - end) };
}

/** JSON takes the last of two entries of one name: another reader may take the first. */
function requireOnce(text: string): void {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (depth === 1 && token.endsWith(':')) {
      const name = JSON.parse(token.slice(0, -1)) as string;
      if (seen.has(name)) throw refuseTensor(name, 'is there twice');
      seen.add(name);
    }
  }
}

interface Entry {
  readonly name: string;
  readonly type: FloatType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
  readonly size: number;
}

function readEntry(name: string, entry: unknown): Entry {
  if (!isRecord(entry)) throw refuseTensor(name, 'is described by something else than an object');
  const { dtype, shape, data_offsets: offsets, ...more } = entry;
  const [stray] = Object.keys(more);
  if (stray !== undefined) throw refuseTensor(name, `has ${JSON.stringify(stray)}, which the format does not know`);
  const type = types.find((each) => each === dtype);
  if (type === undefined)
    throw refuseTensor(
      name,
      `has values of type ${typeof dtype === 'string' ? dtype.slice(0, 32) : typeof dtype}; only ${types.join(', ')} can be summed: leave it out, or convert it`,
    );
  if (
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every((each) => Number.isSafeInteger(each) && each >= 0)
  )
    throw refuseTensor(name, 'has no two data_offsets, whole numbers from 0');
  const [begin, end] = offsets as [number, number];
  // Checks the shape, and names the tensor.
  const size = createTensorLayout([{ name, shape: shape as readonly number[] }]).length;
  if (end - begin !== size * codings[type].bytes)
    throw refuseTensor(name, `has ${end - begin} bytes, and its shape and type ${size * codings[type].bytes}`);
  return { name, type, shape: shape as readonly number[], begin, end, size };
}

function requireContiguous(entries: readonly Entry[], length: number): void {
  let last = 0;
  for (const { name, begin, end } of [...entries].sort(
    (left, right) => left.begin - right.begin || left.end - right.end,
  )) {
    if (begin !== last) throw refuseTensor(name, `begins at byte ${begin}, and the one before ends at ${last}`);
    last = end;
  }
  if (last !== length) throw refuse(`the tensors end at byte ${last}, and the values of the file at ${length}`);
}

/** As the header has them, where an object would have put those first whose names are numbers. */
function inOrderOfNames(entries: readonly Entry[]): readonly Entry[] {
  return [...entries].sort((left, right) => left.begin - right.begin || left.end - right.end);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(why: string, cause?: unknown): SealsumError {
  return new SealsumError('data_invalid', `header: ${why}`, {
    field: 'header',
    ...(cause === undefined ? {} : { cause }),
  });
}

function refuseTensor(name: string, why: string): SealsumError {
  const field = `tensor ${JSON.stringify(name)}`;
  return new SealsumError('data_invalid', `${field} ${why}`, { field });
}
