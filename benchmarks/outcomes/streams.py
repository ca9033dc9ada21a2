"""Cells of simulated models: scores of a law, outcomes that follow them, and SEA."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from river.datasets import synth
from scipy import special
from scipy.signal import lfilter

from detectors.counting.outcome_cells import OutcomeCells

__all__ = ["CELLS", "LAWS", "Law", "Sea", "in_cells", "remembering"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BINS = 64
#: Of a binary model with a score; the last two bins are those of missing and invalid scores.
CELLS = OutcomeCells("binary", "actual", score="score", classes=("0", "1"), score_bins=BINS + 2)


@dataclass(frozen=True)
class Law:
    """Scores over quantile bins, each the chance that its class comes.

    Attributes
    ----------
    edges : float64[63]
        Of the bins of the reference's scores.
    bins : float64[64]
        Chance of each.
    share : float64[64]
        Of its events that come.
    """

    edges: Floats
    bins: Floats
    share: Floats

    @classmethod
    def of(cls, scores: Floats, now: Floats | None = None) -> Law:
        """The law of these scores, or of those that have come `now`, over their bins."""
        edges = np.quantile(scores, np.arange(1, BINS) / BINS)
        now = scores if now is None else now
        bins = np.searchsorted(edges, now, side="right")
        events = np.bincount(bins, minlength=BINS)
        came = np.bincount(bins, now, minlength=BINS)
        return cls(edges, events / now.size, came / np.maximum(events, 1))

    def cells(self, rng: np.random.Generator, n: int, share: Floats | None = None) -> Ints:
        """Cells of n independent events, whose shares may have become others."""
        events = rng.multinomial(n, self.bins)
        came = rng.binomial(events, self.share if share is None else share)
        cells = np.zeros(CELLS.width, np.int64)
        CELLS.calibration(cells)[:BINS] = np.stack([events - came, came], axis=1)
        return cells


def _normal(shift: float) -> Floats:
    return special.expit(2.0 * (np.random.default_rng(5).normal(size=400_000) + shift))


def _beta(a: float, b: float) -> Floats:
    return np.random.default_rng(5).beta(a, b, 400_000)


LAWS = {
    "even": Law.of(_beta(1.0, 1.0)),
    "at 0 and 1": Law.of(_beta(0.1, 0.1)),
    "2.4 % come": Law.of(_beta(0.2, 8.0)),
    "normal": Law.of(_normal(0.0)),
    "normal, inputs moved by .8 sd": Law.of(_normal(0.0), _normal(0.8)),
}


def _memory(rng: np.random.Generator, n: int, rho: float) -> Floats:
    """Ranks of an AR(1)."""
    noise = rng.normal(size=n) * np.sqrt(1.0 - rho * rho)
    noise[0] /= np.sqrt(1.0 - rho * rho)
    ranks: Floats = special.ndtr(lfilter([1.0], [1.0, -rho], noise))
    return ranks


def remembering(
    rng: np.random.Generator, law: Law, n: int, of: str, rho: float = 0.9, of_scores: float = 0.0
) -> tuple[Ints, Ints]:
    """Bins and outcomes of n events, where outcomes, or errors, come by an AR(1).

    Parameters
    ----------
    of : str
        What has the memory: "outcomes" or "errors".
    rho, of_scores : float
        Correlation of neighbours, and of their scores.
    """
    luck = _memory(rng, n, rho)
    bins = np.searchsorted(np.cumsum(law.bins)[:-1], _memory(rng, n, of_scores), side="right")
    share = law.share[bins]
    if of == "outcomes":
        return bins, (luck < share).astype(np.int64)
    wrong = luck < np.minimum(share, 1.0 - share)
    return bins, np.where(wrong, share < 0.5, share >= 0.5).astype(np.int64)


def in_cells(bins: Ints, came: Ints, size: int) -> Ints:
    """Cells of consecutive batches of so many events."""
    batches = bins.size // size
    out = np.zeros((batches, CELLS.width), np.int64)
    used = slice(0, batches * size)
    at = CELLS.calibration_at + 2 * bins[used] + came[used]
    np.add.at(out, (np.repeat(np.arange(batches), size), at), 1)
    return out


class Sea:
    """SEA with a concept for every 12,500 events, and a logistic model of the first 4,000.

    Attributes
    ----------
    score : float64[50000]
    came : int64[50000]
    """

    CONCEPTS = (0, 1, 2, 3)  # x1 + x2 above 8, 9, 7, 9.5
    LONG = 12_500
    TRAINED = 4_000

    def __init__(self, seed: int, noise: float = 0.1) -> None:
        x, y = [], []
        for concept in self.CONCEPTS:
            events = synth.SEA(variant=concept, noise=noise, seed=seed * 10 + concept)
            for features, label in itertools.islice(events, self.LONG):
                x.append([1.0, *features.values()])
                y.append(label)
        features, self.came = np.array(x), np.array(y, np.int64)
        weights = np.zeros(4)
        known, labels = features[: self.TRAINED], self.came[: self.TRAINED]
        for _ in range(20):  # iteratively reweighted least squares
            p = special.expit(known @ weights)
            slope = known.T @ (labels - p)
            weights += np.linalg.solve(
                (known.T * (p * (1.0 - p))) @ known + 1e-6 * np.eye(4), slope
            )
        self.score = special.expit(features @ weights)
