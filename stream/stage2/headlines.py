"""A finding in one breath: the one effect that the test which fired is about.

`mean of 'amount' 4.1 -> 12.3 (3 times as high)`, `6 % of 'age' is missing (usually 0 %)`. What else
moved stands in the finding's `change`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from detectors import CategoricalBinning, NumericBinning, SignalReference
from detectors.change_points.estimates import outside
from detectors.change_points.explain import LEAST_EVENTS, Change, ends_of
from detectors.change_points.name_words import quoted, shares_of_look
from detectors.counting.merge_bins import special_bins
from detectors.figures import figure, figures, percent
from stream.stage2.error_sizes import ErrorSizes
from stream.text.printable import printable

__all__ = ["headline"]

Ints = npt.NDArray[np.int64]

#: Names are cut beyond so many characters: a headline is to be read at a glance.
_NAME_CHARS: Final = 40
#: A mean that is so many times the former one, or its inverse, is worded as a multiple.
_MIN_TIMES: Final = 2.0
#: Of a mean nearer to 0 than this part of the spread no multiple is given.
_FROM_ZERO: Final = 0.2
_SPECIAL: Final = {
    "missing": "is missing",
    "invalid": "is of the wrong type",
    "unseen": "was never seen before",
}


def headline(
    signal: SignalReference,
    counts: Ints,
    change: Change,
    *,
    test: str,
    moves: str,
    look: int,
    public: bool,
    errors: ErrorSizes | None = None,
) -> str:
    """What a finding of `test` says of a signal's counts.

    `moves` is what its direction is of, `look` the share that a test of names found, and `errors`
    how wrong predictions are, of the signal that is their error.
    """
    name = f"'{printable(signal.name, _NAME_CHARS)}'"
    if errors is not None:
        return _of_error(signal, counts, errors)
    said = _rate(signal, counts, test, name)
    if not said and look >= 0:
        said = _of_look(signal, counts, look, name, public=public)
    if not said and moves.startswith("mean"):
        said = _centre(change, name)
    if not said and change.spread and not moves.startswith("mean"):
        said = _spread(change.spread, name)
    is_numeric = isinstance(signal.binning, NumericBinning)
    said = said or _bins(change, name, is_numeric=is_numeric, public=public)
    said = said or _centre(change, name) or f"{name} changed"
    events = int(counts.sum())
    if events < LEAST_EVENTS:
        said += f" ({events} event{'s' if events != 1 else ''} so far)"
    return said


def _of_error(signal: SignalReference, counts: Ints, errors: ErrorSizes) -> str:
    """How wrong predictions are: accuracy, or the mean error without its sign."""
    binning = signal.binning
    if isinstance(binning, CategoricalBinning):
        return f"accuracy {percent(1.0 - errors.now)} (usually {percent(1.0 - errors.usual)})"
    beyond = sum(outside(signal, counts))
    if errors.clipped and beyond > 0.5:  # a lower bound would say little
        ends = figures(*ends_of(binning))
        where = f"beyond {ends[0]} to {ends[1]}" if ends[0] != ends[1] else f"not {ends[0]}"
        return f"{percent(beyond)} of errors are {where} (usually none)"
    now, usual = figures(errors.now, errors.usual)
    least = "at least " if errors.clipped else ""
    return f"mean absolute error {least}{now} (usually {usual})"


def _rate(signal: SignalReference, counts: Ints, test: str, name: str) -> str:
    """What a rate counts, as a share of the signal's values."""
    if test == "range_rate":
        before, now = (sum(outside(signal, some)) for some in (signal.counts, counts))
        assert isinstance(signal.binning, NumericBinning)
        ends = figures(*ends_of(signal.binning))
        what = f"is beyond {ends[0]} to {ends[1]}"
    elif (special := test.removesuffix("_rate")) in _SPECIAL:
        bins = special_bins(signal.binning)[special]
        until = signal.binning.missing if test == "unseen_rate" else signal.binning.n_bins
        before, now = (_share(some, bins, until) for some in (signal.counts, counts))
        what = _SPECIAL[special]
    else:
        return ""
    return f"{percent(now)} of {name} {what} (usually {percent(before)})"


def _of_look(signal: SignalReference, counts: Ints, look: int, name: str, *, public: bool) -> str:
    """The share that a test of names found."""
    binning = signal.binning
    assert isinstance(binning, CategoricalBinning)
    what, verb = "one group of rare names", "is"
    if look < binning.other:
        own = quoted(printable(binning.label(look), _NAME_CHARS))
        what = own if public else f"category {look + 1}"
    elif look >= binning.unseen:
        what, verb = "all rare names", "are"
    before, now = shares_of_look(signal, binning, counts, look)
    return f"{what} {verb} {percent(now)} of {name} (usually {percent(before)})"


def _centre(change: Change, name: str) -> str:
    """`mean 4.1 -> 2.7` with the name, and how many times as high if that is plain."""
    if not change.centre:
        return ""
    kind, rest = change.centre.split(" ", 1)
    times = ""
    if kind == "mean" and (ratio := _ratio(change)):
        if ratio >= _MIN_TIMES:
            times = f" ({figure(round(ratio, 1 if ratio < 10.0 else 0))} times as high)"
        elif ratio <= 1.0 / _MIN_TIMES:
            times = f" ({percent(round(ratio, 2))} of what it was)"
    return f"{kind} of {name} {rest}{times}"


def _spread(words: str, name: str) -> str:
    """`90 % within 1 to 3 -> 0 to 5`, with whose values."""
    share, rest = words.split(" % ", 1)
    return f"{share} % of {name} {rest}"


def _ratio(change: Change) -> float:
    """The mean as a multiple of what it was; 0 where that says nothing, as of a mean near 0."""
    before, after, quantiles = change.mean_before, change.mean_after, change.quantiles_before
    if before is None or after is None or not quantiles or after <= 0.0:
        return 0.0
    spread = quantiles[-1] - quantiles[0]
    return after / before if before > _FROM_ZERO * spread else 0.0


def _bins(change: Change, name: str, *, is_numeric: bool, public: bool) -> str:
    """The bin whose share moved most."""
    if not any(change.window):
        return ""
    moved = np.abs(np.subtract(change.window, change.reference))
    at = int(np.argmax(moved))
    label, now = change.labels[at], percent(change.window[at])
    usual = f"(usually {percent(change.reference[at])})"
    if label in _SPECIAL:
        return f"{now} of {name} {_SPECIAL[label]} {usual}"
    if is_numeric:
        return f"{now} of {name} is {label} {usual}"
    if public and label != "other":
        label = quoted(printable(label, _NAME_CHARS))
    return f"{label} is {now} of {name} {usual}"


def _share(counts: Ints, bins: Ints, until: int) -> float:
    return int(counts[bins].sum()) / max(1, int(counts[:until].sum()))
