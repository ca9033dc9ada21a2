"""Records and plans for the tests of decoding."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors import fit_reference
from stream.decode import NativeDecoder
from stream.decode.columns import Columns, Decoded
from stream.plans.plan import Plan, PlanBook, SignalOptions

NOW_MS = 1_772_366_400_000  # 2026-03-01T12:00:00Z
NOW = NOW_MS / 1000


@dataclass
class Rec:
    value: bytes | None
    offset: int = 0
    timestamp: int = NOW_MS
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_type: int = 1


def reference(model: str = "fraud", **columns: Any) -> Any:
    """amount, age numeric; country categorical; label, score, actual, latency unless changed."""
    rng = np.random.default_rng(1)
    data: dict[str, Any] = {
        "amount": rng.normal(size=400),
        "age": rng.integers(18, 90, 400).astype(float),
        "country": rng.choice(["DE", "FR", "3", "true"], 400).tolist(),
        "label": rng.choice(["ok", "fraud"], 400).tolist(),
        "score": rng.random(400),
        "actual": rng.choice(["ok", "fraud"], 400).tolist(),
        "latency": rng.random(400),
    } | columns
    data = {name: column for name, column in data.items() if column is not None}
    roles = {name: name for name in ("label", "score", "actual", "latency") if name in data}
    return fit_reference(data, model=model, version="", roles=roles, times_ms=None, segments=())


def plan(model: str = "fraud", ignore: tuple[str, ...] = (), **settings: Any) -> Plan:
    columns = settings.pop("columns", {})
    signals = {name: SignalOptions(monitor=False) for name in ignore}
    return Plan(model=model, reference=reference(model, **columns), signals=signals, **settings)


def book(*plans: Plan) -> PlanBook:
    plans_book = PlanBook()
    for one in plans or (plan(),):
        plans_book.add(one)
    return plans_book


def event(**members: Any) -> dict[str, Any]:
    """A complete event; a member given as ... is left out."""
    document = {
        "schema": "driftstream.prediction.v1",
        "prediction_id": "3f0c",
        "timestamp": NOW,
        "model": {"name": "fraud", "version": "3"},
        "features": {"amount": 12.5, "age": 40, "country": "DE"},
        "prediction": {"label": "ok", "score": 0.93},
    } | members
    return {name: member for name, member in document.items() if member is not ...}


def record(document: Any, **fields: Any) -> Rec:
    return Rec(json.dumps(document).encode(), **fields)


def decode(*documents: Any, plans: PlanBook | None = None, **options: Any) -> Decoded:
    """Decode documents (or ready records) as one poll."""
    records = [one if isinstance(one, Rec) else record(one) for one in documents]
    return NativeDecoder(plans or book(), **options).decode(records)


def values(columns: Columns, row: int = 0) -> dict[str, Any]:
    """Signal -> value of one row; categorical signals as the name of their bin."""
    layout = columns.plan.layout
    derived = {s.name for s in columns.plan.monitored} - {s.name for s in columns.plan.decoded}
    found: dict[str, Any] = {}
    for at, signal in enumerate(layout.numeric.tolist()):
        if layout.names[signal] in derived:
            continue
        found[layout.names[signal]] = float(columns.numeric[row, at])
    for at, signal in enumerate(layout.categorical.tolist()):
        if layout.names[signal] in derived:
            continue
        binning = layout.binnings[signal]
        code = int(columns.codes[row, at])
        special = {
            binning.missing: "MISSING",
            binning.invalid: "INVALID",
            binning.unseen: "UNSEEN",
            -1: "ABSENT",
        }
        found[layout.names[signal]] = special.get(code) or binning.categories[code]
    return found


def only(decoded: Decoded) -> dict[str, Any]:
    """The values of the one event that was decoded."""
    assert not decoded.rejects, decoded.rejects
    assert len(decoded.time_ms) == 1
    return values(decoded.groups[0])
