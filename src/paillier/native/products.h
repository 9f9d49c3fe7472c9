// What is done with ciphertexts without any secret: products modulo n², many at a time, and the checks of those that arrive.
//
// A product of k + 1 ciphertexts is kept as it comes out of k Montgomery products, R^k too small; what is missing is made up for when
// its bytes are asked for. Its memory is that of one block, however many are multiplied in.
#pragma once

#include <memory>
#include <vector>

#include "montgomery.h"

namespace sealsum {

// Whether big-endian bytes of equal length are 0 < value < limit. Public values: the time depends on them.
inline bool in_range(const std::uint8_t* value, const std::uint8_t* limit, std::size_t length) {
  if (std::memcmp(value, limit, length) >= 0) return false;
  for (std::size_t at = 0; at < length; ++at)
    if (value[at] != 0) return true;
  return false;
}

// Whether gcd(a, m) = 1 for an odd m, by the binary algorithm. Public values: the time depends on them. Both are used up.
inline bool coprime(Word* a, Word* m, std::size_t count) {
  const auto trimmed = [](const Word* words, std::size_t length) {
    while (length > 0 && words[length - 1] == 0) --length;
    return length;
  };
  const auto shift_out_zeros = [](Word* words, std::size_t length) {
    while ((words[0] & 1) == 0) {
      const int zeros = words[0] == 0 ? 63 : __builtin_ctzll(words[0]);
      for (std::size_t i = 0; i + 1 < length; ++i) words[i] = (words[i] >> zeros) | (words[i + 1] << (64 - zeros));
      words[length - 1] >>= zeros;
    }
  };
  std::size_t length = count;
  if (trimmed(a, length) == 0) return false;
  shift_out_zeros(a, length);
  for (;;) {
    while (length > 1 && a[length - 1] == 0 && m[length - 1] == 0) --length;
    std::size_t at = length;
    while (at > 0 && a[at - 1] == m[at - 1]) --at;
    if (at == 0) return trimmed(a, length) == 1 && a[0] == 1;
    if (a[at - 1] < m[at - 1]) std::swap(a, m);
    Word borrow = 0;
    for (std::size_t i = 0; i < length; ++i) {
      const Wide rest = Wide{a[i]} - m[i] - borrow;
      a[i] = static_cast<Word>(rest);
      borrow = static_cast<Word>(rest >> 64) & 1;
    }
    shift_out_zeros(a, length);
  }
}

// A public modulus n with what products modulo n² and checks modulo n need.
template <class E>
class PublicModulus {
 public:
  // `width`: of a ciphertext, in bytes.
  PublicModulus(Span n, std::size_t width)
      : width_(width),
        n_(n.count),
        square_words_(2 * n.count),
        limit_(width),
        modulo_n_(make(n)),
        modulo_square_(make(squared(n))),
        inverse_(modulo_n_->number()) {
    std::memcpy(n_.data(), n.words, n.count * sizeof(Word));
    write_bytes(limit_.data(), width, square_words_.data(), square_words_.size());
    Words one = modulo_n_->number();
    for (unsigned lane = 0; lane < E::lanes; ++lane) one[lane] = 1;
    modulo_n_->reduce(inverse_.data(), one.data(), modulo_n_->limbs());
    modulo_n_->subtract_once(inverse_.data());
  }

  std::size_t width() const { return width_; }
  Modulus<E>& modulo_square() { return *modulo_square_; }

  bool all_in_range(const std::uint8_t* ciphertexts, std::size_t count) const {
    for (std::size_t index = 0; index < count; ++index)
      if (!in_range(ciphertexts + index * width_, limit_.data(), width_)) return false;
    return true;
  }

  // Whether all are 0 < c < n² with c ≢ 1 mod n and gcd(c, n) = 1, the last by way of the gcd of their product.
  bool valid(const std::uint8_t* ciphertexts, std::size_t count) {
    if (!all_in_range(ciphertexts, count)) return false;
    const std::size_t limbs = modulo_n_->limbs();
    const std::size_t c_limbs = std::min(2 * limbs, (8 * width_ + E::bits - 1) / E::bits);
    Words c(c_limbs * E::lanes);
    Words words(width_ / 8 + 1);
    Words residue = modulo_n_->number();
    Words product = modulo_n_->number();
    std::memcpy(product.data(), modulo_n_->one(), modulo_n_->bytes());
    for (std::size_t first = 0; first < count; first += E::lanes) {
      const unsigned now = static_cast<unsigned>(std::min<std::size_t>(E::lanes, count - first));
      for (unsigned lane = 0; lane < E::lanes; ++lane) {
        // Lanes to spare repeat the first.
        const std::size_t index = first + (lane < now ? lane : 0);
        read_bytes(words.data(), words.size(), ciphertexts + index * width_, width_);
        put<E>(c.data(), c_limbs, lane, words.data(), words.size());
      }
      modulo_n_->reduce(residue.data(), c.data(), c_limbs);
      modulo_n_->subtract_once(residue.data());
      for (unsigned lane = 0; lane < now; ++lane)
        if (equal_lane(residue.data(), inverse_.data(), limbs, lane)) return false;
      modulo_n_->multiply(product.data(), product.data(), residue.data());
    }
    // Powers of R in the products are units, and change no gcd.
    for (unsigned half = E::lanes / 2; half > 0; half /= 2) {
      for (std::size_t limb = 0; limb < limbs; ++limb)
        for (unsigned lane = 0; lane < half; ++lane)
          residue[limb * E::lanes + lane] = product[limb * E::lanes + half + lane];
      modulo_n_->multiply(product.data(), product.data(), residue.data());
    }
    Words a(n_.size() + 1);
    Words m(n_.size() + 1);
    take<E>(a.data(), a.size(), product.data(), limbs, 0);
    std::memcpy(m.data(), n_.data(), n_.size() * sizeof(Word));
    return coprime(a.data(), m.data(), a.size());
  }

  // R^(power + 1) mod n² in all lanes.
  Words make_up(std::size_t power) {
    Words result = modulo_square_->number();
    std::memcpy(result.data(), modulo_square_->one(), modulo_square_->bytes());
    if (power == 0) return result;
    for (int bit = 63 - __builtin_clzll(power); bit >= 0; --bit) {
      modulo_square_->multiply(result.data(), result.data(), result.data());
      if ((power >> bit & 1) != 0) modulo_square_->multiply(result.data(), result.data(), modulo_square_->to_representation());
    }
    return result;
  }

 private:
  static std::unique_ptr<Modulus<E>> make(Span m) {
    Span moduli[E::lanes];
    for (Span& each : moduli) each = m;
    return std::make_unique<Modulus<E>>(moduli);
  }

  Span squared(Span n) {
    for (std::size_t i = 0; i < n.count; ++i) {
      Word carry = 0;
      for (std::size_t j = 0; j < n.count; ++j) {
        const Wide sum = Wide{n.words[i]} * n.words[j] + square_words_[i + j] + carry;
        square_words_[i + j] = static_cast<Word>(sum);
        carry = static_cast<Word>(sum >> 64);
      }
      square_words_[i + n.count] = carry;
    }
    return {square_words_.data(), square_words_.size()};
  }

  static bool equal_lane(const Word* a, const Word* b, std::size_t limbs, unsigned lane) {
    for (std::size_t limb = 0; limb < limbs; ++limb)
      if (a[limb * E::lanes + lane] != b[limb * E::lanes + lane]) return false;
    return true;
  }

  std::size_t width_;
  Words n_;
  Words square_words_;
  std::vector<std::uint8_t> limit_;
  std::unique_ptr<Modulus<E>> modulo_n_;
  std::unique_ptr<Modulus<E>> modulo_square_;
  // R⁻¹ mod n: what reducing 1 gives.
  Words inverse_;
};

// The product of blocks of ciphertexts, ciphertext by ciphertext.
template <class E>
class BlockProduct {
 public:
  // `block`: `count` ciphertexts in range.
  BlockProduct(std::shared_ptr<PublicModulus<E>> modulus, const std::uint8_t* block, std::size_t count)
      : modulus_(std::move(modulus)),
        count_(count),
        stride_(modulus_->modulo_square().limbs() * E::lanes),
        product_((count + E::lanes - 1) / E::lanes * stride_),
        factor_(modulus_->modulo_square().number()),
        words_(modulus_->width() / 8 + 1) {
    for (std::size_t first = 0; first < count_; first += E::lanes) read(at(first), block, first);
  }

  std::size_t count() const { return count_; }
  std::size_t bytes() const { return count_ * modulus_->width(); }
  std::size_t memory() const { return product_.size() * sizeof(Word); }
  const PublicModulus<E>& modulus() const { return *modulus_; }

  // `block`: as many ciphertexts in range.
  void multiply(const std::uint8_t* block) {
    for (std::size_t first = 0; first < count_; first += E::lanes) {
      read(factor_.data(), block, first);
      modulus_->modulo_square().multiply(at(first), at(first), factor_.data());
    }
    ++factors_;
  }

  void write(std::uint8_t* block) {
    Modulus<E>& modulo = modulus_->modulo_square();
    const Words missing = modulus_->make_up(factors_);
    const std::size_t width = modulus_->width();
    for (std::size_t first = 0; first < count_; first += E::lanes) {
      modulo.multiply(factor_.data(), at(first), missing.data());
      modulo.subtract_once(factor_.data());
      for (unsigned lane = 0; lane < E::lanes && first + lane < count_; ++lane) {
        take<E>(words_.data(), words_.size(), factor_.data(), modulo.limbs(), lane);
        write_bytes(block + (first + lane) * width, width, words_.data(), words_.size());
      }
    }
  }

 private:
  Word* at(std::size_t first) { return product_.data() + first / E::lanes * stride_; }

  void read(Word* number, const std::uint8_t* block, std::size_t first) {
    const std::size_t width = modulus_->width();
    for (unsigned lane = 0; lane < E::lanes && first + lane < count_; ++lane) {
      read_bytes(words_.data(), words_.size(), block + (first + lane) * width, width);
      put<E>(number, modulus_->modulo_square().limbs(), lane, words_.data(), words_.size());
    }
  }

  std::shared_ptr<PublicModulus<E>> modulus_;
  std::size_t count_;
  std::size_t stride_;
  Words product_;
  Words factor_;
  Words words_;
  std::size_t factors_ = 0;
};

}  // namespace sealsum
