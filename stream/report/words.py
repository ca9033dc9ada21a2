"""Numbers and times as a report writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Final

from detectors import WINDOWED_TESTS
from detectors.figures import figure, percent, round_figure
from stream.text.durations import DAY_MS

__all__ = [
    "arrows",
    "bin_name",
    "chance",
    "day",
    "figure",
    "minute",
    "percent",
    "quantile",
    "quantiles",
    "ratio",
    "span",
    "subject",
    "test_name",
    "words",
]

#: As in the evidence of alerts: tails below this were not measured.
_MIN_P: Final = 1e-9
#: Bins of no known value.
_SPECIAL: Final = {"unseen": "new names", "invalid": "wrong type"}
_TESTS: Final = {
    "adwin": "ADWIN",
    "edetector": "e-detector",
    "day": "single day",
    "limit": "log10 of evidence",
    "fairness": "disparity",
    "relation": "chi² given the prediction",
    **{name: test.short for name, test in WINDOWED_TESTS.items()},
}


def quantiles(
    q: Sequence[float],
    before: Sequence[float],
    now: Sequence[float],
    sides_before: Sequence[int] = (),
    sides_now: Sequence[int] = (),
) -> tuple[tuple[str, str, str], ...]:
    """Quantiles of reference and window side by side; "over 337" where no more is known."""
    rows = zip_longest(q, before, now, sides_before, sides_now)
    return tuple(
        (quantile(share), _sided(old, old_side), _sided(new, new_side))
        for share, old, new, old_side, new_side in rows
    )


def _sided(value: float, side: int | None) -> str:
    return f"{'over ' if side > 0 else 'under '}{figure(value)}" if side else figure(value)


def chance(p: float) -> str:
    """How often chance alone would: `once in 3,400`. Tails below one in a billion are not known."""
    if p < _MIN_P:
        return "less than once in a billion"
    return "always" if p >= 1.0 else f"once in {round_figure(float(f'{1.0 / p:.2g}'))}"


def ratio(value: float) -> str:
    """How many times its threshold: `2.4×`; `1.0×` only if it is reached."""
    if value >= 10:
        return f"{figure(round(value))}×"
    return f"{value:.1f}×" if value >= 1 else f"{min(value, 0.99):.2f}×"


def quantile(q: float) -> str:
    """`median`, `5 % are below`."""
    return "median" if q == 0.5 else f"{percent(q)} are below"


def arrows(text: str) -> str:
    """`4.1 -> 2.7` of an alert's sentence as people write it."""
    return text.replace("->", "→")


def subject(model: str, version: str) -> str:
    """`fraud v3`, as alerts name it."""
    if not version:
        return model
    return f"{model} {version}" if version.startswith("v") else f"{model} v{version}"


def words(name: str) -> str:
    """`data_drift` -> `data drift`."""
    return name.replace("_", " ")


def bin_name(label: str) -> str:
    """A bin of no known value as people write it."""
    return _SPECIAL.get(label, label)


def test_name(test: str) -> str:
    """A test as people write it."""
    return _TESTS.get(test, words(test))


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def minute(time_ms: int) -> str:
    """`2026-03-01 12:00`, in UTC."""
    return _utc(time_ms).strftime("%Y-%m-%d %H:%M")


def day(time_ms: int, within_ms: int) -> str:
    """A mark on an axis that spans so much: a time, a day or a month."""
    if within_ms < DAY_MS:
        return _utc(time_ms).strftime("%H:%M")
    if within_ms < 5 * DAY_MS:
        return _utc(time_ms).strftime("%-d %b %H:%M")
    if within_ms < 300 * DAY_MS:
        return _utc(time_ms).strftime("%-d %b")
    return _utc(time_ms).strftime("%b %Y")


def span(start_ms: int, end_ms: int) -> str:
    """`2026-03-01 12:00 to 13:00`."""
    start, end = minute(start_ms), minute(end_ms)
    if start[:10] == end[:10]:
        return f"{start} to {end[11:]}"
    return f"{start} to {end}"
