"""The INSECTS stream (33 features of a flying-insect sensor), spliced to have one exact change.

Rows 15,000 to 22,999 are near-stationary: shuffled in blocks, which keeps what neighbours share and
takes away what moves slowly (att21 does), their first half is the reference and the other the null
stream. What follows it comes from rows 0 to 7,999, another distribution.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detectors import Reference, fit_reference
from stream.plans.plan import Plan

MODEL = "insects"
N_NULL = 4_000
START_S = 1_000_000


def table() -> np.ndarray:
    """Float64[24150, 33], or a skip that says what is missing."""
    folder = os.environ.get("DRIFTSTREAM_DATA")
    if not folder:
        pytest.skip("DRIFTSTREAM_DATA is not set: no INSECTS data")
    path = Path(folder) / "insects_gradual" / "insects_gradual_balanced.csv"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return np.loadtxt(path, delimiter=",", skiprows=1)[:, :33]


def names() -> list[str]:
    return [f"att{i + 1}" for i in range(33)]


def _still(rows: np.ndarray) -> np.ndarray:
    """Rows 15,000 to 22,999 in blocks of 50 at random: float64[8000, 33]."""
    blocks = rows[15_000:23_000].reshape(160, 50, 33)
    return blocks[np.random.default_rng(1).permutation(160)].reshape(8_000, 33)


def reference(rows: np.ndarray) -> Reference:
    fitted = _still(rows)[:4_000]
    columns = dict(zip(names(), fitted.T, strict=True))
    times_ms = np.arange(len(fitted), dtype=np.int64) * 1_000
    return fit_reference(columns, model=MODEL, version="1", times_ms=times_ms)


def plan(rows: np.ndarray, topic: str = "predictions") -> Plan:
    return Plan(model=MODEL, reference=reference(rows), topic=topic)


def stream(rows: np.ndarray, changed_share: float = 1.0) -> list[bytes]:
    """Events: 4,000 rows without a change, then 8,000 of which this share comes from elsewhere."""
    rng = np.random.default_rng(7)
    null = _still(rows)[4_000:]
    moved = rng.random(8_000) < changed_share
    later = np.where(moved[:, None], rows[:8_000], null[rng.integers(0, len(null), 8_000)])
    return events(np.concatenate([null, later]), START_S)


def events(rows: np.ndarray, start_s: int) -> list[bytes]:
    """One event a second."""
    model = {"name": MODEL, "version": "1"}
    return [
        msgspec.json.encode(
            {
                "model": model,
                "timestamp": start_s + i,
                "features": dict(zip(names(), row, strict=True)),
            }
        )
        for i, row in enumerate(rows.tolist())
    ]
