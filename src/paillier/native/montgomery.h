// Arithmetic modulo odd numbers in Montgomery's representation: x stands for x·R mod m, R = 2^(E::bits·limbs).
//
// Almost so: numbers are below 2·m and not always below m, which spares a comparison with every product (Gueron, "Efficient
// software implementations of modular exponentiation", Journal of Cryptographic Engineering 2, 2012). R is 256 times
// m at least, so sums of a few such numbers are good factors as well. Each lane has a modulus of its own.
#pragma once

#include <algorithm>

#include "words.h"

namespace sealsum {

// A big-endian or other integer as words; not owned.
struct Span {
  const Word* words;
  std::size_t count;
};

template <class E>
class Modulus {
 public:
  // One modulus for each lane, all odd, at least 3, and of equal length in bits.
  explicit Modulus(const Span (&moduli)[E::lanes])
      : bit_count_(bit_length(moduli[0].words, moduli[0].count)),
        limbs_(limbs_for(bit_count_)),
        m_(number()),
        inverse_(E::lanes),
        one_(number()),
        square_(number()),
        accumulator_(2 * limbs_ * E::lanes),
        q_(number()),
        flags_(E::lanes) {
    for (unsigned lane = 0; lane < E::lanes; ++lane) {
      put<E>(m_.data(), limbs_, lane, moduli[lane].words, moduli[lane].count);
      inverse_[lane] = negative_inverse(moduli[lane].words[0]);
    }
    // R from the greatest power of two below m, and R² = 2^(bits·limbs)·R by the binary digits of that exponent.
    for (unsigned lane = 0; lane < E::lanes; ++lane)
      one_[(bit_count_ - 1) / E::bits * E::lanes + lane] = Word{1} << ((bit_count_ - 1) % E::bits);
    for (std::size_t bit = bit_count_ - 1; bit < E::bits * limbs_; ++bit) twice(one_.data());
    std::memcpy(square_.data(), one_.data(), bytes());
    const std::size_t exponent = E::bits * limbs_;
    for (int bit = 63 - __builtin_clzll(exponent); bit >= 0; --bit) {
      multiply(square_.data(), square_.data(), square_.data());
      subtract_once(square_.data());
      if ((exponent >> bit & 1) != 0) twice(square_.data());
    }
  }

  // With eight bits to spare at least.
  static std::size_t limbs_for(std::size_t bits) { return (bits + 8 + E::bits - 1) / E::bits; }

  std::size_t limbs() const { return limbs_; }
  std::size_t bit_count() const { return bit_count_; }
  std::size_t bytes() const { return limbs_ * E::lanes * sizeof(Word); }
  // Room for a number in each lane.
  Words number() const { return Words(limbs_ * E::lanes); }
  const Word* m() const { return m_.data(); }
  const Word* inverse() const { return inverse_.data(); }
  // R mod m: the representation of 1.
  const Word* one() const { return one_.data(); }
  // R² mod m, by which a number is multiplied to get its representation.
  const Word* to_representation() const { return square_.data(); }

  // out = a·b/R mod m, below 2·m, for a·b < R·m.
  void multiply(Word* out, const Word* a, const Word* b) {
    std::memset(accumulator_.data(), 0, accumulator_.size() * sizeof(Word));
    E::multiply_add(accumulator_.data(), a, b, limbs_);
    finish(out);
  }

  // out = a²/R mod m, below 2·m, for a² < R·m.
  void square(Word* out, const Word* a) {
    E::square(accumulator_.data(), a, limbs_);
    finish(out);
  }

  // out = a/R mod m, below 2·m, for a of up to 2·limbs limbs below R·m.
  void reduce(Word* out, const Word* a, std::size_t limbs) {
    std::memset(accumulator_.data(), 0, accumulator_.size() * sizeof(Word));
    std::memcpy(accumulator_.data(), a, limbs * E::lanes * sizeof(Word));
    finish(out);
  }

  // number = 2·number mod m, for a number below m.
  void twice(Word* number) {
    E::add(number, number, number, limbs_);
    subtract_once(number);
  }

  // Subtracts m from a number below 2·m where it is not below m.
  void subtract_once(Word* number) { E::subtract_once(number, m_.data(), flags_.data(), limbs_); }

 private:
  static Word negative_inverse(Word m) {
    // Newton's iteration doubles the digits that are right; an odd number is its own inverse modulo 8.
    Word inverse = m;
    for (int round = 0; round < 5; ++round) inverse *= 2 - m * inverse;
    const Word negative = 0 - inverse;
    return E::bits == 64 ? negative : negative & ((Word{1} << (E::bits % 64)) - 1);
  }

  void finish(Word* out) {
    E::reduce(accumulator_.data(), m_.data(), inverse_.data(), q_.data(), limbs_);
    E::carry(out, accumulator_.data() + limbs_ * E::lanes, limbs_);
  }

  std::size_t bit_count_;
  std::size_t limbs_;
  Words m_;
  Words inverse_;
  Words one_;
  Words square_;
  Words accumulator_;
  Words q_;
  Words flags_;
};

}  // namespace sealsum
