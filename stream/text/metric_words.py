"""Metrics of outcomes in words: `accuracy 78.2 % (77.4 to 79)`."""

from __future__ import annotations

import math
from typing import Final

from detectors.figures import figures, percent
from detectors.outcomes.metrics import Metric
from stream.text.printable import printable

__all__ = [
    "LEADING_METRICS",
    "interval_words",
    "is_share",
    "metric_name",
    "metric_words",
    "value_words",
]

#: Names of classes are cut beyond so many characters.
_NAME_CHARS: Final = 40
#: Each task's outcomes where there is room for a line.
LEADING_METRICS: Final = {
    "binary": ("accuracy", "auc"),
    "multiclass": ("accuracy", "recall_macro"),
    "regression": ("mae", "bias"),
}

_NAMES: Final = {
    "auc": "AUC",
    "f1": "F1",
    "f1_macro": "F1, mean of classes",
    "brier": "Brier score",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "selection_rate": "predicted positive",
    "positive_rate": "actually positive",
    "precision_macro": "precision, mean of classes",
    "recall_macro": "recall, mean of classes",
}
#: Those that are no shares of events.
_NUMBERS: Final = frozenset(
    ("auc", "f1", "f1_macro", "brier", "log_loss", "calibration_error", "mae", "rmse", "bias",
     "cost_per_event")
)  # fmt: skip


def is_share(name: str) -> bool:
    """Whether a metric is a share of events."""
    return name not in _NUMBERS and not name.startswith("f1[")


def metric_name(name: str) -> str:
    """A metric as people call it: `recall of 'owl'`."""
    kind, bracket, of = name.partition("[")
    words = _NAMES.get(kind, kind.replace("_", " "))
    return f"{words} of '{printable(of[:-1], _NAME_CHARS)}'" if bracket else words


def value_words(name: str, value: float) -> str:
    """Its value; a dash for none."""
    return percent(value) if is_share(name) else figures(value)[0]


def interval_words(name: str, metric: Metric) -> str:
    """Its interval of 95 %, in the unit of its value; empty where it has none, or is no wider."""
    if math.isnan(metric.low):
        return ""
    scale = 100.0 if is_share(name) else 1.0
    low, high = figures(scale * metric.low, scale * metric.high, scale=scale * abs(metric.value))
    return f"{low} to {high}" if low != high else ""


def metric_words(name: str, metric: Metric) -> str:
    """Name, value and interval."""
    interval = interval_words(name, metric)
    shown = f"{metric_name(name)} {value_words(name, metric.value)}"
    return f"{shown} ({interval})" if interval else shown
