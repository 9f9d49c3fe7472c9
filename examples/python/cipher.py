"""The model owner's key and its proof, tags, packing, encryption: sections 12, 13 and 16 of docs/protocol.md."""
import hashlib
import hmac
import math
import secrets

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from errors import Refusal
from signing import b64, unb64

try:
    from gmpy2 import powmod
except ImportError:
    powmod = pow

try:
    from phe import PaillierPublicKey

    def raw_encrypt(n: int, m: int, r: int = None) -> int:
        return PaillierPublicKey(n).raw_encrypt(m, r_value=r)

except ImportError:

    def raw_encrypt(n: int, m: int, r: int = None) -> int:
        r = secrets.randbelow(n - 1) + 1 if r is None else r
        return (1 + m * n) * int(powmod(r, n, n * n)) % (n * n)


ROOTS, ANSWERS = 11, 128


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def modulus_of(jwk: dict) -> int:
    if not isinstance(jwk, dict) or (jwk.get("kty"), jwk.get("alg")) != ("DAJ", "PAI-GN1"):
        raise Refusal('public_key: expected kty "DAJ" and alg "PAI-GN1"')
    data = unb64(jwk.get("n"), "public_key.n")
    if data[:1] in (b"", b"\0"):
        raise Refusal("public_key.n: expected no leading zero byte")
    return int.from_bytes(data, "big")


def challenges(n: int, w: int, context: bytes):
    """What a proof must answer, as a function of kind and position."""
    width = (n.bit_length() + 7) // 8
    numbers = u32(width) + n.to_bytes(width, "big") + w.to_bytes(width, "big")
    seed = hashlib.shake_256(b"sealsum modulus proof v1\n" + numbers + context).digest(64)

    def challenge(kind: bytes, index: int) -> int:
        attempt = 0
        while True:
            drawn = hashlib.shake_256(seed + kind + u32(index) + u32(attempt)).digest(width)
            value = int.from_bytes(drawn, "big") & ((1 << n.bit_length()) - 1)
            if value < n:
                return value
            attempt += 1

    return challenge


def verify_modulus(n: int, proof: dict, job: str, model_owner: str) -> None:
    """Refuses a modulus that is not proven to be a product of two primes ≡ 3 mod 4 with gcd(n, φ(n)) = 1."""
    try:
        roots, blum = proof["roots"], proof["blum"]
        form = set(proof) == {"w", "roots", "blum"} and (len(roots), len(blum)) == (ROOTS, ANSWERS)
        good = form and all(set(each) == {"x", "a", "b", "z"} and {each["a"], each["b"]} <= {0, 1} for each in blum)
    except (KeyError, TypeError):
        good = False
    if not good:
        raise Refusal("public_key_proof: expected w, 11 roots and 128 answers")
    if n.bit_length() > 8192 or n % 2 == 0 or has_small_factor(n) or is_probably_prime(n):
        raise Refusal("public_key.n: expected a product of two large primes")
    w = _residue(n, proof["w"], "w")
    if jacobi(w, n) != -1:
        raise Refusal("public_key_proof.w: expected a number of Jacobi symbol −1")
    challenge = challenges(n, w, f"sealsum modulus proof v1|{job}|{model_owner}".encode())
    for index, answer in enumerate(blum):
        where, y = f"blum[{index}]", challenge(b"blum", index)
        x, z = _residue(n, answer["x"], where), _residue(n, answer["z"], where)
        target = (-1) ** answer["a"] * w ** answer["b"] * y % n
        if math.gcd(y, n) != 1 or 2 * x >= n or pow(x, 4, n) != target or powmod(z, n, n) != y:
            raise Refusal(f"public_key_proof.{where}: expected the roots of its challenge; the key is not proven")
    for index, root in enumerate(roots):
        y = challenge(b"root", index)
        if math.gcd(y, n) != 1 or powmod(_residue(n, root, f"roots[{index}]"), n, n) != y:
            raise Refusal(f"public_key_proof.roots[{index}]: expected the root of its challenge; the key is not proven")


def _residue(n: int, text: str, where: str) -> int:
    value = int.from_bytes(unb64(text, f"public_key_proof.{where}", (n.bit_length() + 7) // 8), "big")
    if not 0 < value < n:
        raise Refusal(f"public_key_proof.{where}: expected a number above 0 and below n")
    return value


def has_small_factor(n: int) -> bool:
    sieve = bytearray([1]) * 2**16
    for candidate in range(2, 2**8):
        if sieve[candidate]:
            sieve[candidate * candidate :: candidate] = bytes(len(range(candidate * candidate, 2**16, candidate)))
    return any(sieve[candidate] and n % candidate == 0 for candidate in range(2, 2**16))


def is_probably_prime(n: int) -> bool:
    """Miller and Rabin's test, which no prime fails, so that none is ever taken for a product."""
    twos = ((n - 1) & (1 - n)).bit_length() - 1
    for _ in range(4):
        power = powmod(secrets.randbelow(n - 3) + 2, (n - 1) >> twos, n)
        if power in (1, n - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % n
            if power == n - 1:
                break
        else:
            return False
    return True


def jacobi(a: int, n: int) -> int:
    """The Jacobi symbol (a | n) for odd n > 0 (Cohen, A Course in Computational Algebraic Number Theory, algorithm 1.4.10)."""
    a, sign = a % n, 1
    while a:
        twos = (a & -a).bit_length() - 1
        a >>= twos
        if twos % 2 and n % 8 in (3, 5):
            sign = -sign
        if a % 4 == 3 and n % 4 == 3:
            sign = -sign
        a, n = n % a, a
    return sign if n == 1 else 0


class TagSecret:
    """This owner's half of the tag key of one job."""

    def __init__(self, seed: bytes) -> None:
        self._secret = X25519PrivateKey.from_private_bytes(seed)
        self.public = b64(self._secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def of_job(cls, storage_key: bytes, job_digest: str) -> "TagSecret":
        """The same whenever this owner is asked, and never kept."""
        return cls(hkdf(storage_key, f"sealsum tag key of job {job_digest}".encode()))

    def agree(self, other: str, owner: str) -> bytes:
        data = unb64(other, "tag_key", 32)
        if int.from_bytes(data, "little") >= 2**255 - 19:
            raise Refusal("tag_key: expected a coordinate below 2^255 − 19")
        try:
            shared = self._secret.exchange(X25519PublicKey.from_public_bytes(data))
        except ValueError:
            raise Refusal("tag_key: a point of small order, with which no secret can be shared") from None
        first, second = sorted([unb64(self.public, "tag_key"), data])
        return hkdf(shared, b"sealsum tag key v1" + first + second + owner.encode())


def hkdf(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def tags_of(key: bytes, job_digest: str, round_number: int, round_digest: str, count: int) -> list:
    head = b"sealsum tag v1" + bytes.fromhex(job_digest) + u32(round_number) + bytes.fromhex(round_digest)
    return [int.from_bytes(hmac.digest(key, head + u32(index), "sha256")[:8], "big") for index in range(count)]


def pack(plan: dict, slots: list, tags: list, n: int) -> list:
    """Plaintexts: balanced digits, and the tag above the last of them."""
    width, each = plan["slot_bits"], plan["slots_per_ciphertext"]
    plaintexts = []
    for index, tag in enumerate(tags):
        packed = tag << (width * each)
        for place, digit in enumerate(slots[index * each : (index + 1) * each]):
            packed += digit << (width * place)
        plaintexts.append(packed % n)
    return plaintexts


def require_within(plan: dict, weight: int, values: list) -> None:
    most, unit, bound = (int(plan[name]) for name in ("max_weight", "weight_unit", "value_bound"))
    if len(values) != plan["length"] or abs(weight) > most * unit or any(abs(value) > most * bound for value in values):
        raise Refusal("the vector is beyond what the plan allows one owner")


def seal(plan: dict, slots: list, tags: list, n: int, randomisers: list = None) -> bytes:
    """The bytes of a contribution."""
    width = -(-2 * plan["key_bits"] // 8)
    given = randomisers or [None] * len(tags)
    return b"".join(raw_encrypt(n, m, r).to_bytes(width, "big") for m, r in zip(pack(plan, slots, tags, n), given))
