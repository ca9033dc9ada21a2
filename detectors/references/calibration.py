"""How much more a stream varies than independent events would: batch means of the reference.

Real streams depend on their past, so windows of them differ by more than chance of independent
draws explains. The reference, cut into batches in the order of time, shows by how much. Batch
means: Law and Carson 1979; design effects of tests on counts: Rao and Scott 1984. Where the stream
remembers for longer than a batch, `batch_means` makes them longer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import SCORE_SCALE, Binning, NumericBinning
from detectors.counting.merge_bins import base_groups
from detectors.null_distributions.special import chi2_quantile
from detectors.references.batch_means import (
    FEWEST_BATCHES,
    BatchMeans,
    batch_means,
    group_counts,
    residuals,
    score_sums,
)

__all__ = [
    "GOOD_BATCHES",
    "LEAST_BATCHES",
    "Calibration",
    "batches_of_rows",
    "calibrate",
    "cautious",
    "joined",
    "margin_of_few",
    "pieces_of_batch",
    "share_effect",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Fewer batches than this say nothing about dependence.
LEAST_BATCHES: Final = 8
#: With fewer batches than this the design effect gets a margin for its own uncertainty.
GOOD_BATCHES: Final = 50
#: An estimate that is too low costs more false alarms than one that is too high saves.
_CAUTION: Final = 1.25
#: Standard errors above 1 from which a design effect is clear, and from which one of a share is
#: more than what chance shows.
_CLEAR, _HINT = 2.0, 1.0
_FEWEST_RUNS: Final = 4
_SHARE: Final = np.array([0, 1], np.int64)
_SHORTEST, _LONGEST, _MOST_BATCHES = 100, 200, 400
#: Rows of a batch of a short reference, and of a piece of a batch.
_FINEST, _PIECE = 18, 25


@dataclass(frozen=True)
class Calibration:
    """What the batches of a reference say of one signal.

    Attributes
    ----------
    batches : int
        How many independent batches the measurement is worth; 0 if the reference has no order:
        events then count as independent.
    phi_x, phi_y : float
        Design effects of location and spread: variance of a mean over that of independent events.
    lower : float64[G (G + 1) / 2]
        `covariance` as it is kept: its lower triangle, row by row.
    groups : uint8[n_bins]
        Coarse bin of each fine bin.
    novel : int
        Rows whose value occurs in no other batch: as many new values as chance alone brings.
    phi_novel : float
        Design effect of their share; without batches, of how many there are in the reference alone.
    """

    groups: npt.NDArray[np.uint8]
    batches: int = 0
    phi_x: float = 1.0
    phi_y: float = 1.0
    lower: Floats | None = None
    novel: int = 0
    phi_novel: float = 1.0

    @property
    def phi(self) -> float:
        """The larger of both design effects."""
        return max(self.phi_x, self.phi_y)

    def effect(self, counts: Ints) -> float:
        """The design effect as measured, without margin; of names the mean over their bins."""
        if self.lower is None:
            return 1.0
        share = np.bincount(self.groups, counts) / max(1, int(counts.sum()))
        there = share > 0.0
        variance = self.lower[np.cumsum(np.arange(1, share.size + 1)) - 1]  # ends of its rows
        mean = float((variance[there] / share[there]).sum()) / max(1, int(there.sum()) - 1)
        return max(1.0, self.phi / margin_of_few(self.batches), mean)

    @property
    def covariance(self) -> Floats | None:
        """Of the shares of the coarse bins, for one event: divide by n for a window of n."""
        if self.lower is None:
            return None
        size = int(self.groups[-1]) + 1
        matrix = np.zeros((size, size))
        matrix[_triangle(size)] = self.lower
        return matrix + np.tril(matrix, -1).T


def batches_of_rows(n: int) -> tuple[int, int]:
    """Length and number of the batches of n rows in the order of time; the last takes the rest.

    Batches of 100 to 200 rows, at least 50 of them; longer ones where there are rows for 400, since
    they also see slower dependence; of short references 16.
    """
    length = max(min(max(n // GOOD_BATCHES, _SHORTEST), _LONGEST), n // _MOST_BATCHES)
    if n < FEWEST_BATCHES * length:
        length = max(_FINEST, n // FEWEST_BATCHES)
    return length, max(1, n // length)


def pieces_of_batch(length: int, batches: int) -> int:
    """Into how many pieces each batch is cut, to measure what has a short memory.

    Fifty batches leave a design effect uncertain by .2, four hundred pieces by .07.
    """
    pieces = 1
    while 2 * pieces * batches <= _MOST_BATCHES and length >= 2 * pieces * _PIECE:
        pieces *= 2
    return pieces


def joined(table: Ints, pieces: int) -> Ints:
    """Counts of whole batches from those of their pieces."""
    if pieces == 1:
        return table
    whole: Ints = table.reshape(-1, pieces, table.shape[1]).sum(axis=1)
    return whole


def calibrate(
    binning: Binning,
    counts: Ints,
    novel: int,
    table: Ints | None = None,
    news: Ints | None = None,
    *,
    consecutive: bool = True,
    pieces: int = 1,
    pairs: int = 0,
) -> Calibration:
    """Calibration of a signal from its counts in batches.

    Parameters
    ----------
    binning : Binning
        Of the signal.
    counts : int64[n_bins]
        Of all rows; of none where a column of actuals is empty, which then has no dependence.
    novel : int
        Rows whose value occurs in no other batch, or in no other row where there are no batches.
    table : int64[batches * pieces, n_bins]
        Counts of each piece of a batch; None for a reference without order.
    news : int64[batches]
        Those novel rows by batch.
    consecutive : bool
        Whether batches follow each other and can be joined; parts of a cycle cannot.
    pieces : int
        Of each batch. The effect of a short memory is clear from them, where it is hidden in the
        chance of a few batches; a longer one shows in the batches only.
    pairs : int
        Names that exactly two rows have, where there are no batches. With N1 seen once and N2 seen
        twice the estimate N1 of the new ones has a variance of N1 + 2 N2 (Esty 1983).
    """
    groups = base_groups(binning, counts).astype(np.uint8)
    few = table is not None and len(table) < LEAST_BATCHES * pieces
    if table is None or news is None or few or not counts.any():
        return Calibration(groups, novel=novel, phi_novel=1.0 + 2.0 * pairs / max(1, novel))
    scores = []
    if isinstance(binning, NumericBinning) and counts[: binning.missing].sum():
        x = binning.scores(counts)[: binning.missing]
        scores = [x, np.abs(2 * x - SCORE_SCALE)]
    fine, table = table, joined(table, pieces)
    if consecutive:
        means = batch_means(table, news, groups, scores)
    else:
        means = BatchMeans(table, news, (1.0,) * (1 + len(scores)), len(table))
    table, news, batches = means.table, means.news, means.worth
    margin = margin_of_few(batches)
    covariance = _covariance(group_counts(table, groups)) * means.inflation[0]
    if pieces > 1:
        covariance *= _more_at_hand(covariance, group_counts(fine, groups))
    phi_novel = margin * _effect_of_share(news, table.sum(axis=1))
    phi_x = phi_y = 1.0
    if scores:
        spread = [_variance(score, counts[: binning.missing]) for score in scores]
        phi_x, phi_y = (
            margin * inflation * phi
            for inflation, phi in zip(
                means.inflation[1:], _design_effects(table, scores, spread), strict=True
            )
        )
        if pieces > 1:
            near = _design_effects(fine, scores, spread)
            least = 1.0 + _CLEAR * math.sqrt(2.0 / len(fine))
            phi_x, phi_y = (
                max(phi, now) if now > least else phi
                for phi, now in zip((phi_x, phi_y), near, strict=True)
            )
    lower = covariance[_triangle(len(covariance))]
    short = np.fromstring("%.9g " * lower.size % tuple(lower.tolist()), sep=" ")
    return Calibration(
        groups, batches, max(1.0, phi_x), max(1.0, phi_y), short, novel, max(1.0, phi_novel)
    )


@lru_cache(maxsize=64)
def _triangle(size: int) -> tuple[Ints, Ints]:
    """Where the lower triangle of a matrix is; not to be written to."""
    return np.tril_indices(size)


def _more_at_hand(covariance: Floats, fine: Ints) -> float:
    """By what a covariance of shares is less than the pieces clearly show, 1 where they do not.

    `fine` has the counts of the coarse bins in each piece.
    """
    counts = fine.sum(axis=0)
    share = counts / max(1, int(counts.sum()))
    there = share > 0.0
    free = int(there.sum()) - 1
    if free < 1:
        return 1.0
    near, far = (
        float((matrix.diagonal()[there] / share[there]).sum()) / free
        for matrix in (_covariance(fine), covariance)
    )
    clear = near > 1.0 + _CLEAR * math.sqrt(2.0 / (len(fine) * free))
    return max(1.0, near / far) if clear and far > 0.0 else 1.0


def _covariance(coarse: Ints) -> Floats:
    """Covariance for one event of the shares of coarse bins, from their counts in batches."""
    return _ratio_covariance(coarse, coarse.sum(axis=1))


def _ratio_covariance(sums: Ints, sizes: Ints) -> Floats:
    """Covariance for one event of `sums / sizes`, from batches of any sizes."""
    residual = residuals(sums, sizes)
    factor = len(sizes) / (len(sizes) - 1) / int(sizes.sum())
    covariance: Floats = residual.T @ residual * factor
    return covariance


def _design_effects(
    table: Ints, scores: Sequence[Ints], variances: Sequence[float]
) -> Iterator[float]:
    """Of each score, which one event has with such a variance."""
    sums, sizes = score_sums(table, np.stack(scores))
    for of_score, variance in zip(sums, variances, strict=True):
        yield _design_effect(of_score, sizes, variance)


def _effect_of_share(inside: Ints, sizes: Ints) -> float:
    """Design effect of the share that is inside."""
    n = int(inside.sum())
    return _design_effect(inside, sizes, _variance(_SHARE, np.array([int(sizes.sum()) - n, n])))


def _variance(score: Ints, counts: Ints) -> float:
    """Of one event's score, where so many have each."""
    n = max(1, int(counts.sum()))
    return float(counts @ np.square(score - float(counts @ score) / n)) / n


def _design_effect(sums: Ints, sizes: Ints, variance: float) -> float:
    """Variance of the batches' mean scores over what independent events would give."""
    if variance == 0.0:
        return 1.0
    return float(_ratio_covariance(sums[:, None], sizes)[0, 0]) / variance


@lru_cache(maxsize=1_024)
def margin_of_few(batches: int) -> float:
    """Upper 90 % bound of a variance over its estimate, where batches are few.

    From half of the good ones on it runs out to 1 evenly.
    """
    if batches >= GOOD_BATCHES:
        return 1.0
    full = (batches - 1) / chi2_quantile(0.9, batches - 1)
    return 1.0 + (full - 1.0) * min(1.0, 2.0 - 2.0 * batches / GOOD_BATCHES)


def _is_above(calibration: Calibration, phi: float, errors: float) -> bool:
    """Whether a design effect is so many standard errors above 1."""
    if not calibration.batches:
        return False
    return phi > 1.0 + errors * math.sqrt(2.0 / (calibration.batches - 1))


def cautious(calibration: Calibration, phi: float) -> float:
    """A design effect to reckon with: a quarter more than estimated where it is clear."""
    if not calibration.batches:
        return 1.0
    return phi * (_CAUTION if _is_above(calibration, phi, _CLEAR) else 1.0)


def share_effect(calibration: Calibration, phi: float, inside: int) -> float:
    """Design effect to reckon with for a share, from its estimate and how many are inside.

    What batches of independent events show by chance is not reckoned with. Of a rare value that
    repeats, batches show no more than its runs, `inside` / phi of them: few need a margin.
    """
    if not _is_above(calibration, phi, _HINT):
        return 1.0
    if not inside or not _is_above(calibration, phi, _CLEAR):
        return phi
    return phi * margin_of_few(max(_FEWEST_RUNS, round(inside / phi)))
