/**
 * An SVG page of panels, one below the other: shapes and text over two axes, readable on a light and on a dark background, with a title and
 * a description for people who do not see it. Nothing in it is loaded from elsewhere.
 */
import type { Axis } from './axis.ts';
import { at, escaped, shortened } from './text.ts';

/** Something drawn, in the units of the axes. Classes: `mark`, `few` (a mark that is to be read with care), `reference`, `note`. */
export type Shape =
  | {
      readonly kind: 'bar';
      readonly from: number;
      readonly to: number;
      readonly height: number;
      readonly class: string;
    }
  | { readonly kind: 'line'; readonly points: readonly (readonly [number, number])[]; readonly class: string }
  | { readonly kind: 'point'; readonly x: number; readonly y: number; readonly class: string; readonly label: string }
  /** Anchored at its start, its middle or its end. */
  | {
      readonly kind: 'text';
      readonly x: number;
      readonly y: number;
      readonly text: string;
      readonly anchor: 'start' | 'middle' | 'end';
    };

/** An entry of a legend: a sample of what a class looks like, and what it means. */
export interface LegendEntry {
  readonly kind: 'bar' | 'line' | 'point';
  readonly class: string;
  readonly text: string;
}

export interface Panel {
  /** Above it. */
  readonly heading: string;
  readonly x: Axis;
  readonly y: Axis;
  /** What is counted along each axis, and in what. */
  readonly labels: { readonly x: string; readonly y: string };
  /** Of the plot itself, in pixels. */
  readonly height: number;
  readonly legend: readonly LegendEntry[];
  readonly shapes: readonly Shape[];
}

export interface PanelPage {
  readonly title: string;
  readonly description: string;
  readonly panels: readonly Panel[];
}

const width = 800;
const left = 84;
const right = width - 28;
/** Characters of a title that fit between them, wide ones too. */
const titleLength = 64;
/** Above a panel for its heading and legend, and below it for ticks and label. */
const above = 58;
const below = 56;

/** The page as the text of an SVG file, with a newline at its end. */
export function panelPage({ title, description, panels }: PanelPage): string {
  let top = 48;
  const drawn = panels.map((panel) => {
    const elements = drawPanel(panel, top + above);
    top += above + panel.height + below;
    return elements;
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}" height="${top}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    `<style>${style}</style>`,
    `<rect class="page" width="${width}" height="${top}"/>`,
    `<text class="title" x="${left}" y="32">${escaped(shortened(title, titleLength))}</text>`,
    ...drawn.flat(),
    '</svg>',
  ].join('\n')}\n`;
}

function drawPanel({ heading, x, y, labels, height, legend, shapes }: Panel, top: number): string[] {
  const bottom = top + height;
  const xOf = (value: number): number => left + ((value - x.low) / (x.high - x.low)) * (right - left);
  const yOf = (value: number): number => bottom - ((value - y.low) / (y.high - y.low)) * height;
  return [
    `<text class="heading" x="${left}" y="${top - 34}">${escaped(heading)}</text>`,
    ...drawLegend(legend, top - 16),
    ...y.ticks.flatMap(({ value, label }) => [
      `<path class="grid" d="M${left} ${at(yOf(value))}H${right}"/>`,
      `<text class="tick" text-anchor="end" x="${left - 8}" y="${at(yOf(value) + 4)}">${label}</text>`,
    ]),
    ...x.ticks.flatMap(({ value, label }) => [
      `<path class="axis" d="M${at(xOf(value))} ${at(bottom)}v5"/>`,
      `<text class="tick" text-anchor="middle" x="${at(xOf(value))}" y="${at(bottom + 19)}">${label}</text>`,
    ]),
    ...shapes.map((shape) => draw(shape, xOf, yOf)),
    `<path class="axis" d="M${left} ${at(top)}V${at(bottom)}H${right}"/>`,
    `<text text-anchor="middle" x="${(left + right) / 2}" y="${at(bottom + 41)}">${escaped(labels.x)}</text>`,
    `<text text-anchor="middle" transform="translate(22 ${at((top + bottom) / 2)}) rotate(-90)">${escaped(labels.y)}</text>`,
  ];
}

/** Pixels that a letter takes on average, and what is left between entries. */
const letter = 6.6;
const sample = 40;

function drawLegend(entries: readonly LegendEntry[], y: number): string[] {
  let x = left;
  return entries.flatMap((entry) => {
    const begin = x;
    x += sample + entry.text.length * letter + 20;
    const text = `<text class="tick" x="${at(begin + sample - 6)}" y="${y + 4}">${escaped(entry.text)}</text>`;
    if (entry.kind === 'bar')
      return [`<rect class="${entry.class}" x="${at(begin + 4)}" y="${y - 6}" width="22" height="12"/>`, text];
    if (entry.kind === 'point')
      return [`<circle class="${entry.class}" cx="${at(begin + 15)}" cy="${y}" r="4.5"/>`, text];
    return [`<path class="${entry.class}" d="M${at(begin)} ${y}h28"/>`, text];
  });
}

function draw(shape: Shape, xOf: (value: number) => number, yOf: (value: number) => number): string {
  switch (shape.kind) {
    case 'bar': {
      const [from, to] = [xOf(shape.from), xOf(shape.to)];
      const gap = Math.min(1, (to - from) / 8);
      const [top, foot] = [yOf(shape.height), yOf(0)];
      return `<rect class="${shape.class}" x="${at(from + gap)}" y="${at(top)}" width="${at(to - from - 2 * gap)}" height="${at(foot - top)}"><title>${at(shape.height)}</title></rect>`;
    }
    case 'line':
      return `<path class="${shape.class}" d="M${shape.points.map(([x, y]) => `${at(xOf(x))} ${at(yOf(y))}`).join('L')}"/>`;
    case 'point':
      return `<circle class="${shape.class}" cx="${at(xOf(shape.x))}" cy="${at(yOf(shape.y))}" r="4.5"><title>${escaped(shape.label)}</title></circle>`;
    case 'text':
      return `<text class="tick" text-anchor="${shape.anchor}" x="${at(xOf(shape.x))}" y="${at(yOf(shape.y))}">${escaped(shape.text)}</text>`;
  }
}

/** Colours that people with any colour vision tell apart (Okabe and Ito 2008), in a shade for each background. */
function coloured(page: string, text: string, grid: string, mark: string, reference: string): string {
  return (
    `.page{fill:${page}}text{fill:${text}}.grid{stroke:${grid}}.axis{stroke:${text}}` +
    `rect.mark,circle.mark{fill:${mark}}.mark,.few,.spread,.spreadfew{stroke:${mark}}rect.few{fill:${mark}}circle.few{fill:${page}}` +
    `.reference{stroke:${reference}}`
  );
}

const style = [
  'text{font:13px system-ui,"DejaVu Sans",sans-serif}.title{font-size:16px;font-weight:600}.heading{font-size:14px;font-weight:600}',
  '.tick{font-size:12px}path{fill:none}rect.mark{stroke:none}circle{stroke-width:2}path.mark{stroke-width:2;stroke-linejoin:round}',
  'rect.few{fill-opacity:.18;stroke-width:1.5;stroke-dasharray:4 2}.spread,.spreadfew{stroke-width:1.6}.spreadfew{stroke-dasharray:3 3}',
  '.reference{stroke-width:2;stroke-dasharray:8 5}',
  coloured('#ffffff', '#222222', '#dddddd', '#0072b2', '#c04a00'),
  `@media (prefers-color-scheme:dark){${coloured('#16181c', '#e4e4e4', '#3a3d44', '#56b4e9', '#e69f00')}}`,
].join('');
