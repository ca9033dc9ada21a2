"""What is odd about a reference's outcomes, asked of whoever fits it.

Columns that do not mean what was said give numbers all the same: an accuracy of 0 for "Yes" beside
"yes", an AUC of .2 for the score of the other class. Nothing is changed; it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import Binning, NumericBinning
from detectors.counting.name_bins import CategoricalBinning
from detectors.figures import figures, percent
from detectors.outcomes.metrics import outcome_metrics
from detectors.references.outcome import OutcomeReference
from detectors.references.reference import SignalReference

__all__ = ["questions_about"]

#: A class that comes so often and is never said is asked about.
_OFTEN: Final = 0.05
#: So many classes that are all whole numbers may be numbers.
_MANY: Final = 10
_NAMED: Final = 3

Ints = npt.NDArray[np.int64]


def questions_about(outcome: OutcomeReference, signals: Sequence[SignalReference]) -> list[str]:
    """Warnings, each a question or what is left out; none of a regression."""
    cells = outcome.cells
    if cells.task == "regression" or not outcome.events:
        return []
    binnings = {signal.name: signal.binning for signal in signals}
    came = binnings[cells.actual]
    assert isinstance(came, CategoricalBinning)
    return [
        *_of_classes(outcome, len(came.categories)),
        *_of_names(outcome),
        *_of_score(outcome),
        *_of_probability(outcome, binnings.get(cells.score)),
    ]


def _of_classes(outcome: OutcomeReference, known: int) -> Iterator[str]:
    """Classes without a cell, and those that are perhaps numbers."""
    cells = outcome.cells
    others = int(cells.confusion(outcome.counts)[-1, -1])
    if cells.task == "multiclass" and others:
        yield (
            f"{len(cells.classes)} of {known} classes are told apart, the most frequent. Where "
            f"{cells.predicted} and {cells.actual} both are others it is not known whether they "
            f"are the same: {others:,} of {outcome.events:,} rows "
            f"({percent(others / outcome.events)}) are left out of the accuracy, and means of "
            f"classes are of the {len(cells.classes)}"
        )
    if len(cells.classes) > _MANY and all(_is_whole(name) for name in cells.classes):
        yield (
            f"{cells.predicted} and {cells.actual} hold {known} different whole numbers, taken for "
            f"classes. If they are numbers, say --numeric {cells.actual} --numeric "
            f"{cells.predicted}"
        )


def _of_names(outcome: OutcomeReference) -> Iterator[str]:
    """Classes that only one of both columns has."""
    cells = outcome.cells
    confusion = cells.confusion(outcome.counts)[:-1, :-1]
    said, came = confusion.sum(axis=1), confusion.sum(axis=0)
    if not (cells.predicted and said.any() and came.any()):
        return
    if not (said.astype(bool) & came.astype(bool)).any():
        yield (
            f"no class of {cells.predicted} ({_names(cells.classes, said)}) is one of "
            f"{cells.actual} ({_names(cells.classes, came)}), so that no prediction is right. Are "
            "they the same, written otherwise? Write them alike, here and in events"
        )
        return
    if len(cells.classes) < 3:
        return
    for name, of_said, of_came in zip(cells.classes, said.tolist(), came.tolist(), strict=True):
        if not of_said and of_came >= _OFTEN * outcome.events:
            yield (
                f"{name!r} is {percent(of_came / outcome.events)} of {cells.actual} and never "
                f"predicted. If it says that the truth is not known, say --missing {name}"
            )


def _of_score(outcome: OutcomeReference) -> Iterator[str]:
    """A score that is high where its class does not come."""
    cells = outcome.cells
    area = outcome_metrics(cells, outcome.counts, phi=max(outcome.effects)).get("auc")
    if cells.task == "binary" and area is not None and area.high < 0.5:
        other, positive = cells.classes
        yield (
            f"{cells.score} is low where {positive!r} comes (AUC {figures(area.value)[0]}). Is it "
            f"the score of {other!r}? Then say --positive {other}, or take one less it"
        )


def _of_probability(outcome: OutcomeReference, by: Binning | None) -> Iterator[str]:
    """A score beyond 0 to 1, of which some metrics cannot be told."""
    if outcome.cells.probability or not isinstance(by, NumericBinning):
        return
    low, high = figures(float(by.edges[0]), float(by.edges[-1]))
    yield (
        f"{outcome.cells.score} goes from {low} to {high}, so it is no probability: log loss, "
        "Brier score, calibration error and estimates before labels are left out. If it is in "
        "percent, divide by 100, here and in events"
    )


def _names(classes: Sequence[str], counts: Ints) -> str:
    there = [repr(classes[at]) for at in np.flatnonzero(counts).tolist()]
    more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    return ", ".join(there[:_NAMED]) + more


def _is_whole(name: str) -> bool:
    return name.removeprefix("-").isdecimal()
