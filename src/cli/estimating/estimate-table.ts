/** An estimate as people read it. */
import { counted, numberTable } from '../table.ts';
import type { Estimate, Parties, RoundEstimate } from './estimate.ts';

export function estimateText(found: Estimate): string {
  const { plan, round, closing_round: closing, whole, memory_bytes: memory, measured, warnings, privacy } = found;
  const { owner, facilitator, model_owner: model } = round.bytes;
  const perParty = numberTable([
    ['', 'data owner', 'facilitator', 'model owner'],
    ['a round, of a processor', ...three(round.cpu_seconds, seconds)],
    ['a round, sent', bytes(owner.up), bytes(facilitator.sent), bytes(model.up)],
    ['a round, received', bytes(owner.down), bytes(facilitator.received), bytes(model.down)],
    ...(closing === undefined ? [] : closingRows(closing)),
    ['in all, of a processor', ...three(whole.cpu_seconds, seconds)],
    [
      'in all, sent',
      bytes(whole.bytes.owner.up),
      bytes(whole.bytes.facilitator.sent),
      bytes(whole.bytes.model_owner.up),
    ],
    [
      'in all, received',
      bytes(whole.bytes.owner.down),
      bytes(whole.bytes.facilitator.received),
      bytes(whole.bytes.model_owner.down),
    ],
    ['memory', ...three(memory, bytes)],
  ]);
  const columns = [round.seconds, ...(closing === undefined ? [] : [closing.seconds]), whole.seconds];
  const clock = numberTable([
    ['by the clock', 'a round', ...(closing === undefined ? [] : ['the last round']), 'in all'],
    ['all on this machine', ...columns.map(({ together }) => seconds(together))],
    ...round.seconds.apart.map(({ mbits }, index) => [
      `a machine each, links of ${mbits} Mbit/s`,
      ...columns.map(({ apart }) => seconds(apart[index]?.seconds ?? 0)),
    ]),
  ]);
  const { operations: one, trial } = measured;
  const inRounds = trial.rounds === 0 ? '' : `, in ${counted(trial.rounds, 'round')}`;
  const jobs = found.jobs === 1 ? '' : ` of ${found.jobs} jobs`;
  return [
    `${counted(found.owners, 'data owner')} with ${counted(found.records_per_owner, 'record')} each, ${counted(found.rounds, 'round')}${jobs}; ` +
      `${plan.values} values in ${plan.ciphertexts} ciphertexts of ${plan.key_bits} bits, ${plan.slots_per_ciphertext} slots of ${plan.slot_bits} bits in each`,
    '',
    perParty,
    '',
    clock,
    `before the first round${found.jobs === 1 ? '' : ' of each job'}: ${seconds(whole.begin_seconds)}, which is in all: keys, their proof, tables, reading the records`,
    '',
    `privacy: ${promiseOf(privacy)}`,
    '',
    `measured here with ${measured.backend} on ${measured.processors} processors: a key ${seconds(one.key)}, a table ${seconds(one.table)}, encrypt ${seconds(one.encrypt)}, ` +
      `check and add ${seconds(one.fold)}, decrypt ${seconds(one.decrypt)}, ${one.noise === 0 ? '' : `noise ${seconds(one.noise)}, `}a record ${seconds(one.record)};`,
    `${trial.owners} data owners with ${trial.records_per_owner} made-up records each and ${trial.ciphertexts} ciphertexts, as processes over HTTP${inRounds}`,
    ...warnings.map(({ message }) => `warning: ${message}`),
  ].join('\n');
}

function closingRows({
  cpu_seconds: cpu,
  bytes: { owner, facilitator, model_owner: model },
}: RoundEstimate): string[][] {
  return [
    ['the last round, of a processor', ...three(cpu, seconds)],
    ['the last round, sent', bytes(owner.up), bytes(facilitator.sent), bytes(model.up)],
    ['the last round, received', bytes(owner.down), bytes(facilitator.received), bytes(model.down)],
  ];
}

function three(of: Parties, text: (value: number) => string): string[] {
  return [text(of.owner), text(of.facilitator), text(of.model_owner)];
}

function promiseOf(privacy: Estimate['privacy']): string {
  if (!('promised' in privacy)) return privacy.guarantee;
  const { epsilon, delta, rho } = privacy.promised;
  const promised =
    epsilon === null
      ? `rho ${rho.number}`
      : `epsilon ${epsilon.toPrecision(4)} with delta ${delta ?? '–'}, rho ${rho.number.toPrecision(4)}`;
  return `${promised} of each ${privacy.unit} if all rounds run; noise is added by: ${privacy.place}`;
}

/** With three digits that count. */
function seconds(value: number): string {
  if (value === 0) return '–';
  if (value < 1e-3) return `${digits(value * 1e6)} µs`;
  if (value < 1) return `${digits(value * 1e3)} ms`;
  if (value < 120) return `${digits(value)} s`;
  if (value < 7200) return `${digits(value / 60)} min`;
  return value < 172_800 ? `${digits(value / 3600)} h` : `${digits(value / 86_400)} d`;
}

function bytes(value: number): string {
  if (value < 1e3) return `${value} B`;
  if (value < 1e6) return `${digits(value / 1e3)} kB`;
  return value < 1e9 ? `${digits(value / 1e6)} MB` : `${digits(value / 1e9)} GB`;
}

function digits(value: number): string {
  return String(Number(value.toPrecision(3)));
}
