/** Modules that a program starts or has loaded by others, in the form in which it runs itself: compiled, or from its source by tsx. */
import { fileURLToPath } from 'node:url';

export interface Beside {
  readonly href: string;
  readonly path: string;
  /** What Node is given before it. */
  readonly loader: readonly string[];
}

/**
 * @param here import.meta.url of who asks
 * @param path from there, without its ending
 */
export function beside(here: string, path: string): Beside {
  const compiled = here.endsWith('.js');
  const { href } = new URL(`${path}.${compiled ? 'js' : 'ts'}`, here);
  const loader = compiled ? [] : ['--import', import.meta.resolve('tsx')];
  return { href, path: fileURLToPath(href), loader };
}
