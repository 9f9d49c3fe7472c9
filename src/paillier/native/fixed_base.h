// Encryption (1 + m·n)·h_s^α mod n² from a table of powers of h_s = hⁿ, as ../encryption.ts describes it.
//
// The comb of ../fixed-base.ts in a shape for a constant time: α's bits stand in a matrix of `teeth` rows, a column being the
// bits at c, columns + c, 2·columns + c, …; the columns are cut into blocks of `depth`, and a block's table has the product of
// the powers h_s^(2^(row·columns + block·depth)) for every set of rows. Each lane goes through blocks of its own, and in the
// end the lanes are multiplied together: one encryption keeps all of them busy, and none has to wait for others.
//
// A look-up reads every entry of its block, as the set of rows is secret. That asks for few teeth, and for a table that stays
// in the second cache: 16 blocks of 2⁵ pairs take 0.33 MB at 2048 bits and 0.49 MB at 3072 (ten teeth, as without a
// constant time, would read 30 times as much). A digit of zero multiplies by 1 like any other.
//
// Cost at 2048 bits with eight lanes: 13 squares, 25 products, 3 more to join the lanes, 1 for the plaintext; 20, 39 and as many at
// 3072 bits. On an AMD EPYC (Zen 5) a square takes 1.9 µs, a product 2.4 µs and an encryption 0.15 to 0.18 ms of one core; 0.39 to 0.46 at 3072.
#pragma once

#include <memory>
#include <vector>

#include "square_ring.h"

namespace sealsum {

template <class E>
class FixedBase {
 public:
  static constexpr unsigned teeth = 5;
  static constexpr unsigned blocks = 16;

  static constexpr std::size_t everything = ~std::size_t{0};

  // n odd, h below n. The table is built by build(), or by the first encryption.
  FixedBase(Span n, Span h, std::size_t exponent_bits)
      : ring_(same(n)),
        n_words_(n.count),
        depth_((exponent_bits + teeth * blocks - 1) / (teeth * blocks)),
        columns_(depth_ * blocks),
        table_(groups * entries * ring_.words()),
        state_(ring_.pair()),
        factor_(ring_.pair()),
        digits_(E::lanes),
        exponent_(columns_ * teeth / 64 + 2),
        plaintext_(n_words_),
        result_(2 * n_words_ + 1),
        accumulator_(2 * ring_.limbs() * E::lanes),
        building_(std::make_unique<Building>(ring_, n, h, groups)) {}

  // Goes on building the table, by some hundreds of squares and products at a time where it is told so: all of it takes as
  // long as a hundred encryptions, for which others may not be able to wait. True when the table is there.
  bool build(std::size_t operations) {
    while (building_ != nullptr && operations > 0) {
      if (building_->exponent_bits > 0) --building_->exponent_bits, raise();
      else if (building_->column < teeth * columns_) next_column();
      else if (building_->entry < groups * entries) next_entry();
      else building_.reset();
      --operations;
    }
    return building_ == nullptr;
  }

  // The memory of a table modulo n² for an n of so many bits.
  static std::size_t table_bytes(std::size_t bits) {
    return blocks * entries * 2 * Modulus<E>::limbs_for(bits) * sizeof(Word);
  }

  // A ciphertext of `width` bytes, for a plaintext below n and any exponent of as many bits as the table is for.
  void encrypt(std::uint8_t* ciphertext, std::size_t width, const std::uint8_t* plaintext, std::size_t plaintext_width,
               const std::uint8_t* exponent, std::size_t exponent_width) {
    build(everything);
    read_bytes(exponent_.data(), exponent_.size(), exponent, exponent_width);
    read_bytes(plaintext_.data(), n_words_, plaintext, plaintext_width);
    bool first = true;
    for (std::size_t step = depth_; step-- > 0;) {
      if (!first) ring_.square(state_.data(), state_.data());
      for (std::size_t group = 0; group < groups; ++group) {
        for (unsigned lane = 0; lane < E::lanes; ++lane)
          digits_[lane] = rows_at((group * E::lanes + lane) * depth_ + step);
        Word* to = first ? state_.data() : factor_.data();
        E::select(to, table_.data() + group * entries * ring_.words(), entries, 2 * ring_.limbs(), digits_.data());
        if (!first) ring_.multiply(state_.data(), state_.data(), factor_.data());
        first = false;
      }
    }
    join_lanes();
    // By 1 + m·n as it is and not as its representation: the result is no representation any more either.
    std::memset(factor_.data(), 0, factor_.size() * sizeof(Word));
    put<E>(ring_.second(factor_.data()), ring_.limbs(), 0, plaintext_.data(), n_words_);
    factor_[0] = 1;
    ring_.multiply(state_.data(), state_.data(), factor_.data());
    ring_.canonical(state_.data());
    write(ciphertext, width);
  }

 private:
  static constexpr std::size_t entries = std::size_t{1} << teeth;
  static constexpr std::size_t groups = blocks / E::lanes;
  static_assert(blocks % E::lanes == 0);

  struct Moduli {
    Span lanes[E::lanes];
  };

  static SquareRing<E> same(Span n) {
    Moduli moduli;
    for (Span& each : moduli.lanes) each = n;
    return SquareRing<E>(moduli.lanes);
  }

  // What is left of the table when a piece of it is built.
  struct Building {
    Building(SquareRing<E>& ring, Span n, Span h, std::size_t groups)
        : exponent(n.words, n.words + n.count),
          exponent_bits(bit_length(n.words, n.count)),
          base(ring.pair()),
          power(ring.pair()),
          roots(teeth * groups) {
      for (unsigned lane = 0; lane < E::lanes; ++lane) put<E>(base.data(), ring.limbs(), lane, h.words, h.count);
      ring.multiply(base.data(), base.data(), ring.to_representation());
      ring.copy(power.data(), ring.one());
      for (Words& root : roots) root = ring.pair();
    }
    // n, which is no secret, and how many of its bits, from the highest on, are still to come.
    std::vector<Word> exponent;
    std::size_t exponent_bits;
    Words base;
    Words power;
    // How many columns of how many rows the squares have passed, and the roots found on the way: of all blocks, in the lanes that
    // will need them.
    std::size_t column = 0;
    std::vector<Words> roots;
    // The next entry of the table.
    std::size_t entry = 0;
  };

  // One bit of hⁿ.
  void raise() {
    Building& at = *building_;
    ring_.square(at.power.data(), at.power.data());
    if ((at.exponent[at.exponent_bits / 64] >> (at.exponent_bits % 64) & 1) != 0)
      ring_.multiply(at.power.data(), at.power.data(), at.base.data());
  }

  // One run of squares passes by all roots of all blocks.
  void next_column() {
    Building& at = *building_;
    const std::size_t row = at.column / columns_;
    const std::size_t column = at.column % columns_;
    if (column % depth_ == 0) {
      const std::size_t block = column / depth_;
      Word* root = at.roots[row * groups + block / E::lanes].data();
      for (std::size_t limb = 0; limb < 2 * ring_.limbs(); ++limb)
        root[limb * E::lanes + block % E::lanes] = at.power[limb * E::lanes];
    }
    ring_.square(at.power.data(), at.power.data());
    ++at.column;
  }

  // The product of a set of rows, from that of all of them but the highest.
  void next_entry() {
    Building& at = *building_;
    const std::size_t group = at.entry / entries;
    const std::size_t rows = at.entry % entries;
    Word* table = table_.data() + group * entries * ring_.words();
    if (rows == 0) {
      ring_.copy(table, ring_.one());
    } else {
      const unsigned highest = 63 - __builtin_clzll(rows);
      const Word* rest = table + (rows - (std::size_t{1} << highest)) * ring_.words();
      ring_.multiply(table + rows * ring_.words(), rest, at.roots[highest * groups + group].data());
    }
    ++at.entry;
  }

  // The bits of α in a column, that of the first row lowest.
  Word rows_at(std::size_t column) const {
    Word rows = 0;
    for (unsigned row = 0; row < teeth; ++row) {
      const std::size_t bit = row * columns_ + column;
      rows |= (exponent_[bit / 64] >> (bit % 64) & 1) << row;
    }
    return rows;
  }

  // Multiplies all lanes into the first.
  void join_lanes() {
    for (unsigned half = E::lanes / 2; half > 0; half /= 2) {
      for (std::size_t limb = 0; limb < 2 * ring_.limbs(); ++limb)
        for (unsigned lane = 0; lane < half; ++lane)
          factor_[limb * E::lanes + lane] = state_[limb * E::lanes + half + lane];
      ring_.multiply(state_.data(), state_.data(), factor_.data());
    }
  }

  // a + b·n of the first lane.
  void write(std::uint8_t* ciphertext, std::size_t width) {
    const std::size_t limbs = ring_.limbs();
    std::memset(accumulator_.data(), 0, accumulator_.size() * sizeof(Word));
    std::memcpy(accumulator_.data(), state_.data(), limbs * E::lanes * sizeof(Word));
    E::multiply_add(accumulator_.data(), ring_.second(state_.data()), ring_.modulus().m(), limbs);
    E::carry(accumulator_.data(), accumulator_.data(), 2 * limbs);
    take<E>(result_.data(), result_.size(), accumulator_.data(), 2 * limbs, 0);
    write_bytes(ciphertext, width, result_.data(), result_.size());
  }

  SquareRing<E> ring_;
  std::size_t n_words_;
  std::size_t depth_;
  std::size_t columns_;
  Words table_;
  Words state_;
  Words factor_;
  Words digits_;
  Words exponent_;
  Words plaintext_;
  Words result_;
  Words accumulator_;
  // Null when the table is there.
  std::unique_ptr<Building> building_;
};

}  // namespace sealsum
