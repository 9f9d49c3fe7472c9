"""The plan, the noise, and what an owner adds to a round: sections 10, 11 and 15 of docs/protocol.md."""
import math
import os
from fractions import Fraction

import numpy as np

from errors import Refusal
from model import Model, Records

LOSS_BOUND = {"linear": 2, "logistic": 4}
# Records whose gradients are in memory together.
AT_ONCE = 1024


class Task:
    """What one round of a model sums: plan(owners) and noise() as a job states them, contribution() as an owner adds it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        gradient, private = model.solver == "gradient", model.privacy
        width = model.width
        self.parameter_count = model.outputs * width if gradient else 0
        self.statistics = self.parameter_count or (width + 1) * (width + 2) // 2 - 1
        summed = gradient and not (private and private["metrics"] == "local")
        self.metrics = (1 if model.family == "linear" else 2) if summed else 0
        self.length = self.statistics + self.metrics
        loss_bound = LOSS_BOUND.get(model.family) or math.ceil(math.log(model.outputs)) + 3
        self.metric_bounds = [loss_bound, 1][: self.metrics]
        self.max_weight, self.weight_unit = model.max_records, 1
        if private:
            self.greatest = 2**20 if model.bits is None else 2 ** (model.bits - 1)
            self.weight_unit, self.metric_bound = self.greatest // 4, self.greatest // 8
            rest = self.greatest**2 - self.weight_unit**2 - self.metrics * self.metric_bound**2
            self.value_bound = self.norm = math.isqrt(rest)
            self.scale = self.norm / private["clip"]
            if private["unit"] == "owner":
                self.max_weight = 1
        elif model.bits is not None:
            self.value_bound = 2 ** (model.bits - 1) - 1
            self.scale = self.value_bound / model.range
            records = model.max_records
            self.weight_unit = self.value_bound // records * records or self.value_bound
            self.max_weight = 1
            widest = max(1, model.range / {"linear": 2}.get(model.family, 1)) ** 2
            self.metric_bounds = [loss_bound * widest, 1][: self.metrics]
        else:
            bits = model.fraction_bits
            self.scale = 2.0 ** (bits if gradient else 2 * bits)
            self.value_bound = 2 ** (bits + 10 if gradient else 2 * bits)

    def plan(self, owners: int, noise_bound: int = 0) -> dict:
        return plan_of(self.model.key_bits, self.length, owners, self.bounds(), noise_bound)

    def bounds(self) -> dict:
        return {name: getattr(self, name) for name in ("max_weight", "value_bound", "scale", "weight_unit")}

    def require_noise(self, stated) -> tuple:
        """Checks that the noise a job states keeps what its model promises. The ρ of a round, and the plan's noise_bound."""
        private = self.model.privacy
        if private is None or stated is None:
            if private is None and stated is None:
                return None, 0
            raise Refusal("noise: the job states none where its model has privacy, or the reverse")
        expected = {name: private[name] for name in ("place", "unit", "neighbours")}
        try:
            variance, rho = int(stated["variance"]), _fraction(stated["rho_per_round"])
            if stated != {
                **expected,
                "variance": str(variance),
                "rho_per_round": _text(rho),
                "rounds": self.model.rounds,
            }:
                raise ValueError
            sensitivity = self.greatest * (2 if private["neighbours"] == "substitution" else 1)
            if variance < 1 or rho != Fraction(sensitivity**2, 2 * variance):
                raise ValueError
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            raise Refusal("noise: the noise that the job states is not what its privacy settings give") from None
        total = rho * self.model.rounds
        kept = (
            total <= Fraction(private["rho"])
            if "rho" in private
            else gives(total, private["epsilon"], private["delta"])
        )
        if not kept:
            raise Refusal("noise: it is too little for what the model promises")
        return rho, 16 * (math.isqrt(variance) + 1) if private["place"] == "facilitator" else 0

    def contribution(self, records: Records, parameters) -> tuple:
        """Weight and values, as integers."""
        if self.model.privacy:
            return self._clipped(records, parameters)
        if self.model.solver == "normal-equations":
            return records.count, self._triangle(records)
        sums = self._sums(records, parameters)
        if self.model.bits is not None:
            return self._quantised(records.count, sums)
        self._require_within(sums, [2.0**10] * self.length, records.count)
        return records.count, [round(Fraction(float(each)) * Fraction(self.scale)) for each in sums]

    def _sums(self, records: Records, parameters):
        residuals, metrics = residuals_of(self.model, records.x, records.y, parameters)
        return np.concatenate([(residuals.T @ records.x).ravel(), metrics.sum(axis=0)])

    def _require_within(self, sums, bounds: list, count: int) -> None:
        for index, (each, bound) in enumerate(zip(sums, bounds)):
            if not abs(each) <= count * bound:
                what = f"value {index}" if index < self.statistics else "a metric"
                raise Refusal(
                    f"{what} is beyond {bound} per record: the training diverges; lower training.learning_rate"
                )

    def _triangle(self, records: Records) -> list:
        """Exact: integers of any length."""
        entries = np.rint(np.column_stack([records.x, records.y]) * 2.0**self.model.fraction_bits)
        z = np.array([[int(each) for each in row] for row in entries], dtype=object)
        products = z.T @ z
        size = len(products)
        return [products[i, j] for i in range(size) for j in range(i, size)][1:]

    def _quantised(self, count: int, sums) -> tuple:
        model, bound, records = self.model, self.value_bound, self.model.max_records
        ranges = [model.range] * self.statistics + self.metric_bounds
        self._require_within(sums, ranges, count)
        values = []
        for each, most in zip(sums, ranges):
            scale = bound / (most * records)
            if model.rounding == "nearest":
                values.append(round(Fraction(float(each)) * Fraction(scale)))
            else:
                values.append(int(by_chance(np.clip([each * scale], -bound, bound))[0]))
        return round(Fraction(count * self.weight_unit, records)), values

    def _clipped(self, records: Records, parameters) -> tuple:
        """Sums of the units' integer vectors, each within its allowance before it is summed."""
        total = np.zeros(self.length, dtype=np.int64)
        means, units = np.zeros(self.length), 0
        for start in range(0, records.count, AT_ONCE):
            statistics, metrics = self._each(
                records.x[start : start + AT_ONCE], records.y[start : start + AT_ONCE], parameters
            )
            if self.model.privacy["unit"] == "record":
                total += self._units(statistics, metrics)
                units += len(statistics)
            else:
                whole = np.concatenate([statistics, metrics], axis=1)
                means += (whole[np.isfinite(whole).all(axis=1)] / records.count).sum(axis=0)
        if self.model.privacy["unit"] == "owner":
            total, units = self._units(means[None, : self.statistics], means[None, self.statistics :]), 1
        return units * self.weight_unit, [int(each) for each in total]

    def _each(self, x, y, parameters):
        """Statistics and metrics of each record."""
        if self.model.solver == "normal-equations":
            z = np.column_stack([x, y])
            rows, columns = np.triu_indices(z.shape[1])
            return (z[:, rows] * z[:, columns])[:, 1:], np.zeros((len(y), 0))
        residuals, metrics = residuals_of(self.model, x, y, parameters)
        gradients = (residuals[:, :, None] * x[:, None, :]).reshape(len(y), -1)
        return gradients, metrics[:, : self.metrics]

    def _units(self, statistics, metrics):
        whole = by_chance if self.model.rounding == "stochastic" else np.rint
        clipped = np.sum([clip(row, self.model.privacy["clip"], self.norm, whole) for row in statistics], axis=0)
        scales = [self.metric_bound / bound for bound in self.metric_bounds]
        scaled = np.nan_to_num(metrics * scales, nan=self.metric_bound, posinf=self.metric_bound)
        counted = np.clip(whole(np.clip(scaled, 0, self.metric_bound)), 0, self.metric_bound)
        return np.concatenate([clipped, counted.sum(axis=0)]).astype(np.int64)


def plan_of(key_bits: int, length: int, owners: int, bounds: dict, noise_bound: int) -> dict:
    """`bounds`: max_weight, value_bound, scale and weight_unit."""
    sum_bound = owners * bounds["max_weight"] * max(bounds["value_bound"], bounds["weight_unit"]) + noise_bound
    slot_bits = (sum_bound - 1).bit_length() + 2
    tag_bits = 64 + (owners - 1).bit_length() + 1
    each = (key_bits - 2 - tag_bits) // slot_bits
    if each < 1:
        raise Refusal("plan: a slot has no room in a ciphertext")
    slots = length + 2
    return {
        "key_bits": key_bits,
        "length": length,
        "owners": owners,
        "max_weight": str(bounds["max_weight"]),
        "value_bound": str(bounds["value_bound"]),
        "scale": bounds["scale"],
        "weight_unit": str(bounds["weight_unit"]),
        "noise_bound": str(noise_bound),
        "sum_bound": str(sum_bound),
        "slot_bits": slot_bits,
        "tag_bits": tag_bits,
        "slots_per_ciphertext": each,
        "slots": slots,
        "ciphertexts": -(-slots // each),
    }


def residuals_of(model: Model, x, y, parameters):
    """∂loss/∂score for each record and output, and each record's metrics."""
    scores = x @ np.reshape(parameters, (model.outputs, model.width)).T
    if model.family == "linear":
        error = scores - y[:, None]
        return error, error**2 / 2
    with np.errstate(over="ignore"):
        if model.family == "logistic":
            score = scores[:, 0]
            power = np.exp(-np.abs(score))
            probability = np.where(score >= 0, 1, power) / (1 + power)
            loss = np.maximum(score, 0) - y * score + np.log1p(power)
            return (probability - y)[:, None], np.column_stack([loss, (score > 0) == (y == 1)])
        greatest = scores.max(axis=1, keepdims=True)
        powers = np.exp(scores - greatest)
        sums = powers.sum(axis=1, keepdims=True)
        own = y.astype(int)
        rows = np.arange(len(y))
        loss = (greatest + np.log(sums))[:, 0] - scores[rows, own]
        residuals = powers / sums
        residuals[rows, own] -= 1
        return residuals, np.column_stack([loss, scores.argmax(axis=1) == own])


def clip(vector, length: float, norm: int, whole=np.rint):
    """Integers of L2 norm at most `norm`, which stands for `length`: checked exactly, whatever the doubles before it did."""
    greatest = np.abs(vector).max(initial=0)
    if not np.isfinite(greatest) or greatest == 0:
        return np.zeros(len(vector), dtype=np.int64)
    relative = math.sqrt(((vector / greatest) ** 2).sum())
    long = relative > length / greatest
    values = whole(vector / greatest / relative * norm if long else vector / length * norm).astype(np.int64)
    first = 0 if whole is np.rint else int.from_bytes(os.urandom(8), "big") % len(values)
    surplus = int((values * values).sum()) - norm * norm
    index = first
    while surplus > 0:
        value = int(values[index])
        if value != 0:
            surplus -= 2 * abs(value) - 1
            values[index] = value - (1 if value > 0 else -1)
        index = (index + 1) % len(values)
    return values


def by_chance(values):
    """Stochastic rounding: right on average, by coins of the operating system that are right to 2^−53."""
    values = np.asarray(values, float)
    magnitude = np.abs(values)
    low = np.floor(magnitude)
    coins = np.frombuffer(os.urandom(8 * values.size), dtype="<u8").reshape(values.shape) >> np.uint64(11)
    up = coins < ((magnitude - low) * 2.0**53).astype(np.uint64)
    return np.copysign(low + up, values)


def gives(rho: Fraction, epsilon: float, delta: float) -> bool:
    """Whether ρ-zCDP gives (ε, δ). Every u proves it if it does, so that the search for the best one may be rough."""
    rho = float(rho) * (1 + 2**-50)

    def cost(u: float) -> float:
        return (1 + u) * rho - math.log(delta) / u + math.log(u) - (1 + 1 / u) * math.log1p(u)

    low, high = -40.0, 40.0
    for _ in range(200):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if cost(math.exp(left)) < cost(math.exp(right)) else (left, high)
    return cost(math.exp((low + high) / 2)) <= epsilon * (1 + 1e-9)


def _fraction(json: dict) -> Fraction:
    return Fraction(int(json["numerator"]), int(json["denominator"]))


def _text(value: Fraction) -> dict:
    return {"numerator": str(value.numerator), "denominator": str(value.denominator)}
