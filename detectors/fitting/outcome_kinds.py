"""Which outcomes the columns of a reference may hold: of two classes, of several, of numbers.

Which class is the positive one, and whether a score is its probability or how sure the model is,
columns do not always tell before they are read: then all that they may be is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import Binning, NumericBinning
from detectors.counting.name_bins import CategoricalBinning
from detectors.counting.outcome_cells import LARGEST_ERROR, MAX_CLASSES, OutcomeCells
from detectors.errors import InvalidReferenceError
from detectors.references.segments import Segment

__all__ = ["HALF", "OutcomeOptions", "cells_of_classes", "cells_of_numbers"]

#: Names of a class that says yes, in lower case.
_POSITIVE: Final = frozenset(("1", "true", "yes", "y", "positive", "pos"))
#: The largest error that is added up is so many times what one in a thousand is beyond.
_BEYOND: Final = 64.0
#: The score from which a class is said, where nobody says another.
HALF: Final = 0.5

_Binnings = Mapping[str, Binning]


@dataclass(frozen=True)
class OutcomeOptions:
    """What a user says of outcomes.

    Attributes
    ----------
    positive : str, optional
        The positive class.
    threshold : float, optional
        From which score on it is said.
    protected : tuple of str or tuple of str
        Columns by whose values outcomes are counted too: whether decisions differ by them. Of
        two or three in a tuple by each combination of their values.
    """

    positive: str | None = None
    threshold: float | None = None
    protected: tuple[Segment, ...] = ()


def cells_of_numbers(
    actual: str, predicted: str, binnings: _Binnings, errors: npt.NDArray[np.float64]
) -> OutcomeCells:
    """Those of a regression, in a unit for errors like these.

    A power of two, so that whole numbers stay whole.
    """
    sizes = np.abs(errors)
    sizes = sizes[np.isfinite(sizes)]
    large = float(np.quantile(sizes, 0.999)) if sizes.size else 1.0
    exponent = math.frexp(_BEYOND * large / LARGEST_ERROR)[1] if large > 0.0 else -20
    unit = math.ldexp(1.0, max(-1_000, min(900, exponent)))
    bins = binnings[predicted].n_bins
    return OutcomeCells("regression", actual, predicted, score_bins=bins, unit=unit)


def cells_of_classes(
    actual: str, label: str, score: str, binnings: _Binnings, options: OutcomeOptions
) -> tuple[list[OutcomeCells], str]:
    """All that outcomes of classes may be; or none, and why.

    Parameters
    ----------
    actual, label, score : str
        The columns; `label` and `score` empty where there is none.
    binnings : mapping of str to Binning
        Of them.
    options : OutcomeOptions
        What a user says.

    Raises
    ------
    InvalidReferenceError
        If the positive class is none of two.
    """
    came = binnings[actual]
    if not isinstance(came, CategoricalBinning):
        return [], (
            f"{actual} has numbers and {label or score} has names, so that no prediction can be "
            f"right; if both are classes, say --categorical {actual}"
        )
    names = list(came.categories)
    if label:
        said = binnings[label]
        assert isinstance(said, CategoricalBinning)
        own = {name for name, b in said.bins_of_names.items() if b < len(said.categories)}
        names = [name for name in names if name in own]
    if len(names) < 2:
        if len(came.categories) < 2:
            return [], f"{actual} has one class only"
        return [], f"{label} and {actual} have too many classes, or none in common"
    by = binnings[score] if score else None
    if not label and not isinstance(by, NumericBinning):
        return [], f"{score} has names, and a score is a number"
    probability = isinstance(by, NumericBinning) and bool(
        by.edges[0] >= -1e-6 and by.edges[-1] <= 1.0 + 1e-6
    )
    common: dict[str, Any] = {
        "actual": actual,
        "predicted": label,
        "score": score if isinstance(by, NumericBinning) else "",
        "score_bins": by.n_bins if isinstance(by, NumericBinning) else 0,
        "probability": probability,
    }
    if len(names) == 2:
        return _binary(names, common, options)
    if not label:
        return [], f"a score alone does not say which of {len(names)} classes it is of"
    if options.positive is not None:
        raise InvalidReferenceError(f"a positive class is one of two; {actual} has {len(names)}.")
    return [OutcomeCells("multiclass", classes=tuple(names[:MAX_CLASSES]), **common)], ""


def _binary(
    names: Sequence[str], common: dict[str, Any], options: OutcomeOptions
) -> tuple[list[OutcomeCells], str]:
    positive = options.positive
    if positive is not None and positive not in names:
        raise InvalidReferenceError(
            f"the positive class must be {names[0]!r} or {names[1]!r}; got {positive!r}."
        )
    label, score, probability = (common[key] for key in ("predicted", "score", "probability"))
    if not label and not probability and options.threshold is None:
        return [], (
            f"{score} is no probability, so from which value on it says a class is not known; "
            "say --threshold NUMBER, or --prediction COLUMN"
        )
    known = [name for name in names if name.lower() in _POSITIVE]
    if positive is None and len(known) == 1:
        (positive,) = known
    threshold = HALF if options.threshold is None else options.threshold
    both = [tuple(names), tuple(reversed(names))]  # the rarer class first taken as positive
    if positive is not None:
        both = [pair for pair in both if pair[1] == positive]
    elif not score:
        both = both[:1]
    found = [OutcomeCells("binary", classes=pair, threshold=threshold, **common) for pair in both]
    if label and score and probability:
        found.append(OutcomeCells("multiclass", classes=tuple(names), **common))
    return found, ""
