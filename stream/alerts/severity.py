"""How severe a finding is: levels, and where they begin for tests that follow the mean.

Windowed tests have steps of their own, a row each in `detectors.windowed.catalogue`. An episode is
as severe as its members say (`members`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from stream.contracts.alert_event import Severity

__all__ = ["LEVEL_OF_SEVERITY", "SEVERITY_OF_LEVEL", "severity_of_shift"]

#: Level of each severity; 0 is "no finding".
LEVEL_OF_SEVERITY: Final[Mapping[str, int]] = {"info": 1, "warning": 2, "critical": 3}
SEVERITY_OF_LEVEL: Final[tuple[Severity, ...]] = ("info", "info", "warning", "critical")
#: Shifts of the mean rank that are as large as a PSI of .10 and .25 for a moved normal.
_WARNING_SHIFT: Final = 0.085
_CRITICAL_SHIFT: Final = 0.14


def severity_of_shift(shift: float) -> Severity:
    """Severity of a shift of the mean rank, 0 to 1."""
    if shift < _WARNING_SHIFT:
        return "info"
    return "critical" if shift >= _CRITICAL_SHIFT else "warning"
