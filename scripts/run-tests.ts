/**
 * Runs every test file in a process of its own, one more at a time than there are processors since they often wait for others, and
 * adds up what uvu reports.
 *
 * uvu ends with code 0 when a file forgets `.run()` and when a pattern matches nothing. Both fail here: a file counts only
 * if it printed uvu's totals, and the totals are more than zero.
 *
 * The files, and the programs that many of them start, are bundled before: see bundles.ts. Alone, a test file runs from its source.
 *
 * Usage: node --import tsx scripts/run-tests.ts [PATTERN]   (PATTERN: a regular expression on the path of the test file)
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { join } from 'node:path';
import { bundle } from './bundles.ts';

interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  /** Processor time, in seconds, of the file and of what it started and waited for. */
  readonly processorSeconds: number;
  /** What went wrong, or undefined. */
  readonly trouble: string | undefined;
  readonly output: string;
}

/** So many of the files that took most of the processors are named at the end. */
const tableLength = 20;

const slow = process.env.SLOW !== undefined;
const secondsPerFile = slow ? 3600 : 300;

/** What test files start again and again, and where they find it; with SLOW=1 they start what the build has made. */
const programs = [
  'src/cli/main.ts',
  'parties/facilitator/main.ts',
  'parties/facilitator/several.ts',
  'parties/model-owner/main.ts',
  'parties/data-owner/main.ts',
  'scripts/demo.ts',
  'scripts/bench-round.ts',
  'test/storage/writer.ts',
  'test/storage/ledger-writer.ts',
  // What pages import, and the examples.
  'src/index.ts',
  'examples/digits/main.ts',
  ...(existsSync('examples') ? readdirSync('examples') : [])
    .filter((name) => name.endsWith('.ts') && name !== 'generate-data.ts')
    .map((name) => join('examples', name)),
  // What threads of these load.
  ...(existsSync('src') ? readdirSync('src', { recursive: true, encoding: 'utf8' }) : [])
    .filter((path) => path.endsWith('-thread.ts'))
    .map((path) => join('src', path)),
];
const programsVariable = 'PROGRAMS_OF_SEALSUM';

/** Node does not tell what a child's children took; the shell does, on a descriptor that no test writes to. */
const timed = 'TIMEFORMAT="%U %S"; { time "$@" 2>&4 3>&- 4>&-; } 4>&2 2>&3';

/** What runs: the groups of processes, by the ids of their first. */
const groups = new Set<number>();

function end(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // It has just ended by itself.
  }
}

// Ctrl-C in a terminal does not reach groups of their own.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    groups.forEach(end);
    process.exit(128 + constants.signals[signal]);
  });

function runFile(file: string): Promise<FileResult> {
  const started = performance.now();
  return new Promise((resolve) => {
    // In a group of its own, so that what hangs ends with all that it started.
    const child = spawn('bash', ['-c', timed, 'bash', process.execPath, '--enable-source-maps', bundles.of(file)], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: slow ? process.env : { ...process.env, [programsVariable]: bundles.folder },
      detached: true,
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    if (child.pid !== undefined) groups.add(child.pid);
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    let times = '';
    child.stdio[3]?.on('data', (chunk: Buffer) => {
      times += chunk.toString('utf8');
    });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid !== undefined) end(child.pid);
    }, secondsPerFile * 1000);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (child.pid !== undefined) groups.delete(child.pid);
      const total = lastNumber(output, 'Total');
      const passed = lastNumber(output, 'Passed') ?? 0;
      const skipped = lastNumber(output, 'Skipped') ?? 0;
      const trouble = timedOut
        ? `did not end within ${secondsPerFile} s`
        : total === undefined
          ? `ran no test (does it call .run()?), exit code ${code ?? 'none'}`
          : total + skipped === 0
            ? 'has no test'
            : code !== 0
              ? `exit code ${code ?? 'none'}`
              : undefined;
      // uvu's total leaves out what was skipped.
      const failed = Math.max((total ?? 0) - passed, trouble === undefined ? 0 : 1);
      const seconds = (performance.now() - started) / 1000;
      const processorSeconds = times.split(/\s+/).reduce((sum, each) => sum + Number(each), 0);
      resolve({ file, passed, failed, skipped, seconds, processorSeconds, trouble, output });
    });
  });
}

/** The last `label: N` of uvu's summary, whatever its colours. */
function lastNumber(output: string, label: string): number | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal are control characters
  const plain = output.replace(/\u001b\[[0-9;]*m/g, '');
  const found = [...plain.matchAll(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'gm'))].at(-1)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** What starts processes, again and again, goes first: so that nothing long is left over for one processor alone. */
const longest = /^test\/(crash|simulation|scripts|examples|hostile|end-to-end)\//;
const pattern = new RegExp(process.argv[2] ?? '');
const files = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .map((path) => join('test', path))
  .filter((path) => path.endsWith('.test.ts') && pattern.test(path))
  .sort((a, b) => Number(longest.test(b)) - Number(longest.test(a)) || (a < b ? -1 : 1));
if (files.length === 0) {
  console.error(`no test file matches ${String(pattern)}`);
  process.exit(1);
}

function duration({ seconds, processorSeconds }: FileResult): string {
  return `${seconds.toFixed(1)} s, processor ${processorSeconds.toFixed(1)} s`;
}

const bundles = await bundle({ tests: files, programs: programs.filter((each) => !slow && existsSync(each)) });
const queue = [...files];
const results: FileResult[] = [];
async function worker(): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const result = await runFile(file);
    results.push(result);
    const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
    console.log(
      `${result.trouble === undefined ? 'ok  ' : 'FAIL'} ${file}: ${result.passed} passed${skipped} (${duration(result)})`,
    );
    if (result.trouble !== undefined) console.log(`${result.output}\n     ${file}: ${result.trouble}`);
    else for (const line of result.output.match(/^skipped: .*$/gm) ?? []) console.log(`     ${line}`);
  }
}
await Promise.all(Array.from({ length: availableParallelism() + 1 }, worker));

const sum = (pick: (result: FileResult) => number): number => results.reduce((total, each) => total + pick(each), 0);
console.log(`in all ${sum((each) => each.processorSeconds).toFixed(0)} s of processor time; most of it:`);
for (const result of results.toSorted((a, b) => b.processorSeconds - a.processorSeconds).slice(0, tableLength))
  console.log(`     ${result.file}: ${duration(result)}`);
const failed = sum((each) => each.failed);
console.log(`${sum((each) => each.passed)} passed, ${failed} failed, ${sum((each) => each.skipped)} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
