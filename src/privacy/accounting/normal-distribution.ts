/**
 * Tails of the normal distribution, as accurate far out as near the middle: differences of privacy losses live there.
 *
 * Cody, Rational Chebyshev Approximations for the Error Function (Math. Comp. 23, 1969): erfc(y) = exp(−y²)·R(y) with one
 * rational function R for each of three ranges of y. Here y = x/√2, and the exponential is taken of x itself.
 */

/** P(Z > x) for a standard normal Z, to about 1e-15 of itself; 0 beyond 38.5, where it is less than the least double. */
export function normalTail(x: number): number {
  return x < 0 ? 1 - tail(-x) : tail(x);
}

function tail(x: number): number {
  const y = x * Math.SQRT1_2;
  // Below this the complement of erf loses nothing.
  if (y <= 0.46875) return 0.5 * (1 - y * near(y * y));
  return 0.5 * halfSquareExponential(x) * (y <= 4 ? middle(y) : (1 / Math.sqrt(Math.PI) - far(1 / (y * y))) / y);
}

/** exp(−x²/2): the square of a double rounds, so it is taken of the leading bits of x, and the rest is multiplied in. */
function halfSquareExponential(x: number): number {
  if (x > 1e3) return 0;
  const leading = Math.trunc(x * 16) / 16;
  return Math.exp((-leading * leading) / 2) * Math.exp((-(x - leading) * (x + leading)) / 2);
}

// Horner's rule is written out: as a loop over coefficients it takes four times as long.

/** erf(y)/y, given y² for y up to 0.46875. */
function near(at: number): number {
  return (
    ((((0.18577770618460315 * at + 3.1611237438705655) * at + 113.86415415105016) * at + 377.485237685302) * at +
      3209.3775891384694) /
    ((((at + 23.601290952344122) * at + 244.02463793444417) * at + 1282.6165260773723) * at + 2844.236833439171)
  );
}

/** exp(y²)·erfc(y) for y from 0.46875 to 4. */
function middle(y: number): number {
  return (
    ((((((((2.1531153547440383e-8 * y + 0.5641884969886701) * y + 8.883149794388377) * y + 66.11919063714163) * y +
      298.6351381974001) *
      y +
      881.952221241769) *
      y +
      1712.0476126340707) *
      y +
      2051.0783778260716) *
      y +
      1230.3393547979972) /
    ((((((((y + 15.744926110709835) * y + 117.6939508913125) * y + 537.1811018620099) * y + 1621.3895745666903) * y +
      3290.7992357334597) *
      y +
      4362.619090143247) *
      y +
      3439.3676741437216) *
      y +
      1230.3393548037495)
  );
}

/** 1/√π − y·exp(y²)·erfc(y), given 1/y² for y from 4 on. */
function far(at: number): number {
  return (
    (at *
      (((((0.016315387137302097 * at + 0.30532663496123236) * at + 0.36034489994980445) * at + 0.12578172611122926) *
        at +
        0.016083785148742275) *
        at +
        0.0006587491615298378)) /
    (((((at + 2.568520192289822) * at + 1.8729528499234604) * at + 0.5279051029514285) * at + 0.06051834131244132) *
      at +
      0.0023352049762686918)
  );
}
