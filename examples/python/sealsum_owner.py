#!/usr/bin/env python3
"""A sealsum data owner in Python: joins the jobs that name it and contributes to their rounds. See README.md."""
import argparse
import getpass
import hashlib
import logging
import os
import random
import signal
import ssl
import struct
import sys
import time
from datetime import datetime
from fractions import Fraction
from pathlib import Path

try:
    import cryptography  # noqa: F401
    import numpy as np
except ImportError as missing:
    sys.exit(f"this needs numpy and cryptography ({missing}): pip install -r requirements.txt, or on Debian apt-get install python3-numpy python3-cryptography")

from cipher import TagSecret, modulus_of, require_within, seal, tags_of, verify_modulus
from errors import Over, Passing, Refusal
from line import Line
from model import Model, fields, read_records
from signing import canonical_digest, object_digest, read_identity, read_roster, unb64
from store import Store
from vector import Task

log = logging.getLogger("sealsum")


class Participation:
    """A job that this owner has found to be sound: section 8 of docs/protocol.md. Raises Refusal where it is not."""

    def __init__(self, owner: "Owner", view: dict) -> None:
        descriptor = view["descriptor"]
        fields(
            descriptor,
            "job",
            "job model_owner facilitator model model_hash public_key public_key_proof tag_key plan roster quorum deadline_seconds noise",
        )
        self.owner, self.descriptor = owner, descriptor
        self.job, self.model_owner = descriptor["job"], descriptor["model_owner"]
        self.digest = object_digest("job", descriptor)
        if owner.name not in descriptor["roster"]:
            raise Refusal(f"the roster of job {self.job} does not name {owner.name}")
        owner.roster.verify(self.model_owner, "model-owner", "job", descriptor, view["signature"])
        if descriptor["facilitator"] != owner.facilitator:
            raise Refusal(f"facilitator: the job is made for {descriptor['facilitator']}, and {owner.name} follows {owner.facilitator}")
        if canonical_digest(descriptor["model"]) != descriptor["model_hash"]:
            raise Refusal("model_hash: the model is not the one whose hash the job states")
        self.model = Model(descriptor["model"])
        self.task = Task(self.model)
        self.rho, noise_bound = self.task.require_noise(descriptor["noise"])
        self.plan = self.task.plan(len(descriptor["roster"]), noise_bound)
        if descriptor["plan"] != self.plan:
            stated = descriptor["plan"]
            wrong = sorted(name for name in {*stated, *self.plan} if stated.get(name) != self.plan.get(name))
            raise Refusal(f"plan: the model gives another plan than the job states, in {', '.join(wrong)}")
        self._require_participation()
        self._require_policy()
        self.n = modulus_of(descriptor["public_key"])
        if self.n.bit_length() != self.model.key_bits:
            raise Refusal(f"public_key: the key has {self.n.bit_length()} bits, not {self.model.key_bits}")
        verify_modulus(self.n, descriptor["public_key_proof"], self.job, self.model_owner)
        secret = TagSecret.of_job(owner.identity.storage_key, self.digest)
        self.tag_public, self.tag_key = secret.public, secret.agree(descriptor["tag_key"], owner.name)
        self.records = read_records(self.model, owner.data)

    def _require_participation(self) -> None:
        job, model = self.descriptor, self.model
        names = job["roster"]
        if not 2 <= model.quorum <= len(names) or len(set(names)) < len(names):
            raise Refusal("quorum: expected 2 at least, and no more than the roster names")
        if (job["quorum"], job["deadline_seconds"]) != (model.quorum, model.deadline):
            raise Refusal("quorum, deadline_seconds: they are not those of the model")
        if model.roster is not None and sorted(model.roster) != sorted(names):
            raise Refusal("roster: it is not that of the model")

    def _require_policy(self) -> None:
        owner = self.owner
        if self.model.quorum < owner.least_quorum:
            raise Refusal(f"the job has a quorum of {self.model.quorum}; this owner wants at least {owner.least_quorum}")
        if owner.rho_total is None:
            return
        if self.rho is None:
            raise Refusal("the job has no differential privacy, and this owner has a budget")
        unit = self.model.privacy["unit"]
        spent = owner.store.spent(owner.dataset, unit, beside=self.job)
        if spent + self.rho * self.model.rounds > owner.rho_total:
            raise Refusal(f"all rounds of the job would spend more than the rho_total of {float(owner.rho_total)} of this owner")

    def check(self, number: int, view: dict) -> dict:
        """The round, if it is what the job promised: section 14."""
        signed, job = view.get("signed"), self.descriptor
        if signed is None:
            raise Refusal(f"round {number} is shown without what its model owner signed")
        fields(signed["descriptor"], "round", "job round job_digest model_hash roster quorum deadline_seconds parameters", "clip")
        self.owner.roster.verify(self.model_owner, "model-owner", "round", signed["descriptor"], signed["signature"])
        asked = signed["descriptor"]
        expected = {"job": self.job, "round": number, "job_digest": self.digest}
        expected.update({name: job[name] for name in ("model_hash", "quorum", "deadline_seconds")})
        for name, value in expected.items():
            if asked[name] != value:
                raise Refusal(f"{name}: that of round {number} is not that of its job")
        if number > self.model.rounds:
            raise Refusal(f"round {number} is more than the {self.model.rounds} rounds that the job stated")
        names = asked["roster"]
        if len(set(names)) < max(len(names), job["quorum"]) or not set(names) <= set(job["roster"]) or self.owner.name not in names:
            raise Refusal(f"roster: round {number} asks too few, others than its job names, or not {self.owner.name}")
        if "clip" in asked:
            raise Refusal(f"clip: round {number} states one, and the job has its own")
        waits = datetime.fromisoformat(view["deadline"].replace("Z", "+00:00")) - datetime.fromisoformat(view["opened_at"].replace("Z", "+00:00"))
        if waits.total_seconds() > job["deadline_seconds"]:
            raise Refusal(f"deadline: round {number} is to wait longer than its job says")
        return asked

    def contribution(self, asked: dict, round_digest: str) -> bytes:
        """A fresh encryption each time it is called, which is once for a round."""
        weight, values = self.task.contribution(self.records, decode_parameters(asked["parameters"], self.task.parameter_count))
        require_within(self.plan, weight, values)
        tags = tags_of(self.tag_key, self.digest, asked["round"], round_digest, self.plan["ciphertexts"])
        return seal(self.plan, [1, weight, *values], tags, self.n)


def decode_parameters(text: str, count: int):
    data = unb64(text, "parameters", 8 * count)
    values = np.array(struct.unpack(f"<{count}d", data))
    if not np.isfinite(values).all() or (np.signbit(values) & (values == 0)).any():
        raise Refusal("parameters: expected finite numbers, and no zero with a sign")
    return values


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
            except Passing as passing:
                if not told:
                    log.warning("%s; trying again", passing)
                told = True
            time.sleep(wait * (1 + random.random()) / 2)
            wait = min(2 * wait, 5)

    def catch_up(self) -> None:
        """Events are hints: whatever was missed is found out from the facilitator's state."""
        listed = self.line.ask("GET", "/jobs")["jobs"]
        current = {each["job"]: each["round"] for each in listed if each["status"] == "open" and self.name in each["roster"]}
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
        except (Refusal, KeyError, TypeError, AttributeError) as error:
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
        except (Refusal, KeyError, TypeError, AttributeError) as error:
            answer.update(status="withdrawn" if same else "refused", reason=public_reason(error))
            log.error("job %s: %s: %s", job, answer["status"], reason_of(error))
        self.store.keep_answer(job, digest, answer)
        return answer

    def refuse_other(self, job: str, view: dict, digest: str, kept) -> dict:
        """Another descriptor under the name of an accepted one: refused, and the end of the accepted one too."""
        self.roster.verify(view["descriptor"]["model_owner"], "model-owner", "job", view["descriptor"], view["signature"])
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
            elif view.get("signed") is not None and object_digest("round", view["signed"]["descriptor"]) != kept[0]:
                self.roster.verify(self.jobs[job].model_owner, "model-owner", "round", view["signed"]["descriptor"], view["signed"]["signature"])
                raise Refusal(f"round {number} is another one than this owner contributed to")
            if kept is not None and kept[2] is not None:
                self.send_or_forget(job, number, kept, view)
        except Over as over:
            log.warning("job %s, round %d: %s", job, number, over)
        except (Refusal, KeyError, TypeError, ValueError, AttributeError) as error:
            self.withdraw(job, error)
            self.join(job)

    def make(self, taken: Participation, number: int, view: dict):
        """Check, charge, compute and encrypt, keep: nothing leaves before it is charged and kept, both on disk."""
        if view["status"] != "open" or self.name not in view["roster"]:
            return None
        if self.name in view["contributors"]:
            log.error("job %s, round %d: the facilitator has a contribution of this owner that this store knows nothing of", taken.job, number)
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
        statement = {"job": job, "round": number, "round_digest": round_digest, "owner": self.name, "digest": digest, "bytes": len(content)}
        signature = self.identity.sign_object("contribution", statement)
        path = f"/jobs/{job}/rounds/{number}/contributions/{self.name}"
        try:
            answer = self.line.send(path, content, {"contribution-signature": f"{signature['key']}.{signature['value']}"})
        except Over:
            self.store.settle(job, number)
            raise
        if answer["receipt"] != statement:
            raise Refusal(f"the receipt for round {number} is one for another contribution")
        self.roster.verify(self.facilitator, "facilitator", "receipt", statement, answer["signature"])
        self.store.settle(job, number, answer)
        log.info("job %s: contributed to round %d", job, number)

    def settle(self, job: str, number: int) -> None:
        """Gets the receipt of what was sent and not acknowledged, if the facilitator has it, and forgets the bytes otherwise."""
        kept = self.store.contribution(job, number)
        try:
            self.send_or_forget(job, number, kept, self.line.ask("GET", f"/jobs/{job}/rounds/{number}"))
        except Over:
            self.store.settle(job, number)
        except (Refusal, KeyError, TypeError, AttributeError) as error:
            self.withdraw(job, error)

    def withdraw(self, job: str, error: Exception) -> None:
        """Takes no further part in a job that it has accepted. Tells it when the job is next looked at."""
        taken = self.jobs.pop(job, None)
        kept = self.store.answer(job)
        if kept is None:
            return
        log.error("job %s: withdrawn: %s", job, reason_of(error))
        answer = {"job": job, "owner": self.name, "job_digest": kept[0], "status": "withdrawn", "reason": public_reason(error)}
        self.store.keep_answer(job, kept[0], answer)
        for each, number in self.store.unsettled():
            if each == job:
                self.store.settle(job, number)
        del taken

    def end(self, job: str) -> None:
        for each, number in self.store.unsettled():
            if each == job:
                self.settle(job, number)
        if self.jobs.pop(job, None) is not None:
            log.info("job %s is over", job)


def reason_of(error: Exception) -> str:
    return str(error) if isinstance(error, Refusal) else f"a message is not as it must be ({error!r})"


def public_reason(error: Exception) -> str:
    return error.public[:1000] if isinstance(error, Refusal) else "a message is not as it must be; the owner knows more"


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
        description="A sealsum data owner in Python. It makes outgoing connections only, and goes on where it was when it is started again.",
        epilog="example: sealsum_owner.py --name owner-3 --identity project/owner-3/identity.json "
        "--passphrase-file project/owner-3/passphrase --roster project/roster.toml --data data.csv",
    )
    parser.add_argument("--name", required=True, help="this owner's on the roster")
    parser.add_argument("--identity", required=True, metavar="FILE", help="its identity.json, as sealsum init or join makes it")
    parser.add_argument("--roster", required=True, metavar="FILE", help="roster.toml")
    parser.add_argument("--data", required=True, metavar="FILE", help="CSV or TSV; its name is what a budget is kept for")
    parser.add_argument("--store", default="owner.sqlite", metavar="FILE", help="what must not be forgotten (owner.sqlite)")
    parser.add_argument("--passphrase-file", metavar="FILE", help="else SEALSUM_PASSPHRASE, else you are asked")
    parser.add_argument("--facilitator", metavar="URL", help="what the roster says unless given")
    parser.add_argument("--ca", metavar="FILE", help="who signed the facilitator's certificate (PEM)")
    parser.add_argument("--certificate", metavar="FILE", help="what to show a facilitator that asks for one (PEM)")
    parser.add_argument("--key", metavar="FILE", help="its private key (PEM)")
    parser.add_argument("--least-quorum", type=int, default=2, metavar="N", help="contributors that every round must have (2)")
    parser.add_argument("--rho-total", type=Fraction, metavar="R", help="what may be spent of the data in all; with it, no job without differential privacy")
    return parser.parse_args(arguments)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        Owner(parse_options()).run()
    except KeyboardInterrupt:
        sys.exit(0)
    except (Refusal, OSError) as error:
        sys.exit(f"sealsum_owner: {error}")


if __name__ == "__main__":
    main()
