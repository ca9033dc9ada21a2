"""Counts of every scope and signal of a topic of JSON events, added up naively.

Imports nothing of ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

#: Edges of the numbers, or the names of the categories, by signal.
Bins = Mapping[str, list[float] | list[str]]
Scope = tuple[str, str, str]
#: (model, version, segment) -> signal -> counts by bin; "" is how many events there were.
Totals = dict[Scope, dict[str, list[int]]]

#: Stands for what is counted of outcomes, behind all signals.
OUTCOMES = "#outcomes"
#: Score of a truth that repeats its prediction.
AGAIN = "#again"
_CHUNK = 20_000


def recount(values: Iterable[bytes], models: Mapping[str, Bins]) -> Totals:
    """Total counts by scope and signal; what does not parse is passed over."""
    totals: Totals = {}
    held: dict[Scope, list[dict[str, object]]] = {}
    for value in values:
        try:
            event = json.loads(value)
        except ValueError:
            continue
        model, version = event["model"]["name"], event["model"]["version"]
        for segment in ("", *(f"{k}={v}" for k, v in event.get("segments", {}).items())):
            rows = held.setdefault((model, version, segment), [])
            rows.append(_row(event))
            if len(rows) == _CHUNK:
                _add(totals, (model, version, segment), rows, models[model])
    for scope, rows in held.items():
        _add(totals, scope, rows, models[scope[0]])
    return totals


def _row(event: dict[str, Any]) -> dict[str, object]:
    """Values by signal; the error is that of a score from a half on for "yes".

    Of a truth that repeats its prediction the score is `AGAIN`: it was counted when it was made.
    """
    row = {**event["features"], **event.get("prediction", {})}
    if "prediction_timestamp" in event:
        row = {"score": row["score"]}
    if (actual := event.get("actual")) is not None:
        right = (row["score"] >= 0.5) == (actual == "yes")
        row |= {"actual": actual, "error": "right" if right else "wrong"}
    if "prediction_timestamp" in event:
        row[AGAIN] = row.pop("score")
    return row


def _outcomes(rows: list[dict[str, object]], edges: list) -> list[int]:
    """Said by came; bins of the score by whether "yes" came; sums of score, Brier and log loss.

    Of a model of two classes that has a score alone, as events with a truth add them up.
    """
    known = [row for row in rows if "actual" in row]
    score = np.array([row.get("score", row.get(AGAIN)) for row in known], float)
    came = np.array([row["actual"] == "yes" for row in known], int)
    confusion = np.bincount(3 * (score >= 0.5) + came, minlength=9)
    at = np.searchsorted(edges, score, side="right")
    calibration = np.bincount(2 * at + came, minlength=2 * (len(edges) + 3))
    truth = np.where(came, score, 1.0 - score)
    sums = [score * 2**30, (1.0 - truth) ** 2 * 2**30, -np.log(truth) * 2**24]
    return [*confusion.tolist(), *calibration.tolist(), *(int(np.rint(v).sum()) for v in sums)]


def _add(totals: Totals, scope: Scope, rows: list[dict[str, object]], bins: Bins) -> None:
    into = totals.setdefault(scope, {"": [0]})
    into[""][0] += sum(AGAIN not in row for row in rows)
    for name, of in bins.items():
        present = [row[name] for row in rows if name in row]
        numeric = bool(of) and not isinstance(of[0], str)
        where = _of_numbers(present, of) if numeric else _of_names(present, of)
        counts = into.setdefault(name, [0] * (len(of) + (3 if numeric else 4)))
        for b, n in where.items():
            counts[b] += n
    if "error" in bins:
        cells = _outcomes(rows, bins["score"])
        into[OUTCOMES] = [a + b for a, b in zip(into.get(OUTCOMES, [0] * len(cells)), cells)]
    rows.clear()


def _of_numbers(values: list[object], edges: list) -> Counter[int]:
    """Below the first edge, between edges, above the last, missing, of a wrong type."""
    numbers = [v for v in values if isinstance(v, float | int)]
    where = Counter(np.searchsorted(edges, numbers, side="right").tolist())
    where[len(edges)] += 0
    where[len(edges) + 1] += sum(v is None for v in values)
    where[len(edges) + 2] += sum(isinstance(v, str) for v in values)
    return where


def _of_names(values: list[object], names: list) -> Counter[int]:
    """A bin each, then other (never here), unseen, missing."""
    places = {name: b for b, name in enumerate(names)}
    unseen = len(names) + 1
    return Counter(unseen + 1 if v is None else places.get(v, unseen) for v in values)
