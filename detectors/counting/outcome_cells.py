"""The cells that outcomes, predictions whose truth is known, are counted in.

They stand behind the bins of the signals in the flat vector of counts, are whole numbers and only
grow: merging, windows and snapshots treat them as they treat bins. What is no count is a sum in
fixed point, which is exact in any order too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "LARGEST_ERROR",
    "LOG_LOSS_UNIT",
    "MAX_CLASSES",
    "SCORE_UNIT",
    "SQUARES_PART",
    "TASKS",
    "OutcomeCells",
]

Ints = npt.NDArray[np.int64]

#: What a model does: tell one class from all others, one of several, or a number.
TASKS: Final = ("binary", "multiclass", "regression")
#: Classes with cells of their own; what is beyond them is one more.
MAX_CLASSES: Final = 16
#: Units of the sums of scores and Brier scores, and of log losses: nothing an event adds is more
#: than 2**31, so that sums of 2**31 events stay below 2**62.
SCORE_UNIT: Final = 2.0**-30
LOG_LOSS_UNIT: Final = 2.0**-24
#: Units of the largest error that is added up as it is, and the second part of a squared error.
LARGEST_ERROR: Final = 2**26
SQUARES_PART: Final = 2**26


@dataclass(frozen=True)
class OutcomeCells:
    """What is counted of the outcomes of a model, and where.

    The vector of cells of a classification is `[confusion, calibration, sums]`: predicted by actual
    class, row by row, where the class behind the last is any other name; events in each bin of the
    score whose class did not come and did, two by two; then sums of score, Brier score and log
    loss. That of a regression is `[events, clipped, calibration, over, under, squares, rest of
    squares]`: events in each bin of what was predicted whose actual was not above it and was, two
    by two; sums of errors above and below 0 and of squared errors, these in two parts.

    Attributes
    ----------
    task : str
        One of `TASKS`.
    predicted, actual, score : str
        The signals; empty where the model has none.
    classes : tuple of str
        Names of the classes; of a binary model the negative and the positive one.
    threshold : float
        Of a binary model without `predicted`: the score from which it says the positive class.
    score_bins : int
        Bins of the score, or of what a regression predicts; 0 without one.
    probability : bool
        Whether scores are probabilities: that of the positive class of a binary model, that of the
        class it says of one of several.
    unit : float
        Of a regression: the unit of the sums of errors.
    """

    task: str
    actual: str
    predicted: str = ""
    score: str = ""
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    score_bins: int = 0
    probability: bool = False
    unit: float = 1.0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}; got {self.task!r}.")
        if not self.actual or not (self.predicted or self.score):
            raise ValueError("outcomes need an actual, and a prediction or a score.")
        if self.task == "regression":
            if not self.predicted:
                raise ValueError("a regression needs what it predicts.")
            if not 0.0 < self.unit < np.inf:
                raise ValueError(f"unit must be > 0; got {self.unit}.")
            return
        if not 2 <= len(self.classes) <= MAX_CLASSES or len(set(self.classes)) < len(self.classes):
            raise ValueError(
                f"classes must be 2 to {MAX_CLASSES} different names; got {self.classes!r:.200}."
            )
        if self.task == "binary" and len(self.classes) != 2:
            raise ValueError(f"a binary model has 2 classes; got {len(self.classes)}.")
        if self.task == "multiclass" and not self.predicted:
            raise ValueError("a model of several classes needs what it predicts.")
        if bool(self.score) != (self.score_bins > 0):
            raise ValueError("score_bins must be those of the score.")

    @property
    def binned_by(self) -> str:
        """The signal whose bins `score_bins` are; empty where there is none."""
        return self.predicted if self.task == "regression" else self.score

    @property
    def sides(self) -> int:
        """Rows and columns of the confusion: the classes, and one for any other name."""
        return len(self.classes) + 1

    @property
    def calibration_at(self) -> int:
        """Where the cells of the score begin, or of a regression's prediction."""
        return 2 if self.task == "regression" else self.sides**2

    @property
    def sums_at(self) -> int:
        """Where the sums begin."""
        return self.calibration_at + 2 * self.score_bins

    @property
    def sums(self) -> int:
        """How many sums there are."""
        if self.task == "regression":
            return 4
        return 3 if self.probability else 0

    @property
    def width(self) -> int:
        """Length of the vector of cells."""
        return self.sums_at + self.sums

    @property
    def of_classes(self) -> OutcomeCells:
        """The same classification without what is counted by the score: its confusion alone."""
        said = self.predicted or self.score
        return replace(self, predicted=said, score="", score_bins=0, probability=False)

    def confusion(self, cells: Ints) -> Ints:
        """Events by predicted and actual class, int64[sides, sides]."""
        return cells[: self.calibration_at].reshape(self.sides, self.sides)

    def calibration(self, cells: Ints) -> Ints:
        """Events by bin of the score, and whether its class came, int64[score_bins, 2].

        Of a regression by bin of what it predicted, and whether the actual was above that.
        """
        return cells[self.calibration_at : self.sums_at].reshape(self.score_bins, 2)

    def events(self, cells: Ints) -> int:
        """Outcomes that were counted."""
        return int(cells[0] if self.task == "regression" else cells[: self.calibration_at].sum())

    def document(self) -> dict[str, Any]:
        """As plain values, as references keep them."""
        return {
            "task": self.task,
            "actual": self.actual,
            "predicted": self.predicted,
            "score": self.score,
            "classes": list(self.classes),
            "threshold": self.threshold,
            "score_bins": self.score_bins,
            "probability": self.probability,
            "unit": self.unit,
        }
