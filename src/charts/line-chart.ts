/** Lines over two axes as an SVG file: one page of shapes and text, readable on a light and on a dark background. */

import { at, escaped, shortened } from './text.ts';

/** Finite, not negative. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Line {
  readonly name: string;
  /** From left to right; a line without any is in the legend only. */
  readonly points: readonly Point[];
}

export interface LineChart {
  readonly title: string;
  /** What it shows, for people who do not see it. */
  readonly description?: string;
  /** What is counted along each axis, and in what. */
  readonly axes: { readonly x: string; readonly y: string };
  /** At most as many as there are strokes (six), at least one. */
  readonly lines: readonly Line[];
}

const width = 800;
const plot = { left: 78, right: width - 24, height: 340 };
const legendRow = 20;
/** Characters of a title that fit above the plot, wide ones too. */
const titleLength = 68;

/** Colours that people with any colour vision tell apart (Okabe and Ito 2008), in a shade for each background; and dashes. */
const strokes = [
  { light: '#0072b2', dark: '#56b4e9', dashes: 'none' },
  { light: '#c04a00', dark: '#e69f00', dashes: '9 4' },
  { light: '#00795a', dark: '#2ec49a', dashes: '2 4' },
  { light: '#a3497f', dark: '#e59ac6', dashes: '12 4 2 4' },
  { light: '#7a6a00', dark: '#f0e442', dashes: '6 2' },
  { light: '#555555', dark: '#bbbbbb', dashes: '4 6' },
] as const;

/** The chart as the text of an SVG file, with a newline at its end. Both axes begin at 0. */
export function lineChart({ title, description, axes, lines }: LineChart): string {
  const legendRows = Math.ceil(lines.length / 2);
  const top = 56 + legendRows * legendRow;
  const bottom = top + plot.height;
  const height = bottom + 62;
  const all = lines.flatMap(({ points }) => points);
  const across = axisUpTo(Math.max(0, ...all.map(({ x }) => x)));
  const upwards = axisUpTo(Math.max(0, ...all.map(({ y }) => y)));
  const xOf = (x: number): number => plot.left + (x / across.end) * (plot.right - plot.left);
  const yOf = (y: number): number => bottom - (y / upwards.end) * plot.height;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    ...(description === undefined ? [] : [`<desc>${escaped(description)}</desc>`]),
    `<style>${style()}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    `<text class="title" x="${plot.left}" y="30">${escaped(shortened(title, titleLength))}</text>`,
    ...lines.flatMap(({ name }, index) => legendEntry(name, index)),
    ...upwards.ticks.flatMap(({ value, label }) => [
      `<path class="grid" d="M${plot.left} ${at(yOf(value))}H${plot.right}"/>`,
      `<text class="tick" text-anchor="end" x="${plot.left - 8}" y="${at(yOf(value) + 4)}">${label}</text>`,
    ]),
    ...across.ticks.flatMap(({ value, label }) => [
      `<path class="axis" d="M${at(xOf(value))} ${bottom}v5"/>`,
      `<text class="tick" text-anchor="middle" x="${at(xOf(value))}" y="${bottom + 20}">${label}</text>`,
    ]),
    `<path class="axis" d="M${plot.left} ${top}V${bottom}H${plot.right}"/>`,
    `<text text-anchor="middle" x="${(plot.left + plot.right) / 2}" y="${bottom + 46}">${escaped(axes.x)}</text>`,
    `<text text-anchor="middle" transform="translate(22 ${(top + bottom) / 2}) rotate(-90)">${escaped(axes.y)}</text>`,
    ...lines.flatMap(({ points }, index) => {
      const places = points.map(({ x, y }) => `${at(xOf(x))} ${at(yOf(y))}`);
      return places.length === 0 ? [] : [`<path class="line line${index}" d="M${places.join('L')}"/>`];
    }),
    '</svg>',
  ].join('\n')}\n`;
}

/** Two entries beside each other: a piece of the line, and its name. */
function legendEntry(name: string, index: number): string[] {
  const x = plot.left + (index % 2) * ((plot.right - plot.left) / 2);
  const y = 52 + Math.floor(index / 2) * legendRow;
  return [
    `<path class="line line${index}" d="M${x} ${y}h34"/>`,
    `<text x="${x + 42}" y="${y + 4}">${escaped(name)}</text>`,
  ];
}

function style(): string {
  const rules = (shade: 'light' | 'dark', [page, text, grid]: readonly [string, string, string]): string =>
    [
      `.page{fill:${page}}text{fill:${text}}.grid{stroke:${grid}}.axis{stroke:${text}}`,
      ...strokes.map((stroke, index) => `.line${index}{stroke:${stroke[shade]}}`),
    ].join('');
  return [
    'text{font:13px system-ui,"DejaVu Sans",sans-serif}.title{font-size:15px;font-weight:600}.tick{font-size:12px}',
    'path{fill:none}.line{stroke-width:2;stroke-linejoin:round}',
    ...strokes.map(({ dashes }, index) => `.line${index}{stroke-dasharray:${dashes}}`),
    rules('light', ['#ffffff', '#222222', '#dddddd']),
    `@media (prefers-color-scheme:dark){${rules('dark', ['#16181c', '#e4e4e4', '#3a3d44'])}}`,
  ].join('');
}

/** An axis from 0 to at least `greatest`, in three to six steps of 1, 2 or 5 times a power of ten. */
function axisUpTo(greatest: number): { end: number; ticks: readonly { value: number; label: string }[] } {
  const top = greatest > 0 ? greatest : 1;
  const exponent = Math.floor(Math.log10(top / 5));
  // Dividing by a power of ten rounds to what the decimal is read as; multiplying by its inverse does not: 3/10, not 3·0.1.
  const scaled = (digits: number): number => (exponent < 0 ? digits / 10 ** -exponent : digits * 10 ** exponent);
  const factor = [1, 2, 5].find((each) => 5 * scaled(each) >= top) ?? 10;
  const steps = Math.ceil(top / scaled(factor));
  return {
    end: scaled(steps * factor),
    ticks: Array.from({ length: steps + 1 }, (_, step) => {
      const value = scaled(step * factor);
      return { value, label: value < 1e7 ? String(value) : value.toExponential().replace('+', '') };
    }),
  };
}
