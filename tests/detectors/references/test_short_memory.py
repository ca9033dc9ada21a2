"""A memory shorter than a batch: clear from pieces of batches, hidden in the chance of a few."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from detectors import CategoricalBinning, fit_reference
from detectors.references.calibration import (
    Calibration,
    batches_of_rows,
    calibrate,
    joined,
    pieces_of_batch,
    share_effect,
)
from detectors.synth import autoregressive

ROWS = 10_000
TIMES = np.arange(ROWS, dtype=np.int64) * 1_000
Ints = npt.NDArray[np.int64]


def repeating(rng: np.random.Generator, share: float, repeat: float) -> npt.NDArray[np.bool_]:
    """Each as the one before with that chance: a design effect of (1 + r) / (1 - r)."""
    fresh = rng.random(ROWS) >= repeat
    fresh[0] = True
    drawn: npt.NDArray[np.bool_] = rng.random(ROWS) < share
    return drawn[np.maximum.accumulate(fresh * np.arange(ROWS))]


def both_ways(rare: npt.NDArray[np.bool_]) -> tuple[Calibration, Calibration, Ints]:
    """From whole batches and from their pieces."""
    binning = CategoricalBinning(("often", "rare"))
    length, batches = batches_of_rows(ROWS)
    pieces = pieces_of_batch(length, batches)
    table = np.zeros((batches * pieces, binning.n_bins), np.int64)
    table[:, 1] = rare.reshape(batches * pieces, -1).sum(axis=1)
    table[:, 0] = length // pieces - table[:, 1]
    counts, news = table.sum(axis=0), np.zeros(batches, np.int64)
    whole = calibrate(binning, counts, 0, joined(table, pieces), news)
    return whole, calibrate(binning, counts, 0, table, news, pieces=pieces), table


def raised(whole: Calibration, fine: Calibration) -> float:
    assert whole.lower is not None
    assert fine.lower is not None
    ratio = fine.lower[0] / whole.lower[0]
    assert fine.lower == pytest.approx(whole.lower * ratio, rel=1e-6)  # all of it alike
    return float(ratio)


def test_what_chance_hides_in_fifty_batches_is_found() -> None:
    rng = np.random.default_rng(1)
    effects = []
    for _ in range(60):
        whole, fine, table = both_ways(repeating(rng, 0.1, 0.15))
        counts = table.sum(axis=0)
        effects.append(
            [share_effect(one, one.effect(counts), int(counts[1])) for one in (whole, fine)]
        )
    true = 1.15 / 0.85
    too_low = (np.array(effects) < 0.85 * true).mean(axis=0)
    assert too_low[0] > 0.1  # else nothing has to be mended
    assert too_low[1] <= 0.05


def test_independent_rows_are_left_alone() -> None:
    rng = np.random.default_rng(2)
    ratios = [raised(*both_ways(rng.random(ROWS) < 0.1)[:2]) for _ in range(200)]
    more = [ratio for ratio in ratios if ratio > 1.0]
    assert min(ratios) >= 1.0
    assert 0 < len(more) <= 12  # 2.3 % of 200, and what chance makes of it
    near = [both_ways(rng.random(ROWS) < 0.1)[1].phi_novel for _ in range(3)]
    assert near == [1.0] * 3


def test_a_longer_memory_is_that_of_the_batches() -> None:
    rng = np.random.default_rng(3)
    for _ in range(10):
        whole, fine, _ = both_ways(repeating(rng, 0.3, 0.98))
        assert raised(whole, fine) == 1.0


def test_the_scores_of_numbers_likewise() -> None:
    phi = []
    for seed in range(20):
        x = autoregressive(ROWS, 0.15, np.random.default_rng(seed))
        signal = fit_reference({"x": x}, model="m", times_ms=TIMES).signals[0]
        phi.append(signal.calibration.phi_x)
    assert np.mean(np.array(phi) < 1.1) <= 0.05
    assert 1.2 < np.median(phi) < 1.6


def test_pieces_are_equal_parts_of_batches_in_whatever_order_rows_come() -> None:
    rng = np.random.default_rng(4)
    rare = repeating(rng, 0.1, 0.15)
    x = np.where(rare, "rare", "often")
    straight = fit_reference({"x": x}, model="m", times_ms=TIMES)
    mixed = rng.permutation(ROWS)
    sorted_ = fit_reference({"x": x[mixed]}, model="m", times_ms=TIMES[mixed])
    one, other = (r.signals[0].calibration.lower for r in (straight, sorted_))
    assert one is not None
    assert other is not None
    assert one.tolist() == other.tolist()
    by_table = both_ways(rare)[1].lower
    assert by_table is not None
    assert one == pytest.approx(by_table, rel=1e-6)


@pytest.mark.parametrize("rows", [150, 1_000, 1_700, 3_333, 10_000, 40_000, 79_999, 1_000_000])
def test_pieces_are_at_most_four_hundred_and_of_25_rows_at_least(rows: int) -> None:
    length, batches = batches_of_rows(rows)
    pieces = pieces_of_batch(length, batches)
    assert pieces & (pieces - 1) == 0
    assert pieces == 1 or (pieces * batches <= 400 and length >= 25 * pieces)
    assert 2 * pieces * batches > 400 or math.floor(length / (2 * pieces)) < 25
