/** An axis between two numbers, with ticks at round ones. */

export interface Axis {
  /** Where it begins and ends, both included. */
  readonly low: number;
  readonly high: number;
  /** In ascending order. */
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
}

const mostTicks = 8;

/**
 * An axis over [low, high], which is widened to whole steps unless it has to end exactly there.
 *
 * @param low at most `high`, both finite; where they are less than a billionth of their magnitude apart, which no tick could tell, the axis has a
 *   width of 1, or a millionth of it where that is more
 */
export function axisOver(low: number, high: number, isExact = false): Axis {
  const magnitude = Math.max(Math.abs(low), Math.abs(high));
  const half = Math.max(0.5, magnitude * 1e-6);
  const [from, to] = high - low > magnitude * 1e-9 ? [low, high] : [low - half, low + half];
  const step = stepOf((to - from) / (mostTicks - 1));
  const rounding = 1e-9;
  const first = isExact ? Math.ceil(from / step - rounding) : Math.floor(from / step + rounding);
  const last = isExact ? Math.floor(to / step + rounding) : Math.ceil(to / step - rounding);
  const digits = Math.min(100, Math.max(0, -Math.floor(Math.log10(step) + rounding)));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => {
    const value = (first + index) * step;
    return { value, label: labelOf(value, digits) };
  });
  return isExact ? { low: from, high: to, ticks } : { low: first * step, high: last * step, ticks };
}

/** The least of 1, 2 and 5 times a power of ten that is at least so much. */
function stepOf(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10);
}

function labelOf(value: number, digits: number): string {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  const text = magnitude >= 1e7 || digits > 6 ? magnitude.toExponential().replace('+', '') : magnitude.toFixed(digits);
  const short = /^\d\.\d{7,}e/.test(text) ? magnitude.toExponential(3).replace('+', '') : text;
  return value < 0 ? `−${short}` : short;
}
