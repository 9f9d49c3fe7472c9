"""A job that this owner takes part in: sections 8 and 14 of docs/protocol.md, and its contributions to the job's rounds."""
from datetime import datetime

import numpy as np

from cipher import TagSecret, modulus_of, require_within, seal, tags_of, verify_modulus
from errors import Refusal
from model import Model, fields, read_records
from signing import canonical_digest, object_digest, unb64
from vector import Task


class Participation:
    """A job that this owner has found to be sound; making one raises Refusal where it is not."""

    def __init__(self, owner, view: dict) -> None:
        descriptor = view["descriptor"]
        fields(
            descriptor,
            "job",
            "job model_owner facilitator model model_hash public_key public_key_proof tag_key plan roster quorum "
            "deadline_seconds noise",
        )
        self.owner, self.descriptor = owner, descriptor
        self.job, self.model_owner = descriptor["job"], descriptor["model_owner"]
        self.digest = object_digest("job", descriptor)
        if owner.name not in descriptor["roster"]:
            raise Refusal(f"the roster of job {self.job} does not name {owner.name}")
        owner.roster.verify(self.model_owner, "model-owner", "job", descriptor, view["signature"])
        if descriptor["facilitator"] != owner.facilitator:
            made_for = descriptor["facilitator"]
            raise Refusal(f"facilitator: the job is made for {made_for}, and {owner.name} follows {owner.facilitator}")
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
            raise Refusal(
                f"the job has a quorum of {self.model.quorum}; this owner wants {owner.least_quorum} at least"
            )
        if owner.rho_total is None:
            return
        if self.rho is None:
            raise Refusal("the job has no differential privacy, and this owner has a budget")
        unit = self.model.privacy["unit"]
        spent = owner.store.spent(owner.dataset, unit, beside=self.job)
        if spent + self.rho * self.model.rounds > owner.rho_total:
            raise Refusal(f"the job would spend more than the rho_total of {float(owner.rho_total)} of this owner")

    def check(self, number: int, view: dict) -> dict:
        """The round, if it is what the job promised: section 14."""
        signed, job = view.get("signed"), self.descriptor
        if signed is None:
            raise Refusal(f"round {number} is shown without what its model owner signed")
        asked = signed["descriptor"]
        known = "job round job_digest model_hash roster quorum deadline_seconds parameters"
        fields(asked, "round", known, "clip")
        self.require_signed(signed)
        expected = {"job": self.job, "round": number, "job_digest": self.digest}
        expected.update({name: job[name] for name in ("model_hash", "quorum", "deadline_seconds")})
        for name, value in expected.items():
            if asked[name] != value:
                raise Refusal(f"{name}: that of round {number} is not that of its job")
        if number > self.model.rounds:
            raise Refusal(f"round {number} is more than the {self.model.rounds} rounds that the job stated")
        names = set(asked["roster"])
        if len(names) < max(len(asked["roster"]), job["quorum"]) or not {self.owner.name} <= names <= set(
            job["roster"]
        ):
            raise Refusal(f"roster: round {number} asks too few, others than its job names, or not {self.owner.name}")
        if "clip" in asked:
            raise Refusal(f"clip: round {number} states one, and the job has its own")
        if (moment(view["deadline"]) - moment(view["opened_at"])).total_seconds() > job["deadline_seconds"]:
            raise Refusal(f"deadline: round {number} is to wait longer than its job says")
        return asked

    def require_signed(self, signed: dict) -> None:
        """Checks the model owner's signature of a round."""
        self.owner.roster.verify(self.model_owner, "model-owner", "round", signed["descriptor"], signed["signature"])

    def contribution(self, asked: dict, round_digest: str) -> bytes:
        """A fresh encryption each time it is called, which is once for a round."""
        parameters = decode_parameters(asked["parameters"], self.task.parameter_count)
        weight, values = self.task.contribution(self.records, parameters)
        require_within(self.plan, weight, values)
        tags = tags_of(self.tag_key, self.digest, asked["round"], round_digest, self.plan["ciphertexts"])
        return seal(self.plan, [1, weight, *values], tags, self.n)


def decode_parameters(text: str, count: int):
    values = np.frombuffer(unb64(text, "parameters", 8 * count), "<f8")
    if not np.isfinite(values).all() or (np.signbit(values) & (values == 0)).any():
        raise Refusal("parameters: expected finite numbers, and no zero with a sign")
    return values


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
