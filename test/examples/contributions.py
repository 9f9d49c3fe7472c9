"""What examples/python computes for the cases on standard input: plan, records, weight and values of each, as JSON."""
import json
import os
import sys
import tempfile

sys.path.insert(0, sys.argv[1])

from model import Model, read_records
from participation import decode_parameters
from signing import canonical_digest, parse_json
from vector import Task


def compute(case: dict) -> dict:
    task = Task(Model(case["model"]))
    _, noise_bound = task.require_noise(case["noise"])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "data.csv")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(case["file"])
        records = read_records(task.model, path)
    weight, values = task.contribution(records, decode_parameters(case["parameters"], task.parameter_count))
    return {
        "model_hash": canonical_digest(case["model"]),
        "plan": task.plan(case["owners"], noise_bound),
        "records": records.count,
        "dropped": records.dropped,
        "weight": str(weight),
        "values": [str(value) for value in values],
    }


json.dump([compute(case) for case in parse_json(sys.stdin.read())], sys.stdout)
