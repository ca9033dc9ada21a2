"""How many independent rows a reference is worth, and what that cannot show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from detectors.references.reference import SignalReference

__all__ = ["warnings_of_slow", "worth"]

#: A reference worth fewer independent rows cannot show a shift of half a standard deviation, which
#: is then three standard errors of its mean.
_LEAST: Final = 36


def worth(signal: SignalReference) -> float | None:
    """Independent rows that would tell as much of a signal; None without rows, or without order."""
    if not signal.calibration.batches or not signal.events:
        return None
    return signal.events / signal.calibration.effect(signal.counts)


def warnings_of_slow(signals: Sequence[SignalReference]) -> list[str]:
    """A warning of the signals that depend on their past for so long that rows are worth few."""
    found = {s.name: rows for s in signals if (rows := worth(s)) is not None and rows < _LEAST}
    if not found:
        return []
    slow = sorted(found, key=found.__getitem__)
    more = f" and {len(slow) - 3} more" if len(slow) > 3 else ""
    least = found[slow[0]]
    return [
        f"{', '.join(slow[:3])}{more}: vary so slowly that {signals[0].events:,} rows are worth "
        f"about {max(1.0, least):.0f} independent ones: a shift of less than "
        f"{3.0 / math.sqrt(least):.1f} standard deviations cannot be told from how they vary by "
        "themselves. A reference of more time, not only of more rows, sees smaller ones"
    ]
