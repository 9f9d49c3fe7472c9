/** The differential-privacy vectors beside the checkout, section by section; every section there names its source. */
import type { uvu } from 'uvu';
import { sharedText } from '../support/shared.ts';

interface Sections {
  /** epsilon_str has twenty digits, from mpmath at fifty. */
  zcdp_to_epsilon: { rho: number; delta: number; epsilon: number; epsilon_str: string; alpha: number };
  zcdp_delta: { rho: number; epsilon: number; delta: number };
  zcdp_rho_for: { epsilon: number; delta: number; rho: number };
  zcdp_opendp_unit_tests:
    | { fn: 'cdp_delta'; rho: number; epsilon: number; expected: number }
    | { fn: 'cdp_epsilon'; rho: number; delta: number; expected: number };
  zcdp_calibration: {
    epsilon: number;
    delta: number;
    rounds: number;
    rho_total: number;
    rho_round: number;
    noise_multiplier: number;
  };
  discrete_gaussian_moments: {
    sigma2_num: number;
    sigma2_den: number;
    norm_const: number;
    variance: number;
    fourth_moment: number;
    pmf: Record<string, number>;
  };
  chi2_critical: { df: number; alpha: number; critical: number };
  wilson_z: { alpha: number; z: number };
}

const text = sharedText('vectors/dp/dp-vectors.json');
const sections =
  text === undefined ? undefined : (JSON.parse(text) as { [Name in keyof Sections]: { cases: Sections[Name][] } });

/** Adds a test that runs `check` on every case of a section, or a skipped one where the vectors are not there. */
export function testCases<Name extends keyof Sections>(
  test: uvu.Test<Record<string, unknown>>,
  title: string,
  section: Name,
  check: (each: Sections[Name]) => void,
): void {
  if (sections === undefined) {
    test.skip(title);
    return;
  }
  const { cases } = sections[section];
  test(`${title} (${cases.length} cases of ${section})`, () => {
    for (const each of cases) check(each);
  });
}

/** Whether two numbers agree to a relative tolerance; 0 agrees with 0 only. */
export function agree(actual: number, expected: number, tolerance: number): boolean {
  return Math.abs(actual - expected) <= tolerance * Math.abs(expected);
}
