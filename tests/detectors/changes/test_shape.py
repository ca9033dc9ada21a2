"""A ramp is told from a step, and only where it clearly is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.change_points.shape import Means, _gain, ramp

HOUR = 3_600_000


def means(values: np.ndarray, weight: float = 100.0, known: float = 5_000.0) -> Means:
    """Blocks of an hour each."""
    starts = [at * HOUR for at in range(len(values))]
    return Means(starts, [s + HOUR for s in starts], np.full(len(values), weight), values, known)


def rising(at: np.ndarray, begin: float, end: float) -> np.ndarray:
    return np.clip((at - begin) / (end - begin), 0.0, 1.0)


MIDDLES = np.arange(48) + 0.5


@given(
    st.lists(st.floats(-2.0, 2.0), min_size=6, max_size=20),
    st.integers(0, 4),
    st.floats(0.0, 1e4),
    st.integers(0, 2**31),
)
def test_the_gain_is_that_of_least_squares(
    values: list[float], first: int, known: float, seed: int
) -> None:
    """Half of what weighted residuals become smaller by, with a level and the reference's row."""
    rng = np.random.default_rng(seed)
    size = len(values)
    blocks = Means(
        range(size), range(1, size + 1), rng.uniform(0.1, 9.0, size), np.array(values), known
    )
    shape = np.sort(rng.random(size - first))
    (gain,) = _gain(blocks, first, shape[None])
    root = np.sqrt(np.append(known, blocks.weight[first:]))
    y = root * np.append(0.0, blocks.mean[first:])

    def left(*columns: np.ndarray) -> float:
        a = root[:, None] * np.stack(columns, axis=1)
        fitted = np.linalg.lstsq(a, y, rcond=None)[0]
        return float(np.square(y - a @ fitted).sum())

    level = np.ones(root.size)
    won = (left(level) - left(level, np.append(0.0, shape))) / 2.0
    assert abs(gain) == pytest.approx(won, rel=1e-6, abs=1e-6 * (1.0 + np.square(y).sum()))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("end", [36.0, 60.0])
def test_a_ramp_is_told_from_where_it_began(sign: float, end: float) -> None:
    """One that is over, and one that still rises."""
    found = ramp(means(sign * 2.0 * rising(MIDDLES, 20.0, end)), 27 * HOUR, 3.7)
    assert found is not None
    assert abs(found.likeliest - 20) <= 1
    assert found.first <= 20 <= found.last
    assert found.last - found.first <= 12


@pytest.mark.parametrize("where", [20.0, 20.3, 20.5, 20.9])
def test_a_step_is_none_wherever_in_a_block_it_is(where: float) -> None:
    values = 2.0 * np.clip(np.arange(1, 49) - where, 0.0, 1.0)
    assert ramp(means(values), 20 * HOUR, 3.7) is None


def test_noise_does_not_make_a_ramp_of_a_step() -> None:
    rng = np.random.default_rng(8)
    told = 0
    for _ in range(300):
        values = 0.6 * (MIDDLES > 30.0) + rng.normal(size=48) / 10.0
        told += ramp(means(values), 30 * HOUR, 3.7) is not None
    assert told <= 6


def test_an_older_excursion_does_not_count() -> None:
    """A ramp to the same height long ago, back again, and now a step."""
    values = 2.0 * (rising(MIDDLES, 2.0, 12.0) * (MIDDLES < 14.0)) + 2.0 * (MIDDLES > 44.0)
    assert ramp(means(values), 44 * HOUR, 3.7) is None
    assert ramp(means(values[:14]), 5 * HOUR, 3.7) is not None


def test_too_few_blocks_say_nothing() -> None:
    assert ramp(means(np.arange(4.0)), 0, 3.7) is None
    found = ramp(means(np.arange(12.0), known=0.0), 4 * HOUR, 3.7)
    assert found is not None
    assert found.likeliest <= 1
