/** The pictures of a model: read as text, and looked at in a browser. */
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { type PlotName, plotHeaders, plotOf } from '../../../parties/model-owner/plots.ts';
import { SealsumError } from '../../../src/errors.ts';
import { startServer } from '../../../src/http/server.ts';
import type { Diagnostics } from '../../../src/learning/inference/diagnostics.ts';
import { parseDocument } from '../../../src/learning/model-document.ts';
import type { ModelRecord, RoundReport } from '../../../src/storage/model-store.ts';
import { findChromium, launchChromium } from '../../support/chromium.ts';

const test = suite("a model's pictures");

const features = [{ name: 'age', type: 'continuous', range: [0, 100] }];

function recordOf(document: object, rest: Partial<ModelRecord> = {}): ModelRecord {
  return {
    id: 'model-1',
    model: parseDocument(document),
    status: 'finished',
    createdAt: 0,
    owners: [],
    updates: 1,
    plannedUpdates: 1,
    privacy: { guarantee: 'no differential privacy' } as ModelRecord['privacy'],
    ...rest,
  };
}

const linear = {
  name: 'stay <of> patients & others',
  model_type: 'LINEAR_REGRESSION',
  data_props: { features, target: { name: 'days', range: [0, 40] } },
  training: { diagnostics: { bins: 4 } },
};
const logistic = {
  model_type: 'LOGISTIC_REGRESSION',
  data_props: { features, target: { name: 'back', levels: ['no', 'yes'] } },
  training: { diagnostics: { bins: 3 } },
};

const residuals: Diagnostics = {
  records: 56,
  residuals: {
    edges: [-8, -4, 0, 4, 8],
    counts: [3, 20, 30, 0],
    small: [true, false, false, false],
    below: 1,
    above: 2,
  },
  residuals_by_prediction: {
    edges: [0, 10, 20, 30, 40],
    counts: [1, 30, 25, 0],
    small: [true, false, false, false],
    means: [2, -1, 1, null],
    standard_deviations: [null, 2.5, 1.5, null],
  },
};
const calibration: Diagnostics = {
  records: 59,
  calibration: {
    class: 'yes',
    edges: [0, 1 / 3, 2 / 3, 1],
    counts: [30, 0, 29],
    small: [false, false, false],
    predicted: [0.1, null, 0.8],
    observed: [0.2, null, 0.75],
  },
};

/** The same model with names of any length. */
const long = 'What is measured When patients leave the HOSPITAL '.repeat(5).trim();
const named = (model: { readonly data_props: { readonly target: object } }): object => ({
  ...model,
  name: long,
  data_props: { ...model.data_props, target: { ...model.data_props.target, name: long } },
});
assert.ok(calibration.calibration !== undefined);
const calibrationOfLong: Diagnostics = { ...calibration, calibration: { ...calibration.calibration, class: long } };

const rounds: readonly RoundReport[] = [1, 0.5, 0.25].map((loss, index) => ({
  round: index + 1,
  contributors: 3,
  seconds: 1,
  bytes: 100,
  ...(index === 2 ? { closing: true } : { metrics: { loss } }),
}));

const refused = (name: PlotName, record: ModelRecord, expected: { code: string; field: string }): void => {
  assert.throws(
    () => plotOf(name, record, []),
    (error) => error instanceof SealsumError && error.code === expected.code && error.field === expected.field,
  );
};

test('residuals: bars and points where there are records, small ones told apart, those beyond counted', () => {
  const svg = plotOf('residuals', recordOf(linear, { diagnostics: residuals }), []);
  assert.match(svg, /<title id="title">Residuals: stay &lt;of&gt; patients &amp; others<\/title>/);
  assert.match(
    svg,
    /<desc id="description">A histogram of 56 residuals \(days less its prediction\) between -8 and 8, with 3 beyond/,
  );
  const count = (pattern: RegExp): number => [...svg.matchAll(pattern)].length;
  // With the entries of the legends.
  assert.equal(count(/<rect class="mark"/g), 2 + 1);
  assert.equal(count(/<rect class="few"/g), 1 + 1);
  assert.equal(count(/<circle class="mark"/g), 2 + 1);
  assert.equal(count(/<circle class="few"/g), 1 + 1);
  assert.match(svg, /> 1 below</);
  assert.match(svg, />2 above </);
  assert.match(svg, /prefers-color-scheme:dark/);
  assert.ok(!/NaN|Infinity|undefined|https?:\/\/(?!www\.w3\.org\/2000\/svg)/.test(svg));
});

test('residuals: a fit whose residuals are nothing in every bin is drawn, and so is a name that XML cannot hold', () => {
  const { residuals_by_prediction: profile } = residuals;
  assert.ok(profile !== undefined);
  const none: Diagnostics = {
    ...residuals,
    residuals_by_prediction: { ...profile, means: [0, 0, 0, null], standard_deviations: [null, 0, 0, null] },
  };
  const svg = plotOf('residuals', recordOf({ ...linear, name: 'a\u0000b\u001B[31m' }, { diagnostics: none }), []);
  assert.ok(!/NaN|Infinity|undefined/.test(svg));
  assert.match(svg, /<title id="title">Residuals: a\uFFFDb\uFFFD\[31m<\/title>/);
});

test('calibration: a reference from corner to corner, a point and an interval for every bin with records', () => {
  const svg = plotOf('calibration', recordOf(logistic, { diagnostics: calibration }), []);
  assert.match(svg, /<path class="reference" d="M84 486L772 106"\/>/);
  assert.equal([...svg.matchAll(/<circle class="mark"/g)].length, 2 + 1);
  assert.match(svg, /predicted probability that back is yes, mean in the bin/);
  // Wilson's interval of 6 of 30: 0.0951 to 0.3731 (by hand; R's prop.test(6, 30, correct = FALSE) gives the same).
  const [, low = '', high = ''] = /<path class="spread" d="M152\.8 ([\d.]+)L152\.8 ([\d.]+)"/.exec(svg) ?? [];
  assert.ok(Math.abs((486 - Number(low)) / 380 - 0.0951) < 1e-4);
  assert.ok(Math.abs((486 - Number(high)) / 380 - 0.3731) < 1e-4);
  assert.ok(!svg.includes('fewer than 10'));
});

test('loss: one point for every round that has one', () => {
  const svg = plotOf('loss', recordOf(logistic), rounds);
  assert.match(svg, /<desc>The mean loss per record goes from 1 in round 1 to 0\.5 in round 2\.<\/desc>/);
  assert.equal(/class="line line0" d="M([^"]*L[^"]*)"/.exec(svg)?.[1]?.split('L').length, 2);
});

test('loss: of very many rounds so many points as a page can show, the first and the last among them', () => {
  const many = Array.from({ length: 100_001 }, (_, index): RoundReport => {
    const loss = 1 / (index + 1);
    return { round: index + 1, contributors: 3, seconds: 1, bytes: 100, metrics: { loss, validation_loss: loss } };
  });
  const svg = plotOf('loss', recordOf(logistic), many);
  assert.ok(svg.length < 200_000, `${svg.length}`);
  assert.match(svg, /goes from 1 in round 1 to 0\.00001 in round 100001\./);
});

test('what there is not is said by the name of what would change it', () => {
  refused('calibration', recordOf(linear, { diagnostics: residuals }), { code: 'model_invalid', field: 'model_type' });
  refused('residuals', recordOf(logistic, { diagnostics: calibration }), {
    code: 'model_invalid',
    field: 'model_type',
  });
  refused('residuals', recordOf({ ...linear, training: {} }), { code: 'model_invalid', field: 'training.diagnostics' });
  refused('residuals', recordOf(linear, { status: 'training' }), { code: 'model_unfinished', field: 'id' });
  refused('loss', recordOf(linear), { code: 'model_invalid', field: 'training.solver' });
  refused('loss', recordOf(logistic, { status: 'training' }), { code: 'model_unfinished', field: 'id' });
  const local = { ...logistic, training: {}, privacy: { rho: 1, metrics: 'local' } };
  refused('loss', recordOf(local), { code: 'model_invalid', field: 'privacy.metrics' });
  const statistics = {
    model_type: 'STATISTICS',
    data_props: { columns: [{ name: 'age', type: 'continuous', range: [0, 1] }] },
    statistics: { moments: true },
  };
  refused('loss', recordOf(statistics), { code: 'model_invalid', field: 'model_type' });
});

const chromium = findChromium();
/** Skipped where there is no browser. */
const inBrowser = (name: string, body: () => Promise<void>): void => {
  if (chromium === undefined) test.skip(name);
  else test(name, body);
};

inBrowser('a browser draws every text within the page, in the dark and in the light', async () => {
  const browser = await launchChromium();
  try {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await browser.newPage({ colorScheme, viewport: { width: 820, height: 900 } });
      for (const svg of [
        plotOf('residuals', recordOf(linear, { diagnostics: residuals }), []),
        plotOf('calibration', recordOf(logistic, { diagnostics: calibration }), []),
        plotOf('loss', recordOf(logistic), rounds),
        plotOf('residuals', recordOf(named(linear), { diagnostics: residuals }), []),
        plotOf('calibration', recordOf(named(logistic), { diagnostics: calibrationOfLong }), []),
        plotOf('loss', recordOf(named(logistic)), rounds),
      ]) {
        // By itself, as a model owner answers it.
        const fetch = (): Response => new Response(svg, { headers: plotHeaders });
        await using server = await startServer({ fetch, port: 0, host: '127.0.0.1' });
        await page.goto(server.url);
        const outside = await page.evaluate(`(() => {
          const svg = document.querySelector('svg').getBoundingClientRect();
          return [...document.querySelectorAll('svg text')].flatMap((text) => {
            const box = text.getBoundingClientRect();
            const isInside = box.left >= 0 && box.top >= 0 && box.right <= svg.right && box.bottom <= svg.bottom && box.width > 0;
            return isInside ? [] : [text.textContent];
          });
        })()`);
        assert.deepEqual(outside, []);
        const colours = await page.evaluate(
          `['rect.page', 'text'].map((each) => getComputedStyle(document.querySelector(each)).fill)`,
        );
        assert.deepEqual(
          colours,
          colorScheme === 'light'
            ? ['rgb(255, 255, 255)', 'rgb(34, 34, 34)']
            : ['rgb(22, 24, 28)', 'rgb(228, 228, 228)'],
        );
      }
      await page.close();
    }
  } finally {
    await browser.close();
  }
});

test.run();
