import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { suite } from 'uvu';
import { registerPrivacyCommand } from '../../src/cli/privacy-command.ts';
import { createProgram } from '../../src/cli/program.ts';
import { SealsumError } from '../../src/errors.ts';
import { agree, testCases } from '../privacy/vectors.ts';

const test = suite('sealsum privacy');

const folder = await mkdtemp(join(tmpdir(), 'sealsum-privacy-'));
test.after(() => rm(folder, { recursive: true }));

/** What the command prints for these words. */
async function privacy(words: string): Promise<string> {
  const printed: string[] = [];
  const program = createProgram().configureOutput({ outputError: () => undefined });
  registerPrivacyCommand(program, (line) => printed.push(line));
  await program.parseAsync(['node', 'sealsum', 'privacy', ...words.split(' ')]);
  return printed.join('\n');
}

/** What an accountant answers, as it is printed. */
async function answer(words: string): Promise<{ epsilon: number; order: number | null }> {
  const printed = await privacy(words);
  assert.match(printed, /^\{"epsilon":[0-9.e+-]+,"order":(null|[0-9.]+)\}$/);
  return JSON.parse(printed) as { epsilon: number; order: number | null };
}

/** Fails unless the ε comes out. */
async function finds(words: string, expected: number, tolerance: number): Promise<void> {
  const { epsilon } = await answer(words);
  assert.ok(agree(epsilon, expected, tolerance), `${words}: ${epsilon} for ${expected}`);
}

testCases(test, '--accountant zcdp, within 1e-12', 'zcdp_to_epsilon', ({ rho, delta, epsilon }) =>
  finds(`--json --accountant zcdp --rho ${rho} --delta ${delta}`, epsilon, 1e-12),
);

testCases(test, '--accountant rdp, within 1e-9', 'rdp_poisson_gaussian', async (each) => {
  const words = `--noise-multiplier ${each.sigma} --sampling ${each.q} --rounds ${each.steps} --delta ${each.delta}`;
  await finds(`--json --accountant rdp ${words}`, each.epsilon_integer_orders, 1e-9);
  assert.equal((await answer(`--accountant rdp ${words}`)).order, each.order_integer);
});

testCases(test, '--accountant gaussian, within 1e-10', 'gaussian_analytic', async (each) => {
  const words = `--noise-multiplier ${each.sigma} --rounds ${each.steps} --delta ${each.delta}`;
  await finds(`--json --accountant gaussian ${words}`, each.epsilon_mpmath, 1e-10);
});

testCases(test, '--accountant ddgauss, within 1e-8', 'ddgauss_epsilon', async (each) => {
  const noise = `--clients ${each.num_clients} --local-stddev ${each.local_stddev} --gamma ${each.gamma}`;
  const vectors = `--l2-clip ${each.l2_clip} --beta ${each.beta} --dimension ${each.dim}`;
  const rounds = `--sampling ${each.q} --rounds ${each.steps} --delta ${each.delta}`;
  await finds(`--json --accountant ddgauss ${noise} ${vectors} ${rounds}`, each.epsilon, 1e-8);
});

testCases(test, '--accountant skellam, within 1e-8', 'skellam_epsilon', async (each) => {
  const noise = `--central-stddev ${each.central_stddev} --scale ${each.scale}`;
  const vectors = `--l2-clip ${each.l2} --beta ${each.beta} --dimension ${each.dim}`;
  const rounds = `--sampling ${each.q} --rounds ${each.steps} --delta ${each.delta}`;
  await finds(`--json --accountant skellam ${noise} ${vectors} ${rounds}`, each.epsilon, 1e-8);
});

test('--accountant pld; what is left out is one round, everybody in it, a clip of 1, rounding once', async () => {
  // pld_poisson_gaussian of the vectors.
  await finds('--accountant pld --noise-multiplier 0.5 --sampling 0.1 --delta 1e-5', 6.575539809708107, 1e-6);
  const same: [string, string][] = [
    ['--accountant rdp --noise-multiplier 2 --delta 1e-5', '--rounds 1 --sampling 1'],
    ['--accountant zcdp --noise-multiplier 2 --delta 1e-5', '--rounds 1 --sampling 1'],
    ['--accountant ddgauss --clients 3 --local-stddev 1 --scale 64 --dimension 9 --delta 1e-5', '--l2-clip 1 --beta 0'],
    [
      '--accountant ddgauss --clients 3 --local-stddev 1 --scale 64 --dimension 9 --delta 1e-5',
      '--rounds 1 --sampling 1',
    ],
  ];
  for (const [words, defaults] of same)
    assert.equal(await privacy(words), await privacy(`${words} ${defaults}`), words);
  // 100 rounds of noise multiplier 10 are rho 0.5.
  assert.equal(
    await privacy('--accountant zcdp --noise-multiplier 10 --rounds 100 --delta 1e-6'),
    await privacy('--accountant zcdp --rho 0.5 --delta 1e-6'),
  );
});

/** The rows of a table, by accountant, as the numbers in them. */
function rowsOf(table: string): Record<string, number[]> {
  const lines = table.split('\n');
  const first = lines.findIndex((line) => line.startsWith('accountant'));
  const rows = lines.slice(first + 1, lines.indexOf('', first)).map((line) => line.split(/ +/));
  return Object.fromEntries(rows.map(([name = '', ...cells]) => [name, cells.map(Number)]));
}

test('a table of the noise that an epsilon needs, by each accountant', async () => {
  const table = await privacy('--epsilon 1 --delta 1e-5 --rounds 100 --sampling 0.1');
  const lines = table.split('\n');
  assert.equal(lines[0], 'epsilon 1, delta 1e-5, 100 rounds, each unit in a round with probability 0.1');
  assert.match(
    lines[2] ?? '',
    /^accountant +noise multiplier +rho +order +epsilon after 1 +epsilon after 10 +epsilon after 100$/,
  );
  const rows = rowsOf(table);
  assert.deepEqual(Object.keys(rows), ['zcdp', 'rdp', 'pld']);
  // zcdp_calibration of the vectors: 40.4513036, rho 0.0305566; rounded upwards.
  assert.deepEqual(rows.zcdp?.slice(0, 2), [40.452, 0.030557]);
  for (const [noise = 0, , , ...epsilons] of Object.values(rows)) {
    assert.ok(epsilons.length === 3 && epsilons[2] !== undefined && epsilons[2] > 0.999 && epsilons[2] <= 1, table);
    assert.ok((epsilons[0] ?? 9) < (epsilons[1] ?? 0) && (epsilons[1] ?? 9) < epsilons[2] && noise > 3, table);
  }
  assert.match(table, /^zcdp .*It takes no sampling into account$/m);
  assert.match(table, /^pld +for information only:/m);
  assert.match(table, /^gaussian +not in the table: it knows no sampling/m);
});

test('a table of the epsilon that noise gives; the same as JSON', async () => {
  const words = '--noise-multiplier 4 --delta 1e-5 --rounds 20';
  const table = await privacy(words);
  const rows = rowsOf(table);
  assert.deepEqual(Object.keys(rows), ['zcdp', 'rdp', 'pld', 'gaussian']);
  assert.ok(!table.includes('takes no sampling'), table);
  const json = JSON.parse(await privacy(`${words} --json`)) as {
    delta: number;
    accountants: {
      accountant: string;
      informational: boolean;
      noise_multiplier: number;
      order: number | null;
      epsilons: { rounds: number; epsilon: number }[];
    }[];
  };
  assert.equal(json.delta, 1e-5);
  for (const { accountant, informational, noise_multiplier, order, epsilons } of json.accountants) {
    assert.equal(noise_multiplier, 4);
    assert.deepEqual(
      epsilons.map(({ rounds }) => rounds),
      [1, 10, 20],
    );
    assert.equal(informational, order === null);
    const alone = await answer(`--accountant ${accountant} ${words}`);
    assert.deepEqual(alone, { epsilon: epsilons[2]?.epsilon, order });
    const shown = rows[accountant]?.at(-1) ?? 0;
    assert.ok(shown >= alone.epsilon && agree(shown, alone.epsilon, 1e-4), `${accountant}: ${shown}`);
  }
});

test('an epsilon that an accountant cannot reach is said beside the table', async () => {
  const table = await privacy('--epsilon 0.001 --delta 1e-5');
  assert.deepEqual(Object.keys(rowsOf(table)), ['zcdp', 'pld', 'gaussian']);
  assert.match(table, /^rdp +not in the table: it finds more than this epsilon however much noise there is$/m);
});

test('--plot writes epsilon over rounds, a line for each accountant, and prints the table too', async () => {
  const file = join(folder, 'epsilon.svg');
  const words = '--noise-multiplier 4 --delta 1e-5 --rounds 500';
  assert.equal(await privacy(`${words} --plot ${file}`), await privacy(words));
  const svg = await readFile(file, 'utf8');
  assert.match(svg, /^<svg [\s\S]*<\/svg>\n$/);
  for (const name of [
    'zcdp, noise multiplier 4',
    'rdp, noise multiplier 4',
    'pld, noise multiplier 4 (for information)',
  ])
    assert.ok(svg.includes(`>${name}<`), name);
  // The last point of each line is where its last ε is.
  const ends = [...svg.matchAll(/<path class="line line\d" d="M[^h"]*L([0-9.]+) ([0-9.]+)"/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  assert.equal(ends.length, 4);
  assert.equal(new Set(ends.map(([x]) => x)).size, 1);
  const [zcdp = [], rdp = [], pld = [], gaussian = []] = ends;
  assert.ok((rdp[1] ?? 9) < (zcdp[1] ?? 0) && (zcdp[1] ?? 9) < (gaussian[1] ?? 0), 'less is lower');
  assert.ok(Math.abs((pld[1] ?? 0) - (gaussian[1] ?? 9)) < 0.5, 'pld and the analytic Gaussian agree');
});

test('ten thousand rounds are no more than one', async () => {
  await finds('--accountant rdp --noise-multiplier 1 --sampling 0.01 --rounds 10000 --delta 1e-5', 6.7194, 1e-4);
});

const refused: readonly (readonly [words: string, message: string])[] = [
  ['--accountant zcdp --rho 0.5', '--accountant zcdp needs --delta'],
  ['--accountant zcdp --delta 1e-6', '--accountant zcdp needs --rho or --noise-multiplier'],
  ['--accountant zcdp --rho 1 --noise-multiplier 1 --delta 1e-6', '--rho and --noise-multiplier exclude each other'],
  ['--accountant zcdp --rho 0 --delta 1e-6', '--rho: expected more than 0, got 0'],
  ['--accountant zcdp --rho -1 --delta 1e-6', '--rho: expected more than 0, got -1'],
  ['--accountant zcdp --rho 1 --delta 0', '--delta: expected a number between 0 and 1, both excluded, got 0'],
  [
    '--accountant zcdp --rho 1 --rounds 2 --delta 1e-6',
    '--rounds does not go with --rho, which is that of all rounds together',
  ],
  [
    '--accountant zcdp --noise-multiplier 1e-19 --delta 1e-6',
    '--noise-multiplier: rho: expected a number from 0 to 2^64, got 5.000000000000001e+37',
  ],
  ...['zcdp', 'gaussian'].map(
    (name) =>
      [
        `--accountant ${name} --noise-multiplier 1 --sampling 0.1 --delta 1e-5`,
        `--accountant ${name} takes no --sampling into account; leave it out, or ask rdp or pld`,
      ] as const,
  ),
  ['--accountant rdp --delta 1e-5', '--accountant rdp needs --noise-multiplier'],
  ['--accountant rdp --noise-multiplier 1 --rho 1 --delta 1e-5', '--rho does not go with --accountant rdp'],
  ['--accountant pld --noise-multiplier 1 --clients 3 --delta 1e-5', '--clients does not go with --accountant pld'],
  [
    '--accountant rdp --noise-multiplier 0 --delta 1e-5',
    '--noise-multiplier: expected a number from 2^-64 to 2^64, got 0',
  ],
  [
    '--accountant rdp --noise-multiplier 1 --sampling 1.5 --delta 1e-5',
    '--sampling: expected more than 0 and at most 1, got 1.5',
  ],
  [
    '--accountant rdp --noise-multiplier 1 --rounds 1.5 --delta 1e-5',
    '--rounds: expected a whole number of at least 1, got 1.5',
  ],
  [
    '--accountant rdp --noise-multiplier 1 --epsilon 1 --delta 1e-5',
    '--epsilon goes with the table of all, not with --accountant',
  ],
  [
    '--accountant rdp --noise-multiplier 1 --delta 1e-5 --plot a.svg',
    '--plot goes with the table of all, not with --accountant',
  ],
  [
    '--accountant ddgauss --clients 3 --local-stddev 1 --dimension 4 --scale 8 --gamma 2 --delta 1e-5',
    '--scale and --gamma exclude each other',
  ],
  [
    '--accountant ddgauss --clients 3 --local-stddev 1 --dimension 4 --delta 1e-5',
    '--accountant ddgauss needs --scale or --gamma',
  ],
  [
    '--accountant ddgauss --clients 3 --local-stddev 1 --dimension 4 --gamma 0 --delta 1e-5',
    '--gamma: expected more than 0, got 0',
  ],
  [
    '--accountant ddgauss --clients 1.5 --local-stddev 1 --dimension 4 --scale 8 --delta 1e-5',
    '--clients: expected a whole number from 1 to 2^24, got 1.5',
  ],
  [
    '--accountant ddgauss --clients 3 --local-stddev 1 --dimension 4 --gamma 1e-20 --delta 1e-5',
    '--gamma: scale: expected a number from 2^-64 to 2^64, got 100000000000000000000',
  ],
  ['--accountant skellam --dimension 4 --scale 8 --delta 1e-5', '--accountant skellam needs --central-stddev'],
  ['--epsilon 1', '--delta is missing: the probability that more is lost, such as 1e-5'],
  ['--delta 1e-5', 'say with --epsilon what may be lost, or with --noise-multiplier how much noise there is'],
  [
    '--epsilon 1 --noise-multiplier 1 --delta 1e-5',
    '--epsilon and --noise-multiplier exclude each other: each is found from the other',
  ],
  ['--epsilon 0 --delta 1e-5', '--epsilon: expected more than 0, got 0'],
  ['--epsilon 1 --delta 1', '--delta: expected a number between 0 and 1, both excluded, got 1'],
  ['--epsilon 1 --delta 1e-5 --sampling 0', '--sampling: expected more than 0 and at most 1, got 0'],
  ['--rho 1 --delta 1e-5', '--rho goes with --accountant'],
  ['--epsilon 1 --delta 1e-5 --plot -', '--plot needs a file; standard output has the table'],
  ['--epsilon 1 --delta 1e-5 --plot nowhere/a.svg', 'cannot write nowhere/a.svg: there is no such folder'],
];

test('what is missing, out of range or does not go together is a wrong use, by the names of the options', async () => {
  for (const [words, message] of refused) {
    await assert.rejects(
      () => privacy(words),
      (error) => {
        assert.ok(error instanceof CommanderError, `${words}: ${String(error)}`);
        assert.deepEqual([error.message, error.exitCode], [message, 2], words);
        return true;
      },
    );
  }
  for (const words of ['--epsilon one', '--epsilon 0x10', '--epsilon Infinity', '--accountant moments', '1'])
    await assert.rejects(() => privacy(words), { name: 'CommanderError', exitCode: 1 }, words);
});

test('no finite epsilon is a refusal, not a number', async () => {
  await assert.rejects(
    () => privacy('--accountant pld --noise-multiplier 1 --delta 1e-300'),
    (error) => error instanceof SealsumError && error.message.startsWith('pld finds no finite epsilon'),
  );
});

test('as a process: one JSON object, on standard error where it is used wrongly, and exit code 2; --help has examples', async () => {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const run = async (words: string): Promise<{ code: number | null; output: string; errors: string }> => {
    const child = spawn(process.execPath, [
      '--import',
      import.meta.resolve('tsx'),
      main,
      'privacy',
      ...words.split(' '),
    ]);
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    const [code, output, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    return { code, output, errors };
  };
  const found = await run('--json --accountant zcdp --rho 0.5 --delta 1e-6');
  assert.deepEqual([found.code, found.errors], [0, '']);
  assert.match(found.output, /^\{"epsilon":5\.2215[0-9]*,"order":5\.907[0-9]*\}\n$/);
  assert.deepEqual(await run('--json --accountant gaussian --noise-multiplier 1 --sampling 0.1 --delta 1e-5'), {
    code: 2,
    output: '',
    errors: `${JSON.stringify({
      type: 'urn:sealsum:problem:usage',
      title: 'The command is used wrongly',
      detail: '--accountant gaussian takes no --sampling into account; leave it out, or ask rdp or pld',
      exit_code: 2,
    })}\n`,
  });
  const help = await run('--help');
  assert.match(help.output, /^Examples:\n {2}sealsum privacy --epsilon 1 --delta 1e-5 --rounds 100 --sampling 0\.1$/m);
});

test.run();
