/** Commands as they run in a process of their own, in this one: what they write, and the exit code that they set. */

export interface Captured {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs what writes to standard output and error; both are as they were afterwards. */
export async function capture(work: () => Promise<void>): Promise<Captured> {
  const { stdout, stderr, exitCode } = process;
  const listeners = new Set(stdout.rawListeners('error'));
  let [output, errors] = ['', ''];
  const restore = [
    divert(stdout, (text) => {
      output += text;
    }),
    divert(stderr, (text) => {
      errors += text;
    }),
  ];
  try {
    process.exitCode = 0;
    await work();
    return { code: process.exitCode, output, errors };
  } finally {
    for (const each of restore) each();
    process.exitCode = exitCode;
    // Every program listens for a reader that leaves; one process has one program, but for tests.
    for (const listener of stdout.rawListeners('error'))
      if (!listeners.has(listener)) stdout.off('error', listener as () => void);
  }
}

function divert(stream: NodeJS.WriteStream, take: (text: string) => void): () => void {
  const write = stream.write.bind(stream);
  stream.write = (text: string | Uint8Array) => {
    take(String(text));
    return true;
  };
  return () => {
    stream.write = write;
  };
}
