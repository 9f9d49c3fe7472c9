/** The differential-privacy vectors beside the checkout, section by section; every section there names its source. */
import type { uvu } from 'uvu';
import { sharedText } from '../support/shared.ts';

interface LossCase {
  sigma: number;
  q: number;
  steps: number;
  delta: number;
}

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
  rdp_poisson_gaussian: {
    sigma: number;
    q: number;
    steps: number;
    delta: number;
    epsilon_integer_orders: number;
    order_integer: number;
  };
  rdp_per_order: {
    q: number;
    sigma: number;
    rows: { order: number; rdp_opacus: number; rdp_mpmath_quadrature?: number }[];
  };
  /** The bound is for integer orders only. */
  subsampled_discrete_gaussian_check: {
    sigma: number;
    sens: number;
    q: number;
    order: number;
    rdp_mix_vs_base: number;
    rdp_base_vs_mix: number;
    bound_integer_formula: number | null;
  };
  gaussian_analytic: { sigma: number; steps: number; delta: number; epsilon_mpmath: number };
  gaussian_sigma_for: { epsilon: number; delta: number; sigma: number };
  discrete_gaussian_moments: {
    sigma2_num: number;
    sigma2_den: number;
    norm_const: number;
    variance: number;
    fourth_moment: number;
    pmf: Record<string, number>;
  };
  pld_poisson_gaussian: LossCase & { interval: number; epsilon: number };
  prv_poisson_gaussian: LossCase & { lower: number; estimate: number; upper: number };
  pld_interval_sensitivity: LossCase & { interval: number; epsilon: number };
  subsampled_gaussian_delta: {
    sigma: number;
    q: number;
    epsilon: number;
    delta_remove: number;
    delta_add: number;
    delta_remove_closed_form: number;
    delta_add_closed_form: number;
  };
  pld_connect_the_dots_example: {
    sigma: number;
    q: number;
    discretization: number;
    lower: number;
    upper: number;
    deltas: number[];
    probs: Record<string, number>;
    infinity_mass: number;
    epsilon_for_delta: Record<string, number>;
    self_compose_3: Record<string, number>;
  };
  discrete_gaussian_pld_1d: {
    sigma: number;
    sensitivity: number;
    steps: number;
    delta: number;
    epsilon_discrete_pld: number;
    epsilon_continuous_pld: number;
  };
  discrete_gaussian_delta_1d: { sigma2: number; sens: number; epsilon: number; delta: number };
  rounded_l2_norm_bound: { l2: number; beta: number; dim: number; bound: number };
  ddgauss_epsilon: {
    gamma: number;
    local_stddev: number;
    num_clients: number;
    l2_clip: number;
    beta: number;
    dim: number;
    q: number;
    steps: number;
    delta: number;
    rounded_l2_int: number;
    tau: number;
    half_eps2_rho_per_step: number;
    epsilon: number;
    order: number;
  };
  ddgauss_dropout: {
    provisioned: number;
    dropped: number;
    local_stddev: number;
    scale: number;
    steps: number;
    dim: number;
    delta: number;
    epsilon: number;
    order: number;
  };
  ddgauss_calibration: {
    target_epsilon: number;
    local_stddev: number;
    achieved: number;
    num_clients: number;
    scale: number;
    beta: number;
    dim: number;
    steps: number;
    delta: number;
  };
  skellam_epsilon: {
    scale: number;
    central_stddev: number;
    l2: number;
    beta: number;
    dim: number;
    q: number;
    steps: number;
    delta: number;
    epsilon: number;
    order: number;
  };
  ks_critical: { n: number; alpha: number; critical: number };
  chi2_critical: { df: number; alpha: number; critical: number };
  wilson_z: { alpha: number; z: number };
}

type Vectors = { readonly [Name in keyof Sections]: { readonly cases: readonly Sections[Name][] } };

const text = sharedText('vectors/dp/dp-vectors.json');
const vectors = text === undefined ? undefined : (JSON.parse(text) as Vectors);

/** The orders that the Rényi sections were computed with; undefined where the vectors are not there. */
export const integerOrders: readonly number[] | undefined =
  text === undefined ? undefined : (JSON.parse(text) as { rdp_integer_orders: number[] }).rdp_integer_orders;

interface AdaptiveClip {
  learning_rate: number;
  target: number;
  initial: number;
  sequence: { t: number; C: number; noised_fraction: number; C_next: number }[];
  noise_split: { z: number; n: number; sigma_b: number; z_delta: number }[];
}

/** The section on adaptive clipping, which is no list of cases; undefined where the vectors are not there. */
export const adaptiveClip: AdaptiveClip | undefined =
  text === undefined ? undefined : (JSON.parse(text) as { adaptive_clip: { cases: AdaptiveClip } }).adaptive_clip.cases;

/** Adds a test that runs `check` on every case of a section, or a skipped one where the vectors are not there. */
export function testCases<Name extends keyof Sections>(
  test: uvu.Test<Record<string, unknown>>,
  title: string,
  section: Name,
  check: (each: Sections[Name]) => void | Promise<void>,
): void {
  if (vectors === undefined) {
    test.skip(title);
    return;
  }
  const { cases }: Vectors[Name] = vectors[section];
  test(`${title} (${cases.length} cases of ${section})`, async () => {
    for (const each of cases) await check(each);
  });
}

/** Whether two numbers agree to a relative tolerance; 0 agrees with 0 only. */
export function agree(actual: number, expected: number, tolerance: number): boolean {
  return Math.abs(actual - expected) <= tolerance * Math.abs(expected);
}
