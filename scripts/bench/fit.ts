/** How a quantity grows with another: y ≈ c·x^k, fitted by least squares on logarithms. */

export interface Line {
  readonly intercept: number;
  readonly slope: number;
  /** The standard error of the slope; NaN for fewer than three points. */
  readonly slopeError: number;
}

/** Ordinary least squares, y = intercept + slope·x, for at least two different x. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Line {
  const count = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const sxx = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const sxy = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const slope = sxy / sxx;
  const residuals = points.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
  const slopeError = count < 3 ? Number.NaN : Math.sqrt(residuals / (count - 2) / sxx);
  return { intercept: meanY - slope * meanX, slope, slopeError };
}

export interface Power {
  readonly exponent: number;
  readonly error: number;
  /** What y is where x is 1. */
  readonly factor: number;
}

/** @param points all above 0 */
export function fitPower(points: readonly (readonly [x: number, y: number])[]): Power {
  const line = fitLine(points.map(([x, y]) => [Math.log(x), Math.log(y)]));
  return { exponent: line.slope, error: line.slopeError, factor: Math.exp(line.intercept) };
}
