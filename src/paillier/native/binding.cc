// The kernel as a Node-API module: objects as externals, integers as big-endian bytes. ./kernel.ts is its only caller; what it is
// given is checked here as far as memory is concerned, and nowhere is a value shown.
#define NAPI_VERSION 8
#include <node_api.h>

#include <stdexcept>

#include "kernel.h"

namespace {

using namespace sealsum;

// Lengths that numbers in an engine can have without a sum exceeding its 64 bits, with room to spare.
constexpr std::size_t greatest_modulus_bits = 16384;

void require(bool condition, const char* expected) {
  if (!condition) throw std::invalid_argument(expected);
}

void ok(napi_status status) { require(status == napi_ok, "a value of another type"); }

// The arguments of one call.
class Call {
 public:
  static constexpr std::size_t most = 6;

  Call(napi_env env, napi_callback_info info, std::size_t expected) : env_(env) {
    std::size_t count = most;
    ok(napi_get_cb_info(env, info, &count, values_, nullptr, nullptr));
    require(count == expected, "another number of arguments");
  }

  napi_env env() const { return env_; }

  Bytes bytes(std::size_t index) const {
    napi_typedarray_type type;
    Bytes bytes{};
    void* data = nullptr;
    ok(napi_get_typedarray_info(env_, values_[index], &type, &bytes.length, &data, nullptr, nullptr));
    require(type == napi_uint8_array, "a Uint8Array");
    bytes.data = static_cast<const std::uint8_t*>(data);
    return bytes;
  }

  Integer modulus(std::size_t index) const {
    Integer integer(bytes(index));
    require(integer.odd() && integer.bits() >= 2 && integer.bits() <= greatest_modulus_bits, "an odd modulus");
    return integer;
  }

  Integer integer(std::size_t index) const { return Integer(bytes(index)); }

  std::size_t number(std::size_t index) const {
    std::uint32_t number = 0;
    ok(napi_get_value_uint32(env_, values_[index], &number));
    return number;
  }

  const Engine& engine(std::size_t index) const {
    char name[16] = {};
    ok(napi_get_value_string_utf8(env_, values_[index], name, sizeof name, nullptr));
    const Engine* found = sealsum::engine(name);
    require(found != nullptr, "the name of an engine that this machine has");
    return *found;
  }

  template <class T>
  T& object(std::size_t index) const {
    bool same = false;
    ok(napi_check_object_type_tag(env_, values_[index], &tag<T>, &same));
    require(same, "another kind of object");
    void* data = nullptr;
    ok(napi_get_value_external(env_, values_[index], &data));
    return *static_cast<T*>(data);
  }

  // An external that owns the object; `memory` is what it holds outside of the heap that the collector sees.
  template <class T>
  napi_value own(std::unique_ptr<T> object, std::size_t memory) const {
    napi_value value = nullptr;
    auto* owned = new Owned{static_cast<std::int64_t>(memory)};
    const auto release = [](napi_env env, void* data, void* hint) {
      std::unique_ptr<Owned> known(static_cast<Owned*>(hint));
      std::int64_t rest = 0;
      napi_adjust_external_memory(env, -known->memory, &rest);
      delete static_cast<T*>(data);
    };
    if (napi_create_external(env_, object.get(), release, owned, &value) != napi_ok) {
      delete owned;
      throw std::runtime_error("no object");
    }
    object.release();
    std::int64_t rest = 0;
    napi_adjust_external_memory(env_, owned->memory, &rest);
    ok(napi_type_tag_object(env_, value, &tag<T>));
    return value;
  }

  // A fresh Uint8Array, and where its bytes are.
  napi_value array(std::size_t length, std::uint8_t** data) const {
    napi_value buffer = nullptr;
    napi_value array = nullptr;
    void* memory = nullptr;
    ok(napi_create_arraybuffer(env_, length, &memory, &buffer));
    ok(napi_create_typedarray(env_, napi_uint8_array, length, buffer, 0, &array));
    *data = static_cast<std::uint8_t*>(memory);
    return array;
  }

  napi_value boolean(bool value) const {
    napi_value result = nullptr;
    ok(napi_get_boolean(env_, value, &result));
    return result;
  }

  napi_value number_value(std::size_t value) const {
    napi_value result = nullptr;
    ok(napi_create_double(env_, static_cast<double>(value), &result));
    return result;
  }

  napi_value null() const {
    napi_value result = nullptr;
    ok(napi_get_null(env_, &result));
    return result;
  }

 private:
  struct Owned {
    std::int64_t memory;
  };
  template <class T>
  static const napi_type_tag tag;

  napi_env env_;
  napi_value values_[most] = {};
};

template <>
const napi_type_tag Call::tag<Encrypting> = {0x7365616c73756d31, 1};
template <>
const napi_type_tag Call::tag<Decrypting> = {0x7365616c73756d31, 2};
template <>
const napi_type_tag Call::tag<Checking> = {0x7365616c73756d31, 3};
template <>
const napi_type_tag Call::tag<Multiplying> = {0x7365616c73756d31, 4};
template <>
const napi_type_tag Call::tag<Raising> = {0x7365616c73756d31, 5};

// available(engine) → boolean
napi_value available(napi_env env, napi_callback_info info) {
  const Call call(env, info, 1);
  try {
    call.engine(0);
    return call.boolean(true);
  } catch (const std::invalid_argument&) {
    return call.boolean(false);
  }
}

// encrypting(engine, n, h, exponentBits) → external
napi_value encrypting(napi_env env, napi_callback_info info) {
  const Call call(env, info, 4);
  const Integer n = call.modulus(1);
  const Integer h = call.integer(2);
  const std::size_t bits = call.number(3);
  require(h.bits() <= n.bits(), "h below n");
  require(bits >= 1 && bits <= greatest_modulus_bits, "exponents of some bits");
  const Engine& engine = call.engine(0);
  return call.own(engine.encrypting(n, h, bits), engine.table_bytes(n.bits()));
}

// build(external, operations) → boolean
napi_value build(napi_env env, napi_callback_info info) {
  const Call call(env, info, 2);
  return call.boolean(call.object<Encrypting>(0).build(call.number(1)));
}

// encrypt(external, plaintexts, exponents, count, width) → Uint8Array of `count` ciphertexts of `width` bytes
napi_value encrypt(napi_env env, napi_callback_info info) {
  const Call call(env, info, 5);
  Encrypting& object = call.object<Encrypting>(0);
  const Bytes plaintexts = call.bytes(1);
  const Bytes exponents = call.bytes(2);
  const std::size_t count = call.number(3);
  const std::size_t width = call.number(4);
  std::uint8_t* ciphertexts = nullptr;
  napi_value result = call.array(count * width, &ciphertexts);
  if (count == 0) return result;
  require(plaintexts.length % count == 0 && exponents.length % count == 0, "whole numbers");
  const std::size_t plaintext_width = plaintexts.length / count;
  const std::size_t exponent_width = exponents.length / count;
  for (std::size_t index = 0; index < count; ++index)
    object.encrypt(ciphertexts + index * width, width, {plaintexts.data + index * plaintext_width, plaintext_width},
                   {exponents.data + index * exponent_width, exponent_width});
  return result;
}

// tableBytes(engine, nBits) → number
napi_value table_bytes(napi_env env, napi_callback_info info) {
  const Call call(env, info, 2);
  return call.number_value(call.engine(0).table_bytes(call.number(1)));
}

// decrypting(engine, p, q, factorP, factorQ, inverse) → external
napi_value decrypting(napi_env env, napi_callback_info info) {
  const Call call(env, info, 6);
  const Integer p = call.modulus(1);
  const Integer q = call.modulus(2);
  const Integer factor_p = call.integer(3);
  const Integer factor_q = call.integer(4);
  const Integer inverse = call.integer(5);
  require(p.bits() == q.bits() && p.span().count == q.span().count, "primes of equal length");
  require(factor_p.bits() <= p.bits() && factor_q.bits() <= q.bits() && inverse.bits() <= q.bits(), "residues");
  return call.own(call.engine(0).decrypting(p, q, factor_p, factor_q, inverse), 0);
}

// decrypt(external, ciphertexts, width, plaintextWidth) → Uint8Array of plaintexts, or the index of one that is refused
napi_value decrypt(napi_env env, napi_callback_info info) {
  const Call call(env, info, 4);
  Decrypting& object = call.object<Decrypting>(0);
  const Bytes ciphertexts = call.bytes(1);
  const std::size_t width = call.number(2);
  const std::size_t plaintext_width = call.number(3);
  require(width > 0 && ciphertexts.length % width == 0, "whole ciphertexts");
  const std::size_t count = ciphertexts.length / width;
  std::uint8_t* plaintexts = nullptr;
  napi_value result = call.array(count * plaintext_width, &plaintexts);
  const std::size_t refused = object.decrypt(plaintexts, plaintext_width, ciphertexts.data, width, count);
  if (refused == count) return result;
  wipe(plaintexts, count * plaintext_width);
  return call.number_value(refused);
}

// checking(engine, n, width) → external
napi_value checking(napi_env env, napi_callback_info info) {
  const Call call(env, info, 3);
  const Integer n = call.modulus(1);
  const std::size_t width = call.number(2);
  require(width == (2 * n.bits() + 7) / 8, "the width of n²");
  return call.own(call.engine(0).checking(n, width), 0);
}

// valid(checking, ciphertexts) → boolean
napi_value valid(napi_env env, napi_callback_info info) {
  const Call call(env, info, 2);
  Checking& object = call.object<Checking>(0);
  const Bytes ciphertexts = call.bytes(1);
  require(ciphertexts.length % object.width() == 0, "whole ciphertexts");
  return call.boolean(object.valid(ciphertexts.data, ciphertexts.length / object.width()));
}

// start(checking, block) → external, or null when a ciphertext is out of range
napi_value start(napi_env env, napi_callback_info info) {
  const Call call(env, info, 2);
  Checking& object = call.object<Checking>(0);
  const Bytes block = call.bytes(1);
  require(block.length % object.width() == 0, "whole ciphertexts");
  auto product = object.start(block.data, block.length / object.width());
  if (product == nullptr) return call.null();
  const std::size_t memory = product->memory();
  return call.own(std::move(product), memory);
}

// multiply(product, block) → boolean: false when a ciphertext is out of range
napi_value multiply(napi_env env, napi_callback_info info) {
  const Call call(env, info, 2);
  Multiplying& object = call.object<Multiplying>(0);
  const Bytes block = call.bytes(1);
  require(block.length == object.bytes(), "as many ciphertexts");
  return call.boolean(object.multiply(block.data));
}

// productBytes(product) → Uint8Array
napi_value product_bytes(napi_env env, napi_callback_info info) {
  const Call call(env, info, 1);
  Multiplying& object = call.object<Multiplying>(0);
  std::uint8_t* block = nullptr;
  napi_value result = call.array(object.bytes(), &block);
  object.write(block);
  return result;
}

// raising(engine, m, bases, exponents, exponentBits, count) → external
napi_value raising(napi_env env, napi_callback_info info) {
  const Call call(env, info, 6);
  const Integer m = call.modulus(1);
  const Bytes bases = call.bytes(2);
  const Bytes exponents = call.bytes(3);
  const std::size_t bits = call.number(4);
  const std::size_t count = call.number(5);
  const std::size_t width = (m.bits() + 7) / 8;
  require(count > 0 && bases.length == count * width, "bases as wide as the modulus");
  require(exponents.length % count == 0 && bits <= 8 * (exponents.length / count), "an exponent for each base");
  return call.own(
      call.engine(0).raising(m, {bases.data, width}, {exponents.data, exponents.length / count}, bits, count), 0);
}

// raise(raising, steps) → boolean
napi_value raise(napi_env env, napi_callback_info info) {
  const Call call(env, info, 2);
  return call.boolean(call.object<Raising>(0).raise(call.number(1)));
}

// powers(raising, width) → Uint8Array
napi_value powers(napi_env env, napi_callback_info info) {
  const Call call(env, info, 2);
  Raising& object = call.object<Raising>(0);
  const std::size_t width = call.number(1);
  require(object.raise(0), "all powers raised");
  std::uint8_t* block = nullptr;
  napi_value result = call.array(object.count() * width, &block);
  object.write(block, width);
  return result;
}

// No exception of C++ leaves a call.
template <napi_callback function>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return function(env, info);
  } catch (const std::exception& error) {
    const std::string message = std::string("kernel: expected ") + error.what();
    napi_throw_error(env, nullptr, message.c_str());
    return nullptr;
  }
}

template <napi_callback function>
void define(napi_env env, napi_value exports, const char* name) {
  napi_value value = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, guarded<function>, nullptr, &value) == napi_ok)
    napi_set_named_property(env, exports, name, value);
}

}  // namespace

NAPI_MODULE_INIT() {
  define<available>(env, exports, "available");
  define<encrypting>(env, exports, "encrypting");
  define<encrypt>(env, exports, "encrypt");
  define<build>(env, exports, "build");
  define<table_bytes>(env, exports, "tableBytes");
  define<decrypting>(env, exports, "decrypting");
  define<decrypt>(env, exports, "decrypt");
  define<checking>(env, exports, "checking");
  define<valid>(env, exports, "valid");
  define<start>(env, exports, "start");
  define<multiply>(env, exports, "multiply");
  define<product_bytes>(env, exports, "productBytes");
  define<raising>(env, exports, "raising");
  define<raise>(env, exports, "raise");
  define<powers>(env, exports, "powers");
  return exports;
}
