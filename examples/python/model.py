"""A job's model, as its owners get it, and the records that it asks for: section 9 of docs/protocol.md."""
import csv
import math
import re

import numpy as np

from errors import Refusal

FAMILIES = {"LINEAR_REGRESSION": "linear", "LOGISTIC_REGRESSION": "logistic", "SOFTMAX_REGRESSION": "softmax"}
NUMERIC, LEVELLED = ("continuous", "discrete"), ("ordinal", "nominal")
DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
MISSING = {"", "na", "n/a", "nan", "null", "?"}
# What jobs may ask for and this owner does not do; see README.md.
NOT_DONE = {
    "within": "this owner takes no value beyond its range; declare a range that holds them all",
    "freeze": "this owner sends the gradient of every coefficient; leave it out",
    "validation": "this owner holds no records out; leave it out",
    "cross_validation": "this owner divides no records into folds; leave it out",
    "inference": "this owner takes no part in closing rounds; leave it out",
    "diagnostics": "this owner takes no part in closing rounds; leave it out",
}
OTHER_JOBS = {"STATISTICS": "statistics of columns", "VECTOR_SUM": "sums of vectors"}


def fields(value, where: str, required: str, optional: str = "") -> dict:
    """An object with these fields and no others."""
    if not isinstance(value, dict):
        raise Refusal(f"{where}: expected an object")
    known = required.split() + optional.split()
    for name in value:
        if name not in known:
            raise Refusal(f"{where}.{name}: {NOT_DONE.get(name, 'unknown field')}")
    for name in required.split():
        if name not in value:
            raise Refusal(f"{where}.{name}: missing")
    return value


def number(value, where: str, low=-math.inf, high=math.inf, above=None) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if not good or not math.isfinite(value) or (above is not None and value <= above):
        raise Refusal(f"{where}: not a number within its range")
    return value


def whole(value, where: str, low: int, high: int) -> int:
    if number(value, where, low, high) != int(value):
        raise Refusal(f"{where}: expected a whole number")
    return int(value)


def one_of(value, where: str, *choices):
    if not any(value == choice and isinstance(value, type(choice)) for choice in choices):
        raise Refusal(f"{where}: expected one of {', '.join(map(str, choices))}")
    return value


class Field:
    """One column of the data file: a feature, or the target."""

    def __init__(self, json, where: str, is_target: bool) -> None:
        kind = one_of(json.get("type") if isinstance(json, dict) else None, f"{where}.type", *NUMERIC, *LEVELLED)
        self.kind = kind
        self.is_numeric = kind in NUMERIC
        fields(json, where, f"type missing {'range' if self.is_numeric else 'levels'}", "name col_idx description")
        self.name, self.position = json.get("name"), json.get("col_idx")
        if (self.name is None) == (self.position is None):
            raise Refusal(f"{where}: expected one of name and col_idx")
        self.label = self.name if self.position is None else f"column {whole(self.position, where, 0, 99_999)}"
        self.missing = json["missing"]
        if self.is_numeric:
            self.low, self.high = (
                number(each, f"{where}.range") for each in _list(json["range"], f"{where}.range", 2, 2)
            )
            self.mid, self.half = self.low / 2 + self.high / 2, self.high / 2 - self.low / 2
            if not self.low < self.high or not 0 < self.half < math.inf:
                raise Refusal(f"{where}.range: expected [low, high] with low < high")
            if self.missing not in ("refuse", "drop"):
                number(self.missing, f"{where}.missing", self.low, self.high)
            given = [each for each in (self.low, self.high, self.missing) if not isinstance(each, str)]
            if kind == "discrete" and any(each != math.floor(each) for each in given):
                raise Refusal(f"{where}: expected whole numbers for discrete")
        else:
            self.levels = _list(json["levels"], f"{where}.levels", 2)
            if not all(isinstance(level, str) for level in self.levels) or len(set(self.levels)) < len(self.levels):
                raise Refusal(f"{where}.levels: expected distinct texts")
            self.mid = self.half = (len(self.levels) - 1) / 2
            if self.missing not in ("refuse", "drop", *self.levels):
                raise Refusal(f"{where}.missing: expected refuse, drop or a level")
        if is_target:
            one_of(self.missing, f"{where}.missing", "refuse", "drop")
        self.width = len(self.levels) - 1 if kind == "nominal" else 1

    def read(self, text: str):
        """The value of a cell: a number, the position of a level, or None where it is missing."""
        if not self.is_numeric:
            if text in self.levels:
                return self.levels.index(text)
            if text.lower() in MISSING:
                return None
            raise ValueError("expected one of the declared levels")
        if text.lower() in MISSING:
            return None
        value = float(text) if DECIMAL.match(text) else math.nan
        if not self.low <= value <= self.high:
            raise ValueError(f"expected a number within [{self.low}, {self.high}]")
        if self.kind == "discrete" and value != math.floor(value):
            raise ValueError("expected a whole number")
        return value

    def scaled(self, value: float) -> float:
        return min(1.0, max(-1.0, (value - self.mid) / self.half))

    def columns(self, value) -> list:
        if self.kind != "nominal":
            return [self.scaled(value)]
        return [float(value == level) for level in range(1, len(self.levels))]

    def substitute(self):
        return self.missing if self.is_numeric else self.levels.index(self.missing)


class Model:
    """A model.json with every default filled in, looked at field by field."""

    def __init__(self, json) -> None:
        kind = json.get("model_type") if isinstance(json, dict) else None
        if isinstance(kind, str) and kind in OTHER_JOBS:
            raise Refusal(f"model_type: this owner takes part in no {OTHER_JOBS[kind]}; it trains models only")
        fields(json, "model", "model_type data_props training encryption participation", "name privacy model_visibility")
        one_of(kind, "model_type", *FAMILIES)
        self.family = FAMILIES[json["model_type"]]
        if one_of(json.get("model_visibility", "plain"), "model_visibility", "plain", "encrypted") == "encrypted":
            raise Refusal("model_visibility: this owner computes on no encrypted parameters; use plain")
        self._data(json["data_props"])
        self._training(json["training"])
        self.privacy = None if "privacy" not in json else self._privacy(json["privacy"])
        self._encryption(json["encryption"])
        taken = fields(json["participation"], "participation", "quorum deadline_seconds max_records", "roster answer_seconds target_owners")
        self.quorum = whole(taken["quorum"], "participation.quorum", 2, 1_000_000)
        self.deadline = number(taken["deadline_seconds"], "participation.deadline_seconds", 0, 86_400, above=0)
        if "answer_seconds" in taken:
            number(taken["answer_seconds"], "participation.answer_seconds", 0, 1_209_600, above=0)
        if "target_owners" in taken:
            whole(taken["target_owners"], "participation.target_owners", self.quorum, 10_000)
        self.max_records = whole(taken["max_records"], "participation.max_records", 1, 2**32)
        self.roster = taken.get("roster")
        self.width = 1 + sum(feature.width for feature in self.features)
        self.outputs = len(self.target.levels) if self.family == "softmax" else 1

    def _data(self, json) -> None:
        fields(json, "data_props", "header features target", "delimiter")
        self.header = one_of(json["header"], "data_props.header", True, False)
        self.delimiter = json.get("delimiter")
        if self.delimiter is not None:
            one_of(self.delimiter, "data_props.delimiter", ",", ";", "\t")
        features = _list(json["features"], "data_props.features", 1)
        self.features = [Field(each, f"data_props.features[{i}]", False) for i, each in enumerate(features)]
        self.target = target = Field(json["target"], "data_props.target", True)
        labels = [(field.position is None, field.label) for field in [*self.features, target]]
        if len(set(labels)) < len(labels):
            raise Refusal("data_props: a column is used twice")
        yes_or_no = (target.low, target.high) == (0, 1) if target.is_numeric else len(target.levels) == 2
        fits = {
            "linear": target.is_numeric,
            "logistic": yes_or_no and target.kind != "continuous",
            "softmax": not target.is_numeric,
        }
        if not fits[self.family]:
            raise Refusal(f"data_props.target: not a target of {self.family} regression")

    def _training(self, json) -> None:
        solver = json.get("solver") if isinstance(json, dict) else None
        self.solver = one_of(solver, "training.solver", "gradient", "normal-equations")
        if self.solver == "normal-equations":
            # What the model owner makes of the sums: there is no round more for it.
            fields(json, "training", "solver l1 l2", "inference")
            if "inference" in json:
                level = fields(json["inference"], "training.inference", "level")["level"]
                number(level, "training.inference.level", 0, math.nextafter(1, 0), above=0)
            self.rounds = 1
            if self.family != "linear":
                raise Refusal("training.solver: normal-equations fits linear regression only")
            return
        # Penalties, steps and the first parameters are the model owner's affair: every round brings its own parameters.
        settings = "solver rounds optimizer learning_rate l1 l2 tolerance patience"
        fields(json, "training", settings, "momentum initial_parameters")
        # One round more evaluates the last update.
        self.rounds = whole(json["rounds"], "training.rounds", 1, 100_000) + 1

    def _privacy(self, json) -> dict:
        promise = "epsilon delta" if isinstance(json, dict) and "epsilon" in json else "rho"
        settings = f"{promise} clip place unit neighbours silent_owners sampling metrics"
        fields(json, "privacy", settings, "adaptive_clip" if promise != "rho" else "adaptive_clip delta")
        for name in ("epsilon", "rho", "delta", "clip"):
            if name in json:
                number(json[name], f"privacy.{name}", 0, 1 if name == "delta" else math.inf, above=0)
        one_of(json["unit"], "privacy.unit", "record", "owner")
        one_of(json["neighbours"], "privacy.neighbours", "zero-out", "substitution")
        one_of(json["metrics"], "privacy.metrics", "summed", "local")
        # What this owner does not do; see README.md.
        done = {"sampling": 1, "silent_owners": 0}
        if one_of(json["place"], "privacy.place", "model-owner", "facilitator", "data-owners") == "data-owners":
            raise Refusal(
                "privacy.place: this owner adds no noise of its own; let the model owner or the facilitator add it"
            )
        if "adaptive_clip" in json:
            raise Refusal("privacy.adaptive_clip: this owner takes a clip that stays as it is; leave it out")
        for name, value in done.items():
            if json[name] != value:
                raise Refusal(f"privacy.{name}: this owner takes {value} only; leave it out")
        if json["metrics"] == "local":
            self.rounds -= self.solver == "gradient"
        return json

    def _encryption(self, json) -> None:
        bits = json.get("quantization_bits") if isinstance(json, dict) else None
        more = "" if bits is None else "quantization_bits rounding" + ("" if self.privacy else " quantization_range")
        fields(json, "encryption", f"key_bits fraction_bits {more}")
        self.key_bits = whole(json["key_bits"], "encryption.key_bits", 2048, 8192)
        self.fraction_bits = whole(json["fraction_bits"], "encryption.fraction_bits", 16, 48)
        self.bits = bits
        self.rounding = one_of(json.get("rounding", "nearest"), "encryption.rounding", "nearest", "stochastic")
        if self.key_bits % 256 != 0:
            raise Refusal("encryption.key_bits: expected a multiple of 256")
        if bits is None:
            return
        one_of(bits, "encryption.quantization_bits", 8, 16, 24, *([] if self.privacy else [32]))
        if self.solver != "gradient":
            raise Refusal("encryption.quantization_bits: only with the gradient solver")
        if not self.privacy:
            self.range = number(json["quantization_range"], "encryption.quantization_range", 1e-6, 1024)


class Records:
    """x: count × width within [−1, 1], first 1; y: the target scaled to [−1, 1], or the position of its class."""

    def __init__(self, x, y, dropped: int) -> None:
        self.x, self.y, self.dropped, self.count = np.array(x, float), np.array(y, float), dropped, len(y)


def read_records(model: Model, path: str) -> Records:
    """Every record of the file. A refusal names line and column here, and to others the column only."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return _encode(model, file)
    except UnicodeDecodeError:
        raise Refusal(f"{path} is not UTF-8 text", "the data cannot be read; the owner knows why") from None
    except (OSError, csv.Error) as error:
        raise Refusal(f"{path} cannot be read: {error}", "the data cannot be read; the owner knows why") from None


def _encode(model: Model, file) -> Records:
    start = ""
    while start.strip() == "":
        line = file.readline()
        if line == "":
            raise Refusal("the data file is empty", "the data cannot be used for this model; the owner knows why")
        start = line
    file.seek(0)
    delimiter = model.delimiter or _delimiter(start)
    rows = csv.reader(file, delimiter=delimiter, strict=True)
    found, width, header, x, y, dropped = [], None, None, [], [], 0
    every = [*model.features, model.target]
    for row in rows:
        if not row:
            continue
        cells, line = [cell.strip() for cell in row], rows.line_num
        if width is None:
            width, header = len(cells), cells if model.header else None
            found = [_column(field, header, width) for field in every]
            if len(set(found)) < len(found):
                raise Refusal("two columns of the model are one in the data file")
            _check_header(every, found, cells, model.header)
            if model.header:
                continue
        if len(cells) != width:
            raise _bad_cell(None, line, f"{len(cells)} values where the first line has {width}")
        values = [_value(field, cells[column], line) for field, column in zip(every, found)]
        if any(value is None for value in values):
            dropped += 1
            continue
        x.append([1.0] + [each for field, value in zip(every[:-1], values) for each in field.columns(value)])
        y.append(model.target.scaled(values[-1]) if model.family == "linear" else float(values[-1]))
    if not 0 < len(y) <= model.max_records:
        raise Refusal(
            f"{len(y)} records are left, and the model takes 1 to {model.max_records}",
            "the data cannot be used for this model; the owner knows why",
        )
    return Records(x, y, dropped)


def _value(field: Field, text: str, line: int):
    try:
        value = field.read(text)
    except ValueError as error:
        raise _bad_cell(field, line, str(error)) from None
    if value is not None or field.missing == "drop":
        return value
    if field.missing == "refuse":
        raise _bad_cell(field, line, "the value is missing, and the model refuses missing values here")
    return field.substitute()


def _bad_cell(field, line: int, why: str) -> Refusal:
    if field is None:
        return Refusal(f"line {line}: {why}", "the data cannot be used for this model; the owner knows why")
    return Refusal(
        f"line {line}, {field.label}: {why}", f"the data do not fit the model ({field.label}); the owner knows the line"
    )


def _delimiter(line: str) -> str:
    outside = re.sub(r'"[^"]*"?', "", line)
    return max([",", "\t", ";"], key=outside.count)


def _column(field: Field, header, width: int) -> int:
    public = f"the data do not fit the model ({field.label}); the owner knows why"
    if field.name is None:
        if field.position < width:
            return field.position
        raise Refusal(f"{field.label}: the data file has {width} columns, counted from 0", public)
    if header is None or header.count(field.name) != 1:
        raise Refusal(f"{field.label}: the header has no such column, or has it twice", public)
    return header.index(field.name)


def _check_header(every: list, found: list, first: list, has_header: bool) -> None:
    """A record that is read as a header would be lost without a word. A header that is read as a record does not fit."""
    numeric = [(field, first[column]) for field, column in zip(every, found) if field.is_numeric]
    if has_header and numeric and all(field.name is None and DECIMAL.match(text) for field, text in numeric):
        raise Refusal("the first line looks like a record, and data_props.header is true")


def _list(value, where: str, least: int, most: float = math.inf) -> list:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise Refusal(f"{where}: expected a list of at least {least}")
    return value
