"""Real streams: INSECTS spliced, error streams of classifiers, level shifts of NAB.

INSECTS rows 15,000 to 22,999 are near-stationary and rows 0 to 7,999 have another distribution:
each part shuffled and joined, they are one exact change of real features.
"""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.comparison.contestant import Contestant, WindowContestant
from benchmarks.comparison.delays import summary
from benchmarks.comparison.ours import Product

__all__ = ["ErrorStream", "RealStreams", "insects_features", "measure_errors", "measure_nab"]

Floats = npt.NDArray[np.float64]
_SPLICES = 5
_NULL = 4_000
_AFTER = 8_000


def _insects(data: Path) -> Floats:
    path = data / "insects_gradual" / "insects_gradual_balanced.csv"
    names = {}
    rows = []
    with path.open() as file:
        for line in list(csv.reader(file))[1:]:
            rows.append([*map(float, line[:33]), names.setdefault(line[33], len(names))])
    return np.array(rows, np.float64)


def _splice(rows: Floats, seed: int) -> tuple[Floats, Floats]:
    """Reference of 4,000 rows; 4,000 rows without a change, then 8,000 changed ones."""
    rng = np.random.default_rng([seed, 17])
    still = rows[15_000:23_000][rng.permutation(8_000)]
    return still[:4_000], np.concatenate([still[4_000:], rows[:8_000][rng.permutation(8_000)]])


def insects_features(data: Path, contestant: Contestant, seconds: float) -> dict[str, Any]:
    """All 33 features: the first alarm of any after the change, and alarms before it."""
    rows = _insects(data)[:, :33]
    delays = []
    false = items = 0
    start = time.perf_counter()
    for seed in range(_SPLICES):
        reference, stream = _splice(rows, seed)
        if isinstance(contestant, Product):
            prepared = contestant.prepare(reference, "number")
            alarms = contestant.run(prepared, stream, contestant.default).alarms
            told = _told(contestant, prepared, stream)
        else:
            # Items from the first alarm after the change on say nothing more.
            since = None if isinstance(contestant, WindowContestant) else _NULL
            mean, sd = reference.mean(axis=0), reference.std(axis=0)
            found = [
                contestant.run(
                    contestant.prepare((reference[:, j] - mean[j]) / sd[j], "number"),
                    (stream[:, j] - mean[j]) / sd[j],
                    contestant.default,
                    since=since,
                ).alarms
                for j in range(33)
            ]
            told = alarms = np.unique(np.concatenate(found))
        false += int((told < _NULL).sum())
        items += _NULL
        after = alarms[alarms >= _NULL]
        delays.append(float(after[0] - _NULL + 1) if after.size else float("inf"))
        if time.perf_counter() - start > seconds:
            break
    return {"INSECTS spliced, 33 features": summary(delays, false=false, before=items)}


def _told(contestant: Contestant, prepared: Any, values: Floats) -> Any:
    """Alarms as a user counts them: the product's findings within one episode are one."""
    return contestant.null_run(prepared, values, contestant.default, math.inf).alarms


class ErrorStream(NamedTuple):
    """0 for a right prediction and 1 for a wrong one, item by item, with its known changes."""

    name: str
    reference: Floats
    errors: Floats
    changes: Sequence[int]
    span: int


def _prequential(x: Floats, y: npt.NDArray[np.int64], block: int = 50) -> Floats:
    """Errors of naive Bayes that is tested on each block of rows, then trained on it."""
    from sklearn.naive_bayes import GaussianNB

    model = GaussianNB()
    classes = np.unique(y)
    errors = np.ones(len(y))
    for start in range(0, len(y), block):
        part = slice(start, start + block)
        if start:
            errors[part] = model.predict(x[part]) != y[part]
        model.partial_fit(x[part], y[part], classes)
    return errors


def error_streams(data: Path) -> list[ErrorStream]:
    """SEA and Elec2 prequential; INSECTS with a classifier trained once, as in production."""
    from sklearn.ensemble import RandomForestClassifier

    found = []
    sea = np.genfromtxt(data / "sea" / "sea.csv", delimiter=",", skip_header=1)
    errors = _prequential(sea[:, :3], sea[:, 3].astype(np.int64))
    found.append(
        ErrorStream(
            "SEA, prequential naive Bayes",
            errors[1_000:6_000],
            errors[6_000:],
            [6_500, 19_000, 31_500],
            12_500,
        )
    )
    with (data / "elec2" / "elec2.csv").open() as file:
        table = list(csv.reader(file))[1:]
    columns = np.array([[float(v) for v in row[:6]] for row in table])
    names = {name: k for k, name in enumerate(sorted({row[6] for row in table}))}
    errors = _prequential(columns, np.array([names[row[6]] for row in table]))
    found.append(
        ErrorStream("Elec2, prequential naive Bayes", errors[1_000:6_000], errors[6_000:], [], 0)
    )
    rows = _insects(data)
    for seed in range(_SPLICES):
        reference, stream = _splice(rows, seed)
        model = RandomForestClassifier(50, random_state=seed, n_jobs=1)
        model.fit(reference[:2_000, :33], reference[:2_000, 33].astype(int))
        wrong = [
            (model.predict(part[:, :33]) != part[:, 33]).astype(np.float64)
            for part in (reference[2_000:], stream)
        ]
        found.append(
            ErrorStream("INSECTS spliced, random forest trained before", *wrong, [_NULL], _AFTER)
        )
    return found


def measure_errors(streams: Sequence[ErrorStream], contestant: Contestant) -> dict[str, Any]:
    """By stream: delays and misses, and alarms that follow no change within its span."""
    tables: dict[str, Any] = {}
    for name in dict.fromkeys(stream.name for stream in streams):
        delays, false, items = [], 0, 0
        for stream in streams:
            if stream.name != name:
                continue
            prepared = contestant.prepare(stream.reference, "binary")
            alarms = contestant.run(prepared, stream.errors, contestant.default).alarms
            told = alarms
            if isinstance(contestant, Product):
                told = _told(contestant, prepared, stream.errors)
            for at in stream.changes:
                inside = alarms[(alarms >= at) & (alarms < at + stream.span)]
                delays.append(float(inside[0] - at + 1) if inside.size else float("inf"))
            first = stream.changes[0] if stream.changes else len(stream.errors)
            false += int((told < first).sum())
            items += first
        tables[name] = summary(delays, false=false, before=items)
    return tables


class RealStreams(NamedTuple):
    """What all contestants are given, made once."""

    data: Path
    errors: list[ErrorStream]
    nab: list[dict[str, Any]]

    @classmethod
    def load(cls, data: Path) -> RealStreams:
        """Read the files and run the classifiers."""
        return cls(data, error_streams(data), nab_shifts(data))


def nab_shifts(data: Path) -> list[dict[str, Any]]:
    """Files of NAB with a labelled window after which the level is lastingly another.

    Lasting: the medians of the first and of the second 288 values after the window's middle both
    differ from that of the 288 before it by a fifth of the file's range of ranks, the same way.
    """
    windows = json.loads((data / "nab" / "labels" / "combined_windows.json").read_text())
    found = []
    for name, spans in sorted(windows.items()):
        with (data / "nab" / "data" / name).open() as file:
            table = list(csv.reader(file))[1:]
        stamps = [row[0] for row in table]
        values = np.array([float(row[1]) for row in table])
        ranks = np.argsort(np.argsort(values, kind="stable")) / len(values)
        shifts = []
        for low, high in spans:
            begin = stamps.index(low.split(".")[0])
            end = stamps.index(high.split(".")[0])
            middle = (begin + end) // 2
            if begin < 288 or middle + 576 > len(values):
                continue
            before = np.median(ranks[begin - 288 : begin])
            later = [np.median(ranks[middle + a : middle + a + 288]) - before for a in (0, 288)]
            if min(later) >= 0.2 or max(later) <= -0.2:
                shifts.append((begin, end))
        train = max(300, int(0.15 * len(values)))
        shifts = [span for span in shifts if span[0] > train]
        if shifts:
            found.append(
                {
                    "name": name,
                    "values": values,
                    "shifts": shifts,
                    "train": train,
                    "spans": [
                        (stamps.index(a.split(".")[0]), stamps.index(b.split(".")[0]))
                        for a, b in spans
                    ],
                }
            )
    return found


def measure_nab(files: Sequence[dict[str, Any]], contestant: Contestant) -> dict[str, Any]:
    """Delays from the start of a shift's window; alarms outside all labelled windows are false."""
    delays, false, items = [], 0, 0
    for file in files:
        train = file["train"]
        reference, stream = file["values"][:train], file["values"][train:]
        mean, sd = reference.mean(), reference.std() or 1.0
        prepared = contestant.prepare((reference - mean) / sd, "number")
        scaled = (stream - mean) / sd
        told = alarms = contestant.run(prepared, scaled, contestant.default).alarms + train
        if isinstance(contestant, Product):
            told = _told(contestant, prepared, scaled) + train
        quiet = np.ones(len(file["values"]), bool)
        quiet[:train] = False
        for begin, end in file["spans"]:
            quiet[begin : end + 288] = False
        for begin, end in file["shifts"]:
            inside = alarms[(alarms >= begin) & (alarms < end + 288)]
            delays.append(float(inside[0] - begin + 1) if inside.size else float("inf"))
        false += int(quiet[told].sum())
        items += int(quiet.sum())
    return {"NAB level shifts": summary(delays, false=false, before=items)}
