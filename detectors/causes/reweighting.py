"""How much of a prediction's move one feature accounts for: the reference's rows, reweighted.

If each value of the feature goes on bringing the predictions that it brought in the reference, the
feature's new distribution alone makes a new one of predictions: a mean of those of its bins, as
many of each as there are now (DiNardo, Fortin and Lemieux 1996, of one variable). What is left
between that and the predictions that came is not explained by it. Features that go together are
each credited with what they share, so a share is an upper bound: "up to".
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.references.joint import FeatureTable

__all__ = ["LEAST_EXPLAINED", "ExpectedErrors", "Explained", "expected_errors", "explained"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: A feature that explains less than this explains nothing that is worth a word.
LEAST_EXPLAINED: Final = 0.1
#: A share is off by at most about 2 / sqrt(n PSI) for the chance of a window: .2 from here on. Of
#: less it is not told.
_LEAST_CLEAR: Final = 100.0
#: Expected errors are told if there are more of them by so many standard errors, and by this part.
_CLEAR: Final = 2.0
_LEAST_RISE: Final = 0.1


class Explained(NamedTuple):
    """What one feature accounts for.

    Attributes
    ----------
    share : float
        Of the prediction's move, at most; 0 to 1.
    unknown : float
        Share of the feature's values that no row of the reference has: what they bring is not
        known, and is taken to be no move.
    """

    share: float
    unknown: float


class ExpectedErrors(NamedTuple):
    """Errors that a feature's distributions bring if they follow it as in the reference.

    Attributes
    ----------
    before, after : float
        Share of wrong predictions, or mean size of a regression's error in its unit.
    unknown : float
        Share of the feature's values without a row of the reference whose truth is known; they
        count with the mean of all.
    more : bool
        Whether there are clearly more errors, by more than the chance of both samples.
    """

    before: float
    after: float
    unknown: float
    more: bool


def explained(
    table: FeatureTable, usual: Ints, now: Ints, said_usual: Ints, said_now: Ints
) -> Explained | None:
    """Which share of the prediction's move a feature explains; None if the move is not clear yet.

    The distance is PSI over the groups of the table, with half an event more in each. What chance
    brings into a window of this size is taken off, so that what explains all of a move is not
    charged with it. The reference's own chance is not: it makes shares of features that moved far
    too low rather than too high.

    Parameters
    ----------
    table : FeatureTable
        Of the feature.
    usual, now : int64[n_bins]
        Counts of the feature: those to compare with, and the window's.
    said_usual, said_now : int64[groups]
        Counts of what the model said.
    """
    n = int(said_now.sum())
    if not (n and said_usual.any() and usual.any() and now.any()):
        return None
    before, after = said_usual / int(said_usual.sum()), said_now / n
    moved = _psi(before, after, n)
    chance = (int(np.count_nonzero(said_usual + said_now)) - 1) / n
    if n * moved < _LEAST_CLEAR or moved <= 2.0 * chance:
        return None
    rows = table.counts.astype(np.int64)
    total = rows.sum(axis=1)
    there = total > 0
    given = rows[there] / total[there, None]
    weights, base = now / int(now.sum()), usual / int(usual.sum())
    unknown, unused = float(weights[~there].sum()), float(base[~there].sum())
    # Rates of what was said under both distributions of the feature: by their ratio the usual
    # distribution is tilted, which also holds where that is another than the whole reference's.
    usually = base[there] @ given / (1.0 - unused) if unused < 1.0 else before
    tilted = weights[there] @ given + unknown * usually
    ratio = np.divide(tilted, usually, out=np.ones_like(tilted), where=usually > 0.0)
    expected = before * ratio
    left = _psi(expected / expected.sum(), after, n)
    share = 1.0 - max(0.0, left - chance) / (moved - chance)
    return Explained(min(1.0, max(0.0, share)), unknown)


def expected_errors(table: FeatureTable, usual: Ints, now: Ints) -> ExpectedErrors | None:
    """Errors that a feature's new distribution lets expect; None where no truth is known.

    Parameters
    ----------
    table : FeatureTable
        Of the feature.
    usual, now : int64[n_bins]
        Counts of the feature: those to compare with, and the window's.
    """
    if table.errors is None or not (usual.any() and now.any()):
        return None
    known, wrong = table.errors.astype(np.int64).T
    if not wrong.any():
        return None
    mean = int(wrong.sum()) / int(known.sum())
    rate = np.divide(wrong, known, out=np.full(known.size, mean), where=known > 0)
    weights, base = now / int(now.sum()), usual / int(usual.sum())
    before, after = float(base @ rate), float(weights @ rate)
    # What is right or wrong varies by r (1 - r), sizes by about r**2 or less; half an error more
    # keeps a bin without one from being certain.
    smooth = (wrong + 0.5) / (known + 1.0)
    spread = smooth * np.maximum(1.0 - smooth, smooth)
    of_rows = float(np.square(weights - base) @ (spread / np.maximum(1, known)))
    of_window = float(base @ np.square(rate - before)) / int(now.sum())
    chance = math.sqrt(of_rows + of_window)
    more = after - before > max(_CLEAR * chance, _LEAST_RISE * before)
    return ExpectedErrors(before, after, float(weights[known == 0].sum()), bool(more))


def _psi(before: Floats, after: Floats, n: int) -> float:
    """Between shares, with half an event of n in each group."""
    half = 0.5 / n
    whole = 1.0 + half * before.size
    p, q = (before + half) / whole, (after + half) / whole
    return float(np.sum((q - p) * np.log(q / p)))
