"""What a reference knows of outcomes: how right the model was where the truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from detectors.counting.binning import Binning
from detectors.counting.outcome_cells import TASKS, OutcomeCells
from detectors.counting.outcome_places import OutcomePlaces
from detectors.errors import DocumentError
from detectors.references.json_reader import Place
from detectors.references.protected import ProtectedOutcomes

__all__ = ["OutcomeReference"]


@dataclass(frozen=True, eq=False)
class OutcomeReference:
    """Outcomes of the reference's rows.

    Attributes
    ----------
    cells : OutcomeCells
        What is counted.
    error : str
        Name of the signal that is derived: the error of each prediction.
    counts : int64[cells.width]
        Of the rows that have prediction and truth.
    effects : tuple of 3 floats
        Design effects of the truth beyond what the score lets expect: of the whole, of how well the
        score orders it, and of a group of scores.
    batches : int
        How many independent batches that is known from; 0 if the rows have no order.
    protected : tuple of ProtectedOutcomes
        Outcomes by value of the columns that decisions must not differ by.
    """

    cells: OutcomeCells
    error: str
    counts: npt.NDArray[np.int64]
    effects: tuple[float, float, float] = (1.0, 1.0, 1.0)
    batches: int = 0
    protected: tuple[ProtectedOutcomes, ...] = ()

    @property
    def events(self) -> int:
        """Rows that have prediction and truth."""
        return self.cells.events(self.counts)

    @property
    def signals(self) -> frozenset[str]:
        """The signals that an outcome is counted from, and its error."""
        cells = self.cells
        return frozenset({cells.actual, cells.predicted, cells.score, self.error} - {""})

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return {
            **self.cells.document(),
            "error": self.error,
            "counts": self.counts.tolist(),
            "effects": list(self.effects),
            "batches": self.batches,
            **({"protected": [p.document() for p in self.protected]} if self.protected else {}),
        }

    @classmethod
    def read(cls, place: Place, binnings: Mapping[str, Binning]) -> OutcomeReference:
        """From the document at a place, checked against the signals of the reference."""
        for member in ("actual", "predicted", "score", "error"):
            name = place[member].text(non_empty=member in ("actual", "error"))
            if name and name not in binnings:
                place[member].fail(f"must be one of the signals; got {name!r}")
        score = place["score"].text()
        try:
            cells = OutcomeCells(
                task=place["task"].is_one_of(TASKS),
                actual=place["actual"].text(),
                predicted=place["predicted"].text(),
                score=score,
                classes=tuple(item.text() for item in place["classes"].items()),
                threshold=place["threshold"].number(),
                score_bins=place["score_bins"].integer(minimum=0),
                probability=place["probability"].boolean(),
                unit=place["unit"].number(minimum=0.0),
            )
            OutcomePlaces(cells, binnings)
        except ValueError as error:
            if isinstance(error, DocumentError):
                raise
            place.fail(str(error))
        if (by := cells.binned_by) and cells.score_bins not in (0, binnings[by].n_bins):
            place["score_bins"].fail(f"must be {binnings[by].n_bins}; got {cells.score_bins}")
        residual, order, group = place["effects"].numbers(length=3).tolist()
        if not min(residual, order, group) >= 1.0:
            place["effects"].fail("must be at least 1")
        return cls(
            cells,
            place["error"].text(),
            place["counts"].integers(length=cells.width, minimum=0),
            (residual, order, group),
            place["batches"].integer(minimum=0),
            _read_protected(place, cells),
        )


def _read_protected(place: Place, cells: OutcomeCells) -> tuple[ProtectedOutcomes, ...]:
    if "protected" not in place.names():
        return ()
    found = tuple(ProtectedOutcomes.read(item, cells) for item in place["protected"].items())
    if len({each.column for each in found}) < len(found):
        place["protected"].fail("must be of different columns")
    return found
