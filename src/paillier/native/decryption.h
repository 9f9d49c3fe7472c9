// Decryption by the Chinese remainder theorem, as ../decryptor.ts describes it, in a constant time.
//
// Lanes take turns between the two primes: a vector of eight holds both halves of four ciphertexts. A ciphertext is read as
// limbs·bits-sized digits, which are brought modulo p² by products with powers of R; no division takes place anywhere. The
// exponents p − 1 and q − 1 are fixed windows with tables that are read whole. For c coprime to p, c^(p−1) is 1 + b·p, so
// L_p of it is b itself; for any other c it is no 1 modulo p, which is how it is found out.
//
// On an AMD EPYC (Zen 5) four ciphertexts take 0.9 to 1.1 ms of one core at 2048 bits and 2.6 to 3.1 ms at 3072. One, or two or three
// that are left over, would take as long; their powers are raised one by one (spread_ring.h), in 0.24 and 0.68 ms each.
//
// All that is computed from the key or from the plaintext is computed here, on limbs: no blinding is needed.
#pragma once

#include <memory>
#include <vector>

#include "portable.h"
#include "spread_ring.h"
#include "square_ring.h"
#include "windows.h"

namespace sealsum {

template <class E>
class Decryption {
 public:
  // p < q, of equal length in bits; factors[0] = −q⁻¹ mod p, factors[1] = −p⁻¹ mod q; inverse = p⁻¹ mod q.
  Decryption(Span p, Span q, const Span (&factors)[2], Span inverse)
      : prime_words_(q.count + 1), p_(longer(p)), q_(longer(q)), bits_(bit_length(q.words, q.count)) {
    for (unsigned context = 0; context < contexts; ++context) {
      Span primes[E::lanes];
      for (unsigned lane = 0; lane < E::lanes; ++lane) primes[lane] = prime_of(context + lane) == 0 ? p : q;
      halves_.emplace_back(primes);
    }
    for (unsigned context = 0; context < contexts; ++context) {
      Half& half = halves_[context];
      Modulus<E>& modulus = half.ring.modulus();
      for (unsigned lane = 0; lane < E::lanes; ++lane) {
        const Span& factor = factors[prime_of(context + lane)];
        put<E>(half.factor.data(), half.ring.limbs(), lane, factor.words, factor.count);
        put<E>(half.inverse.data(), half.ring.limbs(), lane, inverse.words, inverse.count);
      }
      modulus.multiply(half.factor.data(), half.factor.data(), modulus.to_representation());
      modulus.multiply(half.inverse.data(), half.inverse.data(), modulus.to_representation());
    }
    exponents_[0] = less_one(p);
    exponents_[1] = less_one(q);
  }

  // Decrypts `count` ciphertexts below n² of `width` bytes into plaintexts of `plaintext_width`. Gives the index of the first that
  // shares a factor with n, or `count` when none does. All are computed before anything is told.
  std::size_t decrypt(std::uint8_t* plaintexts, std::size_t plaintext_width, const std::uint8_t* ciphertexts,
                      std::size_t width, std::size_t count) {
    std::size_t refused = count;
    for (std::size_t first = 0; first < count; first += at_once) {
      const std::size_t now = std::min(at_once, count - first);
      const Word bad = decrypt_some(plaintexts + first * plaintext_width, plaintext_width, ciphertexts + first * width,
                                    width, now);
      if (bad != 0 && refused == count) refused = first + static_cast<std::size_t>(__builtin_ctzll(bad));
    }
    return refused;
  }

 private:
  static constexpr unsigned contexts = E::lanes == 1 ? 2 : 1;
  // Ciphertexts in one run of all lanes.
  static constexpr std::size_t at_once = E::lanes == 1 ? 1 : E::lanes / 2;

  // Everything for one pattern of primes in the lanes.
  struct Half {
    explicit Half(const Span (&primes)[E::lanes])
        : ring(primes), spread(spread_power(ring)), factor(ring.modulus().number()), inverse(ring.modulus().number()),
          base(ring.pair()), power(ring.pair()), digit(ring.pair()), scale(ring.pair()), number(ring.modulus().number()),
          flags(E::lanes) {}
    SquareRing<E> ring;
    // Null where there is none for this engine and length.
    std::unique_ptr<SpreadPower> spread;
    Words factor;
    Words inverse;
    Words base;
    Words power;
    Words digit;
    Words scale;
    Words number;
    Words flags;
  };

  static unsigned prime_of(unsigned slot) { return slot % 2; }

  // With a word more than the prime has: a sum of two such numbers fits.
  static Words longer(Span prime) {
    Words words(prime.count + 1);
    std::memcpy(words.data(), prime.words, prime.count * sizeof(Word));
    return words;
  }

  static Words less_one(Span prime) {
    Words words = longer(prime);
    // An odd number minus one has no borrow.
    words[0] -= 1;
    return words;
  }

  // A bit is set for each ciphertext that is refused.
  Word decrypt_some(std::uint8_t* plaintexts, std::size_t plaintext_width, const std::uint8_t* ciphertexts,
                    std::size_t width, std::size_t count) {
    const std::size_t c_words = (width + 7) / 8 + 1;
    Words c(c_words * count);
    for (std::size_t index = 0; index < count; ++index)
      read_bytes(c.data() + index * c_words, c_words, ciphertexts + index * width, width);
    Words residues(2 * at_once * prime_words_);
    Word bad = 0;
    for (unsigned context = 0; context < contexts; ++context)
      bad |= half_decrypt(halves_[context], context, c.data(), c_words, 8 * width, count, residues.data());
    // Garner: m = m_p + p·((m_q − m_p)·p⁻¹ mod q).
    const std::size_t n = prime_words_;
    Words differences(at_once * n);
    for (std::size_t index = 0; index < count; ++index)
      difference(differences.data() + index * n, residues.data() + 2 * index * n);
    Words steps(at_once * n);
    steps_of(halves_[contexts - 1], differences.data(), count, steps.data());
    Words plaintext(2 * n + 1);
    for (std::size_t index = 0; index < count; ++index) {
      std::memset(plaintext.data(), 0, plaintext.size() * sizeof(Word));
      std::memcpy(plaintext.data(), residues.data() + 2 * index * n, n * sizeof(Word));
      Portable::multiply_add(plaintext.data(), p_.data(), steps.data() + index * n, n);
      write_bytes(plaintexts + index * plaintext_width, plaintext_width, plaintext.data(), plaintext.size());
    }
    return bad;
  }

  // m mod p and m mod q of each ciphertext, one after the other, as far as this pattern of lanes has them.
  Word half_decrypt(Half& half, unsigned context, const Word* c, std::size_t c_words, std::size_t c_bits,
                    std::size_t count, Word* residues) {
    SquareRing<E>& ring = half.ring;
    const std::size_t limbs = ring.limbs();
    const std::size_t digit_bits = limbs * E::bits;
    ring.copy(half.scale.data(), ring.to_representation());
    std::memset(half.base.data(), 0, half.base.size() * sizeof(Word));
    Words piece(digit_bits / 64 + 2);
    for (std::size_t from = 0; from < c_bits; from += digit_bits) {
      std::memset(half.digit.data(), 0, half.digit.size() * sizeof(Word));
      for (unsigned lane = 0; lane < E::lanes; ++lane) {
        // Lanes to spare repeat the first ciphertext.
        const std::size_t index = lane / 2 < count ? lane / 2 : 0;
        extract(piece.data(), piece.size(), c + index * c_words, c_words, from, digit_bits);
        put<E>(half.digit.data(), limbs, lane, piece.data(), piece.size());
      }
      ring.multiply(half.digit.data(), half.digit.data(), half.scale.data());
      E::add(half.base.data(), half.base.data(), half.digit.data(), limbs);
      E::add(ring.second(half.base.data()), ring.second(half.base.data()), ring.second(half.digit.data()), limbs);
      ring.multiply(half.scale.data(), half.scale.data(), ring.to_representation());
      ring.canonical(half.scale.data());
    }
    raise(half, context, count);
    // Out of the representation.
    std::memset(half.digit.data(), 0, half.digit.size() * sizeof(Word));
    for (unsigned lane = 0; lane < E::lanes; ++lane) half.digit[lane] = 1;
    ring.multiply(half.power.data(), half.power.data(), half.digit.data());
    ring.canonical(half.power.data());
    Modulus<E>& modulus = ring.modulus();
    modulus.multiply(half.number.data(), ring.second(half.power.data()), half.factor.data());
    modulus.subtract_once(half.number.data());
    Word bad = 0;
    for (unsigned lane = 0; lane < E::lanes; ++lane) {
      const std::size_t index = lane / 2;
      if (index >= count) break;
      Word different = half.power[lane] ^ 1;
      for (std::size_t limb = 1; limb < limbs; ++limb) different |= half.power[limb * E::lanes + lane];
      bad |= ((different | (0 - different)) >> 63) << index;
      Word* residue = residues + (2 * index + prime_of(context + lane)) * prime_words_;
      take<E>(residue, prime_words_, half.number.data(), limbs, lane);
    }
    return bad;
  }

  // The powers of the bases, one by one when there are fewer than lanes for them.
  void raise(Half& half, unsigned context, std::size_t count) {
    if (half.spread != nullptr && count < at_once) {
      for (std::size_t index = 0; index < count; ++index)
        half.spread->power(half.power.data(), half.base.data(), 2 * static_cast<unsigned>(index),
                           {exponents_[0].data(), exponents_[0].size()}, {exponents_[1].data(), exponents_[1].size()},
                           bits_);
      return;
    }
    Span exponents[E::lanes];
    for (unsigned lane = 0; lane < E::lanes; ++lane) {
      const Words& exponent = exponents_[prime_of(context + lane)];
      exponents[lane] = {exponent.data(), exponent.size()};
    }
    window_power<E>(half.ring, half.power.data(), half.base.data(), exponents, bits_);
  }

  // m_q − m_p + q, above zero as m_p < p < q.
  void difference(Word* out, const Word* residues) const {
    const Word* m_p = residues;
    const Word* m_q = residues + prime_words_;
    Word carry = 0;
    Word borrow = 0;
    for (std::size_t i = 0; i < prime_words_; ++i) {
      const Wide sum = Wide{m_q[i]} + q_[i] + carry;
      carry = static_cast<Word>(sum >> 64);
      const Wide rest = Wide{static_cast<Word>(sum)} - m_p[i] - borrow;
      out[i] = static_cast<Word>(rest);
      borrow = static_cast<Word>(rest >> 64) & 1;
    }
  }

  // difference·p⁻¹ mod q in the lanes of q.
  void steps_of(Half& half, const Word* differences, std::size_t count, Word* steps) {
    Modulus<E>& modulus = half.ring.modulus();
    const unsigned step = E::lanes == 1 ? 1 : 2;
    const unsigned first = E::lanes == 1 ? 0 : 1;
    std::memset(half.number.data(), 0, half.number.size() * sizeof(Word));
    for (std::size_t index = 0; index < count; ++index)
      put<E>(half.number.data(), modulus.limbs(), first + step * static_cast<unsigned>(index),
             differences + index * prime_words_, prime_words_);
    modulus.multiply(half.number.data(), half.number.data(), half.inverse.data());
    modulus.subtract_once(half.number.data());
    for (std::size_t index = 0; index < count; ++index)
      take<E>(steps + index * prime_words_, prime_words_, half.number.data(), modulus.limbs(),
              first + step * static_cast<unsigned>(index));
  }

  // `bits` bits from the bit `from` on.
  static void extract(Word* out, std::size_t out_words, const Word* words, std::size_t count, std::size_t from,
                      std::size_t bits) {
    for (std::size_t index = 0; index < out_words; ++index) {
      const std::size_t bit = from + 64 * index;
      Word value = 0;
      if (64 * index < bits && bit / 64 < count) {
        value = words[bit / 64] >> (bit % 64);
        if (bit % 64 != 0 && bit / 64 + 1 < count) value |= words[bit / 64 + 1] << (64 - bit % 64);
        if (bits - 64 * index < 64) value &= (Word{1} << (bits - 64 * index)) - 1;
      }
      out[index] = value;
    }
  }

  std::size_t prime_words_;
  Words p_;
  Words q_;
  std::size_t bits_;
  std::vector<Half> halves_;
  Words exponents_[2];
};

}  // namespace sealsum
