"""The Turing Change Point Dataset, univariate series, by the rules of its benchmark.

van den Burg and Williams, "An Evaluation of Change Point Detection Algorithms", 2020: a change is
found within a margin of 5, none twice; precision counts against what any annotator marked, recall
is averaged over annotators, the start of the series is a change for all; covering is averaged too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.comparison.contestant import Contestant, ItemContestant
from detectors import ADWIN

__all__ = ["PUBLISHED", "covering", "f1_score", "measure"]

MARGIN = 5
#: Mean F1 at default settings over the univariate series, as published with the benchmark. Seven
#: of its series may not be passed on and are not in the data here.
PUBLISHED = {"binseg (offline)": 0.698, "pelt (offline)": 0.674, "bocpd": 0.662, "never": 0.645}

Floats = npt.NDArray[np.float64]
Detect = Callable[[Floats], Sequence[int]]


def _matched(true: Iterable[int], found: Iterable[int]) -> int:
    """How many true changes have a found one near that no other has taken."""
    left = set(found)
    matched = 0
    for change in true:
        near = [(abs(change - x), x) for x in left if abs(change - x) <= MARGIN]
        if near:
            matched += 1
            left.remove(min(near)[1])
    return matched


def f1_score(annotations: Mapping[str, Sequence[int]], found: Iterable[int]) -> float:
    """F1 against several annotators."""
    marks = [{0, *changes} for changes in annotations.values()]
    predicted = {0, *found}
    precision = _matched(set().union(*marks), predicted) / len(predicted)
    recall = float(np.mean([_matched(true, predicted) / len(true) for true in marks]))
    return 2 * precision * recall / (precision + recall)


def _segments(changes: Iterable[int], n: int) -> list[tuple[int, int]]:
    cuts = sorted({0, n, *(c for c in changes if 0 < c < n)})
    return list(pairwise(cuts))


def covering(annotations: Mapping[str, Sequence[int]], found: Iterable[int], n: int) -> float:
    """Mean over annotators of how well the found segments cover theirs (Jaccard)."""
    predicted = _segments(found, n)

    def overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
        shared = max(0, min(a[1], b[1]) - max(a[0], b[0]))
        return shared / ((a[1] - a[0]) + (b[1] - b[0]) - shared)

    scores = [
        sum(
            (b - a) * max(overlap((a, b), other) for other in predicted)
            for a, b in _segments(changes, n)
        )
        / n
        for changes in annotations.values()
    ]
    return float(np.mean(scores))


def _series(data: Path) -> list[tuple[str, Floats, dict[str, list[int]]]]:
    annotations = json.loads((data / "tcpd" / "annotations.json").read_text())
    found = []
    for name, marks in sorted(annotations.items()):
        path = data / "tcpd" / "datasets" / name / f"{name}.json"
        if not path.exists():
            continue
        document = json.loads(path.read_text())
        if document["n_dim"] != 1 or name.startswith("quality_control"):
            continue  # the benchmark too leaves its control series out of the averages
        raw = document["series"][0]["raw"]
        values = np.array([np.nan if v is None else v for v in raw], np.float64)
        if np.isnan(values).any():
            at = np.arange(values.size)
            known = ~np.isnan(values)
            values = np.interp(at, at[known], values[known])
        found.append((name, values, marks))
    return found


def _adwin(*, clock: int, start_of_window: bool) -> Detect:
    """Ours: where an alarm came, or where the window that it left begins."""

    def detect(values: Floats) -> list[int]:
        low, high = float(values.min()), float(values.max())
        detector = ADWIN(clock=clock, reset="oldest")
        found = []
        for i, x in enumerate(((values - low) / ((high - low) or 1.0)).tolist()):
            if detector.update(x).drift_detected:
                found.append(i - detector.width + 1 if start_of_window else i)
        return found

    return detect


def _standard(contestant: Contestant) -> Detect:
    def detect(values: Floats) -> list[int]:
        scaled = (values - values.mean()) / (values.std() or 1.0)
        alarms: list[int] = contestant.run(scaled, scaled, contestant.default).alarms.tolist()
        return alarms

    return detect


def measure(data: Path, peers: Iterable[Contestant]) -> list[dict[str, Any]]:
    """Mean F1 and covering of every contestant that needs no reference, best F1 first."""
    rows: dict[str, Detect] = {
        "driftstream ADWIN, items": _adwin(clock=32, start_of_window=False),
        "driftstream ADWIN, items, start of its window": _adwin(clock=32, start_of_window=True),
        "driftstream ADWIN, items, clock 1, start of its window": _adwin(
            clock=1, start_of_window=True
        ),
    }
    for contestant in peers:
        if isinstance(contestant, ItemContestant) and contestant.kinds != {"binary"}:
            rows[contestant.name] = _standard(contestant)
    series = _series(data)
    scored = []
    for name, detect in rows.items():
        f1, cover, points = [], [], 0
        for _, values, marks in series:
            found = list(detect(values))
            points += len(found)
            f1.append(f1_score(marks, found))
            cover.append(covering(marks, found, len(values)))
        scored.append(
            {
                "contestant": name,
                "series": len(series),
                "found": points,
                "f1": float(np.mean(f1)),
                "cover": float(np.mean(cover)),
            }
        )
    return sorted(scored, key=lambda row: -row["f1"])
