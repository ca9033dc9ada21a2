"""Cells of outcomes that are given row by row."""

from __future__ import annotations

import numpy as np

from detectors import CategoricalBinning, NumericBinning
from detectors.counting.outcome_cells import OutcomeCells
from detectors.counting.outcome_places import OutcomePlaces, errors_of


def score_binning(scores: np.ndarray, threshold: float = 0.5) -> NumericBinning:
    """Quantile bins, of which the threshold is an edge."""
    fitted = NumericBinning.fit(scores, 60).edges
    return NumericBinning(np.unique(np.append(fitted, threshold)))


def binary(
    scores: np.ndarray,
    actual: np.ndarray,
    predicted: np.ndarray | None = None,
    *,
    threshold: float = 0.5,
    binning: NumericBinning | None = None,
) -> tuple[OutcomeCells, np.ndarray, NumericBinning]:
    """Of a score and 0 or 1 a row: the layout, the counts, and the bins of the score."""
    names = CategoricalBinning(("0", "1"))
    by = binning or score_binning(scores, threshold)
    cells = OutcomeCells(
        task="binary",
        actual="actual",
        predicted="" if predicted is None else "predicted",
        score="score",
        classes=("0", "1"),
        threshold=threshold,
        score_bins=by.n_bins,
        probability=True,
    )
    places = OutcomePlaces(cells, {"score": by, "actual": names, "predicted": names})
    score = by.bin(scores).astype(np.int32)
    said = score if predicted is None else predicted.astype(np.int32)
    at, came = places.classes(said, actual.astype(np.int32))
    placed, _, hit = places.place(at, came, score)
    counts = _counted(cells, placed)
    sums = places.sums_of_scores(scores, hit).sum(axis=0)
    counts[cells.sums_at :] += sums
    return cells, counts, by


def multiclass(
    predicted: np.ndarray, actual: np.ndarray, classes: int, confidence: np.ndarray | None = None
) -> tuple[OutcomeCells, np.ndarray, NumericBinning | None]:
    """Of class numbers a row; the number after the last class is another name."""
    names = tuple(f"c{k}" for k in range(classes))
    binning = CategoricalBinning(names)
    by = None if confidence is None else score_binning(confidence)
    cells = OutcomeCells(
        task="multiclass",
        actual="actual",
        predicted="predicted",
        score="" if by is None else "score",
        classes=names,
        score_bins=0 if by is None else by.n_bins,
        probability=by is not None,
    )
    signals = {"actual": binning, "predicted": binning} | ({} if by is None else {"score": by})
    places = OutcomePlaces(cells, signals)
    at, came = places.classes(predicted.astype(np.int32), actual.astype(np.int32))
    score = None if by is None or confidence is None else by.bin(confidence).astype(np.int32)
    placed, _, hit = places.place(at, came, score)
    counts = _counted(cells, placed)
    if confidence is not None:
        counts[cells.sums_at :] += places.sums_of_scores(confidence, hit).sum(axis=0)
    return cells, counts, by


def regression(
    predicted: np.ndarray, actual: np.ndarray, unit: float
) -> tuple[OutcomeCells, np.ndarray]:
    cells = OutcomeCells(task="regression", actual="actual", predicted="predicted", unit=unit)
    nowhere = np.full(predicted.size, -1, np.int32)
    places = OutcomePlaces(cells, {})
    placed, amounts = places.sums_of_errors(errors_of(predicted, actual), nowhere)
    counts = _counted(cells, placed)
    counts[cells.sums_at :] += amounts.sum(axis=0)
    return cells, counts


def _counted(cells: OutcomeCells, placed: np.ndarray) -> np.ndarray:
    there = placed[placed >= 0]
    return np.bincount(there, minlength=cells.width).astype(np.int64)
