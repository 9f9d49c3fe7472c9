"""What docs/protocol.md specifies and this owner refuses to take part in, computed for check_page.py alone: sections 9, 15, 19, 20."""
import copy
import csv
import math
import struct
from fractions import Fraction
from hashlib import sha256

import numpy as np

from model import Field, Model, Records, read_records
from vector import Task, clip, plan_of, residuals_of


def parts(given: dict, x, y) -> tuple:
    """Which records are held out, and the fold of each."""
    seen, held_out, fold = {}, [], []
    for row, target in zip(x, y):
        numbers = [number + 0.0 for number in [*row, target]]
        first = sha256(struct.pack(f"<I{len(numbers)}d", given["seed"], *numbers)).digest()
        repetition = seen.get(first, 0)
        seen[first] = repetition + 1
        own = sha256(first + struct.pack("<I", repetition)).digest() if repetition > 0 else first
        share = Fraction(int.from_bytes(own[:6], "big"), 2**48)
        held_out.append(int(share < Fraction(given.get("fraction", 0))))
        fold.append(int(share * given.get("folds", 1)))
    return held_out, fold


class Divided:
    """A model with `freeze`, `within`, `validation` or `cross_validation`: of few records, and rounded to the nearest."""

    def __init__(self, json: dict) -> None:
        plain = copy.deepcopy(json)
        training = plain["training"]
        self.frozen = set(training.pop("freeze", []))
        self.validation = training.pop("validation", None)
        self.crossed = training.pop("cross_validation", None)
        bounds = [each.pop("within", None) for each in plain["data_props"]["features"]]
        self.model = Model(plain)
        for field, within in zip(self.model.features, bounds):
            if within is not None:
                field.low, field.high = within
        self.task = task = Task(self.model)
        self.folds = self.crossed["folds"] if self.crossed else 1
        names = [""] + [field.label for field in self.model.features for _ in range(field.width)]
        self.learned = [i for i in range(task.parameter_count) if names[i % self.model.width] not in self.frozen]
        statistics = len(self.learned) if task.parameter_count else task.statistics * self.folds
        held_out = task.metrics + 1 if self.validation else 0
        self.length = statistics + task.metrics + held_out + (self.folds if self.crossed else 0)

    def plan(self, owners: int, noise_bound: int) -> dict:
        return plan_of(self.model.key_bits, self.length, owners, self.task.bounds(), noise_bound)

    def contribution(self, path: str, parameters) -> tuple:
        task, model = self.task, self.model
        records = read_records(model, path)
        held_out, fold = parts(self.validation or self.crossed, records.x, records.y)
        if self.crossed:
            each = [of(records, fold, number) for number in range(self.folds)]
            triangles = [value for part in each for value in task._triangle(part)]
            return records.count, triangles + [part.count << 2 * model.fraction_bits for part in each]
        trained, out = of(records, held_out, 0), of(records, held_out, 1)
        measured = residuals_of(model, out.x, out.y, parameters)[1]
        if model.privacy:
            weight, values = task._clipped(trained, parameters)
            most = math.isqrt(task.greatest**2 // (task.metrics + 1))
            bounds = [most / bound for bound in task.metric_bounds]
            own = np.clip(np.rint(measured * bounds), 0, most).sum(axis=0)
            return weight, values + [most * out.count, *map(int, own)]
        sums = task._sums(trained, parameters)
        learned = [*sums[self.learned], *sums[task.parameter_count :]]
        all_of_it = [*learned, out.count, *measured.sum(axis=0)]
        return trained.count, [round(Fraction(float(each)) * Fraction(task.scale)) for each in all_of_it]


def of(records: Records, part: list, number: int) -> Records:
    chosen = [index for index, each in enumerate(part) if each == number]
    return Records(records.x[chosen].reshape(-1, records.x.shape[1]), records.y[chosen], 0)


class Encrypted:
    """A model whose parameters owners do not see: what a contribution decrypts to."""

    def __init__(self, json: dict) -> None:
        plain = copy.deepcopy(json)
        assert plain.pop("model_visibility") == "encrypted"
        self.unit = 2 ** plain["encryption"]["fraction_bits"]
        self.bound = int(plain["training"].pop("parameter_bound") * self.unit)
        self.model = Model(plain)
        self.length = math.isqrt(self.bound**2 + self.unit**2) + 1
        self.norm = 2**28 * self.length

    def greatest(self) -> int:
        return math.isqrt(self.norm**2 + (self.norm // 4) ** 2) + 1

    def bounds(self) -> dict:
        own = {"max_weight": self.model.max_records}
        if self.model.privacy:
            scale = (2**14 / self.model.privacy["clip"]) ** 2 * self.unit
            return {**own, "scale": scale, "value_bound": self.norm, "weight_unit": self.norm // 4}
        longest = math.isqrt(len(self.model.features) + 2) + 1
        return {**own, "scale": 2**28 * self.unit, "value_bound": self.norm * longest + self.norm // 2, "weight_unit": 1}

    def contribution(self, records: Records, parameters) -> tuple:
        z = np.column_stack([records.x, records.y])
        if self.model.privacy:
            whole = [list(map(int, clip(row, self.model.privacy["clip"], 2**14))) for row in z]
            entry, divisor = lambda i, j: sum(row[i] * row[j] for row in whole), 1
        else:
            whole = [[round(Fraction(number) * 2**40) for number in map(float, row)] for row in z]
            entry, divisor = lambda i, j: sum(row[i] * row[j] for row in whole), 2**52
        side = z.shape[1]
        matrix = [[round(Fraction(entry(i, j), divisor)) for j in range(side)] for i in range(side)]
        theta = [*(round(Fraction(float(each)) * self.unit) for each in parameters), -self.unit]
        values = [sum(a * b for a, b in zip(row, theta)) for row in matrix]
        return records.count * self.bounds()["weight_unit"], values[:-1] + [-values[-1]]


def triangle(z: list) -> list:
    return [z[i] * z[j] for i in range(len(z)) for j in range(i, len(z))][1:]


class Group:
    """One of the groups of section 19: the values of a record, and the greatest norm of them."""

    def __init__(self, kind: str, columns: list, fields: list, edges=None, bins=None) -> None:
        self.kind, self.columns, self.fields, self.edges = kind, columns, fields, edges
        if bins is not None:
            low, high = fields[0].low, fields[0].high
            self.edges = [low * ((bins - i) / bins) + high * (i / bins) for i in range(bins)] + [high]
        self.products = kind in ("moments", "covariance")
        self.counts = any(field.missing == "count" for field in fields)
        if self.products:
            self.size = (len(fields) + 1) * (len(fields) + 2) // 2 - 1
        else:
            self.size = math.prod(self.bins(field)[0] for field in fields)
        self.norm = math.sqrt(self.size) if self.products else 1.0

    def bins(self, field: Field, value: float = 0) -> tuple:
        """How many a column has, and which is the value's."""
        if not field.is_numeric:
            return len(field.levels), int(value)
        if self.edges is None:
            return int(field.high - field.low) + 1, int(value - field.low)
        edges = self.edges
        below, above, within = edges[0] > field.low, edges[-1] < field.high, len(edges) - 1
        size = within + below + above
        if value < edges[0]:
            return size, 0
        if value > edges[-1]:
            return size, within + below
        return size, min(sum(edge <= value for edge in edges) - 1, within - 1) + below

    def values(self, record: list, whole=lambda number: number) -> list:
        """Of a record; `whole` is applied to each scaled number before products are made of them."""
        given = [record[column] for column in self.columns]
        found = [0] * (self.size + self.counts)
        if None in given:
            found[-1] = 1
        elif self.products:
            z = [1.0] + [field.scaled(value) for field, value in zip(self.fields, given)]
            found[: self.size] = triangle([whole(each) for each in z])
        else:
            cell = 0
            for field, value in zip(self.fields, given):
                size, at = self.bins(field, value)
                cell = cell * size + at
            found[cell] = 1
        return found


class Statistics:
    """A job for statistics whose unit, with privacy, is the record."""

    def __init__(self, json: dict, text: str) -> None:
        columns, asked = json["data_props"]["columns"], json["statistics"]
        self.bits, self.most = json["encryption"]["fraction_bits"], json["participation"]["max_records"]
        fields = [Field({**each, "missing": "drop"}, "columns", False) for each in columns]
        for field, each in zip(fields, columns):
            field.missing = each["missing"]
        at = {each.get("name", each.get("col_idx")): position for position, each in enumerate(columns)}

        def group(kind, references, edges=None, bins=None):
            places = [at[each] for each in references]
            return Group(kind, places, [fields[place] for place in places], edges, bins)

        self.groups = [group("moments", [each]) for each in asked["moments"]]
        self.groups += [group("covariance", asked["covariance"])] if asked["covariance"] else []
        self.groups += [
            group("histograms", [each["column"]], each.get("edges"), each.get("bins")) for each in asked["histograms"]
        ]
        self.groups += [group("contingency", pair) for pair in asked["contingency"]]
        header, *rows = csv.reader(text.splitlines())
        places = [header.index(field.name) for field in fields]
        self.records = [[field.read(row[place]) for field, place in zip(fields, places)] for row in rows]
        self.length = sum(each.size + each.counts for each in self.groups)
        self.shares = self._shares(asked["weights"]) if "privacy" in json else None

    def _shares(self, weights: dict) -> list:
        greatest = 2**20
        asked = [weights["count"] * 1.0] + [weights[each.kind] * each.norm for each in self.groups]
        total = sum(asked)
        shares = [math.floor(greatest * math.sqrt(each / total)) for each in asked]
        while sum(share**2 for share in shares) > greatest**2:
            shares = [share - 1 for share in shares]
        return shares

    def bounds(self) -> dict:
        if self.shares is not None:
            own = {"scale": 1, "value_bound": max(self.shares[1:]), "weight_unit": self.shares[0]}
        else:
            bits = 2 * self.bits if any(each.products for each in self.groups) else 0
            own = {"scale": 2**bits, "value_bound": 2**bits, "weight_unit": 1}
        return {**own, "max_weight": self.most}

    def contribution(self) -> tuple:
        values = []
        for index, group in enumerate(self.groups):
            if self.shares is None:
                rows = [group.values(each, lambda number: round(number * 2**self.bits)) for each in self.records]
            else:
                norm = self.shares[index + 1]
                rows = [self._clipped(group, group.values(each), norm) for each in self.records]
            values += [sum(column) for column in zip(*rows)]
        return len(self.records) * (1 if self.shares is None else self.shares[0]), values

    @staticmethod
    def _clipped(group: Group, values: list, norm: int) -> list:
        number = group.counts and values[-1] == 1
        vector = np.array(values, float) / (1 if number else group.norm)
        return [int(each) for each in clip(vector, 1.0, norm)]


class VectorSum:
    def __init__(self, json: dict) -> None:
        self.greatest, self.norm = json.get("levels", 2 ** json["bits"]) // 2, json.get("norm")
        self.length, self.max_weight = json["length"], json["max_weight"]
        self.scale = self.greatest / (self.norm or json["bound"])

    def bounds(self) -> dict:
        own = {"scale": self.scale, "value_bound": self.greatest}
        return {**own, "weight_unit": 1, "max_weight": self.max_weight}

    def contribution(self, vector: list, weight: int) -> tuple:
        most = self.greatest
        if self.norm is None:
            whole = [round(Fraction(each) * Fraction(self.scale)) for each in vector]
            return weight, [weight * max(-most, min(most, each)) for each in whole]
        greatest = max(map(abs, vector)) or 1.0
        relative = math.sqrt(sum((each / greatest) ** 2 for each in vector))
        long = relative > self.norm / greatest
        unit = [each / greatest / relative if long else each / self.norm for each in vector]
        whole = [round(Fraction(each) * most) for each in unit]
        squares = sum(each * each for each in whole)
        if squares > most * most:
            length = math.isqrt(squares - 1) + 1
            whole = [abs(each) * most // length * (1 if each > 0 else -1) for each in whole]
        return weight, [weight * each for each in whole]
