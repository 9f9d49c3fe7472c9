// Powers in the ring of square_ring.h of one element at a time for each of two moduli: what is left of a batch that does not fill the
// lanes, and above all a batch of one.
//
// The numbers, R and all that is made of them are the ring's own: a power is the same number as by window_power in the ring. On an AMD
// EPYC (Zen 5) one element takes a fourth of the time of the ring's four, or a little less.
#pragma once

#include <memory>

#include "spread_product.h"
#include "square_ring.h"
#include "windows.h"

namespace sealsum {

class SpreadPower {
 public:
  virtual ~SpreadPower() = default;
  // power = base^exponent in `lane` and the next, which have the first and the second modulus, for exponents of `bits` binary
  // digits at most.
  virtual void power(Word* power, const Word* base, unsigned lane, Span first, Span second, std::size_t bits) = 0;
};

// Null where there is nothing better than the ring itself, which its engine and the length of its moduli say.
template <class E>
std::unique_ptr<SpreadPower> spread_power(const SquareRing<E>&) {
  return nullptr;
}

#if defined(__x86_64__)

template <int VECTORS>
class SpreadRing final : public SpreadPower {
 public:
  // For the moduli of the lanes 0 and 1.
  explicit SpreadRing(const SquareRing<Ifma>& ring)
      : limbs_(ring.limbs()), constants_((2 * VECTORS + 7) * Ifma::lanes), one_(words()), scratch_(Product::scratch_words) {
    const Modulus<Ifma>& modulus = ring.modulus();
    Word* at = constants_.data();
    Word* const m = at;
    spread(m, modulus.m(), 0);
    Word* const start = at += Product::number_words;
    spread(start, ring.correction(), 0);
    for (unsigned which = 0; which < 2; ++which)
      for (std::size_t limb = 0; limb < limbs_; ++limb) start[place(limb, which)] += limb_mask;
    Word* const inverse = at += Product::number_words;
    Word* const mask = at += Ifma::lanes;
    Word* const lanes = at += Ifma::lanes;
    for (unsigned lane = 0; lane < Ifma::lanes; ++lane) {
      inverse[lane] = modulus.inverse()[lane / 4];
      mask[lane] = limb_mask;
      for (unsigned from = 0; from < 5; ++from) lanes[Ifma::lanes * from + lane] = lane / 4 * 4 + from % 4;
    }
    product_ = {m, start, inverse, mask, lanes, limbs_};
    spread_pair(one_.data(), ring.one(), 0);
  }

  std::size_t words() const { return 2 * Product::number_words; }
  const Word* one() const { return one_.data(); }
  void multiply(Word* out, const Word* x, const Word* y) { Product::multiply(out, x, y, product_, scratch_.data()); }
  void square(Word* out, const Word* x) { Product::square(out, x, product_, scratch_.data()); }

  void power(Word* power, const Word* base, unsigned lane, Span first, Span second, std::size_t bits) override {
    Words from(words());
    Words to(words());
    spread_pair(from.data(), base, lane);
    const Span exponents[Ifma::lanes] = {first, first, first, first, second, second, second, second};
    window_power<Ifma>(*this, to.data(), from.data(), exponents, bits);
    for (unsigned which = 0; which < 2; ++which)
      for (std::size_t limb = 0; limb < limbs_; ++limb) {
        power[limb * Ifma::lanes + lane + which] = to[place(limb, which)];
        power[(limbs_ + limb) * Ifma::lanes + lane + which] = to[Product::number_words + place(limb, which)];
      }
  }

 private:
  using Product = SpreadProduct<VECTORS>;
  static constexpr Word limb_mask = (Word{1} << Ifma::bits) - 1;

  static std::size_t place(std::size_t limb, unsigned which) {
    return limb % VECTORS * Ifma::lanes + 4 * which + limb / VECTORS;
  }

  // The number of `lane` and that of the next.
  void spread(Word* out, const Word* number, unsigned lane) const {
    for (unsigned which = 0; which < 2; ++which)
      for (std::size_t limb = 0; limb < limbs_; ++limb)
        out[place(limb, which)] = number[limb * Ifma::lanes + lane + which];
  }

  void spread_pair(Word* out, const Word* pair, unsigned lane) const {
    spread(out, pair, lane);
    spread(out + Product::number_words, pair + limbs_ * Ifma::lanes, lane);
  }

  std::size_t limbs_;
  // Numbers modulo the primes, and vectors that are the same for all.
  Words constants_;
  typename Product::Constants product_;
  Words one_;
  Words scratch_;
};

// Primes of 1024, 1536 and 2048 bits have 20, 30 and 40 limbs. Sums of more vectors than ten do not stay in registers.
inline std::unique_ptr<SpreadPower> spread_power(const SquareRing<Ifma>& ring) {
  if (ring.limbs() <= 4 * 5) return std::make_unique<SpreadRing<5>>(ring);
  if (ring.limbs() <= 4 * 8) return std::make_unique<SpreadRing<8>>(ring);
  if (ring.limbs() <= 4 * 10) return std::make_unique<SpreadRing<10>>(ring);
  return nullptr;
}

#endif

}  // namespace sealsum
