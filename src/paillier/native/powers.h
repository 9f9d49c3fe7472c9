// Powers modulo an odd number, each with a base and an exponent of its own, in a time that depends on neither.
//
// Fixed windows of four bits with a table that is read whole: a run of all lanes at 2048 bits has a table of 41 kB, which a first cache
// holds, and takes 512 times four squares and a product.
#pragma once

#include <algorithm>

#include "montgomery.h"

namespace sealsum {

template <class E>
class Powers {
 public:
  // Bases of `width` bytes below m, and as many exponents of `exponent_width` bytes and `exponent_bits` binary digits at most.
  Powers(Span m, const std::uint8_t* bases, std::size_t width, const std::uint8_t* exponents,
         std::size_t exponent_width, std::size_t exponent_bits, std::size_t count)
      : modulus_(same(m)),
        words_(width / 8 + 1),
        exponent_words_(exponent_width / 8 + 1),
        windows_((exponent_bits + window_bits - 1) / window_bits),
        count_(count),
        numbers_(words_ * count),
        exponents_(exponent_words_ * count),
        table_(entries * number_words()),
        state_(modulus_.number()),
        factor_(modulus_.number()),
        digits_(E::lanes) {
    for (std::size_t index = 0; index < count; ++index) {
      read_bytes(numbers_.data() + index * words_, words_, bases + index * width, width);
      read_bytes(exponents_.data() + index * exponent_words_, exponent_words_, exponents + index * exponent_width,
                 exponent_width);
    }
  }

  std::size_t count() const { return count_; }

  // Goes on by so many steps, of five products at most; true when all powers are there.
  bool raise(std::size_t steps) {
    for (; first_ < count_ && steps > 0; --steps) step();
    return first_ >= count_;
  }

  // All of them in `width` bytes each, once raise() was true.
  void write(std::uint8_t* powers, std::size_t width) const {
    for (std::size_t index = 0; index < count_; ++index)
      write_bytes(powers + index * width, width, numbers_.data() + index * words_, words_);
  }

 private:
  static constexpr unsigned window_bits = 4;
  static constexpr std::size_t entries = std::size_t{1} << window_bits;
  // A window does not cross words.
  static_assert(64 % window_bits == 0);

  static Modulus<E> same(Span m) {
    Span lanes[E::lanes];
    for (Span& lane : lanes) lane = m;
    return Modulus<E>(lanes);
  }

  std::size_t number_words() const { return modulus_.limbs() * E::lanes; }

  // What a lane computes; lanes to spare repeat the first.
  std::size_t index_of(unsigned lane) const { return first_ + lane < count_ ? first_ + lane : first_; }

  void step() {
    if (entry_ < entries) {
      next_entry();
      return;
    }
    if (window_ > 0) {
      next_window();
      return;
    }
    finish();
    first_ += E::lanes;
    entry_ = 0;
  }

  void next_entry() {
    Word* to = table_.data() + entry_ * number_words();
    if (entry_ == 0) {
      window_ = windows_;
      std::memcpy(to, modulus_.one(), modulus_.bytes());
      std::memcpy(state_.data(), modulus_.one(), modulus_.bytes());
    } else if (entry_ == 1) {
      for (unsigned lane = 0; lane < E::lanes; ++lane)
        put<E>(to, modulus_.limbs(), lane, numbers_.data() + index_of(lane) * words_, words_);
      modulus_.multiply(to, to, modulus_.to_representation());
    } else {
      modulus_.multiply(to, to - number_words(), table_.data() + number_words());
    }
    ++entry_;
  }

  void next_window() {
    --window_;
    for (unsigned lane = 0; lane < E::lanes; ++lane) {
      const Word* exponent = exponents_.data() + index_of(lane) * exponent_words_;
      const std::size_t bit = window_ * window_bits;
      digits_[lane] = exponent[bit / 64] >> (bit % 64) & (entries - 1);
    }
    const bool highest = window_ + 1 == windows_;
    Word* to = highest ? state_.data() : factor_.data();
    E::select(to, table_.data(), entries, modulus_.limbs(), digits_.data());
    if (highest) return;
    for (unsigned turn = 0; turn < window_bits; ++turn) modulus_.square(state_.data(), state_.data());
    modulus_.multiply(state_.data(), state_.data(), factor_.data());
  }

  // Out of the representation, and where the bases were.
  void finish() {
    std::memset(factor_.data(), 0, modulus_.bytes());
    for (unsigned lane = 0; lane < E::lanes; ++lane) factor_[lane] = 1;
    modulus_.multiply(state_.data(), state_.data(), factor_.data());
    modulus_.subtract_once(state_.data());
    for (unsigned lane = 0; lane < E::lanes && first_ + lane < count_; ++lane)
      take<E>(numbers_.data() + (first_ + lane) * words_, words_, state_.data(), modulus_.limbs(), lane);
  }

  Modulus<E> modulus_;
  std::size_t words_;
  std::size_t exponent_words_;
  std::size_t windows_;
  std::size_t count_;
  // The bases, and more and more of them replaced by their powers.
  Words numbers_;
  Words exponents_;
  Words table_;
  Words state_;
  Words factor_;
  Words digits_;
  // The first base of the run that is under way, the next entry of its table, and the windows of its exponents still to come.
  std::size_t first_ = 0;
  std::size_t entry_ = 0;
  std::size_t window_ = 0;
};

}  // namespace sealsum
