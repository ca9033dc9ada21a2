"""`python -m benchmarks.capacity_table`: the sizing table of docs/operations.md."""

from __future__ import annotations

from benchmarks import figures
from stream.capacity import UNITS, Load, capacity

__all__ = ["table"]

DOCS = figures.HERE.parent / "docs" / "operations.md"
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


def table() -> str:
    """Each load with what it needs, 20 signals a model."""
    rows = []
    for title, load in LOADS.items():
        found = {line.what: line.value for line in capacity(load)}
        rows.append([title, *(found[name] for name in _COLUMNS)])
    lines = figures.table(["load, 20 signals a model", *_COLUMNS], rows)
    return f"{lines}\n\nUnit costs: {UNITS.source}."


if __name__ == "__main__":
    figures.into_readme("capacity", table(), DOCS)
