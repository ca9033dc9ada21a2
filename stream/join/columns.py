"""Between columns and rows: what of an event is joined, and a joined pair as a truth to count.

A truth that was joined is counted as one that repeats its prediction, by the same code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detectors import CategoricalBinning
from detectors.counting.ids import NO_ID
from detectors.counting.outcome_cells import OutcomeCells
from stream.decode.columns import ABSENT, ABSENT_CODE, Columns, Labels
from stream.join.joiner import Joined
from stream.join.rows import LABEL, PREDICTION, RowBatch, numbered, row_dtype
from stream.plans.plan import Plan

__all__ = ["JoinedSignals"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Place:
    """Where a signal is in the columns of a batch; nowhere where `at` is below 0."""

    numeric: bool = False
    at: int = -1
    missing: int = -1  # the bin of no value, of names
    n_bins: int = 0  # of names


class JoinedSignals:
    """The signals of a plan that say what was predicted, and what came.

    Parameters
    ----------
    plan : Plan

    Attributes
    ----------
    classes : dict of int to str
        Names of the classes that are counted apart, by the code of a label; none of a regression.

    Raises
    ------
    ValueError
        If the plan has no truths.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        numeric = [s for s in plan.decoded if s.kind == "numeric"]
        named = [s for s in plan.decoded if s.kind != "numeric"]
        self._widths = len(numeric), len(named)
        places = {s.name: _Place(True, at) for at, s in enumerate(numeric)}
        places |= {
            s.name: _Place(False, at, s.binning.missing, s.binning.n_bins)
            for at, s in enumerate(named)
        }
        actual = [s.name for s in plan.decoded if s.role == "actual"]
        if not actual:
            raise ValueError(
                f"labels are the truths of {plan.model}, and its reference has none. Fit it on "
                "rows with their truth: --actual COLUMN."
            )
        self._actual = places[actual[0]]
        self.classes = {} if plan.outcome is None else _classes(plan, plan.outcome.cells)
        said = ("", "") if plan.outcome is None else _said(plan)
        nowhere = _Place()
        found = [places.get(name, nowhere) for name in said]
        self._number = next((place for place in found if place.numeric), nowhere)
        self._name = next((place for place in found if not place.numeric), nowhere)

    @property
    def scopes(self) -> int:
        """How many names a prediction is counted by: its version and its segments."""
        return 1 + len(self.plan.segment_columns)

    @property
    def no_rows(self) -> npt.NDArray[np.void]:
        """Rows of which there are none."""
        return np.zeros(0, row_dtype(self.scopes))

    @property
    def no_names(self) -> list[list[str]]:
        """The names in rows of labels, which have none."""
        return [[] for _ in range(self.scopes)]

    def predictions(
        self, version: str, columns: Columns, time_ms: Ints, offset: Ints, late: Bools
    ) -> tuple[RowBatch, int]:
        """Rows of events of one version, but the late, that have no truth; how many have no id."""
        rows, scopes, nameless = self.unnumbered(version, columns, time_ms, offset, late)
        rows["scopes"], names = numbered(scopes, rows.size)
        return RowBatch(rows, names), nameless

    def unnumbered(
        self, version: str, columns: Columns, time_ms: Ints, offset: Ints, late: Bools
    ) -> tuple[npt.NDArray[np.void], list[list[str | None]], int]:
        """The same rows without numbers of scopes, whose values are beside them."""
        n = len(time_ms)
        open_ones = ~late & ~self._has_truth(columns.numeric, columns.codes)
        if (truths := columns.truths) is not None:
            open_ones &= ~truths
        ids = np.full(n, NO_ID) if columns.ids is None else columns.ids
        which = np.flatnonzero(open_ones & (ids != NO_ID))
        rows = self._rows(ids[which], time_ms[which], PREDICTION, offset[which])
        if self._number.at >= 0:
            rows["value"] = columns.numeric[which, self._number.at]
        if self._name.at >= 0:
            rows["code"] = columns.codes[which, self._name.at]
        places = which.tolist()
        scopes: list[list[str | None]] = [[version] * which.size]
        scopes += [[column[i] for i in places] for column in columns.segments]
        return rows, scopes, int(np.count_nonzero(open_ones & (ids == NO_ID)))

    def labels(self, labels: Labels, offset: Ints) -> tuple[RowBatch, int, int]:
        """Rows of labels; how many have no id, and how many no truth."""
        there = self._has_truth(labels.numeric, labels.codes)
        ids = np.full(len(there), NO_ID) if labels.ids is None else labels.ids
        which = np.flatnonzero(there & (ids != NO_ID))
        rows = self._rows(ids[which], labels.time_ms[which], LABEL, offset[which])
        if self._actual.numeric:
            rows["value"] = labels.numeric[which, self._actual.at]
        else:
            rows["code"] = labels.codes[which, self._actual.at]
        nameless = int(np.count_nonzero(there & (ids == NO_ID)))
        return RowBatch(rows, self.no_names), nameless, int(np.count_nonzero(~there))

    def problem(self, rows: npt.NDArray[np.void]) -> str | None:
        """Why rows cannot be of this plan; None if they can."""
        if rows["scopes"].shape[1] != self.scopes:
            return f"they have {rows['scopes'].shape[1]} scopes, the plan {self.scopes}"
        said = rows["kind"] == PREDICTION
        for which, place in ((said, self._name), (rows["kind"] == LABEL, self._actual)):
            codes = rows["code"][which]
            if codes.size and not ABSENT_CODE <= codes.min() <= codes.max() < max(1, place.n_bins):
                return "a class that there is not"
        if (rows["scopes"][said, 0] == 0).any():
            return "a prediction of no version"
        return None

    def _rows(self, ids: Ints, time_ms: Ints, kind: int, offset: Ints) -> npt.NDArray[np.void]:
        rows = np.zeros(ids.size, row_dtype(self.scopes))
        rows["offset"], rows["kind"] = offset, kind
        rows["id"], rows["time_ms"] = ids.view(np.uint64), time_ms
        rows["value"], rows["code"] = ABSENT, ABSENT_CODE
        return rows

    def _has_truth(self, numeric: Floats, codes: Codes) -> Bools:
        place = self._actual
        if place.numeric:
            values = numeric[:, place.at]
            there: Bools = ~np.isnan(values) & ~np.isposinf(values)
            return there
        of = codes[:, place.at]
        named: Bools = (of >= 0) & (of != place.missing)
        return named

    def truths(self, joined: Joined, names: list[list[str]]) -> Iterator[tuple[str, Columns, Ints]]:
        """What was joined, as truths to count, with their times: version by version.

        Where there is no label, it is what the plan says that means; or it is left out.
        """
        labelled = joined.labelled
        absent = self.plan.absent_class
        rows, ids, at_ms = joined.predictions, joined.ids, joined.at_ms
        if absent is None:
            rows, ids, at_ms = rows[labelled], ids[labelled], at_ms[labelled]
        label = rows["label"].copy()
        label[np.isnan(label)] = -1 if absent is None else absent
        n_numeric, n_codes = self._widths
        numeric = np.full((ids.size, n_numeric), ABSENT)
        codes = np.full((ids.size, n_codes), ABSENT_CODE, np.int32)
        if self._number.at >= 0:
            numeric[:, self._number.at] = rows["value"]
        if self._name.at >= 0:
            codes[:, self._name.at] = rows["code"]
        if self._actual.numeric:
            numeric[:, self._actual.at] = label
        else:
            codes[:, self._actual.at] = label
        tables = [np.array([None, *of], object) for of in names]
        segments = [
            table[rows["scopes"][:, k]].tolist() for k, table in enumerate(tables[1:], start=1)
        ]
        whole = Columns(
            self.plan.model,
            "",
            self.plan,
            np.arange(ids.size),
            numeric,
            codes,
            segments,
            ids.view(np.int64),
            rows["time_ms"].astype(np.float64),
        )
        version_of = rows["scopes"][:, 0]
        for number in np.unique(version_of).tolist():
            of = np.flatnonzero(version_of == number)
            yield names[0][number - 1], whole.take(of, names[0][number - 1]), at_ms[of]


def _said(plan: Plan) -> tuple[str, str]:
    """The signals of what was predicted: score and class, or the number."""
    assert plan.outcome is not None
    return plan.outcome.cells.score, plan.outcome.cells.predicted


def _classes(plan: Plan, cells: OutcomeCells) -> dict[int, str]:
    signal = next(s for s in plan.decoded if s.name == cells.actual)
    if not isinstance(signal.binning, CategoricalBinning):
        return {}
    return {signal.binning.bins_of_names[name]: name for name in cells.classes}
