import assert from 'node:assert/strict';
import fc from 'fast-check';
import { suite } from 'uvu';
import { lineChart } from '../../src/charts/line-chart.ts';

const test = suite('line chart');

/** What stands along an axis, in the order of the file. */
function labels(svg: string, anchor: 'end' | 'middle'): string[] {
  return [...svg.matchAll(/<text class="tick" text-anchor="(\w+)"[^>]*>([^<]*)</g)]
    .filter(([, found]) => found === anchor)
    .map(([, , label = '']) => label);
}

/** The places of a line's points on the page. */
function places(svg: string, line: number): [number, number][] {
  const [, , path = ''] = [...svg.matchAll(new RegExp(`<path class="line line(${line})" d="M([^h"]*)"`, 'g'))][0] ?? [];
  return path.split('L').map((place) => place.split(' ').map(Number) as [number, number]);
}

const axes = { x: 'rounds', y: 'epsilon' };

test('ticks are round numbers from 0 to the end, which no point lies beyond', () => {
  const chart = (x: number, y: number): string =>
    lineChart({ title: '', axes, lines: [{ name: 'a', points: [{ x, y }] }] });
  assert.deepEqual(labels(chart(100, 1), 'middle'), ['0', '20', '40', '60', '80', '100']);
  assert.deepEqual(labels(chart(100, 1), 'end'), ['0', '0.2', '0.4', '0.6', '0.8', '1']);
  assert.deepEqual(labels(chart(7, 0.34), 'middle'), ['0', '2', '4', '6', '8']);
  assert.deepEqual(labels(chart(7, 0.34), 'end'), ['0', '0.1', '0.2', '0.3', '0.4']);
  assert.deepEqual(labels(chart(2e9, 3e-9), 'middle'), ['0', '5e8', '1e9', '1.5e9', '2e9']);
  assert.deepEqual(labels(chart(2e9, 3e-9), 'end'), ['0', '1e-9', '2e-9', '3e-9']);
  assert.deepEqual(labels(chart(0, 0), 'end'), ['0', '0.2', '0.4', '0.6', '0.8', '1']);
  fc.assert(
    fc.property(fc.double({ min: -20, max: 20, noNaN: true }), (exponent) => {
      const greatest = 10 ** exponent;
      const ticks = labels(chart(1, greatest), 'end').map(Number);
      const [end = 0, before = 0] = ticks.toReversed();
      assert.ok(end >= greatest * (1 - 1e-12) && before < greatest, `${ticks.join(' ')} for ${greatest}`);
      assert.ok(ticks.length >= 4 && ticks.length <= 7, `${ticks.length} ticks for ${greatest}`);
    }),
  );
});

test('points lie where the axes say, upwards and to the right', () => {
  const points = [
    { x: 0, y: 0 },
    { x: 50, y: 0.5 },
    { x: 100, y: 1 },
  ];
  const svg = lineChart({ title: 'a', axes, lines: [{ name: 'a', points }] });
  const [first, middle, last] = places(svg, 0) as [[number, number], [number, number], [number, number]];
  assert.ok(last[0] > first[0] && last[1] < first[1], 'to the right and up');
  assert.deepEqual(middle, [(first[0] + last[0]) / 2, (first[1] + last[1]) / 2]);
  // The axes meet at 0 and end at the last point.
  assert.match(svg, new RegExp(`<path class="axis" d="M${first[0]} ${last[1]}V${first[1]}H${last[0]}"/>`));
});

test('every line is in the legend with a stroke of its own, in both shades; names are text, not markup', () => {
  const lines = ['zcdp', 'a < b & c', 'without points'].map((name, index) => ({
    name,
    points: index === 2 ? [] : [{ x: 1, y: index }],
  }));
  const svg = lineChart({ title: '<title> & more', axes, lines });
  assert.match(svg, /<text class="title"[^>]*>&lt;title&gt; &amp; more<\/text>/);
  assert.match(svg, /<text [^>]*>a &lt; b &amp; c<\/text>/);
  for (const index of [0, 1, 2]) {
    assert.equal([...svg.matchAll(new RegExp(`class="line line${index}" d="M[0-9. ]+h34"`, 'g'))].length, 1);
    assert.equal([...svg.matchAll(new RegExp(`\\.line${index}\\{stroke:#`, 'g'))].length, 2);
  }
  assert.equal([...svg.matchAll(/class="line line\d"/g)].length, 5);
  assert.match(svg, /@media \(prefers-color-scheme:dark\)\{/);
  assert.ok(!/NaN|Infinity|undefined/.test(svg));
});

test.run();
