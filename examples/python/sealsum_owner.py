#!/usr/bin/env python3
"""A sealsum data owner in Python: joins the jobs that name it and contributes to their rounds. See README.md."""
import argparse
import getpass
import hashlib
import ipaddress
import logging
import os
import random
import signal
import sqlite3
import ssl
import sys
import time
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

try:
    import cryptography  # noqa: F401
    import numpy  # noqa: F401
except ImportError as missing:
    sys.exit(
        f"this needs numpy and cryptography ({missing}): pip install -r requirements.txt, "
        "or on Debian apt-get install python3-numpy python3-cryptography"
    )

from errors import MALFORMED, Over, Passing, Refusal
from line import Line
from participation import Participation
from signing import NAME, object_digest, read_identity, read_roster
from store import Store

log = logging.getLogger("sealsum")


class Owner:
    """Follows the facilitator, answers jobs, contributes to rounds: sections 5, 16 and 18."""

    def __init__(self, options) -> None:
        self.name, self.data, self.dataset = options.name, options.data, Path(options.data).name
        self.roster = read_roster(options.roster)
        entry = self.roster.entry(self.name, "data-owner")
        self.identity = read_identity(options.identity, self.name, passphrase_of(options))
        if self.identity.key != entry["key"]:
            raise Refusal(f"the key in {options.identity} is not the one that the roster has for {self.name}")
        facilitators = self.roster.with_role("facilitator")
        if len(facilitators) != 1:
            raise Refusal("this owner works with a roster that names one facilitator")
        self.facilitator = facilitators[0]
        url = options.facilitator or self.roster.entry(self.facilitator, "facilitator").get("url")
        if url is None:
            raise Refusal("the roster does not say where the facilitator is: give --facilitator")
        if urlsplit(url).scheme != "https" and not options.allow_plaintext and not is_loopback(urlsplit(url).hostname):
            raise Refusal(f"{url} is another machine: take https, or say --allow-plaintext")
        self.line = Line(url, self.identity, tls_of(options))
        self.least_quorum = options.least_quorum
        self.rho_total = options.rho_total
        self.store = Store(options.store)
        self.jobs = {}
        self.last_event = None

    def run(self) -> None:
        wait, told = 0.1, False
        while True:
            try:
                for event in self.line.events(self.last_event):
                    if event is None:
                        self.catch_up()
                        log.info("following the facilitator")
                        told = False
                    else:
                        wait = 0.1
                        self.handle(event)
                        self.last_event = event["id"]
            except (Passing, Over, Refusal, *MALFORMED) as error:
                if not told:
                    log.warning("%s; trying again", error if isinstance(error, Passing) else reason_of(error))
                told = True
            time.sleep(wait * (1 + random.random()) / 2)
            wait = min(2 * wait, 5)

    def catch_up(self) -> None:
        """Events are hints: whatever was missed is found out from the facilitator's state."""
        listed = self.line.ask("GET", "/jobs")["jobs"]
        own = [each for each in listed if each["status"] == "open" and self.name in each["roster"]]
        current = {each["job"]: each["round"] for each in own}
        for job in set(self.jobs) - set(current):
            self.end(job)
        for job, number in self.store.unsettled():
            if current.get(job) != number:
                self.settle(job, number)
        for job, number in current.items():
            self.join(job)
            if number > 0:
                self.attend(job, number)

    def handle(self, event: dict) -> None:
        kind, job = event["type"], event["job"]
        if kind == "job.created" or (kind == "owner.answered" and event.get("status") == "absent"):
            self.join(job)
        elif kind == "round.opened":
            self.attend(job, event["round"])
        elif kind == "job.ended":
            self.end(job)

    def join(self, job: str) -> None:
        """Sees to it that this owner has an answer to an open job, and that the facilitator knows it."""
        try:
            if not NAME.match(job):
                raise Refusal("this is no name of a job")
            view = self.line.ask("GET", f"/jobs/{job}")
            if view["status"] != "open":
                self.end(job)
                return
            answer = self.answer_to(job, view)
            known = next((each for each in view["owners"] if each["owner"] == self.name), {})
            if known.get("status") != answer["status"] or known.get("answer", {}).get("answer") != answer:
                signed = {"answer": answer, "signature": self.identity.sign_object("answer", answer)}
                self.line.ask("PUT", f"/jobs/{job}/owners/{self.name}", signed)
        except Over:
            self.end(job)
        except (Refusal, *MALFORMED) as error:
            log.error("job %s: what the facilitator shows or answers cannot be used: %r", job, error)

    def answer_to(self, job: str, view: dict) -> dict:
        digest = object_digest("job", view["descriptor"])
        if view["descriptor"].get("job") != job:
            raise Refusal(f"the facilitator shows {view['descriptor'].get('job')} as job {job}")
        kept = self.store.answer(job)
        if kept is not None and kept[0] != digest and kept[1]["status"] != "refused":
            return self.refuse_other(job, view, digest, kept)
        same = kept is not None and kept[0] == digest
        if same and (kept[1]["status"] != "ready" or job in self.jobs):
            return kept[1]
        answer = {"job": job, "owner": self.name, "job_digest": digest}
        try:
            taken = Participation(self, view)
            self.jobs[job] = taken
            answer.update(status="ready", tag_key=taken.tag_public)
            log.info("job %s: ready, with %d records, %d left out", job, taken.records.count, taken.records.dropped)
        except (Refusal, *MALFORMED) as error:
            answer.update(status="withdrawn" if same else "refused", reason=public_reason(error))
            log.error("job %s: %s: %s", job, answer["status"], reason_of(error))
        self.store.keep_answer(job, digest, answer)
        return answer

    def refuse_other(self, job: str, view: dict, digest: str, kept) -> dict:
        """Another descriptor under the name of an accepted one: refused, and the end of the accepted one too."""
        descriptor = view["descriptor"]
        self.roster.verify(descriptor["model_owner"], "model-owner", "job", descriptor, view["signature"])
        log.error("job %s: the model owner has signed two descriptors of it, %s and %s", job, kept[0], digest)
        reason = f"the job is another one ({digest}) than this owner accepted under its name ({kept[0]})"
        if kept[1]["status"] == "ready":
            self.withdraw(job, Refusal(reason))
        return {"job": job, "owner": self.name, "job_digest": digest, "status": "refused", "reason": reason}

    def attend(self, job: str, number: int) -> None:
        """Does whatever is left to do about a round: contributes, sends again, or forgets."""
        try:
            if job not in self.jobs:
                self.join(job)
            if job not in self.jobs:
                return
            view = self.line.ask("GET", f"/jobs/{job}/rounds/{number}")
            kept = self.store.contribution(job, number)
            if kept is None:
                kept = self.make(self.jobs[job], number, view)
            elif "signed" in view and object_digest("round", view["signed"]["descriptor"]) != kept[0]:
                self.jobs[job].require_signed(view["signed"])
                raise Refusal(f"round {number} is another one than this owner contributed to")
            if kept is not None and kept[2] is not None:
                self.send_or_forget(job, number, kept, view)
        except Over as over:
            log.warning("job %s, round %d: %s", job, number, over)
        except (Refusal, *MALFORMED) as error:
            self.withdraw(job, error)
            self.join(job)

    def make(self, taken: Participation, number: int, view: dict):
        """Check, charge, compute and encrypt, keep: nothing leaves before it is charged and kept, both on disk."""
        if view["status"] != "open" or self.name not in view["roster"]:
            return None
        if self.name in view["contributors"]:
            what = "the facilitator has a contribution of this owner that this store knows nothing of"
            log.error("job %s, round %d: %s", taken.job, number, what)
            return None
        asked = taken.check(number, view)
        self.charge(taken, number)
        round_digest = object_digest("round", asked)
        content = taken.contribution(asked, round_digest)
        digest = hashlib.sha256(content).hexdigest()
        self.store.keep_contribution(taken.job, number, round_digest, digest, content)
        return round_digest, digest, content, False

    def charge(self, taken: Participation, number: int) -> None:
        if self.store.is_charged(taken.job, number):
            return
        unit = None if taken.rho is None else taken.model.privacy["unit"]
        if self.rho_total is not None and self.store.spent(self.dataset, unit) + taken.rho > self.rho_total:
            raise Refusal(f"round {number} would spend more than the rho_total of this owner")
        self.store.charge(taken.job, number, self.dataset, unit, taken.rho)

    def send_or_forget(self, job: str, number: int, kept, view: dict) -> None:
        """Sends the bytes that are kept, as they are, and keeps the receipt in their place."""
        round_digest, digest, content, _ = kept
        if view["status"] != "open" and self.name not in view["contributors"]:
            self.store.settle(job, number)
            return
        statement = {"job": job, "round": number, "round_digest": round_digest, "owner": self.name}
        statement.update(digest=digest, bytes=len(content))
        signature = self.identity.sign_object("contribution", statement)
        path = f"/jobs/{job}/rounds/{number}/contributions/{self.name}"
        header = {"contribution-signature": f"{signature['key']}.{signature['value']}"}
        try:
            answer = self.line.send(path, content, header)
        except Over:
            self.store.settle(job, number)
            raise
        if answer["receipt"] != statement:
            raise Refusal(f"the receipt for round {number} is one for another contribution")
        self.roster.verify(self.facilitator, "facilitator", "receipt", statement, answer["signature"])
        self.store.settle(job, number, answer)
        log.info("job %s: contributed to round %d", job, number)

    def settle(self, job: str, number: int) -> None:
        """Gets the receipt of what was sent, if the facilitator has it, and forgets the bytes otherwise."""
        kept = self.store.contribution(job, number)
        try:
            self.send_or_forget(job, number, kept, self.line.ask("GET", f"/jobs/{job}/rounds/{number}"))
        except Over:
            self.store.settle(job, number)
        except (Refusal, *MALFORMED) as error:
            self.withdraw(job, error)

    def withdraw(self, job: str, error: Exception) -> None:
        """Takes no further part in a job that it has accepted. Tells it when the job is next looked at."""
        self.jobs.pop(job, None)
        kept = self.store.answer(job)
        if kept is None:
            return
        log.error("job %s: withdrawn: %s", job, reason_of(error))
        answer = {"job": job, "owner": self.name, "job_digest": kept[0], "status": "withdrawn"}
        self.store.keep_answer(job, kept[0], {**answer, "reason": public_reason(error)})
        for each, number in self.store.unsettled():
            if each == job:
                self.store.settle(job, number)

    def end(self, job: str) -> None:
        for each, number in self.store.unsettled():
            if each == job:
                self.settle(job, number)
        if self.jobs.pop(job, None) is not None:
            log.info("job %s is over", job)


def reason_of(error: Exception) -> str:
    return str(error) if isinstance(error, (Refusal, Over)) else f"a message is not as it must be ({error!r})"


def public_reason(error: Exception) -> str:
    return error.public[:1000] if isinstance(error, Refusal) else "a message is not as it must be; the owner knows more"


def is_loopback(host) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def passphrase_of(options) -> str:
    if options.passphrase_file is not None:
        return Path(options.passphrase_file).read_text(encoding="utf-8").rstrip("\n").rstrip("\r")
    return os.environ.get("SEALSUM_PASSPHRASE") or getpass.getpass(f"Passphrase of the identity of {options.name}: ")


def tls_of(options) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.certificate is not None:
        context.load_cert_chain(options.certificate, options.key)
    return context


def parse_options(arguments=None):
    parser = argparse.ArgumentParser(
        description="A sealsum data owner in Python. It only makes outgoing connections, and goes on where it was\n"
        "when it is started again. README.md tells what it does and what not.",
        epilog="example:\n"
        "  sealsum_owner.py --name owner-3 --identity project/owner-3/identity.json \\\n"
        "    --passphrase-file project/owner-3/passphrase --roster project/roster.toml --data data.csv",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", required=True, help="this owner's on the roster")
    parser.add_argument(
        "--identity", required=True, metavar="FILE", help="its identity.json, as sealsum init or join makes it"
    )
    parser.add_argument("--roster", required=True, metavar="FILE", help="roster.toml")
    parser.add_argument(
        "--data", required=True, metavar="FILE", help="CSV or TSV; its name is what a budget is kept for"
    )
    parser.add_argument(
        "--store", default="owner.sqlite", metavar="FILE", help="what must not be forgotten (owner.sqlite)"
    )
    parser.add_argument("--passphrase-file", metavar="FILE", help="else SEALSUM_PASSPHRASE, else you are asked")
    parser.add_argument("--facilitator", metavar="URL", help="what the roster says unless given")
    parser.add_argument("--ca", metavar="FILE", help="who signed the facilitator's certificate (PEM)")
    parser.add_argument("--certificate", metavar="FILE", help="what to show a facilitator that asks for one (PEM)")
    parser.add_argument("--key", metavar="FILE", help="its private key (PEM)")
    parser.add_argument("--allow-plaintext", action="store_true", help="speak to another machine without TLS")
    parser.add_argument(
        "--least-quorum", type=int, default=2, metavar="N", help="contributors that every round must have (2)"
    )
    parser.add_argument(
        "--rho-total",
        type=Fraction,
        metavar="R",
        help="what may be spent of the data in all; jobs without differential privacy are refused then",
    )
    return parser.parse_args(arguments)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        Owner(parse_options()).run()
    except KeyboardInterrupt:
        sys.exit(0)
    except (Refusal, OSError, sqlite3.Error) as error:
        sys.exit(f"sealsum_owner: {error}")


if __name__ == "__main__":
    main()
