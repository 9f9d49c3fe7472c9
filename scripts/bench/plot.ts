/** Aggregations as a picture: what they compute against the number of values, and how long they take on links. SVG, light and dark. */
import type { AggregationRow } from './aggregations.ts';
import { comparedOwners } from './compare.ts';

interface Point {
  readonly x: number;
  readonly y: number;
  /** Scaled points are hollow. */
  readonly scaled: boolean;
}

interface Series {
  readonly name: string;
  /** Which of the styles it has in both panels. */
  readonly style: number;
  readonly points: readonly Point[];
}

interface Panel {
  readonly title: string;
  readonly subtitle: string;
  readonly xLabel: string;
  readonly xTick: (value: number) => string;
  readonly series: readonly Series[];
}

/** Strokes on light and on dark ground, and dashes for those who do not tell the colours. */
const styles = [
  { light: '#1d4ed8', dark: '#7aa7ff', dash: '' },
  { light: '#0f766e', dark: '#4fd1c0', dash: '' },
  { light: '#7e22ce', dark: '#cf9dff', dash: '' },
  { light: '#be123c', dark: '#ff8099', dash: '7 3' },
  { light: '#b45309', dark: '#ffb454', dash: '7 3' },
  { light: '#57534e', dark: '#c3bdb7', dash: '2 3' },
  { light: '#15803d', dark: '#7ddc8f', dash: '2 3' },
  { light: '#0369a1', dark: '#70c8f5', dash: '2 3' },
];

const width = 960;
const panelTop = 124;
const panelHeight = 300;
const panelWidth = 390;
const panelLefts = [70, 550];
const legendColumns = 4;
const height = panelTop + panelHeight + 72;

/** @returns an SVG document; of the owners it shows 10 where they were measured, and of the keys the largest */
export function plot(rows: readonly AggregationRow[]): string {
  const owners = comparedOwners(rows);
  const keyBits = Math.max(...rows.map((row) => row.key_bits ?? 0));
  const values = Math.max(...rows.map((row) => row.values));
  const shown = rows.filter((row) => row.owners === owners && (row.key_bits === null || row.key_bits === keyBits));
  const names = [...new Set(shown.map(nameOf))];
  const seriesOf = (points: (rows: readonly AggregationRow[]) => Point[]): Series[] =>
    names.map((name, style) => ({ name, style, points: points(shown.filter((row) => nameOf(row) === name)) }));
  const panels: Panel[] = [
    {
      title: 'What all parties compute together',
      subtitle: `${owners} owners, Paillier keys of ${keyBits} bits; time of one core`,
      xLabel: "values in each owner's vector",
      xTick: grouped,
      series: seriesOf((some) =>
        some.map((row) => ({ x: row.values, y: row.cpu_ms / 1000, scaled: row.scaled_from !== undefined })),
      ),
    },
    {
      title: 'End to end, with the links',
      subtitle: `${owners} owners × ${grouped(values)} values; computed from times and bytes`,
      xLabel: 'every link, in Mbit/s',
      xTick: grouped,
      series: seriesOf((some) =>
        some
          .filter((row) => row.values === values)
          .flatMap((row) =>
            row.end_to_end.map(({ mbit_per_s: x, seconds: y }) => ({ x, y, scaled: row.scaled_from !== undefined })),
          ),
      ),
    },
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(`Aggregations with ${names.join(', ')}`)}</title>`,
    `<style>${css()}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    ...legend(names),
    ...panels.flatMap((panel, at) => drawPanel(panel, panelLefts[at] ?? 0)),
    '</svg>',
    '',
  ].join('\n');
}

export function nameOf({ implementation, backend }: Pick<AggregationRow, 'implementation' | 'backend'>): string {
  if (implementation === 'ckks') return `CKKS ${backend}`;
  return implementation === 'sealsum' ? `sealsum ${backend}` : implementation;
}

function css(): string {
  const light = styles.map(({ light: colour, dash }, at) => strokes(at, colour, dash));
  const dark = styles.map(({ dark: colour }, at) => strokes(at, colour, ''));
  return [
    'text{font:12px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}',
    '.title{font-weight:600;font-size:14px}.faint{fill:#59636e}.end{text-anchor:end}.middle{text-anchor:middle}',
    '.ground{fill:#ffffff}.grid{stroke:#d1d9e0;stroke-width:1}.line{fill:none;stroke-width:2}.dot{stroke-width:2}',
    '.hollow{fill:#ffffff}',
    ...light,
    '@media (prefers-color-scheme:dark){text{fill:#e6edf3}.faint{fill:#a5aeb8}.ground{fill:#0d1117}.grid{stroke:#30363d}',
    '.hollow{fill:#0d1117}',
    ...dark,
    '}',
  ].join('');
}

function strokes(at: number, colour: string, dash: string): string {
  const dashes = dash === '' ? '' : `.line.c${at}{stroke-dasharray:${dash}}`;
  return `.c${at}{stroke:${colour}}.full.c${at}{fill:${colour}}${dashes}`;
}

function legend(names: readonly string[]): string[] {
  const step = (width - 70) / legendColumns;
  return [
    ...names.flatMap((name, at) => {
      const left = panelLefts[0] ?? 0;
      const x = left + (at % legendColumns) * step;
      const y = 22 + 20 * Math.floor(at / legendColumns);
      const style = `c${at % styles.length}`;
      return [
        `<path class="line ${style}" d="M${x} ${y - 4}h26"/>`,
        `<circle class="dot full ${style}" cx="${x + 13}" cy="${y - 4}" r="3"/>`,
        `<text x="${x + 34}" y="${y}">${escaped(name)}</text>`,
      ];
    }),
    `<text class="faint end" x="${width - 20}" y="${height - 10}">hollow: measured on fewer values and scaled</text>`,
  ];
}

function drawPanel({ title, subtitle, xLabel, xTick, series }: Panel, left: number): string[] {
  const points = series.flatMap((each) => each.points);
  const x = logScale(
    points.map((point) => point.x),
    left + 16,
    left + panelWidth - 16,
  );
  const y = logScale(
    points.map((point) => point.y),
    panelTop + panelHeight,
    panelTop,
  );
  const bottom = panelTop + panelHeight;
  return [
    `<text class="title" x="${left}" y="${panelTop - 34}">${escaped(title)}</text>`,
    `<text class="faint" x="${left}" y="${panelTop - 16}">${escaped(subtitle)}</text>`,
    ...y.decades.flatMap((value) => [
      `<path class="grid" d="M${left} ${y.at(value)}h${panelWidth}"/>`,
      `<text class="faint end" x="${left - 8}" y="${y.at(value) + 4}">${duration(value)}</text>`,
    ]),
    ...x.decades.flatMap((value) => [
      `<path class="grid" d="M${x.at(value)} ${bottom}v5"/>`,
      `<text class="faint middle" x="${x.at(value)}" y="${bottom + 19}">${escaped(xTick(value))}</text>`,
    ]),
    `<text class="faint middle" x="${left + panelWidth / 2}" y="${bottom + 38}">${escaped(xLabel)}</text>`,
    ...series.flatMap((each) => drawSeries(each, x.at, y.at)),
  ];
}

function drawSeries({ name, style, points }: Series, x: (value: number) => number, y: (value: number) => number) {
  const colour = `c${style % styles.length}`;
  const sorted = points.toSorted((a, b) => a.x - b.x);
  const path = sorted.map((point, at) => `${at === 0 ? 'M' : 'L'}${x(point.x)} ${y(point.y)}`).join('');
  return [
    `<g><title>${escaped(name)}</title>`,
    `<path class="line ${colour}" d="${path}"/>`,
    ...sorted.map(
      (point) =>
        `<circle class="dot ${point.scaled ? 'hollow' : 'full'} ${colour}" cx="${x(point.x)}" cy="${y(point.y)}" r="3.5"/>`,
    ),
    '</g>',
  ];
}

interface Scale {
  at: (value: number) => number;
  /** The powers of ten in its range. */
  readonly decades: readonly number[];
}

/** Whole decades around some values, from one coordinate to another. */
function logScale(values: readonly number[], from: number, to: number): Scale {
  const lowest = Math.floor(Math.log10(Math.min(...values)) + 1e-9);
  const highest = Math.max(lowest + 1, Math.ceil(Math.log10(Math.max(...values)) - 1e-9));
  return {
    at: (value) => Math.round(10 * (from + ((Math.log10(value) - lowest) / (highest - lowest)) * (to - from))) / 10,
    decades: Array.from({ length: highest - lowest + 1 }, (_, at) => 10 ** (lowest + at)),
  };
}

/** A power of ten of seconds. */
function duration(seconds: number): string {
  if (seconds < 1e-3) return `${grouped(Number((seconds * 1e6).toPrecision(3)))} µs`;
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  if (seconds < 1e4) return `${grouped(seconds)} s`;
  const power = Math.round(Math.log10(seconds)).toString();
  return `10${power.replaceAll(/[0-9]/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'.charAt(Number(digit)))} s`;
}

/** Thousands apart, by a thin space. */
function grouped(value: number): string {
  return value.toString().replaceAll(/\B(?=(?:\d{3})+$)/g, '\u2009');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
