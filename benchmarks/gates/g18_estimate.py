"""Gate 18: accuracy that is estimated before labels come, on real predictions.

Rows of the census are near those of the same household and place, so chunks in the file's order
vary by more than chance of independent rows, as the reference's own rows in their order do: its
design effect is in the interval. In random order there is none.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks import census
from benchmarks.census import Census, Rows
from benchmarks.gates.measured import Measured, exactly, share_of
from detectors.outcomes.estimate import estimated_metrics
from detectors.outcomes.metrics import Metric, outcome_metrics
from detectors.outcomes.residual_effects import design_effects
from detectors.references.calibration import batches_of_rows

__all__ = ["chunks_inside", "estimates", "measure", "realised", "run"]

CHUNK = 5_000


def estimates(data: Census, rows: Rows, phi: float = 1.0) -> dict[str, Metric]:
    """Metrics of these rows, from their scores alone."""
    edges = data.binning.edges
    found = estimated_metrics(data.cells, data.known, data.scores(rows), edges=edges, phi=phi)
    assert found is not None
    return found


def realised(data: Census, rows: Rows) -> dict[str, Metric]:
    """The same from their labels."""
    return outcome_metrics(data.cells, data.outcomes(rows), edges=data.binning.edges)


def effect_in_order(data: Census) -> float:
    """Design effect of the reference's residuals, its rows in the order of the file."""
    length, batches = batches_of_rows(data.reference.score.size)
    held = [
        data.outcomes(data.reference.take(slice(i * length, (i + 1) * length)))
        for i in range(batches)
    ]
    return design_effects(data.cells, np.stack(held)).residual


def chunks_inside(data: Census, rows: Rows, phi: float = 1.0) -> tuple[int, int]:
    """Chunks whose realised accuracy is in the interval of the estimate, and how many there are."""
    inside = chunks = 0
    for first in range(0, rows.score.size - CHUNK + 1, CHUNK):
        chunk = rows.take(slice(first, first + CHUNK))
        estimate = estimates(data, chunk, phi)["accuracy"]
        chunks += 1
        inside += estimate.low <= realised(data, chunk)["accuracy"].value <= estimate.high
    return inside, chunks


def run() -> list[Measured]:
    """The gate; nothing where the data is not there."""
    folder = os.environ.get("DRIFTSTREAM_DATA")
    data = census.load(Path(folder)) if folder else None
    return [] if data is None else measure(data)


def measure(data: Census, shuffles: int = 20, seed: int = 1801) -> list[Measured]:
    """Both orders of the later rows, and all of them at once."""
    later, rng = data.later, np.random.default_rng(seed)
    shuffled = [
        chunks_inside(data, later.take(rng.permutation(later.score.size))) for _ in range(shuffles)
    ]
    phi = effect_in_order(data)
    inside, chunks = chunks_inside(data, later, phi)
    whole, truth = estimates(data, later)["accuracy"].value, realised(data, later)["accuracy"].value
    return [
        Measured(
            "census: share of chunks with the realised accuracy in the estimate's interval",
            *share_of(np.array([hits for hits, _ in shuffled]), chunks),
            least=0.92,
            note=f"{chunks} chunks of {CHUNK:,} in random order, {shuffles} times",
        ),
        Measured(
            "the same in the file's order",
            *share_of(np.array([inside]), chunks),
            least=38 / 41,
            note=f"{inside} of {chunks}; the reference's design effect is {phi:.2f}",
        ),
        Measured(
            "census: estimated less realised accuracy of all rows",
            *exactly(abs(whole - truth)),
            most=0.002,
            note=f"{whole:.4f} and {truth:.4f} of {later.score.size:,} rows, three later years",
        ),
    ]
