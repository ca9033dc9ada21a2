"""A measured value with its interval and the bound it is held against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = [
    "MOST_IN_ALARM", "MOST_IN_ALARM_EASY", "Measured", "exactly", "mean_of", "median_of", "poisson",
    "rate_of", "share_of", "time_in_alarm", "write",
]  # fmt: skip

CONFIDENCE = 0.95
#: Share of panes in alarm where nothing changes; of independent values and AR(1) up to .9.
MOST_IN_ALARM, MOST_IN_ALARM_EASY = 0.10, 0.05


@dataclass(frozen=True)
class Measured:
    """One row of a gate.

    Attributes
    ----------
    low, high : float
        Exact interval of 95 %, widened where the streams differ by more than chance.
    least, most : float or None
        What the gate allows.
    note : str
        What the value is made of.
    by_bound : bool
        Whether the upper end of the interval has to be within the bound, not only the value.
    """

    what: str
    value: float
    low: float
    high: float
    least: float | None = None
    most: float | None = None
    note: str = ""
    by_bound: bool = False

    @property
    def gated(self) -> bool:
        """Whether there is a bound at all."""
        return self.least is not None or self.most is not None

    @property
    def met(self) -> bool:
        """Whether the value is within the bounds."""
        value = self.high if self.by_bound else self.value
        return (self.least is None or self.value >= self.least) and (
            self.most is None or value <= self.most
        )

    @property
    def refuted(self) -> bool:
        """Whether no value of the interval is within the bounds: more than bad luck."""
        return (self.most is not None and self.low > self.most) or (
            self.least is not None and self.high < self.least
        )

    @property
    def verdict(self) -> str:
        """Yes or no, and whether chance could have made the difference."""
        if not self.gated:
            return ""
        if self.met:
            inside = (self.most is None or self.high <= self.most) and (
                self.least is None or self.low >= self.least
            )
            return "yes" if inside else "yes (interval reaches beyond)"
        return "**no**" if self.refuted else "**no** (interval reaches the bound)"

    def as_dict(self) -> dict[str, Any]:
        """All fields, with the verdict."""
        return {**asdict(self), "verdict": self.verdict}


def poisson(found: float, exposure: float) -> tuple[float, float]:
    """Exact interval of a rate (Garwood 1936)."""
    tail = (1 - CONFIDENCE) / 2
    low = stats.chi2.ppf(tail, 2 * found) / 2 if found else 0.0
    return float(low) / exposure, float(stats.chi2.isf(tail, 2 * found + 2)) / 2 / exposure


def _dispersion(found: npt.NDArray[np.int64]) -> float:
    """Variance over mean of counts of equal exposure; at least 1."""
    if found.size < 5 or not found.sum():
        return 1.0
    return max(1.0, float(found.var(ddof=1) / found.mean()))


def rate_of(found: npt.NDArray[np.int64], exposure: float) -> tuple[float, float, float]:
    """Rate and interval of alarms in streams of this exposure each.

    Streams of one reference share its errors, so the counts can vary by more than Poisson's law:
    the interval is that of as many fewer independent alarms.
    """
    found = np.asarray(found, np.int64)
    total = exposure * found.size
    d = _dispersion(found)
    low, high = poisson(found.sum() / d, total / d)
    return float(found.sum()) / total, low, high


def share_of(hits: npt.NDArray[np.int64], tests: float) -> tuple[float, float, float]:
    """Share of hits in so many tests a reference, with Clopper and Pearson's interval."""
    hits = np.asarray(hits, np.int64)
    d = _dispersion(hits)
    k, n = hits.sum() / d, tests * hits.size / d
    tail = (1 - CONFIDENCE) / 2
    low = stats.beta.ppf(tail, k, n - k + 1) if k else 0.0
    high = stats.beta.isf(tail, k + 1, n - k) if k < n else 1.0
    return float(k / n), float(low), float(high)


def median_of(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Median and its interval by order statistics; infinite values are late ones."""
    values = np.sort(values)
    n = values.size
    low = int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    middle = float(values[(n - 1) // 2])
    return middle, float(values[max(0, low - 1)]), float(values[min(n - 1, n - low)])


def mean_of(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean of independent shares with Student's interval, cut to 0 and 1."""
    values = np.asarray(values, np.float64)
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else 1.0
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, max(1, values.size - 1))) * error
    return mean, max(0.0, mean - reach), min(1.0, mean + reach)


def time_in_alarm(what: str, shares: Sequence[float], most: float | None, of: str) -> Measured:
    """The row beside a count of episodes: an alarm that never closes is one of them.

    `shares` are those of the streams, each of its panes or of its time.
    """
    return Measured(f"{what}: share of {of} in alarm", *mean_of(np.array(shares)), most=most)


def exactly(value: float) -> tuple[float, float, float]:
    """A value that is not an estimate."""
    return value, value, value


def write(value: float | None) -> str:
    """A number for the table."""
    if value is None:
        return ""
    if math.isinf(value):
        return "never"
    if value == 0 or 100 <= abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown of many gates' rows."""
    lines = [
        "| gate | what | measured | 95 % interval | bound | met | of |",
        "|---|---|---:|---|---|---|---|",
    ]
    for row in rows:
        least, most = row["least"], row["most"]
        bound = f"<= {write(most)}" if most is not None else ""
        if least is not None:
            bound = f"{write(least)} to {write(most)}" if bound else f">= {write(least)}"
        if row["by_bound"]:
            bound = "upper end " + bound
        same = row["low"] == row["high"] == row["value"]
        interval = "exact" if same else f"{write(row['low'])} to {write(row['high'])}"
        lines.append(
            f"| {row['gate']} | {row['what']} | {write(row['value'])} | {interval} | {bound} | "
            f"{row['verdict']} | {row['note']} |"
        )
    return "\n".join(lines)
