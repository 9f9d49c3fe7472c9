// Memory that forgets what was in it, and integers as 64-bit words, least significant first, and as big-endian bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace sealsum {

using Word = std::uint64_t;
__extension__ typedef unsigned __int128 Wide;

// Overwrites memory in a way that no optimiser takes for useless: nothing can know that it is not read afterwards.
inline void wipe(void* memory, std::size_t bytes) {
  if (bytes == 0) return;
  std::memset(memory, 0, bytes);
  __asm__ __volatile__("" : : "r"(memory) : "memory");
}

// Words on 64-byte boundaries (a vector register, a cache line): zero at first, wiped when freed.
class Words {
 public:
  Words() = default;
  explicit Words(std::size_t count) : count_(count) {
    const std::size_t bytes = (count * sizeof(Word) + 63) / 64 * 64;
    data_ = static_cast<Word*>(::operator new(bytes == 0 ? 64 : bytes, std::align_val_t{64}));
    std::memset(data_, 0, bytes == 0 ? 64 : bytes);
  }
  Words(Words&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  Words& operator=(Words&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;
  ~Words() {
    if (data_ == nullptr) return;
    wipe(data_, count_ * sizeof(Word));
    ::operator delete(data_, std::align_val_t{64});
  }

  Word* data() { return data_; }
  const Word* data() const { return data_; }
  std::size_t size() const { return count_; }
  Word& operator[](std::size_t index) { return data_[index]; }
  const Word& operator[](std::size_t index) const { return data_[index]; }

 private:
  Word* data_ = nullptr;
  std::size_t count_ = 0;
};

// The words of `length` big-endian bytes; `count` words, of which those beyond the bytes become zero.
inline void read_bytes(Word* words, std::size_t count, const std::uint8_t* bytes, std::size_t length) {
  for (std::size_t index = 0; index < count; ++index) {
    const std::size_t low = 8 * index;
    Word word = 0;
    if (low + 8 <= length) {
      std::memcpy(&word, bytes + (length - low - 8), 8);
      word = __builtin_bswap64(word);
    } else {
      for (std::size_t at = low; at < length; ++at) word |= Word{bytes[length - 1 - at]} << (8 * (at - low));
    }
    words[index] = word;
  }
}

// The inverse: exactly `length` big-endian bytes of `count` words; what does not fit is dropped.
inline void write_bytes(std::uint8_t* bytes, std::size_t length, const Word* words, std::size_t count) {
  for (std::size_t at = 0; at < length; at += 8) {
    const Word word = at / 8 < count ? words[at / 8] : 0;
    if (at + 8 <= length) {
      const Word swapped = __builtin_bswap64(word);
      std::memcpy(bytes + (length - at - 8), &swapped, 8);
    } else {
      for (std::size_t rest = at; rest < length; ++rest)
        bytes[length - 1 - rest] = static_cast<std::uint8_t>(word >> (8 * (rest - at)));
    }
  }
}

// The number of binary digits; the words are public or their length is.
inline std::size_t bit_length(const Word* words, std::size_t count) {
  while (count > 0 && words[count - 1] == 0) --count;
  return count == 0 ? 0 : 64 * count - static_cast<std::size_t>(__builtin_clzll(words[count - 1]));
}

// Numbers in lanes: limb l of the number in lane k stands at [l · lanes + k], in `E::bits` bits.

template <class E>
void put(Word* number, std::size_t limbs, unsigned lane, const Word* words, std::size_t count) {
  if constexpr (E::bits == 64) {
    for (std::size_t limb = 0; limb < limbs; ++limb) number[limb * E::lanes + lane] = limb < count ? words[limb] : 0;
  } else {
    constexpr Word mask = (Word{1} << E::bits) - 1;
    for (std::size_t limb = 0; limb < limbs; ++limb) {
      const std::size_t word = limb * E::bits / 64;
      const unsigned shift = limb * E::bits % 64;
      Word value = word < count ? words[word] >> shift : 0;
      if (shift + E::bits > 64 && word + 1 < count) value |= words[word + 1] << (64 - shift);
      number[limb * E::lanes + lane] = value & mask;
    }
  }
}

template <class E>
void take(Word* words, std::size_t count, const Word* number, std::size_t limbs, unsigned lane) {
  if constexpr (E::bits == 64) {
    for (std::size_t word = 0; word < count; ++word) words[word] = word < limbs ? number[word * E::lanes + lane] : 0;
  } else {
    std::memset(words, 0, count * sizeof(Word));
    for (std::size_t limb = 0; limb < limbs; ++limb) {
      const std::size_t word = limb * E::bits / 64;
      const unsigned shift = limb * E::bits % 64;
      const Word value = number[limb * E::lanes + lane];
      if (word < count) words[word] |= value << shift;
      if (shift + E::bits > 64 && word + 1 < count) words[word + 1] |= value >> (64 - shift);
    }
  }
}

}  // namespace sealsum
