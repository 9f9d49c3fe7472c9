"""The line to the facilitator: signed requests, answers, events. Sections 4 to 7 of docs/protocol.md."""
import base64
import hashlib
import http.client
import json
import secrets
import ssl
import time
from urllib.parse import urlsplit

from errors import MALFORMED, Over, Passing, Refusal
from signing import Identity, b64, parse_json

OVER = {"job-unknown", "job-ended", "round-unknown", "round-closed", "round-abandoned"}
NOT_NOW = {408, 425, 429}
# Clocks and rosters, here or there, are mended by people while this goes on.
OF_PEOPLE = {"signature-missing", "signature-invalid", "signature-expired", "party-unknown", "role-forbidden"}
SILENCE = 45
# The longest answer that is read, in bytes: a round of a million parameters takes 11 MB.
LONGEST = 1 << 26


def sign_request(
    identity: Identity, method: str, url: str, body: bytes = None, created: int = None, nonce: bytes = None
):
    """The headers that make a request this owner's own (RFC 9421), and the signature base."""
    parts = urlsplit(url)
    components = [
        ("@method", method),
        ("@authority", authority(url)),
        ("@path", parts.path or "/"),
        ("@query", f"?{parts.query}"),
    ]
    headers = {}
    if body is not None or method in ("PUT", "POST", "PATCH"):
        digest = base64.b64encode(hashlib.sha256(body or b"").digest()).decode()
        headers["content-digest"] = f"sha-256=:{digest}:"
        components.append(("content-digest", headers["content-digest"]))
    parameters = (
        f"({' '.join(json.dumps(name) for name, _ in components)})"
        f";created={int(time.time()) if created is None else created}"
        f';nonce="{b64(secrets.token_bytes(16) if nonce is None else nonce)}"'
        f';keyid="{identity.fingerprint}";alg="ed25519";tag="sealsum"'
    )
    lines = [*components, ("@signature-params", parameters)]
    base = "\n".join(f'"{name}": {value}' for name, value in lines)
    headers["signature-input"] = f"sealsum={parameters}"
    headers["signature"] = f"sealsum=:{base64.b64encode(identity.sign(base.encode())).decode()}:"
    return headers, base


def authority(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    own = {"http": 80, "https": 443}[parts.scheme]
    return host if parts.port in (None, own) else f"{host}:{parts.port}"


class Line:
    """Requests to one facilitator in the name of one owner."""

    def __init__(self, url: str, identity: Identity, tls: ssl.SSLContext = None, patience: float = 30) -> None:
        self.url = url.rstrip("/")
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise Refusal(f"{url}: expected a URL such as https://sums.example.org:8443")
        self.identity = identity
        self.patience = patience
        self._tls = tls

    def ask(self, method: str, path: str, message=None):
        """Sends JSON, reads JSON; None for an answer without a body."""
        body = None if message is None else json.dumps(message).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        return self._repeat(method, path, body, headers)

    def send(self, path: str, body: bytes, headers: dict):
        """Puts ciphertexts."""
        return self._repeat("PUT", path, body, {"content-type": "application/octet-stream", **headers})

    def events(self, last: int = None):
        """Events as they come; first None, once the line stands."""
        path = f"/events?owner={self.identity.name}"
        headers = {"accept": "text/event-stream"}
        if last is not None:
            headers["last-event-id"] = str(last)
        connection, answer = self._open("GET", path, None, headers, SILENCE)
        try:
            if answer.status != 200:
                _, wait, why = self._refused(answer, path)
                time.sleep(wait)
                raise Passing(why)
            yield None
            data = []
            while True:
                line = answer.readline(1 << 20)
                if line == b"":
                    return
                line = line.rstrip(b"\r\n")
                if line.startswith(b"data:"):
                    data.append(line[5:].lstrip(b" "))
                elif line == b"" and data:
                    yield parse_json(b"\n".join(data))
                    data = []
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise Passing(f"the event stream broke: {error}") from error
        finally:
            connection.close()

    def _repeat(self, method: str, path: str, body, headers: dict):
        until = time.monotonic() + self.patience
        longest = 0.1
        while True:
            try:
                return self._once(method, path, body, headers)
            except Passing as passing:
                wait = getattr(passing, "after", 0) + longest * (1 + secrets.randbelow(1000) / 1000) / 2
                if time.monotonic() + wait > until:
                    raise
            time.sleep(wait)
            longest = min(2 * longest, 5)

    def _once(self, method: str, path: str, body, headers: dict):
        connection, answer = self._open(method, path, body, headers, 30)
        try:
            if answer.status >= 300:
                code, after, why = self._refused(answer, f"{method} {path}")
                raise self._meaning(answer.status, code, after, why)
            content = answer.read(LONGEST + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Passing(f"{method} {path}: the answer broke off: {error}") from error
        finally:
            connection.close()
        try:
            if len(content) > LONGEST:
                raise ValueError
            return parse_json(content) if content else None
        except (ValueError, RecursionError):
            raise Passing(f"the answer to {method} {path} cannot be read") from None

    def _open(self, method: str, path: str, body, headers: dict, timeout: float):
        url = self.url + path
        parts = urlsplit(url)
        signed, _ = sign_request(self.identity, method, url, body)
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=self._tls)
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, body, {"host": authority(url), **headers, **signed})
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Passing(f"{self.url} does not answer; is it running? ({error})") from error

    @staticmethod
    def _refused(answer, request: str):
        """The code of a problem (RFC 9457), after how many seconds to ask again, and why."""
        try:
            problem = parse_json(answer.read(1 << 20))
            code = problem["type"].rpartition(":")[2]
            why = f"{request} was refused: {problem['detail']}"
        except (*MALFORMED, OSError, http.client.HTTPException):
            code, why = "", f"{request} was answered {answer.status}"
        asked = answer.getheader("retry-after") or ""
        return code, min(int(asked), 30) if asked.isdigit() else 0, why

    @staticmethod
    def _meaning(status: int, code: str, after: int, why: str) -> Exception:
        if status >= 500 or status in NOT_NOW or code == "nonce-reused" or code in OF_PEOPLE:
            passing = Passing(why)
            passing.after = after
            return passing
        return Over(why) if code in OVER else Refusal(why)
