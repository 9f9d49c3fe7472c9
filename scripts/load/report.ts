/** What a measurement says, for people. */
import { machine } from '../machine.ts';
import type { LoopDelay } from './loop-monitor.ts';
import type { LoadReports } from './run.ts';
import type { ScenarioReport } from './scenario.ts';

/** What a facilitator is to do on a machine of two cores, with 1000 owners and 20 ciphertexts of 2048 bits. */
export interface Target {
  readonly name: string;
  readonly met: boolean;
  readonly found: string;
}

const leastRate = 150;
const mostMemory = 400e6;
/** Milliseconds for which the event loop may keep others waiting, while the machine gives it a processor. */
const longestWait = 20;
/** What the garbage collector leaves to chance. */
const sameMemory = 1.1;

export function targetsOf([few, many]: LoadReports): Target[] {
  const growth = many.memory.most / few.memory.most;
  const waits = [few, many].flatMap(({ event_loop_delay_ms: delays }) =>
    Object.values(delays).map((delay: LoopDelay) => delay.most_with_processor ?? delay.most),
  );
  return [
    {
      name: `at least ${leastRate} contributions a second, each durable when it is acknowledged`,
      met: few.contributions_per_second >= leastRate,
      found: few.contributions_per_second.toFixed(0),
    },
    {
      name: `at most ${megabytes(mostMemory)} in memory`,
      met: few.memory.most <= mostMemory,
      found: megabytes(few.memory.most),
    },
    {
      name: `no more than ${percent(sameMemory - 1)} beyond that with ten times the ciphertexts`,
      met: growth <= sameMemory,
      found: `${megabytes(many.memory.most)}, ${growth < 1 ? '−' : '+'}${percent(Math.abs(growth - 1))}`,
    },
    {
      name: `nobody waits longer than ${longestWait} ms for the event loop, where it has a processor`,
      met: waits.every((wait) => wait <= longestWait),
      found: `${Math.max(...waits).toFixed(0)} ms`,
    },
  ];
}

export function printReport(reports: LoadReports, store: string): void {
  const { cpu, cores, memory_gib, os, node, load_average } = machine();
  const [{ owners, concurrency }] = reports;
  console.log(
    `${cpu}, ${cores} cores, ${memory_gib} GiB, ${os}, Node ${node}; load average ${load_average}\n` +
      `one facilitator, ${store}; ${owners} owners in one other process on the same machine, ` +
      `${concurrency} contributions under way at a time\n`,
  );
  for (const [name, cell] of rows)
    console.log(name.padEnd(58) + reports.map((report) => cell(report).padStart(26)).join(''));
  console.log('\n* in brackets: where the machine gave it a processor, as far as the system tells\n');
  for (const { name, met, found } of targetsOf(reports)) console.log(`${met ? 'met   ' : 'MISSED'} ${name}: ${found}`);
}

const rows: readonly (readonly [name: string, cell: (report: ScenarioReport) => string])[] = [
  ['ciphertexts in a contribution', ({ ciphertexts }) => String(ciphertexts)],
  ['bytes of a contribution', ({ contribution_bytes: bytes }) => String(bytes)],
  ['contributions a second', ({ contributions_per_second: rate }) => rate.toFixed(0)],
  ['bytes a second', ({ bytes_per_second: rate }) => megabytes(rate)],
  [
    'until one is acknowledged: median, 95 %, 99 %',
    ({ latency_ms: { median, p95, p99 } }) => `${[median, p95, p99].map((each) => each.toFixed(0)).join(', ')} ms`,
  ],
  ['from the last one until the round is closed', ({ close_ms: time }) => `${time.toFixed(0)} ms`],
  [
    'in memory: most, while contributions came, at the end',
    ({ memory: { most, median, end } }) => [most, median, end].map(megabytes).join(', '),
  ],
  ["the facilitator's processor time meanwhile", ({ processor_seconds: { contributing } }) => seconds(contributing)],
  ['  for one contribution', (report) => milliseconds(perContribution(report))],
  [
    '  until it is checked and multiplied, others served meanwhile',
    (report) => milliseconds(report.crypto_ms_per_contribution),
  ],
  ['  and while the round closed', ({ processor_seconds: { closing } }) => seconds(closing)],
  ["the owners' processor time meanwhile", (report) => seconds(report.processor_seconds.senders_contributing)],
  ['until a commit is durable, mean', ({ commit_ms: time }) => milliseconds(time)],
  ['the event loop keeps others waiting: mean, 99 %, most *', (report) => delayCell(report, 'contributing')],
  ['  while owners answer the job', (report) => delayCell(report, 'answering')],
  ['  while the round is closed', (report) => delayCell(report, 'closing')],
  ['  while all owners hang up at once', (report) => delayCell(report, 'leaving')],
  ['answers to the job a second', ({ answers_per_second: rate }) => rate.toFixed(0)],
];

function delayCell({ event_loop_delay_ms: delays }: ScenarioReport, phase: keyof typeof delays): string {
  const { mean, p99, most, most_with_processor: own } = delays[phase];
  const all = [mean, p99, most].map((each) => each.toFixed(0)).join(', ');
  return own === undefined ? `${all} ms` : `${all} (${own.toFixed(0)}) ms`;
}

function perContribution({ processor_seconds: { contributing }, owners }: ScenarioReport): number {
  return (1000 * contributing) / owners;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)} MB`;
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function milliseconds(value: number): string {
  return `${value.toFixed(2)} ms`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
