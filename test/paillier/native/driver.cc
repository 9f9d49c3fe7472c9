// The kernel without Node, so that sanitizers see nothing else. Reads one command a line, numbers in hexadecimal, and answers each with
// one line:
//
//     encrypt ENGINE n h exponent-bits m α        → ciphertext
//     decrypt ENGINE p q factor-p factor-q p⁻¹ c… → plaintexts, or "refused INDEX"
//     valid   ENGINE n c…                         → yes or no
//     product ENGINE n times c…                   → c^(times + 1) mod n² each
//     powers  ENGINE m exponent-bits steps b e…   → b^e mod m each
//     fuzz SEED ROUNDS                            → "agree" when all engines, and the ways of one, give the same for numbers of chance
#include <cstdio>
#include <iostream>
#include <random>
#include <sstream>
#include <vector>

#include "../../../src/paillier/native/kernel.h"

namespace {

using namespace sealsum;
using ByteVector = std::vector<std::uint8_t>;

ByteVector from_hex(const std::string& text) {
  const std::string even = text.size() % 2 == 0 ? text : "0" + text;
  ByteVector bytes;
  for (std::size_t at = 0; at < even.size(); at += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(even.substr(at, 2), nullptr, 16)));
  return bytes;
}

std::string to_hex(const std::uint8_t* bytes, std::size_t length) {
  std::string text;
  char digits[3];
  for (std::size_t at = 0; at < length; ++at) {
    std::snprintf(digits, sizeof digits, "%02x", bytes[at]);
    text += digits;
  }
  return text;
}

// Big-endian bytes in exactly so many.
ByteVector widened(const ByteVector& bytes, std::size_t width) {
  ByteVector wide(width);
  for (std::size_t at = 0; at < width && at < bytes.size(); ++at) wide[width - 1 - at] = bytes[bytes.size() - 1 - at];
  return wide;
}

Integer integer(const ByteVector& bytes) { return Integer({bytes.data(), bytes.size()}); }

std::size_t width_of(const Integer& n) { return (2 * n.bits() + 7) / 8; }

ByteVector joined(const std::vector<ByteVector>& values, std::size_t width) {
  ByteVector block;
  for (const ByteVector& value : values) {
    const ByteVector wide = widened(value, width);
    block.insert(block.end(), wide.begin(), wide.end());
  }
  return block;
}

std::string split(const ByteVector& block, std::size_t width) {
  std::string text;
  for (std::size_t at = 0; at < block.size(); at += width) text += (at == 0 ? "" : " ") + to_hex(&block[at], width);
  return text;
}

std::string encrypt(const Engine& engine, const ByteVector& n_bytes, const ByteVector& h, std::size_t bits,
                    const ByteVector& m, const ByteVector& alpha) {
  const Integer n = integer(n_bytes);
  ByteVector ciphertext(width_of(n));
  const auto object = engine.encrypting(n, integer(h), bits);
  // In pieces, or in one for the first encryption.
  for (std::size_t pieces = bits % 40; pieces > 0; --pieces) object->build(pieces);
  object->encrypt(ciphertext.data(), ciphertext.size(), {m.data(), m.size()}, {alpha.data(), alpha.size()});
  return to_hex(ciphertext.data(), ciphertext.size());
}

std::string decrypt(const Engine& engine, const std::vector<ByteVector>& key, const std::vector<ByteVector>& ciphertexts) {
  const Integer p = integer(widened(key[0], key[1].size()));
  const Integer q = integer(key[1]);
  const std::size_t width = (4 * q.bits() + 7) / 8;
  const std::size_t plaintext_width = (2 * q.bits() + 7) / 8;
  const ByteVector block = joined(ciphertexts, width);
  ByteVector plaintexts(plaintext_width * ciphertexts.size());
  const auto object = engine.decrypting(p, q, integer(key[2]), integer(key[3]), integer(key[4]));
  const std::size_t refused =
      object->decrypt(plaintexts.data(), plaintext_width, block.data(), width, ciphertexts.size());
  return refused == ciphertexts.size() ? split(plaintexts, plaintext_width) : "refused " + std::to_string(refused);
}

std::string valid(const Engine& engine, const ByteVector& n_bytes, const std::vector<ByteVector>& ciphertexts) {
  const Integer n = integer(n_bytes);
  const ByteVector block = joined(ciphertexts, width_of(n));
  return engine.checking(n, width_of(n))->valid(block.data(), ciphertexts.size()) ? "yes" : "no";
}

std::string product(const Engine& engine, const ByteVector& n_bytes, std::size_t times,
                    const std::vector<ByteVector>& ciphertexts) {
  const Integer n = integer(n_bytes);
  const ByteVector block = joined(ciphertexts, width_of(n));
  const auto product = engine.checking(n, width_of(n))->start(block.data(), ciphertexts.size());
  if (product == nullptr) return "out of range";
  for (std::size_t time = 0; time < times; ++time) product->multiply(block.data());
  ByteVector result(product->bytes());
  product->write(result.data());
  return split(result, width_of(n));
}

std::string powers(const Engine& engine, const ByteVector& m_bytes, std::size_t bits, std::size_t steps,
                   const std::vector<ByteVector>& pairs) {
  const Integer m = integer(m_bytes);
  const std::size_t width = (m.bits() + 7) / 8;
  const std::size_t exponent_width = (bits + 7) / 8;
  std::vector<ByteVector> bases;
  std::vector<ByteVector> exponents;
  for (std::size_t index = 0; index + 1 < pairs.size(); index += 2) {
    bases.push_back(pairs[index]);
    exponents.push_back(pairs[index + 1]);
  }
  const ByteVector all_bases = joined(bases, width);
  const ByteVector all_exponents = joined(exponents, exponent_width);
  const auto object =
      engine.raising(m, {all_bases.data(), width}, {all_exponents.data(), exponent_width}, bits, bases.size());
  while (!object->raise(steps)) continue;
  ByteVector block(width * bases.size());
  object->write(block.data(), width);
  return split(block, width);
}

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : generator_(seed) {}
  std::size_t below(std::size_t limit) { return generator_() % limit; }
  // Exactly so many bits, with long runs of equal ones now and then: carries go far in these.
  ByteVector number(std::size_t bits) {
    ByteVector bytes((bits + 7) / 8);
    const std::size_t style = below(4);
    for (std::uint8_t& byte : bytes)
      byte = style == 0 ? 0xff : style == 1 && below(8) != 0 ? 0 : static_cast<std::uint8_t>(generator_());
    const std::size_t top = (bits - 1) % 8;
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & ((2u << top) - 1)) | (1u << top));
    return bytes;
  }
  ByteVector odd(std::size_t bits) {
    ByteVector bytes = number(bits);
    bytes.back() |= 1;
    return bytes;
  }

 private:
  std::mt19937_64 generator_;
};

// What two engines say to the same numbers; they need not be primes for that, nor ciphertexts.
bool agree(const Engine& a, const Engine& b, Chance& chance) {
  const std::size_t half_bits = 8 + chance.below(chance.below(8) == 0 ? 900 : 200);
  const std::size_t bits = 2 * half_bits;
  const ByteVector n = chance.odd(bits);
  const ByteVector h = chance.number(1 + chance.below(bits - 1));
  const ByteVector m = chance.number(1 + chance.below(bits - 1));
  const ByteVector alpha = chance.number(1 + chance.below(half_bits));
  if (encrypt(a, n, h, half_bits, m, alpha) != encrypt(b, n, h, half_bits, m, alpha)) return false;
  std::vector<ByteVector> ciphertexts;
  for (std::size_t count = 1 + chance.below(12); count > 0; --count)
    ciphertexts.push_back(chance.number(1 + chance.below(2 * bits - 2)));
  const std::size_t times = chance.below(5);
  if (valid(a, n, ciphertexts) != valid(b, n, ciphertexts)) return false;
  if (product(a, n, times, ciphertexts) != product(b, n, times, ciphertexts)) return false;
  std::vector<ByteVector> pairs;
  for (std::size_t count = 1 + chance.below(12); count > 0; --count) {
    pairs.push_back(chance.number(1 + chance.below(bits - 1)));
    pairs.push_back(chance.number(1 + chance.below(half_bits)));
  }
  const std::size_t steps = 1 + chance.below(90);
  if (powers(a, n, half_bits, steps, pairs) != powers(b, n, half_bits, 64, pairs)) return false;
  ByteVector p = chance.odd(half_bits);
  ByteVector q = chance.odd(half_bits);
  if (q < p) std::swap(p, q);
  const std::vector<ByteVector> key = {p, q, chance.number(half_bits - 1), chance.number(half_bits - 1),
                                       chance.number(half_bits - 1)};
  return decrypt(a, key, ciphertexts) == decrypt(b, key, ciphertexts);
}

#if defined(__x86_64__)
// Powers of one element with its limbs over the lanes beside all lanes' powers, limb by limb, for moduli of every length that has them. The
// moduli need not be primes for that, nor the elements ciphertexts; the exponents are short, as each row is the same for long ones.
bool spread_agrees(Chance& chance) {
  const std::size_t bits = 2 + chance.below(chance.below(2) == 0 ? 2080 : 300);
  const std::size_t exponent_bits = 1 + chance.below(40);
  std::vector<Integer> moduli;
  std::vector<Integer> exponents;
  for (unsigned which = 0; which < 2; ++which) {
    moduli.push_back(integer(chance.odd(bits)));
    exponents.push_back(integer(chance.number(1 + chance.below(exponent_bits))));
  }
  Span in_lanes[Ifma::lanes];
  Span exponents_in_lanes[Ifma::lanes];
  for (unsigned lane = 0; lane < Ifma::lanes; ++lane) {
    in_lanes[lane] = moduli[lane % 2].span();
    exponents_in_lanes[lane] = exponents[lane % 2].span();
  }
  SquareRing<Ifma> ring(in_lanes);
  const auto spread = spread_power(ring);
  if (spread == nullptr) return ring.limbs() > 40;
  Words base = ring.pair();
  for (unsigned lane = 0; lane < Ifma::lanes; ++lane)
    for (Word* half : {base.data(), ring.second(base.data())}) {
      const Integer number = integer(chance.below(9) == 0 ? ByteVector(1) : chance.number(1 + chance.below(bits + 2)));
      put<Ifma>(half, ring.limbs(), lane, number.span().words, number.span().count);
    }
  Words expected = ring.pair();
  Words found = ring.pair();
  window_power<Ifma>(ring, expected.data(), base.data(), exponents_in_lanes, exponent_bits);
  for (unsigned lane = 0; lane < Ifma::lanes; lane += 2)
    spread->power(found.data(), base.data(), lane, exponents[0].span(), exponents[1].span(), exponent_bits);
  return std::memcmp(expected.data(), found.data(), ring.words() * sizeof(Word)) == 0;
}

bool all_spread_agree(Chance& chance) {
  if (engine("ifma") == nullptr) return true;
  for (unsigned time = 0; time < 4; ++time)
    if (!spread_agrees(chance)) return false;
  return true;
}
#else
bool all_spread_agree(Chance&) { return true; }
#endif

std::string fuzz(std::uint64_t seed, std::size_t rounds) {
  const Engine* portable = engine("portable");
  std::vector<const Engine*> others;
  for (const char* name : {"ifma", "mulx"})
    if (engine(name) != nullptr) others.push_back(engine(name));
  if (others.empty()) others.push_back(portable);
  Chance chance(seed);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (const Engine* other : others)
      if (!agree(*portable, *other, chance)) return "disagree in round " + std::to_string(round);
    if (!all_spread_agree(chance)) return "disagree in powers one by one, round " + std::to_string(round);
  }
  return others[0] == portable ? "agree, but there is one engine only" : "agree";
}

std::string answer(const std::string& line) {
  std::istringstream input(line);
  std::string command;
  std::string name;
  input >> command >> name;
  std::vector<std::string> rest;
  for (std::string each; input >> each;) rest.push_back(each);
  if (command == "fuzz") return fuzz(std::stoull(name), std::stoull(rest.at(0)));
  const Engine* chosen = engine(name);
  if (chosen == nullptr) return "no such engine";
  std::vector<ByteVector> values;
  for (const std::string& each : rest) values.push_back(from_hex(each));
  const auto from = [&](std::size_t index) {
    return std::vector<ByteVector>(values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
  };
  if (command == "encrypt")
    return encrypt(*chosen, values.at(0), values.at(1), std::stoull(rest.at(2)), values.at(3), values.at(4));
  if (command == "decrypt") return decrypt(*chosen, values, from(5));
  if (command == "valid") return valid(*chosen, values.at(0), from(1));
  if (command == "powers")
    return powers(*chosen, values.at(0), std::stoull(rest.at(1)), std::stoull(rest.at(2)), from(3));
  if (command == "product") return product(*chosen, values.at(0), std::stoull(rest.at(1)), from(2));
  return "no such command";
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << std::endl;
}
