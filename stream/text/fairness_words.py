"""Fairness in words: rates by value of a protected column, and how far two of them are apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from detectors.figures import figures, percent
from detectors.outcomes.fairness import (
    FEWEST_EVENTS,
    Disparity,
    Fairness,
)
from detectors.outcomes.metrics import Metric
from detectors.references.segments import other_scope, scope_parts, segment_of
from stream.text.metric_words import metric_name
from stream.text.printable import printable

__all__ = [
    "disparity_name",
    "disparity_signal",
    "disparity_words",
    "interval_of_disparity",
    "judged_words",
    "range_words",
    "rate_name",
    "value_name",
]

_NAME_CHARS: Final = 24
#: So many values are named.
_NAMED: Final = 8
_RATES: Final = {"true_positive_rate": "true positives", "false_positive_rate": "false positives"}


def rate_name(rate: str) -> str:
    """A rate as people call it."""
    return _RATES.get(rate) or metric_name(rate)


def disparity_name(disparity: str) -> str:
    """`equal_opportunity_difference` as `equal opportunity`; a ratio says that it is one."""
    return disparity.removesuffix("_difference").replace("_", " ")


def disparity_signal(column: str, disparity: str) -> str:
    """What findings are of: `equal opportunity by sex`."""
    return f"{disparity_name(disparity)} by {column}"


def value_name(scope: str) -> str:
    """`sex=F`, or what has no counts of its own: `other values of sex`."""
    if scope == other_scope(column := segment_of(scope)):
        return f"other values of {printable(column, _NAME_CHARS)}"
    parts = (map(_shortened, part) for part in scope_parts(scope))
    return ", ".join(f"{column}={value}" for column, value in parts)


def _shortened(name: str) -> str:
    return printable(name, _NAME_CHARS)


def interval_of_disparity(disparity: str, found: Disparity) -> str:
    """That of a difference in points, of a ratio as it is."""
    if disparity.endswith("ratio"):
        low, high = figures(found.low, found.high, scale=found.value)
    else:
        low, high = figures(_points(found.low), _points(found.high))
    return f"{low} to {high}"


def disparity_words(name: str, found: Disparity, rates: Sequence[Metric]) -> str:
    """One sentence of two values, whose rates are given: of the lowest and of the highest.

    `equal opportunity differs by 18 points between sex=F (62 %) and sex=M (80 %), usually 4`.
    """
    low, high = (
        f"{value_name(value)} ({percent(rate.value)})"
        for value, rate in zip((found.lowest, found.highest), rates, strict=True)
    )
    text = f"{disparity_name(name)} "
    if name.endswith("ratio"):
        value, usual = _pair(found.value, found.reference)
        text += f"is {value} of {low} to {high}"
    else:
        value, usual = _pair(_points(found.value), _points(found.reference))
        text += f"differs by {value} points between {low} and {high}"
    return f"{text}, usually {usual}" if usual else text


def range_words(rates: Mapping[str, Mapping[str, Metric]], rate: str) -> str:
    """`true positives 62 % (sex=F) to 80 % (sex=M)`; empty of fewer than two values."""
    known = sorted((of[rate].value, value) for value, of in rates.items() if rate in of)
    if len(known) < 2:
        return ""
    ends: Iterable[tuple[float, str]] = (known[0], known[-1])
    low, high = (f"{percent(value)} ({value_name(name)})" for value, name in ends)
    return f"{rate_name(rate)} {low} to {high}"


def judged_words(found: Fairness) -> str:
    """Which values have too few events of which rates; empty where all have enough."""
    every = {rate for rates in found.rates.values() for rate in rates}
    parts = []
    for value, rates in found.not_judged.items():
        of = ", ".join(map(rate_name, rates))
        whole = set(rates) == every
        parts.append(value_name(value) if whole else f"{value_name(value)} ({of})")
    if not parts:
        return ""
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return (
        f"fewer than {FEWEST_EVENTS} outcomes, so not compared: {', '.join(parts[:_NAMED])}{more}"
    )


def _points(share: float | None) -> float | None:
    return None if share is None else round(100.0 * share, 1)


def _pair(now: float | None, usual: float | None) -> tuple[str, str]:
    """Both in as many digits as tell them apart; the second empty where there is none."""
    if usual is None:
        return figures(now)[0], ""
    of_now, of_usual = figures(now, usual, scale=now or 0.0)
    return of_now, of_usual
