/** Whether a party can do its work: its store answers, and there is room on the disk for what it must write. */
import { statfs } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';

export interface ReadinessOptions {
  /** Resolves when the store answers. */
  readonly ping: () => Promise<unknown>;
  /** Where the store is: the folder of an absolute path must have room; of a URL, and of memory, nothing is asked. */
  readonly store: string;
  /** Bytes that must be free there; leastFreeBytes unless said otherwise. */
  readonly leastFree?: number;
  /** Bytes that a process without special rights can still write to a folder. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

/** Below these a party says that it is not ready. */
export const leastFreeBytes: number = 256 * 2 ** 20;

/** Tells what is not ready, in a word for people, or undefined when everything is. */
export function createReadiness(options: ReadinessOptions): () => Promise<string | undefined> {
  const { ping, store, leastFree = leastFreeBytes, freeBytes = freeBytesOf } = options;
  return async () => {
    try {
      await ping();
    } catch {
      return 'the store does not answer';
    }
    if (!isAbsolute(store)) return undefined;
    const free = await freeBytes(dirname(store)).catch(() => 0);
    return free >= leastFree ? undefined : `less than ${Math.round(leastFree / 2 ** 20)} MiB are free on the disk`;
  };
}

/** Bytes that a process without special rights can still write to a folder. */
export async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
