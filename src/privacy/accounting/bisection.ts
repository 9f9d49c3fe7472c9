/** Where a condition begins to hold, by bisection: slow beside Newton's method, and it cannot fail. */

export interface Search {
  /** Where to begin; the nearer to the answer, the fewer steps. 1 unless told. */
  readonly start?: number;
  /** The answer is looked for between these two, 2^−500 and 2^500 unless told. */
  readonly least?: number;
  readonly greatest?: number;
  /** How far the answer may lie above the true one, relatively; 1e-12 unless told. */
  readonly tolerance?: number;
}

/**
 * The least positive x, to a relative tolerance, from which on `holds`; undefined where it does not even hold at `greatest`.
 *
 * `holds` must be false below some x and true from there on. It is true at what is returned, which is at least `least`.
 */
export function leastWhere(holds: (x: number) => boolean, search: Search = {}): number | undefined {
  const { start = 1, least = 2 ** -500, greatest = 2 ** 500, tolerance = 1e-12 } = search;
  let high = start;
  while (!holds(high)) {
    if (high >= greatest) return undefined;
    high = Math.min(greatest, 2 * high);
  }
  let low = Math.max(least, high / 2);
  while (high > least && holds(low)) {
    high = low;
    low = Math.max(least, high / 2);
  }
  while (high - low > tolerance * high) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/**
 * The same for a falling function: the least positive x, to a relative tolerance, from which on it is at most `most`, above 0.
 *
 * By the secant between logarithms, in which ε over noise is nearly a line, so that a function that takes long is asked six
 * times instead of fifteen; where the secant does not halve what is left, the middle does.
 */
export function leastFallenTo(
  falling: (x: number) => number,
  most: number,
  { start = 1, least = 2 ** -500, greatest = 2 ** 500, tolerance = 1e-12 }: Search = {},
): number | undefined {
  const pointAt = (x: number): Point => {
    const value = falling(x);
    return { x, holds: value <= most, excess: Math.log(value) - Math.log(most) };
  };
  const within = (x: number): number => Math.min(greatest, Math.max(least, x));
  // From the start to the other side of the answer: as far as where f falls like 1/x, or twice, four times … as far.
  let high = pointAt(within(start));
  let low = high;
  for (let times = 1.1; high.holds === low.holds; times = Math.min(2 ** 60, 2 * times)) {
    const edge = high.holds ? low.x : high.x;
    if (edge === (high.holds ? least : greatest)) return high.holds ? least : undefined;
    const factor = Math.min(
      2,
      1 + 0.3 * times,
      Math.max(1 + times * tolerance, Math.exp(times * Math.abs(high.holds ? low.excess : high.excess))),
    );
    const next = pointAt(within(high.holds ? edge / factor : edge * factor));
    if (next.holds === high.holds) [low, high] = [next, next];
    else if (next.holds) high = next;
    else low = next;
  }
  // The Illinois rule (Dowell, Jarratt 1971): an end that stays twice counts half in the next secant, so that both come near.
  let [weightOfHigh, weightOfLow] = [1, 1];
  let movedHigh: boolean | undefined;
  for (let step = 1, gap = Infinity; high.x - low.x > tolerance * high.x; step += 1) {
    const [above, below] = [weightOfHigh * high.excess, weightOfLow * low.excess];
    const root = high.x * Math.exp((above / (above - below)) * Math.log(low.x / high.x));
    // No nearer to an end than what would then be left is wide enough.
    let x = Math.max(low.x * (1 + 0.75 * tolerance), Math.min(high.x * (1 - 0.75 * tolerance), root));
    if (step % 4 === 0) {
      if (!(high.x - low.x < gap / 4)) x = (low.x + high.x) / 2;
      gap = high.x - low.x;
    }
    if (!(x > low.x && x < high.x)) x = (low.x + high.x) / 2;
    const point = pointAt(x);
    if (point.holds) [high, weightOfHigh] = [point, 1];
    else [low, weightOfLow] = [point, 1];
    if (movedHigh === point.holds) {
      if (point.holds) weightOfLow /= 2;
      else weightOfHigh /= 2;
    }
    movedHigh = point.holds;
  }
  return high.x;
}

interface Point {
  readonly x: number;
  readonly holds: boolean;
  /** ln f(x) − ln most. */
  readonly excess: number;
}
