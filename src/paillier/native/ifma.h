// The engine for processors with AVX-512 IFMA: eight numbers at a time, one in each lane of a vector, in limbs of 52 bits.
//
// A multiplication adds the low or the high 52 bits of a product of two limbs to a lane of 64 bits (vpmadd52luq, vpmadd52huq);
// the 12 bits to spare take the sums of 4096 of them, so that carries are propagated once, at the end. That serves numbers of up
// to 680 limbs, 35 kbit. Rows are taken four at a time and their sums kept in registers while they pass along the other
// factor: eight multiplications for two loads and one store, which keeps both multipliers busy.
//
// No branch and no address depends on a value. Tables are read whole, by plain loads: a load under a mask may leave memory alone.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>

#include "words.h"

#define SEALSUM_IFMA __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512ifma")))

namespace sealsum {

struct Ifma {
  static constexpr unsigned lanes = 8;
  static constexpr unsigned bits = 52;

  static bool available() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512ifma");
  }

  SEALSUM_IFMA static void multiply_add(Word* accumulator, const Word* a, const Word* b, std::size_t limbs) {
    std::size_t i = 0;
    for (; i + 4 <= limbs; i += 4) rows<4>(accumulator + 8 * i, a + 8 * i, b, limbs);
    for (; i < limbs; ++i) rows<1>(accumulator + 8 * i, a + 8 * i, b, limbs);
  }

  SEALSUM_IFMA static void square(Word* accumulator, const Word* a, std::size_t limbs) {
    std::memset(accumulator, 0, 2 * limbs * 8 * sizeof(Word));
    std::size_t i = 0;
    for (; i + 4 <= limbs; i += 4) {
      // What the four rows have with each other, and then with all after them.
      for (std::size_t r = 0; r < 3; ++r)
        rows<1>(accumulator + 8 * (2 * i + 2 * r + 1), a + 8 * (i + r), a + 8 * (i + r + 1), 3 - r);
      rows<4>(accumulator + 8 * (2 * i + 4), a + 8 * i, a + 8 * (i + 4), limbs - i - 4);
    }
    for (; i + 1 < limbs; ++i) rows<1>(accumulator + 8 * (2 * i + 1), a + 8 * i, a + 8 * (i + 1), limbs - i - 1);
    for (std::size_t k = 0; k < limbs; ++k) {
      const __m512i x = load(a + 8 * k);
      const __m512i low = load(accumulator + 16 * k);
      const __m512i high = load(accumulator + 16 * k + 8);
      store(accumulator + 16 * k, _mm512_madd52lo_epu64(_mm512_add_epi64(low, low), x, x));
      store(accumulator + 16 * k + 8, _mm512_madd52hi_epu64(_mm512_add_epi64(high, high), x, x));
    }
  }

  SEALSUM_IFMA static void twice(Word* accumulator, std::size_t limbs) {
    for (std::size_t i = 0; i < 2 * limbs; ++i) {
      const __m512i value = load(accumulator + 8 * i);
      store(accumulator + 8 * i, _mm512_add_epi64(value, value));
    }
  }

  SEALSUM_IFMA static void add_complement(Word* accumulator, const Word* q, const Word* addend, std::size_t limbs) {
    const __m512i ones = _mm512_set1_epi64(limb_mask);
    for (std::size_t i = 0; i < limbs; ++i) {
      const __m512i complement = _mm512_sub_epi64(ones, load(q + 8 * i));
      const __m512i sum = _mm512_add_epi64(load(accumulator + 8 * i), load(addend + 8 * i));
      store(accumulator + 8 * i, _mm512_add_epi64(sum, complement));
    }
  }

  SEALSUM_IFMA static void reduce(Word* accumulator, const Word* m, const Word* inverse, Word* q, std::size_t limbs) {
    std::size_t i = 0;
    for (; i + 4 <= limbs; i += 4) reduce_rows<4>(accumulator + 8 * i, m, inverse, q + 8 * i, limbs);
    for (; i < limbs; ++i) reduce_rows<1>(accumulator + 8 * i, m, inverse, q + 8 * i, limbs);
  }

  SEALSUM_IFMA static void carry(Word* out, const Word* in, std::size_t limbs) {
    const __m512i mask = _mm512_set1_epi64(limb_mask);
    __m512i carry = _mm512_setzero_si512();
    for (std::size_t i = 0; i < limbs; ++i) {
      const __m512i value = _mm512_add_epi64(load(in + 8 * i), carry);
      store(out + 8 * i, _mm512_and_si512(value, mask));
      carry = shift_right(value, bits);
    }
  }

  SEALSUM_IFMA static void add(Word* out, const Word* a, const Word* b, std::size_t limbs) {
    const __m512i mask = _mm512_set1_epi64(limb_mask);
    __m512i carry = _mm512_setzero_si512();
    for (std::size_t i = 0; i < limbs; ++i) {
      const __m512i value = _mm512_add_epi64(_mm512_add_epi64(load(a + 8 * i), load(b + 8 * i)), carry);
      store(out + 8 * i, _mm512_and_si512(value, mask));
      carry = shift_right(value, bits);
    }
  }

  SEALSUM_IFMA static void add_bits(Word* number, const Word* bit, std::size_t limbs) {
    const __m512i mask = _mm512_set1_epi64(limb_mask);
    __m512i carry = load(bit);
    for (std::size_t i = 0; i < limbs; ++i) {
      const __m512i value = _mm512_add_epi64(load(number + 8 * i), carry);
      store(number + 8 * i, _mm512_and_si512(value, mask));
      carry = shift_right(value, bits);
    }
  }

  SEALSUM_IFMA static void subtract_once(Word* number, const Word* m, Word* subtracted, std::size_t limbs) {
    __m512i borrow = _mm512_setzero_si512();
    for (std::size_t i = 0; i < limbs; ++i) {
      const __m512i rest = _mm512_sub_epi64(load(number + 8 * i), load(m + 8 * i));
      borrow = shift_right(_mm512_sub_epi64(rest, borrow), 63);
    }
    const __m512i taken = _mm512_sub_epi64(borrow, _mm512_set1_epi64(1));
    const __m512i mask = _mm512_set1_epi64(limb_mask);
    store(subtracted, shift_right(taken, 63));
    borrow = _mm512_setzero_si512();
    for (std::size_t i = 0; i < limbs; ++i) {
      const __m512i rest =
          _mm512_sub_epi64(_mm512_sub_epi64(load(number + 8 * i), _mm512_and_si512(load(m + 8 * i), taken)), borrow);
      store(number + 8 * i, _mm512_and_si512(rest, mask));
      borrow = shift_right(rest, 63);
    }
  }

  SEALSUM_IFMA static void select(Word* out, const Word* table, std::size_t entries, std::size_t limbs,
                                  const Word* digit) {
    std::size_t i = 0;
    for (; i + 8 <= limbs; i += 8) select_limbs<8>(out + 8 * i, table + 8 * i, entries, limbs, load(digit));
    for (; i < limbs; ++i) select_limbs<1>(out + 8 * i, table + 8 * i, entries, limbs, load(digit));
  }

 private:
  static constexpr long long limb_mask = (1LL << bits) - 1;

  SEALSUM_IFMA static inline __m512i load(const Word* from) { return _mm512_load_si512(from); }
  // Through the compiler's own vectors: GCC 12 warns of what its header for the intrinsic leaves undefined on purpose.
  SEALSUM_IFMA static inline __m512i shift_right(__m512i value, int places) {
    return reinterpret_cast<__m512i>(reinterpret_cast<__v8du>(value) >> places);
  }
  SEALSUM_IFMA static inline void store(Word* to, __m512i value) { _mm512_store_si512(to, value); }

  // accumulator += (ROWS limbs of a)·(count limbs of b)
  template <int ROWS>
  SEALSUM_IFMA static inline void rows(Word* accumulator, const Word* a, const Word* b, std::size_t count) {
    __m512i x[ROWS];
    for (int r = 0; r < ROWS; ++r) x[r] = load(a + 8 * r);
    rows_by<ROWS>(accumulator, x, b, count);
  }

  template <int ROWS>
  SEALSUM_IFMA static inline void rows_by(Word* accumulator, const __m512i* x, const Word* b, std::size_t count) {
    if (count == 0) return;
    __m512i sums[ROWS + 1];
    for (int r = 0; r < ROWS; ++r) sums[r] = load(accumulator + 8 * r);
    for (std::size_t j = 0; j < count; ++j) {
      const __m512i y = load(b + 8 * j);
      sums[ROWS] = load(accumulator + 8 * (j + ROWS));
      for (int r = 0; r < ROWS; ++r) sums[r] = _mm512_madd52lo_epu64(sums[r], x[r], y);
      for (int r = 0; r < ROWS; ++r) sums[r + 1] = _mm512_madd52hi_epu64(sums[r + 1], x[r], y);
      store(accumulator + 8 * j, sums[0]);
      for (int r = 0; r < ROWS; ++r) sums[r] = sums[r + 1];
    }
    for (int r = 0; r < ROWS; ++r) store(accumulator + 8 * (count + r), sums[r]);
  }

  // ROWS limbs of q, each of which makes one more limb of the accumulator zero; what those limbs carry goes on to the next.
  template <int ROWS>
  SEALSUM_IFMA static inline void reduce_rows(Word* accumulator, const Word* m, const Word* inverse, Word* q,
                                              std::size_t limbs) {
    const __m512i factor = load(inverse);
    const __m512i zero = _mm512_setzero_si512();
    const __m512i mask = _mm512_set1_epi64(limb_mask);
    __m512i sums[2 * ROWS];
    __m512i x[ROWS];
    for (int k = 0; k < 2 * ROWS; ++k) sums[k] = load(accumulator + 8 * k);
    for (int r = 0; r < ROWS; ++r) {
      x[r] = _mm512_and_si512(_mm512_madd52lo_epu64(zero, sums[r], factor), mask);
      for (int k = 0; k < ROWS; ++k) {
        const __m512i y = load(m + 8 * k);
        sums[r + k] = _mm512_madd52lo_epu64(sums[r + k], x[r], y);
        sums[r + k + 1] = _mm512_madd52hi_epu64(sums[r + k + 1], x[r], y);
      }
      sums[r + 1] = _mm512_add_epi64(sums[r + 1], shift_right(sums[r], bits));
      store(q + 8 * r, x[r]);
    }
    for (int k = ROWS; k < 2 * ROWS; ++k) store(accumulator + 8 * k, sums[k]);
    rows_by<ROWS>(accumulator + 8 * ROWS, x, m + 8 * ROWS, limbs - ROWS);
  }

  template <int LIMBS>
  SEALSUM_IFMA static inline void select_limbs(Word* out, const Word* table, std::size_t entries, std::size_t limbs,
                                               __m512i digit) {
    __m512i found[LIMBS];
    for (int k = 0; k < LIMBS; ++k) found[k] = _mm512_setzero_si512();
    for (std::size_t entry = 0; entry < entries; ++entry) {
      const __mmask8 equal = _mm512_cmpeq_epi64_mask(digit, _mm512_set1_epi64(static_cast<long long>(entry)));
      const __m512i mask = _mm512_movm_epi64(equal);
      // found | (mask & entry)
      for (int k = 0; k < LIMBS; ++k)
        found[k] = _mm512_ternarylogic_epi64(found[k], mask, load(table + 8 * (entry * limbs + k)), 0xf8);
    }
    for (int k = 0; k < LIMBS; ++k) store(out + 8 * k, found[k]);
  }
};

}  // namespace sealsum
#endif
