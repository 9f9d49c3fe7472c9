// The kernel's objects behind interfaces that do not know the engine, and the choice of the engine.
#pragma once

#include <memory>
#include <string>

#include "decryption.h"
#include "fixed_base.h"
#include "ifma.h"
#include "mulx.h"
#include "portable.h"
#include "powers.h"
#include "products.h"

namespace sealsum {

// Big-endian bytes; not owned.
struct Bytes {
  const std::uint8_t* data;
  std::size_t length;
};

// An integer from bytes, wiped when done with.
class Integer {
 public:
  explicit Integer(Bytes bytes) : words_((bytes.length + 7) / 8) {
    read_bytes(words_.data(), words_.size(), bytes.data, bytes.length);
  }
  Span span() const { return {words_.data(), words_.size()}; }
  std::size_t bits() const { return bit_length(words_.data(), words_.size()); }
  bool odd() const { return words_.size() > 0 && (words_[0] & 1) == 1; }

 private:
  Words words_;
};

class Encrypting {
 public:
  virtual ~Encrypting() = default;
  // Goes on building the table by so many operations; true when it is there.
  virtual bool build(std::size_t operations) = 0;
  virtual void encrypt(std::uint8_t* ciphertext, std::size_t width, Bytes plaintext, Bytes exponent) = 0;
};

class Decrypting {
 public:
  virtual ~Decrypting() = default;
  virtual std::size_t decrypt(std::uint8_t* plaintexts, std::size_t plaintext_width, const std::uint8_t* ciphertexts,
                              std::size_t width, std::size_t count) = 0;
};

class Multiplying {
 public:
  virtual ~Multiplying() = default;
  virtual std::size_t count() const = 0;
  virtual std::size_t memory() const = 0;
  virtual std::size_t bytes() const = 0;
  // False when a ciphertext is out of range; nothing is multiplied then.
  virtual bool multiply(const std::uint8_t* block) = 0;
  virtual void write(std::uint8_t* block) = 0;
};

class Checking {
 public:
  virtual ~Checking() = default;
  virtual std::size_t width() const = 0;
  virtual bool valid(const std::uint8_t* ciphertexts, std::size_t count) = 0;
  // Null when a ciphertext is out of range.
  virtual std::unique_ptr<Multiplying> start(const std::uint8_t* block, std::size_t count) = 0;
};

class Raising {
 public:
  virtual ~Raising() = default;
  // Goes on by so many steps; true when all powers are there.
  virtual bool raise(std::size_t steps) = 0;
  virtual void write(std::uint8_t* powers, std::size_t width) const = 0;
  virtual std::size_t count() const = 0;
};

// Integers of as many bytes each, one after the other; not owned.
struct Integers {
  const std::uint8_t* data;
  std::size_t width;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::size_t table_bytes(std::size_t n_bits) const = 0;
  virtual std::unique_ptr<Encrypting> encrypting(const Integer& n, const Integer& h, std::size_t exponent_bits) const = 0;
  virtual std::unique_ptr<Decrypting> decrypting(const Integer& p, const Integer& q, const Integer& factor_p,
                                                 const Integer& factor_q, const Integer& inverse) const = 0;
  virtual std::unique_ptr<Checking> checking(const Integer& n, std::size_t width) const = 0;
  virtual std::unique_ptr<Raising> raising(const Integer& m, Integers bases, Integers exponents,
                                           std::size_t exponent_bits, std::size_t count) const = 0;
};

template <class E>
class EngineOf final : public Engine {
 public:
  std::size_t table_bytes(std::size_t n_bits) const override { return FixedBase<E>::table_bytes(n_bits); }

  std::unique_ptr<Encrypting> encrypting(const Integer& n, const Integer& h, std::size_t exponent_bits) const override {
    class Object final : public Encrypting {
     public:
      Object(const Integer& n, const Integer& h, std::size_t bits) : base_(n.span(), h.span(), bits) {}
      bool build(std::size_t operations) override { return base_.build(operations); }
      void encrypt(std::uint8_t* ciphertext, std::size_t width, Bytes plaintext, Bytes exponent) override {
        base_.encrypt(ciphertext, width, plaintext.data, plaintext.length, exponent.data, exponent.length);
      }

     private:
      FixedBase<E> base_;
    };
    return std::make_unique<Object>(n, h, exponent_bits);
  }

  std::unique_ptr<Decrypting> decrypting(const Integer& p, const Integer& q, const Integer& factor_p,
                                         const Integer& factor_q, const Integer& inverse) const override {
    class Object final : public Decrypting {
     public:
      Object(const Integer& p, const Integer& q, const Span (&factors)[2], const Integer& inverse)
          : decryption_(p.span(), q.span(), factors, inverse.span()) {}
      std::size_t decrypt(std::uint8_t* plaintexts, std::size_t plaintext_width, const std::uint8_t* ciphertexts,
                          std::size_t width, std::size_t count) override {
        return decryption_.decrypt(plaintexts, plaintext_width, ciphertexts, width, count);
      }

     private:
      Decryption<E> decryption_;
    };
    const Span factors[2] = {factor_p.span(), factor_q.span()};
    return std::make_unique<Object>(p, q, factors, inverse);
  }

  std::unique_ptr<Checking> checking(const Integer& n, std::size_t width) const override {
    class Object final : public Checking {
     public:
      Object(const Integer& n, std::size_t width) : modulus_(std::make_shared<PublicModulus<E>>(n.span(), width)) {}
      std::size_t width() const override { return modulus_->width(); }
      bool valid(const std::uint8_t* ciphertexts, std::size_t count) override {
        return modulus_->valid(ciphertexts, count);
      }
      std::unique_ptr<Multiplying> start(const std::uint8_t* block, std::size_t count) override {
        if (!modulus_->all_in_range(block, count)) return nullptr;
        return std::make_unique<Product>(modulus_, block, count);
      }

     private:
      std::shared_ptr<PublicModulus<E>> modulus_;
    };
    return std::make_unique<Object>(n, width);
  }

  std::unique_ptr<Raising> raising(const Integer& m, Integers bases, Integers exponents, std::size_t exponent_bits,
                                   std::size_t count) const override {
    class Object final : public Raising {
     public:
      Object(const Integer& m, Integers bases, Integers exponents, std::size_t bits, std::size_t count)
          : powers_(m.span(), bases.data, bases.width, exponents.data, exponents.width, bits, count) {}
      bool raise(std::size_t steps) override { return powers_.raise(steps); }
      void write(std::uint8_t* powers, std::size_t width) const override { powers_.write(powers, width); }
      std::size_t count() const override { return powers_.count(); }

     private:
      Powers<E> powers_;
    };
    return std::make_unique<Object>(m, bases, exponents, exponent_bits, count);
  }

 private:
  class Product final : public Multiplying {
   public:
    Product(std::shared_ptr<PublicModulus<E>> modulus, const std::uint8_t* block, std::size_t count)
        : product_(std::move(modulus), block, count) {}
    std::size_t count() const override { return product_.count(); }
    std::size_t memory() const override { return product_.memory(); }
    std::size_t bytes() const override { return product_.bytes(); }
    bool multiply(const std::uint8_t* block) override {
      if (!product_.modulus().all_in_range(block, product_.count())) return false;
      product_.multiply(block);
      return true;
    }
    void write(std::uint8_t* block) override { product_.write(block); }

   private:
    BlockProduct<E> product_;
  };
};

// The engine of a name, or null where this machine has none.
inline const Engine* engine(const std::string& name) {
  static const EngineOf<Portable> portable;
  if (name == "portable") return &portable;
#if defined(__x86_64__)
  static const EngineOf<Ifma> ifma;
  if (name == "ifma" && Ifma::available()) return &ifma;
  static const EngineOf<Mulx> mulx;
  if (name == "mulx" && MulxRow::available()) return &mulx;
#endif
  return nullptr;
}

}  // namespace sealsum
