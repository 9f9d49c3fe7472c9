// The engines for any 64-bit machine: one number at a time, in limbs of 64 bits. They differ in how they add a row, which is
// a number times one limb, to an accumulator: in C++, or in mulx.h.
//
// An engine is the inner loops of Montgomery arithmetic (Montgomery, "Modular multiplication without trial division",
// Mathematics of Computation 44, 1985) and nothing else; montgomery.h and square_ring.h say what they are for. `limbs` is the
// length of a number; an accumulator has 2·limbs, and its callers see to it that sums fit. No branch and no address depends on a value.
#pragma once

#include "words.h"

namespace sealsum {

// target += row·factor over `limbs` limbs; gives the carry.
struct PlainRow {
  static Word add(Word* target, const Word* row, Word factor, std::size_t limbs) {
    Word carry = 0;
    for (std::size_t j = 0; j < limbs; ++j) {
      const Wide sum = Wide{row[j]} * factor + target[j] + carry;
      target[j] = static_cast<Word>(sum);
      carry = static_cast<Word>(sum >> 64);
    }
    return carry;
  }
};

template <class Row>
struct Scalar {
  static constexpr unsigned lanes = 1;
  static constexpr unsigned bits = 64;

  // accumulator += a·b
  static void multiply_add(Word* accumulator, const Word* a, const Word* b, std::size_t limbs) {
    Word top = 0;
    for (std::size_t i = 0; i < limbs; ++i) {
      const Word carry = Row::add(accumulator + i, b, a[i], limbs);
      const Wide sum = Wide{accumulator[i + limbs]} + carry + top;
      accumulator[i + limbs] = static_cast<Word>(sum);
      top = static_cast<Word>(sum >> 64);
    }
  }

  // accumulator = a²
  static void square(Word* accumulator, const Word* a, std::size_t limbs) {
    std::memset(accumulator, 0, 2 * limbs * sizeof(Word));
    for (std::size_t i = 0; i + 1 < limbs; ++i)
      accumulator[i + limbs] = Row::add(accumulator + 2 * i + 1, a + i + 1, a[i], limbs - i - 1);
    Word shifted = 0;
    Word carry = 0;
    for (std::size_t i = 0; i < limbs; ++i) {
      const Wide product = Wide{a[i]} * a[i];
      const Word low = accumulator[2 * i];
      const Word high = accumulator[2 * i + 1];
      const Wide even = Wide{(low << 1) | shifted} + static_cast<Word>(product) + carry;
      const Wide odd = Wide{(high << 1) | (low >> 63)} + static_cast<Word>(product >> 64) + static_cast<Word>(even >> 64);
      shifted = high >> 63;
      accumulator[2 * i] = static_cast<Word>(even);
      accumulator[2 * i + 1] = static_cast<Word>(odd);
      carry = static_cast<Word>(odd >> 64);
    }
  }

  // accumulator = 2·accumulator
  static void twice(Word* accumulator, std::size_t limbs) {
    Word carry = 0;
    for (std::size_t i = 0; i < 2 * limbs; ++i) {
      const Word value = accumulator[i];
      accumulator[i] = (value << 1) | carry;
      carry = value >> 63;
    }
  }

  // accumulator += addend + (R − 1 − q), for R = 2^(bits·limbs)
  static void add_complement(Word* accumulator, const Word* q, const Word* addend, std::size_t limbs) {
    Word carry = 0;
    for (std::size_t i = 0; i < limbs; ++i) {
      const Wide sum = Wide{accumulator[i]} + addend[i] + ~q[i] + carry;
      accumulator[i] = static_cast<Word>(sum);
      carry = static_cast<Word>(sum >> 64);
    }
    for (std::size_t i = limbs; i < 2 * limbs; ++i) {
      const Wide sum = Wide{accumulator[i]} + carry;
      accumulator[i] = static_cast<Word>(sum);
      carry = static_cast<Word>(sum >> 64);
    }
  }

  // q = −accumulator·m⁻¹ mod R, and the upper half of the accumulator becomes (accumulator + q·m)/R; inverse = −m⁻¹ mod 2^bits.
  static void reduce(Word* accumulator, const Word* m, const Word* inverse, Word* q, std::size_t limbs) {
    Word top = 0;
    for (std::size_t i = 0; i < limbs; ++i) {
      q[i] = accumulator[i] * inverse[0];
      const Word carry = Row::add(accumulator + i, m, q[i], limbs);
      const Wide sum = Wide{accumulator[i + limbs]} + carry + top;
      accumulator[i + limbs] = static_cast<Word>(sum);
      top = static_cast<Word>(sum >> 64);
    }
  }

  // The limbs of an accumulator, or of a sum of numbers, with their carries propagated. What exceeds them is lost.
  static void carry(Word* out, const Word* in, std::size_t limbs) {
    if (out != in) std::memcpy(out, in, limbs * sizeof(Word));
  }

  // out = a + b
  static void add(Word* out, const Word* a, const Word* b, std::size_t limbs) {
    Word carry = 0;
    for (std::size_t i = 0; i < limbs; ++i) {
      const Wide sum = Wide{a[i]} + b[i] + carry;
      out[i] = static_cast<Word>(sum);
      carry = static_cast<Word>(sum >> 64);
    }
  }

  // number += lanes' own bits, 0 or 1
  static void add_bits(Word* number, const Word* bit, std::size_t limbs) {
    Word carry = bit[0];
    for (std::size_t i = 0; i < limbs; ++i) {
      number[i] += carry;
      carry &= static_cast<Word>(number[i] == 0);
    }
  }

  // number −= m in every lane where number ≥ m; `subtracted` tells where, by 1 and 0.
  static void subtract_once(Word* number, const Word* m, Word* subtracted, std::size_t limbs) {
    const Word borrow = difference(nullptr, number, m, 0, limbs);
    const Word mask = borrow - 1;
    difference(number, number, m, mask, limbs);
    subtracted[0] = borrow ^ 1;
  }

  // out = table[digit] of `entries` entries of `limbs` limbs; every entry is read, whatever the digit.
  static void select(Word* out, const Word* table, std::size_t entries, std::size_t limbs, const Word* digit) {
    std::memset(out, 0, limbs * sizeof(Word));
    for (std::size_t entry = 0; entry < entries; ++entry) {
      const Word different = entry ^ digit[0];
      const Word mask = ((different | (0 - different)) >> 63) - 1;
      const Word* from = table + entry * limbs;
      for (std::size_t i = 0; i < limbs; ++i) out[i] |= from[i] & mask;
    }
  }

 private:
  // a − (b & mask) into `out` when there is one; gives the borrow of a − b (without an `out`: of the whole b).
  static inline Word difference(Word* out, const Word* a, const Word* b, Word mask, std::size_t limbs) {
    const Word taken = out == nullptr ? ~Word{0} : mask;
    Word borrow = 0;
    for (std::size_t i = 0; i < limbs; ++i) {
      const Wide result = Wide{a[i]} - (b[i] & taken) - borrow;
      if (out != nullptr) out[i] = static_cast<Word>(result);
      borrow = static_cast<Word>(result >> 64) & 1;
    }
    return borrow;
  }
};

using Portable = Scalar<PlainRow>;

}  // namespace sealsum
