"""Counts of every scope and signal of a topic of JSON events, added up naively.

Imports nothing of ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

#: Edges of the numbers, or the names of the categories, by signal.
Bins = Mapping[str, list[float] | list[str]]
Scope = tuple[str, str, str]
#: (model, version, segment) -> signal -> counts by bin; "" is how many events there were.
Totals = dict[Scope, dict[str, list[int]]]

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
            rows.append(event["features"])
            if len(rows) == _CHUNK:
                _add(totals, (model, version, segment), rows, models[model])
    for scope, rows in held.items():
        _add(totals, scope, rows, models[scope[0]])
    return totals


def _add(totals: Totals, scope: Scope, rows: list[dict[str, object]], bins: Bins) -> None:
    into = totals.setdefault(scope, {"": [0]})
    into[""][0] += len(rows)
    for name, of in bins.items():
        present = [row[name] for row in rows if name in row]
        numeric = bool(of) and not isinstance(of[0], str)
        where = _of_numbers(present, of) if numeric else _of_names(present, of)
        counts = into.setdefault(name, [0] * (len(of) + (3 if numeric else 4)))
        for b, n in where.items():
            counts[b] += n
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
