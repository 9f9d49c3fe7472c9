/** Numbers, times and names as people read them. */
import type { NoisePlace } from '../../privacy/mode.ts';

/** To so many significant digits, without zeros that say nothing. */
export function number(value: number | null | undefined, digits = 6): string {
  if (value === null || value === undefined) return '–';
  return plain(value, digits).replace(/^-/, '−');
}

function plain(value: number, digits: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString('en-GB');
  const short = Number(value.toPrecision(digits));
  const size = Math.abs(short);
  return size !== 0 && (size < 1e-4 || size >= 1e9) ? short.toExponential() : String(short);
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? size : Number(size.toPrecision(3))} ${units[unit] ?? ''}`;
}

export function seconds(value: number | undefined): string {
  if (value === undefined) return '–';
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${Number(value.toPrecision(3))} s`;
  const minutes = Math.round(value / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** A moment of the wire, in the reader's own time. */
export function moment(at: string): string {
  return new Date(at).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}

export function many(count: number, one: string, several = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : several}`;
}

/** `waiting_for_owners` as words. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ').toLowerCase();
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** Who adds noise, and when. */
export const noisePlaces: Readonly<Record<NoisePlace, string>> = {
  'model-owner': 'the model owner, after decryption',
  facilitator: 'the facilitator, under encryption',
  'data-owners': 'the data owners, each a share before it encrypts',
};
