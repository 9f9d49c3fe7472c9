"""The round that closes a job (docs/protocol.md, sections 10 and 15), which this owner takes no part in: for check_page.py alone."""
import copy
import math

import numpy as np

from model import Model, Records
from vector import plan_of


class Closing:
    """The plan and the contribution of a model with `inference` or `diagnostics`, for linear and logistic models."""

    def __init__(self, json: dict) -> None:
        plain = copy.deepcopy(json)
        training = plain["training"]
        inference, diagnostics = training.pop("inference", None), training.pop("diagnostics", None)
        self.model = model = Model(plain)
        self.linear = model.family == "linear"
        self.infers = inference is not None and model.solver == "gradient"
        self.bins = diagnostics["bins"] if diagnostics else 0
        self.parameter_count = model.width + (1 if self.linear and self.bins else 0)
        width = model.width
        histogram = self.bins + 2 if self.linear and self.bins else 0
        self.length = (width * (width + 1) // 2 + width + 1 if self.infers else 0) + histogram + 3 * self.bins

    def plan(self, owners: int) -> dict:
        bits = self.model.fraction_bits
        bounds = {
            "max_weight": self.model.max_records,
            "value_bound": 2 ** (bits + 10),
            "scale": 2.0**bits,
            "weight_unit": 1,
        }
        return plan_of(self.model.key_bits, self.length, owners, bounds, 0)

    def contribution(self, records: Records, parameters) -> tuple:
        theta, half = parameters[: self.model.width], parameters[-1]
        total = np.zeros(self.length)
        for x, y in zip(records.x, records.y):
            score = float(x @ theta)
            predicted = score if self.linear else 1 / (1 + math.exp(-score))
            total += self._of_one(x, y, score, predicted, half)
        return records.count, [round(float(each) * 2**self.model.fraction_bits) for each in total]

    def _of_one(self, x, y, score, predicted, half):
        residual, parts = y - predicted, []
        if self.infers:
            outer = np.outer(x, x) * (1 if self.linear else predicted * (1 - predicted))
            parts += [outer[np.triu_indices(len(x))], residual * x]
            parts += [[residual**2 if self.linear else float((score > 0) == (y == 1))]]
        if self.bins and self.linear:
            share = (residual / half + 1) / 2
            counts = np.zeros(self.bins + 2)
            counts[0 if share < 0 else self.bins + 1 if share >= 1 else 1 + self._bin(share)] = 1
            parts += [counts, self._row((predicted + 1) / 2, [1, residual, residual**2])]
        elif self.bins:
            parts += [self._row(predicted, [1, y, predicted])]
        return np.concatenate(parts)

    def _bin(self, share) -> int:
        return min(self.bins - 1, max(0, math.floor(share * self.bins)))

    def _row(self, share, values):
        row = np.zeros((self.bins, 3))
        row[self._bin(share)] = values
        return row.ravel()
