"""Outcomes of the reference's rows: which there are, how right the model was, and its errors.

Rows that have what the model said and what turned out to be true say how right it was. What is
counted depends on what the columns hold: classes or numbers, which class is the positive one, and
whether a score is its probability or how sure the model is of what it says. Where a binary model's
columns do not tell before they are read, all of these are counted and one is chosen at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from detectors.counting.name_bins import MAX_CATEGORIES
from detectors.counting.outcome_cells import OutcomeCells
from detectors.counting.outcome_places import (
    RIGHT,
    WRONG,
    OutcomePlaces,
    errors_of,
)
from detectors.errors import InvalidReferenceError
from detectors.fitting.categorical import CategoricalFit
from detectors.fitting.numeric import NumericFit
from detectors.fitting.order import Batches
from detectors.fitting.outcome_kinds import (
    HALF,
    OutcomeOptions,
    cells_of_classes,
    cells_of_numbers,
)
from detectors.fitting.protected import ProtectedFit
from detectors.fitting.sampling import RowSample
from detectors.fitting.segment_values import SegmentValues
from detectors.fitting.values import Coded, Column, numbers
from detectors.outcomes.residual_effects import with_effects
from detectors.references.calibration import joined
from detectors.references.outcome import OutcomeReference
from detectors.references.segments import segment_name

__all__ = ["OutcomeFit", "add_places"]

Ints = npt.NDArray[np.int64]
_Fits = Mapping[str, "NumericFit | CategoricalFit"]
_Counted: TypeAlias = tuple[npt.NDArray[np.int32], Ints | None]

#: A score is how sure the model is if no more of them than this are below a half for either class.
_UNSURE: Final = 0.05
_NAMES: Final = (RIGHT, WRONG)


class OutcomeFit:
    """Follows both passes of a `ReferenceFitter` over rows that have prediction and truth.

    Attributes
    ----------
    error_name : str
        Name of the signal that is derived.
    error : NumericFit or CategoricalFit
        Of it.
    why_not : str
        Why nothing is counted though there is a truth; empty where it is.
    layouts : list of OutcomeCells
        After `prepare`: all that the outcomes may be.
    counted : list of (int32[n, k], int64[n, j] or None)
        By layout: of the rows that were counted last their cells, and what is added up of them.
    chosen, turned : int, bool
        After `finish`: which layout they are, and whether what was counted as wrong is right.
    """

    def __init__(
        self,
        kinds: Mapping[str, str],
        roles: Mapping[str, str],
        options: OutcomeOptions,
        sample: RowSample,
    ) -> None:
        named = {role: name for name, role in roles.items() if role != "feature"}
        self._actual = named.get("actual", "")
        label, score = named.get("label", ""), named.get("score", "")
        if label and kinds[self._actual] != "numeric" and kinds[label] == "numeric":
            label, score = "", score or label  # a number beside classes is a score
        self._label, self._score = label, score
        self._options = options
        self.why_not = ""
        self._of_protected: list[ProtectedFit] = []
        self.turned = False
        self.layouts: list[OutcomeCells] = []
        self.counted: list[_Counted] = []
        self.chosen = 0
        self.error_name = "error"
        while self.error_name in kinds:
            self.error_name = f"_{self.error_name}"
        self._said = self._label or self._score
        self._is_regression = kinds[self._actual] == "numeric" and kinds[self._said] == "numeric"
        self.error: NumericFit | CategoricalFit
        if self._is_regression and options.protected:
            raise InvalidReferenceError(
                f"{segment_name(options.protected[0])!r} cannot be protected: {self._said!r} and "
                f"{self._actual!r} are numbers, and fairness is that of classes."
            )
        if self._is_regression:
            self.error = NumericFit(sample)
        else:
            self.error = CategoricalFit(len(_NAMES))
            self.error.tally.add(list(_NAMES), [1, 1])

    @classmethod
    def of(
        cls,
        kinds: Mapping[str, str],
        roles: Mapping[str, str],
        options: OutcomeOptions,
        sample: RowSample,
    ) -> OutcomeFit | None:
        """One for these columns; None if they have no truth, or nothing that it is a truth of."""
        there = set(roles.values())
        if "actual" not in there or not there & {"label", "score"}:
            return None
        return cls(kinds, roles, options, sample)

    def lacks(self, signals: _Fits) -> bool:
        """Whether a column that it needs was left out between the passes."""
        return self._actual not in signals or self._said not in signals

    def share_classes(self, signals: _Fits) -> None:
        """Between the passes: let predictions and truths know each other's classes.

        A model that never said a class, or a class that never came, has a bin of its own all the
        same; else what is right later could not be told from what is wrong.
        """
        both = [signals.get(name) for name in (self._label, self._actual)]
        said, came = (fit.tally if isinstance(fit, CategoricalFit) else None for fit in both)
        if said is None or came is None:
            return
        names = {*said.counts, *came.counts}
        if len(names) > MAX_CATEGORIES:
            return
        spellings = [{"0", "1"}, {"false", "true"}]
        alike = names <= set.union(*spellings)  # whichever of both writes true or 1
        for tally in (said, came):
            mine = set(tally.counts)
            own = next((all_ for all_ in spellings if alike and mine and mine <= all_), names)
            missing = sorted(own - mine)
            tally.add(missing, [0] * len(missing))

    def survey(self, columns: Mapping[str, Column], slots: Ints, sources: Ints) -> None:
        """First pass over a batch."""
        if self._is_regression:
            self.error.survey(self._errors(columns), slots, sources)

    def _errors(self, columns: Mapping[str, Column]) -> npt.NDArray[np.float64]:
        errors = errors_of(numbers(columns[self._said]), numbers(columns[self._actual]))
        errors[np.isinf(errors)] = np.nan
        return errors

    def edge(self, signals: _Fits) -> tuple[str, float] | None:
        """The signal and the value that is to be an edge of its bins: where a class begins.

        Of a model that says its class besides, half is a guess, by which its metrics can be
        estimated if it is right. An edge beyond all scores would move what is usual for them.
        """
        score = signals.get(self._score)
        if self._is_regression or not isinstance(score, NumericFit):
            return None
        if self._options.threshold is not None:
            return self._score, self._options.threshold
        there = score.sampled
        if self._label and not (np.any(there < HALF) and np.any(there > HALF)):
            return None
        return self._score, HALF

    def prepare(
        self, signals: _Fits, batches: Batches, protected: Sequence[SegmentValues] = ()
    ) -> None:
        """End the first pass, after that of all signals and values: settle what may be counted."""
        self._signals, self._batches = signals, batches
        if self._score not in signals:
            self._score = ""
        self.layouts = self._settle()
        widths = [cells.of_classes.width for cells in self.layouts]
        self._of_protected = [ProtectedFit(values, widths) for values in protected]
        self.error.prepare(batches)
        binnings = {name: signal.binning for name, signal in signals.items()}
        self._places = [OutcomePlaces(cells, binnings) for cells in self.layouts]
        rows = max(1, batches.count) * batches.pieces
        self._tables = [np.zeros((rows, cells.width), np.int64) for cells in self.layouts]
        self._sides = np.zeros((2, 2), np.int64)  # said class, and whether its score is below half

    def _settle(self) -> list[OutcomeCells]:
        """All that the outcomes may be; none, with `why_not`, where they cannot be counted."""
        binnings = {name: signal.binning for name, signal in self._signals.items()}
        if self._is_regression:
            assert isinstance(self.error, NumericFit)
            return [cells_of_numbers(self._actual, self._said, binnings, self.error.sampled)]
        cells, self.why_not = cells_of_classes(
            self._actual, self._label, self._score, binnings, self._options
        )
        return cells

    def count(
        self,
        columns: Mapping[str, Column],
        values: Mapping[str, npt.NDArray[np.generic]],
        piece: npt.NDArray[np.int32],
        cell: npt.NDArray[np.int32],
    ) -> Ints:
        """Second pass over the rows that the signals counted last.

        `values` are what `count` of each signal gave. The sizes of errors, int64[n]: 1 for a wrong
        class, units of a regression's; -1 where no truth is known.
        """
        if self._is_regression:
            errors = self._errors(columns)
            self.error.count(errors, piece, cell)
            absent = np.where(np.isnan(errors), np.inf, errors)
            said = self._signals[self._said].placed
            where, amounts = self._places[0].sums_of_errors(absent, said)
            self.counted = [(where, amounts)]
            self._add(piece)
            return np.where(where[:, 0] < 0, -1, amounts[:, 0] + amounts[:, 1])
        rows = len(piece)
        read = (self._actual, self._label, self._score)
        bins = {name: self._signals[name].placed for name in read if name}
        codes = np.full(rows, -1, np.int32)
        self.counted = []
        for at, (cells, places) in enumerate(zip(self.layouts, self._places, strict=True)):
            predicted, actual = places.classes(
                bins[cells.predicted or cells.score], bins[cells.actual]
            )
            scored = bins[cells.score] if cells.score else None
            where, right, came = places.place(predicted, actual, scored)
            if at == 0:
                codes = np.where(right < 0, -1, 1 - right).astype(np.int32)
            sums: Ints | None = None
            if cells.sums:
                score = np.asarray(values[cells.score], np.float64)
                sums = places.sums_of_scores(score, came)
                if at == 0 and cells.predicted:
                    for side in (0, 1):
                        of_side = score[predicted == side]
                        self._sides[side] += [of_side.size, np.count_nonzero(of_side < HALF)]
            self.counted.append((where, sums))
            for protected in self._of_protected:
                protected.add(at, where[:, 0])
        self._add(piece)
        self.error.count(Coded(codes, _NAMES), piece, cell)
        return codes.astype(np.int64)

    def _add(self, piece: npt.NDArray[np.int32]) -> None:
        for table, cells, (where, sums) in zip(
            self._tables, self.layouts, self.counted, strict=True
        ):
            add_places(table, cells.sums_at, where, sums, piece)

    def finish(self, factor: float) -> OutcomeReference | None:
        """What the rows say, which came `factor` times each; None where nothing can be counted."""
        if not self.layouts:
            return None
        at = self.chosen = self._choice()
        cells, table = self.layouts[at], self._tables[at]
        self.turned = bool(at) and not cells.predicted
        if self.turned:  # the score says the other class
            for of_errors in (self.error.table, self.error.by_cell):
                of_errors[:, :2] = of_errors[:, 1::-1]
        counts = table.sum(axis=0)
        if factor > 1.0:
            counts = np.rint(counts / factor).astype(np.int64)
        protected = tuple(each.finish(at, factor) for each in self._of_protected)
        found = OutcomeReference(cells, self.error_name, counts, protected=protected)
        if not found.events:
            self.why_not = "no row has both a prediction and a truth"
            return None
        if not self._batches.count:
            return found
        return with_effects(found, joined(table, self._batches.pieces))

    def _choice(self) -> int:
        """Which of what was counted the columns are like."""
        last = len(self.layouts) - 1
        if self.layouts[last].task == "multiclass" and last:
            sizes, below = self._sides.T
            if (below <= _UNSURE * sizes).all():
                return last
        if last and self.layouts[1].task == "binary":
            # The score is of the class that comes where it is higher.
            one, other = (
                _rises(cells.calibration(table.sum(axis=0)))
                for cells, table in zip(self.layouts[:2], self._tables, strict=False)
            )
            return 0 if one >= other else 1
        return 0


def add_places(
    table: Ints,
    sums_at: int,
    where: npt.NDArray[np.int32],
    sums: Ints | None,
    row: npt.NDArray[np.integer[Any]],
) -> None:
    """Add events to a table of cells.

    Parameters
    ----------
    table : int64[rows, width]
        Added to.
    sums_at : int
        The first cell of sums.
    where : int32[n, k]
        Cells that each event is counted in, -1 for none.
    sums : int64[n, j] or None
        Amounts to add up.
    row : int[n]
        Of the table, for each event; -1 for none.
    """
    counted = row >= 0
    for column in where.T:
        there = counted & (column >= 0)
        np.add.at(table, (row[there], column[there]), 1)
    if sums is not None:
        for j, amounts in enumerate(sums.T, start=sums_at):
            np.add.at(table[:, j], row[counted], amounts[counted])


def _rises(calibration: Ints) -> float:
    """Mean rank of the score where its class came less that where it did not."""
    total = calibration.sum(axis=1)
    rank = np.cumsum(total) - total / 2.0
    sides = calibration.sum(axis=0)
    means = rank @ calibration / np.maximum(1, sides)
    return float(means[1] - means[0])
