"""Identities, rosters and signed objects: sections 2 and 3 of docs/protocol.md."""
import base64
import hashlib
import json
import math
import os
import re
import stat
import unicodedata
from decimal import Decimal

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from errors import Refusal

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text, what: str, length: int = None) -> bytes:
    """Bytes from the only base64url text that there is for them."""
    if isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if b64(data) == text and (length is None or len(data) == length):
            return data
    raise Refusal(f"{what}: expected {'' if length is None else f'{length} bytes in '}base64url")


def parse_json(text):
    """I-JSON (RFC 7493): no name twice, no NaN; numbers are doubles, so that 1152921504606847000 is 2^60."""

    def once(pairs):
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name comes twice")
        return dict(pairs)

    def refuse(constant):
        raise ValueError(f"{constant} is no number")

    def integer(digits):
        return int(digits) if len(digits) < 16 else float(digits)

    return json.loads(text, object_pairs_hook=once, parse_constant=refuse, parse_int=integer)


def canonical(value) -> str:
    """RFC 8785."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise Refusal("half of a surrogate pair is no text") from None
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(f"{canonical(name)}:{canonical(value[name])}" for name in names) + "}"


def _number(value) -> str:
    """A double as ECMAScript writes it (Number::toString): Python finds the same digits and places them otherwise."""
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Refusal("a number is beyond all doubles")
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(abs(value))).normalize().as_tuple()
    text, sign = "".join(map(str, digits)), "-" if value < 0 else ""
    point = len(text) + exponent
    if len(text) <= point <= 21:
        return sign + text + "0" * (point - len(text))
    if 0 < point <= 21:
        return f"{sign}{text[:point]}.{text[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{text}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{sign}{text[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def canonical_digest(value) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def signed_bytes(kind: str, value) -> bytes:
    return f"sealsum {kind} v1\n{canonical(value)}".encode()


def object_digest(kind: str, value) -> str:
    return hashlib.sha256(signed_bytes(kind, value)).hexdigest()


def fingerprint(key: str) -> str:
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{key}"}}'
    return b64(hashlib.sha256(jwk.encode()).digest())


_PRIME = 2**255 - 19
_D = -121665 * pow(121666, _PRIME - 2, _PRIME) % _PRIME


def public_key(key: str, name: str) -> Ed25519PublicKey:
    """A point of the curve in its only encoding, and none of small order, under which anybody could sign anything."""
    data = unb64(key, f"the key of {name}", 32)
    y = int.from_bytes(data, "little") & (2**255 - 1)
    square = y * y
    on_curve = pow((square - 1) * (_D * square + 1), (_PRIME - 1) // 2, _PRIME) != _PRIME - 1
    small = y * (square - 1) * (_D * square * square + 2 * square - 1) % _PRIME == 0
    if y >= _PRIME or not on_curve or small:
        raise Refusal(f"the key of {name} is no Ed25519 public key")
    return Ed25519PublicKey.from_public_bytes(data)


class Identity:
    """Who this owner is: the only thing that can sign in its name."""

    def __init__(self, name: str, seed: bytes, storage_key: bytes = b"") -> None:
        self.name = name
        self.storage_key = storage_key
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = b64(self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        self.fingerprint = fingerprint(self.key)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def sign_object(self, kind: str, value) -> dict:
        signature = b64(self.sign(signed_bytes(kind, value)))
        return {"party": self.name, "key": self.fingerprint, "value": signature}


def read_identity(path: str, name: str, passphrase: str) -> Identity:
    """Opens the identity.json of a data owner."""
    if os.name == "posix" and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        raise Refusal(f"{path} may be read by others: chmod 600 {path}")
    with open(path, encoding="utf-8") as file:
        sealed = parse_json(file.read())
    purpose = f"identity of data-owner {name}"
    kdf = {"name": "scrypt", "N": 131072, "r": 8, "p": 1}
    found = {each: sealed.get("kdf", {}).get(each) for each in kdf}
    if (sealed.get("format"), sealed.get("version"), found) != ("sealsum sealed secret", 1, kdf):
        raise Refusal(f"{path} is no sealed secret of sealsum")
    if sealed.get("purpose") != purpose:
        raise Refusal(f"{path} is the {sealed.get('purpose')}, not the {purpose}")
    key = hashlib.scrypt(
        unicodedata.normalize("NFC", passphrase).encode(),
        salt=unb64(sealed["kdf"]["salt"], "kdf.salt", 32),
        n=kdf["N"],
        r=kdf["r"],
        p=kdf["p"],
        maxmem=128 * 8 * (kdf["N"] + 3),
        dklen=32,
    )
    ciphertext = unb64(sealed.pop("ciphertext"), "ciphertext") + unb64(sealed.pop("tag"), "tag", 16)
    nonce = unb64(sealed["cipher"]["nonce"], "cipher.nonce", 12)
    try:
        secrets = json.loads(AESGCM(key).decrypt(nonce, ciphertext, canonical(sealed).encode()))
    except InvalidTag:
        raise Refusal(f"{path}: the passphrase does not open it, or the file was changed") from None
    return Identity(name, unb64(secrets["seed"], "seed", 32), unb64(secrets["storage_key"], "storage_key", 32))


class Roster:
    """Everybody who belongs."""

    def __init__(self, parties: list) -> None:
        self._parties = {}
        known = set()
        for party in parties:
            name, keys = party["name"], [party["key"], *party.get("previous", [])]
            if name in self._parties or known.intersection(keys) or not NAME.match(name):
                raise Refusal(f"the roster names {name}, or one of its keys, twice or wrongly")
            known.update(keys)
            self._parties[name] = (party["role"], {fingerprint(key): public_key(key, name) for key in keys}, party)

    def entry(self, name: str, role: str) -> dict:
        found = self._parties.get(name)
        if found is None or found[0] != role:
            raise Refusal(f"the roster names no {role} {name}")
        return found[2]

    def with_role(self, role: str) -> list:
        return [name for name, (found, _, _) in self._parties.items() if found == role]

    def verify(self, name: str, role: str, kind: str, value, signature: dict) -> None:
        """Checks that a party of this role signed this object, with its present key or an earlier one."""
        self.entry(name, role)
        key = self._parties[name][1].get(signature.get("key"))
        if signature.get("party") != name or key is None:
            raise Refusal(f"the {kind} is not signed by {name}: it names another party or key")
        try:
            key.verify(unb64(signature.get("value"), "signature.value", 64), signed_bytes(kind, value))
        except InvalidSignature:
            raise Refusal(f"the {kind} is not signed by {name}: the signature does not match") from None


def read_roster(path: str) -> Roster:
    try:
        import tomllib
    except ImportError:
        try:
            import tomli as tomllib
        except ImportError:
            raise Refusal("roster.toml needs Python 3.11, or: pip install tomli") from None
    with open(path, "rb") as file:
        return Roster(tomllib.load(file).get("party", []))
