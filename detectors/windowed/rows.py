"""The null law of every row of a bank, from the coarse bins of its signals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.counting.counts import Layout
from detectors.null_distributions.brownian_bridge import AREA, AREA_MEAN, MAXIMUM, MAXIMUM_MEAN
from detectors.null_distributions.small_counts import small_counts_chi2
from detectors.windowed.catalogue import WINDOWED_TESTS
from detectors.windowed.coarsening import EVENTS_PER_BIN, Coarse, norm_law
from detectors.windowed.kernels import NORM, Level, Rows

__all__ = ["Scales", "level_of"]

_NAMES = tuple(WINDOWED_TESTS)


class Scales(NamedTuple):
    """Rows a signal's ranks are of; sd of Wasserstein and of KS over a bridge's, and their df."""

    rows: float
    area: float
    maximum: float
    df: float


def level_of(
    rows: Rows,
    tests: npt.NDArray[np.int64],
    bins: Sequence[Coarse],
    scales: Mapping[int, Scales],
    layout: Layout,
    k: int,
) -> Level:
    """Laws for windows of 100 k events; `tests` are indices in `WINDOWED_TESTS`."""
    most = max((len(row.reference) for row in bins), default=0)
    group = np.full(layout.width, -1, np.int8)
    reference = np.zeros((len(bins), most), np.int64)
    weights = np.zeros((len(bins), most))
    for i, row in enumerate(bins):
        group[layout.slice(i)] = row.group
        reference[i, : len(row.reference)] = row.reference
        weights[i, : len(row.weights)] = row.weights
    events, factor, mean, dimension, df = np.zeros((5, tests.size))
    law = np.zeros(tests.size, np.int64)
    for r, (i, t) in enumerate(zip(rows.signal.tolist(), tests.tolist(), strict=True)):
        test, row = WINDOWED_TESTS[_NAMES[t]], bins[i]
        if test.ranks:
            of_ranks = scales[i]
            events[r], df[r] = of_ranks.rows, of_ranks.df
            is_area = _NAMES[t] == "wasserstein"
            law[r] = AREA if is_area else MAXIMUM
            scale = of_ranks.area if is_area else of_ranks.maximum
            factor[r] = scale**2 * (events[r] > 0)
            mean[r] = (AREA_MEAN if is_area else MAXIMUM_MEAN) ** 2
        elif len(row.reference) > 1:
            events[r], df[r] = row.reference.sum(), row.df
            factor[r], mean[r] = test.factor, row.weights.sum()
            if _NAMES[t] == "total_variation":
                norm = norm_law(row)
                law[r], dimension[r] = NORM, norm.dimension
                factor[r], mean[r] = norm.scale**2, norm.mean**2
            elif row.scarce:
                scale, dimension[r], higher = small_counts_chi2(
                    test.code,
                    None if test.pivot else test.factor,
                    tuple(row.reference.tolist()),
                    EVENTS_PER_BIN * k,
                )
                if higher > 1.0 and math.isinf(row.df):
                    law[r] = NORM  # a norm's square is a chi2
                else:
                    scale = higher
                factor[r] *= scale
                mean[r] /= scale
    size = np.array([len(row.reference) for row in bins], np.int64)
    return Level(group, size, reference, weights, events, factor, mean, law, dimension, df)
