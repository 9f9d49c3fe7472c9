// Products in the ring of square_ring.h of one number at a time for each of two moduli, whose limbs are spread over the lanes.
//
// A number of 4·VECTORS limbs of 52 bits at most is VECTORS vectors: limb l·VECTORS + v stands in lane l of vector v for the one
// modulus and in lane 4 + l for the other. (Gueron and Krasnov, "Software implementation of modular exponentiation, using advanced
// vector instructions architectures", WAIFI 2012, and OpenSSL's rsaz-2k-avx512.pl keep neighbouring limbs in neighbouring lanes.) So
// a number moves down by a limb when its vectors are renamed and the lanes of only one of them moved; no lane is empty for primes
// of 1024 bits, and one instruction serves both.
//
// The product of (a, b) and (c, d) is summed row by row, with limbs c_i and d_i in all lanes,
//
//     first  += c_i·a + q_i·m
//     second += c_i·b + d_i·a − q_i + z_i·m
//
// with digits q_i and z_i that make the lowest limbs zero, which are dropped. −q comes, as in square_ring.h, of R − 1 − q and a
// correction: all of that but q is there from the start. For a square, second += (2·a)_i·b + …, with 2·a as a number.
//
// The digits of a row wait for those of the row before, through a broadcast and two multiplications; what else they need is added before
// that. On an AMD EPYC (Zen 5) a square takes 0.16 µs modulo 1024 bits and 0.30 µs modulo 1536, of which 0.11 and 0.26 µs are its
// multiplications, two in a cycle.
//
// No branch and no address depends on a value.
#pragma once

#if defined(__x86_64__)
#include <utility>

#include "ifma.h"

#define SEALSUM_IFMA_INLINE SEALSUM_IFMA static inline __attribute__((always_inline))

namespace sealsum {

template <int VECTORS>
class SpreadProduct {
 public:
  static constexpr int number_words = 8 * VECTORS;
  // Sums of both halves, and twice a number.
  static constexpr int scratch_words = 3 * number_words;

  // What belongs to the moduli: vectors, which the rows read from memory, as registers are short.
  struct Constants {
    const Word* m;
    // What the second sum starts from: R − 1 and the correction.
    const Word* start;
    // −m⁻¹ mod 2^52 in all lanes.
    const Word* inverse;
    // 2^52 − 1 in all lanes.
    const Word* limb_mask;
    // For each of the four lanes of a modulus, and one more: which lane a limb of it is taken from.
    const Word* lane;
    std::size_t limbs;
  };

  // out = x·y/R, for pairs of numbers; either may be out.
  SEALSUM_IFMA static void multiply(Word* out, const Word* x, const Word* y, const Constants& constants, Word* scratch) {
    product<false>(out, x, y, y + number_words, constants, scratch);
  }

  // out = x²/R
  SEALSUM_IFMA static void square(Word* out, const Word* x, const Constants& constants, Word* scratch) {
    Word* twice = scratch + 2 * number_words;
    const __m512i mask = load(constants.limb_mask);
    __m512i below = lane_up(shift_right(load(x + number_words - 8), 51));
    for (int v = 0; v < VECTORS; ++v) {
      const __m512i value = load(x + 8 * v);
      // (2·value & mask) | below
      store(twice + 8 * v, _mm512_ternarylogic_epi64(_mm512_add_epi64(value, value), mask, below, 0xea));
      below = shift_right(value, 51);
    }
    product<true>(out, x, x, twice, constants, scratch);
  }

 private:
  // Lane 0 of each modulus.
  static constexpr __mmask8 lowest = 0x11;
  static constexpr auto vectors = std::make_integer_sequence<int, VECTORS>{};

  // The limbs of a row's factor.
  struct Row {
    __m512i c;
    __m512i d;
  };
  // Vector v of a sum is [(v + PHASE) % VECTORS] in a row whose limb stands in vector PHASE.
  struct Sums {
    __m512i first[VECTORS];
    __m512i second[VECTORS];
    std::size_t rows;
  };
  // x = (a, b), y = (c, d)
  struct Factors {
    const Word* a;
    const Word* b;
    const Word* c;
    const Word* d;
    const Constants& constants;
  };

  SEALSUM_IFMA_INLINE __m512i load(const Word* from) { return _mm512_load_si512(from); }
  SEALSUM_IFMA_INLINE void store(Word* to, __m512i value) { _mm512_store_si512(to, value); }
  SEALSUM_IFMA_INLINE __m512i shift_right(__m512i value, int places) {
    return reinterpret_cast<__m512i>(reinterpret_cast<__v8du>(value) >> places);
  }
  // Through masks: GCC 12 warns of what its header for the plain intrinsics leaves undefined on purpose.
  SEALSUM_IFMA_INLINE __m512i lane_up(__m512i value) { return _mm512_maskz_permutex_epi64(0xee, value, 0x90); }
  SEALSUM_IFMA_INLINE __m512i lane_down(__m512i value) { return _mm512_maskz_permutex_epi64(0x77, value, 0x39); }
  SEALSUM_IFMA_INLINE __m512i lane_0(__m512i value) { return _mm512_maskz_permutex_epi64(0xff, value, 0x00); }

  template <int VECTOR>
  SEALSUM_IFMA_INLINE Row row_at(const Factors& factors, const Word* lane, __mmask8 present) {
    return {_mm512_maskz_permutexvar_epi64(present, load(lane), load(factors.c + 8 * VECTOR)),
            _mm512_maskz_permutexvar_epi64(present, load(lane), load(factors.d + 8 * VECTOR))};
  }

  // The low halves of a row's products with vector V of x.
  template <bool SQUARE, int V>
  SEALSUM_IFMA_INLINE void add_low(__m512i& first, __m512i& second, const Factors& factors, const Row& row) {
    const __m512i a = load(factors.a + 8 * V);
    const __m512i b = load(factors.b + 8 * V);
    first = _mm512_madd52lo_epu64(first, row.c, a);
    second = _mm512_madd52lo_epu64(second, row.d, SQUARE ? b : a);
    if (!SQUARE) second = _mm512_madd52lo_epu64(second, row.c, b);
  }

  template <bool SQUARE, int V>
  SEALSUM_IFMA_INLINE void add_high(__m512i& first, __m512i& second, const Factors& factors, const Row& row) {
    const __m512i a = load(factors.a + 8 * V);
    const __m512i b = load(factors.b + 8 * V);
    first = _mm512_madd52hi_epu64(first, row.c, a);
    second = _mm512_madd52hi_epu64(second, row.d, SQUARE ? b : a);
    if (!SQUARE) second = _mm512_madd52hi_epu64(second, row.c, b);
  }

  // Vectors of x but the first and the last one's high halves.
  template <bool SQUARE, int PHASE, int... V>
  SEALSUM_IFMA_INLINE void add_factor(Sums& s, const Factors& factors, const Row& row,
                                      std::integer_sequence<int, 0, V...>) {
    constexpr auto at = [](int v) { return (v + PHASE) % VECTORS; };
    (add_low<SQUARE, V>(s.first[at(V)], s.second[at(V)], factors, row), ...);
    ((V + 1 < VECTORS ? add_high<SQUARE, V>(s.first[at(V + 1)], s.second[at(V + 1)], factors, row) : void()), ...);
  }

  template <int PHASE, int V>
  SEALSUM_IFMA_INLINE void add_modulus(Sums& s, const Word* m, __m512i q, __m512i z) {
    constexpr int low = (V + PHASE) % VECTORS;
    constexpr int high = (V + 1 + PHASE) % VECTORS;
    const __m512i value = load(m + 8 * V);
    s.first[low] = _mm512_madd52lo_epu64(s.first[low], q, value);
    s.first[high] = _mm512_madd52hi_epu64(s.first[high], q, value);
    s.second[low] = _mm512_madd52lo_epu64(s.second[low], z, value);
    s.second[high] = _mm512_madd52hi_epu64(s.second[high], z, value);
  }

  template <int PHASE, int... V>
  SEALSUM_IFMA_INLINE void add_modulus_above(Sums& s, const Word* m, __m512i q, __m512i z,
                                             std::integer_sequence<int, 0, 1, V...>) {
    (add_modulus<PHASE, V>(s, m, q, z), ...);
  }

  // One row, whose products with the lowest vector of x, low halves, were added with the row before. False when it was the last.
  template <bool SQUARE, int PHASE>
  SEALSUM_IFMA_INLINE bool add_row(Sums& s, const Factors& factors, const Word* lane, __mmask8 more) {
    constexpr int next = (PHASE + 1) % VECTORS;
    const Constants& constants = factors.constants;
    const __m512i zero = _mm512_setzero_si512();
    const __m512i inverse = load(constants.inverse);
    const __m512i limb_mask = load(constants.limb_mask);
    __m512i& first = s.first[PHASE];
    __m512i& second = s.second[PHASE];
    const __m512i q = _mm512_madd52lo_epu64(zero, lane_0(first), inverse);
    second = _mm512_mask_sub_epi64(second, lowest, second, q);
    const __m512i z = _mm512_madd52lo_epu64(zero, lane_0(second), inverse);
    add_low<SQUARE, 0>(s.first[next], s.second[next], factors,
                       next == 0 ? row_at<next>(factors, lane + 8, more) : row_at<next>(factors, lane, 0xff));
    const Row row = row_at<PHASE>(factors, lane, 0xff);
    add_high<SQUARE, 0>(s.first[next], s.second[next], factors, row);
    add_factor<SQUARE, PHASE>(s, factors, row, vectors);
    // What the lowest limbs carry once q·m and z·m have made multiples of 2^52 of them.
    const __m512i first_carry = shift_right(_mm512_add_epi64(first, limb_mask), 52);
    const __m512i second_carry = shift_right(_mm512_add_epi64(second, limb_mask), 52);
    s.first[next] = _mm512_mask_add_epi64(s.first[next], lowest, s.first[next], first_carry);
    s.second[next] = _mm512_mask_add_epi64(s.second[next], lowest, s.second[next], second_carry);
    // Sums of their own save the next digits a multiplication's latency.
    const __m512i m = load(constants.m);
    const __m512i first_high = _mm512_madd52hi_epu64(zero, q, m);
    const __m512i second_high = _mm512_madd52hi_epu64(zero, z, m);
    add_modulus<PHASE, 1>(s, constants.m, q, z);
    s.first[next] = _mm512_add_epi64(s.first[next], first_high);
    s.second[next] = _mm512_add_epi64(s.second[next], second_high);
    first = lane_down(_mm512_madd52lo_epu64(first, q, m));
    second = lane_down(_mm512_madd52lo_epu64(second, z, m));
    add_high<SQUARE, VECTORS - 1>(first, second, factors, row);
    add_modulus_above<PHASE>(s, constants.m, q, z, vectors);
    // Else the compiler would keep factors that it has no registers for on the stack.
    __asm__ __volatile__("" : : : "memory");
    return --s.rows != 0;
  }

  template <bool SQUARE, int... PHASES>
  SEALSUM_IFMA_INLINE bool add_rows(Sums& s, const Factors& factors, const Word* lane, __mmask8 more,
                                    std::integer_sequence<int, PHASES...>) {
    return (add_row<SQUARE, PHASES>(s, factors, lane, more) && ...);
  }

  template <int... V>
  SEALSUM_IFMA_INLINE void start(Sums& s, const Word* second, std::integer_sequence<int, V...>) {
    ((s.first[V] = _mm512_setzero_si512()), ...);
    ((s.second[V] = load(second + 8 * V)), ...);
  }

  // The vectors in their order.
  template <int... V>
  SEALSUM_IFMA_INLINE void finish(const Sums& s, Word* to, int phase, std::integer_sequence<int, V...>) {
    const auto at = [&](int v) { return 8 * (v - phase + (v < phase ? VECTORS : 0)); };
    (store(to + at(V), s.first[V]), ...);
    (store(to + number_words + at(V), s.second[V]), ...);
  }

  template <bool SQUARE>
  SEALSUM_IFMA static void product(Word* out, const Word* x, const Word* c, const Word* d, const Constants& constants,
                                   Word* scratch) {
    const Factors factors{x, x + number_words, c, d, constants};
    Sums s;
    start(s, constants.start, vectors);
    s.rows = constants.limbs;
    add_low<SQUARE, 0>(s.first[0], s.second[0], factors, row_at<0>(factors, constants.lane, 0xff));
    const Word* lane = constants.lane;
    // After the last lane there is no row to look ahead to.
    const Word* last = lane + 3 * 8;
    while (add_rows<SQUARE>(s, factors, lane, lane == last ? 0 : 0xff, vectors)) lane += 8;
    finish(s, scratch, static_cast<int>(constants.limbs % VECTORS), vectors);
    carry(out, scratch, constants.limb_mask);
    carry(out + number_words, scratch + number_words, constants.limb_mask);
  }

  // Carries at once where they arise; after that no limb is above 2^52 + 2^12, so each gets one more from the limb below
  // or none, and that is an addition of two numbers with a binary digit for each limb: whether it carries without one, and with one.
  SEALSUM_IFMA_INLINE void carry(Word* out, const Word* in, const Word* limb_mask) {
    const __m512i mask = load(limb_mask);
    const __m512i one = _mm512_set1_epi64(1);
    __m512i sums[VECTORS];
    __m512i below = lane_up(shift_right(load(in + number_words - 8), 52));
    __m512i without = _mm512_setzero_si512();
    // 16 digits for each lane, of which those without a limb pass a carry on.
    __m512i with = _mm512_set1_epi64(0xffff & ~((1LL << VECTORS) - 1));
    for (int v = 0; v < VECTORS; ++v) {
      const __m512i value = load(in + 8 * v);
      const __m512i sum = _mm512_add_epi64(_mm512_and_si512(value, mask), below);
      below = shift_right(value, 52);
      const __m512i digit = _mm512_set1_epi64(1LL << v);
      // digits | (carry & digit)
      without = _mm512_ternarylogic_epi64(without, shift_right(sum, 52 - v), digit, 0xf8);
      with = _mm512_ternarylogic_epi64(with, shift_right(_mm512_add_epi64(sum, one), 52 - v), digit, 0xf8);
      sums[v] = sum;
    }
    const __m128i x = _mm512_maskz_cvtepi64_epi16(0xff, without);
    const __m128i y = _mm512_maskz_cvtepi64_epi16(0xff, with);
    const __m512i carries = _mm512_maskz_cvtepu16_epi64(0xff, _mm_xor_si128(_mm_add_epi64(x, y), _mm_xor_si128(x, y)));
    for (int v = 0; v < VECTORS; ++v) {
      const __mmask8 carried = _mm512_test_epi64_mask(carries, _mm512_set1_epi64(1LL << v));
      store(out + 8 * v, _mm512_and_si512(_mm512_mask_add_epi64(sums[v], carried, sums[v], one), mask));
    }
  }
};

}  // namespace sealsum
#endif
