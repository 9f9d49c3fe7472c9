// Arithmetic modulo m² with numbers of m's length: every residue is a + b·m, kept as the pair (a, b), and
//
//     (a + b·m)·(c + d·m) = a·c + (a·d + b·c)·m   mod m².
//
// Montgomery's reduction of a·c modulo m gives q and u with a·c + q·m = R·u, so the product is R·u + (a·d + b·c − q)·m, and
//
//     product/R = u + ((a·d + b·c − q)/R mod m)·m   mod m².
//
// Instead of −q, R − 1 − q is added, which has no borrows, together with what makes up for R − 1 modulo m. In limbs h of m a
// product takes 5·h² multiplications of limbs and a square 3.5·h²; straight modulo m² they would take 8·h² and 6·h². And what
// decryption asks for is there at the end: (x − 1)/m for x ≡ 1 mod m is b.
//
// Numbers are in Montgomery's representation, almost: a and b are below 2·m (see montgomery.h).
#pragma once

#include "montgomery.h"

namespace sealsum {

template <class E>
class SquareRing {
 public:
  explicit SquareRing(const Span (&moduli)[E::lanes])
      : modulus_(moduli),
        limbs_(modulus_.limbs()),
        correction_(modulus_.number()),
        one_(pair()),
        square_(pair()),
        accumulator_(2 * limbs_ * E::lanes),
        q_(modulus_.number()),
        scratch_(pair()),
        flags_(E::lanes) {
    // −(R − 1) = 1 − R mod m, below 2·m: what (m − R) + 1 is.
    Words negative = modulus_.number();
    std::memcpy(negative.data(), modulus_.one(), modulus_.bytes());
    subtract_from_modulus(correction_.data(), negative.data());
    for (unsigned lane = 0; lane < E::lanes; ++lane) flags_[lane] = 1;
    E::add_bits(correction_.data(), flags_.data(), limbs_);
    // R as a pair from the greatest power of two below m, and R² as in Modulus.
    const std::size_t bits = modulus_.bit_count();
    for (unsigned lane = 0; lane < E::lanes; ++lane)
      one_[(bits - 1) / E::bits * E::lanes + lane] = Word{1} << ((bits - 1) % E::bits);
    const std::size_t exponent = E::bits * limbs_;
    for (std::size_t bit = bits - 1; bit < exponent; ++bit) twice(one_.data());
    copy(square_.data(), one_.data());
    for (int bit = 63 - __builtin_clzll(exponent); bit >= 0; --bit) {
      square(square_.data(), square_.data());
      canonical(square_.data());
      if ((exponent >> bit & 1) != 0) twice(square_.data());
    }
  }

  Modulus<E>& modulus() { return modulus_; }
  const Modulus<E>& modulus() const { return modulus_; }
  std::size_t limbs() const { return limbs_; }
  // Words of a pair: limbs of a, then of b.
  std::size_t words() const { return 2 * limbs_ * E::lanes; }
  Words pair() const { return Words(words()); }
  Word* second(Word* pair) const { return pair + limbs_ * E::lanes; }
  const Word* second(const Word* pair) const { return pair + limbs_ * E::lanes; }
  const Word* one() const { return one_.data(); }
  // −(R − 1) mod m, below 2·m.
  const Word* correction() const { return correction_.data(); }
  // R², the factor into the representation.
  const Word* to_representation() const { return square_.data(); }
  void copy(Word* out, const Word* from) const { std::memcpy(out, from, words() * sizeof(Word)); }

  // out = x·y/R; either may be out.
  void multiply(Word* out, const Word* x, const Word* y) {
    clear();
    E::multiply_add(accumulator_.data(), x, y, limbs_);
    first_half();
    clear();
    E::multiply_add(accumulator_.data(), x, second(y), limbs_);
    E::multiply_add(accumulator_.data(), second(x), y, limbs_);
    second_half(out);
  }

  // out = x²/R
  void square(Word* out, const Word* x) {
    E::square(accumulator_.data(), x, limbs_);
    first_half();
    clear();
    E::multiply_add(accumulator_.data(), x, second(x), limbs_);
    E::twice(accumulator_.data(), limbs_);
    second_half(out);
  }

  // Brings a pair with both numbers below 2·m to 0 ≤ a, b < m.
  void canonical(Word* x) {
    E::subtract_once(x, modulus_.m(), flags_.data(), limbs_);
    E::add_bits(second(x), flags_.data(), limbs_);
    // Modulo a very small m, b may have become 2·m.
    E::subtract_once(second(x), modulus_.m(), flags_.data(), limbs_);
    E::subtract_once(second(x), modulus_.m(), flags_.data(), limbs_);
  }

 private:
  void clear() { std::memset(accumulator_.data(), 0, accumulator_.size() * sizeof(Word)); }

  // u from a·c, kept aside, as x and y are still needed; and q.
  void first_half() {
    E::reduce(accumulator_.data(), modulus_.m(), modulus_.inverse(), q_.data(), limbs_);
    E::carry(scratch_.data(), accumulator_.data() + limbs_ * E::lanes, limbs_);
  }

  void second_half(Word* out) {
    E::add_complement(accumulator_.data(), q_.data(), correction_.data(), limbs_);
    E::reduce(accumulator_.data(), modulus_.m(), modulus_.inverse(), q_.data(), limbs_);
    E::carry(second(out), accumulator_.data() + limbs_ * E::lanes, limbs_);
    std::memcpy(out, scratch_.data(), limbs_ * E::lanes * sizeof(Word));
  }

  // x = 2·x for a canonical pair.
  void twice(Word* x) {
    E::add(x, x, x, limbs_);
    E::add(second(x), second(x), second(x), limbs_);
    canonical(x);
  }

  // out = m − number, for a number below m.
  void subtract_from_modulus(Word* out, const Word* number) {
    // (R − 1 − number) + 1 + m, of which R is dropped: limbs beyond the last are lost.
    std::memset(accumulator_.data(), 0, accumulator_.size() * sizeof(Word));
    E::add_complement(accumulator_.data(), number, modulus_.m(), limbs_);
    E::carry(out, accumulator_.data(), limbs_);
    for (unsigned lane = 0; lane < E::lanes; ++lane) flags_[lane] = 1;
    E::add_bits(out, flags_.data(), limbs_);
  }

  Modulus<E> modulus_;
  std::size_t limbs_;
  Words correction_;
  Words one_;
  Words square_;
  Words accumulator_;
  Words q_;
  Words scratch_;
  Words flags_;
};

}  // namespace sealsum
