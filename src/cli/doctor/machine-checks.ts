/** What sealsum needs of a machine, whoever's party runs on it: Node, memory, arithmetic that can be trusted. */
import { freemem, totalmem } from 'node:os';
import { availableBackends, selectBackend } from '../../paillier/backend.ts';
import { version } from '../../version.ts';
import { type Check, ok, problem, warning } from './finding.ts';

/** The oldest major version of Node.js, as package.json says. */
const oldestNode = 20;

/** Bytes of memory below which a party may end in the middle of a round, and below which long vectors are slow. */
const leastMemory = 256 * 2 ** 20;
const niceMemory = 1024 * 2 ** 20;

export interface Machine {
  /** As process.versions.node. */
  readonly node: string;
  /** Bytes that are free, of which a limit of the process or its container takes off. */
  readonly freeMemory: number;
  readonly totalMemory: number;
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  // Node tells it since 20.13 and 22, and takes what the system could give up into account.
  const available = (process as { availableMemory?: () => number }).availableMemory?.() ?? freemem();
  return { node: process.versions.node, freeMemory: Math.min(available, total), totalMemory: total };
}

export function machineChecks({ node, freeMemory, totalMemory }: Machine): readonly Check[] {
  return [
    {
      name: 'node',
      look: () => {
        const major = Number(node.split('.')[0]);
        return Promise.resolve(
          major >= oldestNode
            ? ok(`Node.js ${node}, sealsum ${version}`)
            : problem(`Node.js ${node} is too old`, `install Node.js ${oldestNode} or newer`),
        );
      },
    },
    {
      name: 'memory',
      look: () => {
        const said = `${inMiB(freeMemory)} of ${inMiB(totalMemory)} are available`;
        if (freeMemory < leastMemory)
          return Promise.resolve(problem(said, `a party needs ${inMiB(leastMemory)} at least: end other programs`));
        if (freeMemory < niceMemory)
          return Promise.resolve(warning(said, `leave ${inMiB(niceMemory)} for models with many parameters`));
        return Promise.resolve(said);
      },
    },
    {
      name: 'arithmetic',
      look: () => {
        // Each that is listed has computed what BigInt computes.
        const { name, kernel } = selectBackend();
        const others = availableBackends().map((each) => each.name);
        if (kernel !== undefined)
          return Promise.resolve(
            `the native kernel (${kernel.engine}) passes its test; also ${others.slice(1).join(', ')}`,
          );
        if (process.env.SEALSUM_BACKEND === name)
          return Promise.resolve(`${name}, as SEALSUM_BACKEND says, passes its test`);
        return Promise.resolve(
          warning(
            `the native kernel is not used here; ${name} passes its test and takes several times as long`,
            'run npm run build:native where a C++ compiler is',
          ),
        );
      },
    },
  ];
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
