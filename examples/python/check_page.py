#!/usr/bin/env python3
"""Computes every test vector of docs/protocol.md anew with this example's code. Usage: check_page.py ../../docs/protocol.md"""
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from fractions import Fraction
from hashlib import sha256
from math import ceil, isqrt

import numpy as np

from beyond import Divided, Encrypted, Statistics, VectorSum, parts
from closing import Closing
from cipher import TagSecret, challenges, jacobi, modulus_of, pack, powmod, seal, tags_of
from line import sign_request
from model import Model, read_records
from participation import decode_parameters
from signing import Identity, b64, canonical, canonical_digest, fingerprint, object_digest, parse_json, unb64
from vector import Task, plan_of


def north(page: dict) -> Identity:
    return Identity("north", bytes.fromhex(page["identity"]["seed"]))


def identity(page, given):
    who = north(page)
    return {"key": who.key, "fingerprint": fingerprint(who.key)}


def signing(page, given):
    return {
        "canonical": canonical(given["object"]),
        "canonical_digest": canonical_digest(given["object"]),
        "object_digest": object_digest(given["kind"], given["object"]),
        "signature": north(page).sign_object(given["kind"], given["object"]),
    }


def request(page, given):
    body = given["body"].encode() if "body" in given else None
    headers, base = sign_request(
        north(page), given["method"], given["url"], body, given["created"], bytes.fromhex(given["nonce"])
    )
    return {"headers": headers, "base": base}


def parameters(page, given):
    values = decode_parameters(given["text"], len(given["values"]))
    return {"values": list(values), "text": b64(np.array(given["values"], "<f8").tobytes())}


@contextmanager
def data_file(page):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "data.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write(page["features"]["file"])
        yield path


def records_of(page, model):
    with data_file(page) as path:
        return read_records(model, path)


def features(page, given):
    records = records_of(page, Model(given["model"]))
    return {"model_hash": canonical_digest(given["model"]), "x": records.x.tolist(), "y": records.y.tolist()}


def vector(page, given):
    model = Model({**page["features"]["model"], **given["with"]})
    task = Task(model)
    _, noise_bound = task.require_noise(given["noise"])
    asked = decode_parameters(given["parameters"], task.parameter_count)
    weight, values = task.contribution(records_of(page, model), asked)
    return {
        "plan": task.plan(given["plan"]["owners"], noise_bound),
        "weight": str(weight),
        "values": list(map(str, values)),
    }


def division(page, given):
    held_out, fold = parts(given, given["x"], given["y"])
    return {"held_out": held_out, "fold": fold}


def divided(page, given):
    own = Divided({**page["features"]["model"], **given["with"]})
    _, noise_bound = own.task.require_noise(given["noise"])
    asked = decode_parameters(given["parameters"], own.task.parameter_count)
    with data_file(page) as path:
        weight, values = own.contribution(path, asked)
    plan = own.plan(given["plan"]["owners"], noise_bound)
    return {"plan": plan, "weight": str(weight), "values": list(map(str, values))}


def closing(page, given):
    own = Closing({**page["features"]["model"], **given["with"]})
    asked = decode_parameters(given["parameters"], own.parameter_count)
    weight, values = own.contribution(records_of(page, own.model), asked)
    return {"plan": own.plan(given["plan"]["owners"]), "weight": str(weight), "values": list(map(str, values))}


def encrypted(page, given):
    own = Encrypted({**page["features"]["model"], **given["with"]})
    asked = decode_parameters(given["parameters"], own.model.width)
    noise_bound = 0
    if given["noise"] is not None:
        rounds, greatest = own.model.rounds, own.greatest()
        variance = ceil(rounds * Fraction(greatest**2) / (2 * Fraction(given["with"]["privacy"]["rho"])))
        assert given["noise"]["variance"] == str(variance)
        noise_bound = 16 * (isqrt(variance) + 1)
    plan = plan_of(own.model.key_bits, own.model.width + 1, given["plan"]["owners"], own.bounds(), noise_bound)
    weight, values = own.contribution(records_of(page, own.model), asked)
    return {"plan": plan, "weight": str(weight), "values": list(map(str, values))}


def statistics(page, given):
    own = Statistics(given["model"], given["file"])
    return other(given, own, own.contribution(), 2**20)


def vector_sum(page, given):
    own = VectorSum(given["model"])
    return other(given, own, own.contribution(given["vector"], int(given["weight"])), own.greatest)


def other(given, own, contribution, greatest):
    """A job that trains no model; between its neighbours a sum differs by `greatest`."""
    privacy, noise, noise_bound = given["model"].get("privacy"), given["noise"], 0
    assert (privacy is None) == (noise is None)
    if privacy is not None:
        variance = greatest**2 / (2 * Fraction(privacy["rho"]))
        assert noise["variance"] == str(variance) and privacy["neighbours"] == "zero-out"
        noise_bound = 16 * (isqrt(int(variance)) + 1) if privacy["place"] == "facilitator" else 0
    key_bits, owners = given["model"]["encryption"]["key_bits"], given["plan"]["owners"]
    weight, values = contribution
    plan = plan_of(key_bits, own.length, owners, own.bounds(), noise_bound)
    return {"plan": plan, "weight": str(weight), "values": list(map(str, values))}


def modulus(page, given):
    n, context = modulus_of(given["public_key"]), given["context"].encode()
    w, root, blum = (
        int.from_bytes(unb64(text, "number"), "big") for text in (given["w"], given["root_0"], given["blum_0"]["x"])
    )
    assert jacobi(w, n) == -1
    challenge = challenges(n, w, context)
    first, answer = challenge(b"blum", 0), given["blum_0"]
    assert powmod(root, n, n) == challenge(b"root", 0)
    assert pow(blum, 4, n) == (-1) ** answer["a"] * w ** answer["b"] * first % n
    assert powmod(int.from_bytes(unb64(answer["z"], "z"), "big"), n, n) == first
    return {"challenge_root_0": f"{challenge(b'root', 0):064x}", "challenge_blum_0": f"{first:064x}"}


def tags(page, given):
    secret = TagSecret(bytes.fromhex(given["secret"]))
    key = secret.agree(given["other_public"], given["owner"])
    found = tags_of(key, given["job_digest"], given["round"], given["round_digest"], len(given["tags"]))
    return {"public": secret.public, "tag_key": key.hex(), "tags": [f"{tag:016x}" for tag in found]}


def packing(page, given):
    n = int(given["n"], 16)
    own = [int(tag, 16) for tag in given["tags"]]
    plaintexts = pack(given["plan"], given["slots"], own, n)
    content = seal(given["plan"], given["slots"], own, n, [int(r, 16) for r in given["r"]])
    return {"plaintexts": [f"{m:064x}" for m in plaintexts], "bytes": content.hex()}


def round_descriptor(page, given):
    return {"digest": object_digest("round", given["descriptor"])}


def statement(page, given):
    signature = north(page).sign_object("contribution", given["statement"])
    digest = sha256(bytes.fromhex(page["packing"]["bytes"])).hexdigest()
    return {
        "statement": {
            **given["statement"],
            "digest": digest,
            "round_digest": object_digest("round", page["round"]["descriptor"]),
        },
        "contribution-signature": f"{signature['key']}.{signature['value']}",
    }


CHECKS = {
    "identity": identity,
    "signing": signing,
    "request": request,
    "features": features,
    "vector": vector,
    "division": division,
    "divided": divided,
    "closing": closing,
    "encrypted": encrypted,
    "statistics": statistics,
    "sum": vector_sum,
    "modulus": modulus,
    "tags": tags,
    "parameters": parameters,
    "round": round_descriptor,
    "packing": packing,
    "statement": statement,
}


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        blocks = re.findall(r"<!-- vector: (\S+) -->\n```json\n(.*?)```", file.read(), re.DOTALL)
    page = {name: parse_json(text) for name, text in blocks}
    wrong = 0
    for name, given in page.items():
        found = CHECKS[name.split("-")[0]](page, given)
        for field, value in found.items():
            if given[field] != value:
                wrong += 1
                print(f"{name}: {field} is {value!r}, and the page says {given[field]!r}")
    print(f"{len(page)} vectors, {wrong} differences")
    sys.exit(1 if wrong or not page else 0)


if __name__ == "__main__":
    main()
