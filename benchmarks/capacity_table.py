"""`python -m benchmarks.capacity_table`: the sizing table of docs/operations.md.

`--fit` first writes stream/capacity/units.json anew, from results/latest.json: JSON from W1 and W2,
20 and 100 features; batches from W6 and W7; entries from 2,000 segments against 10; memory from
benchmarks.memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks import figures
from stream.capacity import UNITS, Load, Units, capacity

__all__ = ["fit", "table"]

DOCS = figures.HERE.parent / "docs" / "operations.md"
SOURCE = figures.HERE.parent / "stream" / "capacity" / "units.json"
LOADS = {
    "1,000 events a day, 1 model": Load(1_000 / 86_400, 20),
    "100 events/s, 10 models": Load(100, 20, models=10),
    "10,000 events/s, 10 models": Load(10_000, 20, models=10),
    "10,000 events/s, 1 model x 2,000 segments": Load(10_000, 20, segments=2_000),
    "100,000 events/s, 100 models": Load(100_000, 20, models=100),
    "1,000,000 events/s, 2,000 models": Load(1_000_000, 20, models=2_000),
    "the same as Arrow batches": Load(1_000_000, 20, models=2_000, form="arrow"),
}
_COLUMNS = ("stage 1", "stage 2", "workers", "partitions", "summaries", "memory of all workers")
#: Share of a batch's cost that goes with its values: decode and columns in process over all.
_OF_VALUES = 0.75
#: Entries an event in the scale case of 2,000 segments: 2,001 scopes of 4 partitions a pane of
#: 200,000 events. Of an entry's cost a third does not depend on its signals.
_ENTRIES = 2_001 * 4 / 200_000
_OF_ENTRY = 1 / 3


def fit(result: Mapping[str, Any]) -> Units:
    """Unit costs from one whole result of the bench."""
    value = {figure["id"]: float(figure["value"]) for figure in result["figures"]}
    cpu = {name: value[f"{name}.cpu_s_per_million"] for name in ("W1", "W2", "W6", "W7")}
    json_value = (cpu["W2"] - cpu["W1"]) / 80
    cases = result["sections"]["scale"]["cases"]
    more = cases["s2000"]["cpu_s_per_million"] - cases["s10"]["cpu_s_per_million"]
    entry = max(more / _ENTRIES, 20.0)
    # KB of a model with its scope, of a scope, of a segment's; with 20 and 50 signals.
    model, wide = value["memory_models_each"], value["memory_wide_each"]
    scope = max(value["memory_versions_each"], value["memory_segments_each"])
    signal = (wide - model) / 30
    scope_signal = scope / 22  # what a scope has beside its signals is about that of two
    facts = result["about"]
    return Units(
        event_us={
            "json": round(cpu["W1"] - 20 * json_value, 2),
            "batch": round(cpu["W6"] * (1 - _OF_VALUES), 2),
            "arrow": round(cpu["W7"] * (1 - _OF_VALUES), 2),
        },
        value_us={
            "json": round(json_value, 3),
            "batch": round(cpu["W6"] * _OF_VALUES / 20, 3),
            "arrow": round(cpu["W7"] * _OF_VALUES / 20, 3),
        },
        entry_us=round(entry * _OF_ENTRY, 1),
        entry_signal_us=round(entry * (1 - _OF_ENTRY) / 20, 2),
        entry_bytes=UNITS.entry_bytes,
        entry_signal_bytes=round(value["summary_bytes"] / 20, -1),
        scope_bytes=round(2 * scope_signal * 1_000, -2),
        scope_signal_bytes=round(scope_signal * 1_000, -2),
        model_bytes=max(0.0, round((model - 20 * signal) * 1_000, -2)),
        model_signal_bytes=max(0.0, round((signal - scope_signal) * 1_000, -2)),
        worker_bytes=round(value["W1.peak_mb"] * 1e6, -6),
        source=f"benchmarks at commit {facts['commit']}, {facts['cores']} shared cores, "
        f"CPython {facts['versions']['python']} (stream/capacity/units.json)",
    )


def write(units: Units) -> None:
    """Put the unit costs where the command reads them."""
    SOURCE.write_text(json.dumps(asdict(units), indent=2) + "\n")


def table(units: Units = UNITS) -> str:
    """Each load with what it needs, 20 signals a model."""
    rows = []
    for title, load in LOADS.items():
        found = {line.what: line.value for line in capacity(load, units)}
        rows.append([title, *(found[name] for name in _COLUMNS)])
    lines = figures.table(["load, 20 signals a model", *_COLUMNS], rows)
    return f"{lines}\n\nUnit costs: {units.source}."


def main() -> None:
    """Write the table, with `--fit` the constants first."""
    units = UNITS
    if "--fit" in sys.argv[1:]:
        units = fit(json.loads(figures.LATEST.read_text()))
        write(units)
    figures.into_readme("capacity", table(units), DOCS)


if __name__ == "__main__":
    main()
