"""A test result that passed its threshold, in one scope: what episodes are made of."""

from __future__ import annotations

import msgspec

from detectors import ChangePoint
from stream.alerts.severity import LEVEL_OF_SEVERITY
from stream.contracts.alert_event import (
    AlertBins,
    AlertExpectedErrors,
    AlertQuantiles,
    Kind,
    Severity,
)

__all__ = ["Finding"]


class Finding(msgspec.Struct, frozen=True, array_like=True):
    """A test result that passed its threshold, in one scope.

    Attributes
    ----------
    segment : str
        "name=value", or "" for the whole stream.
    effect : float
        Size of the change on one scale, whatever the test: that of a PSI. For ranking.
    direction : int
        Where what the test is about went: 1 up, -1 down, 0 where it has no direction.
    moves : str
        What `direction` is of: "mean", "spread", "missing rate". Those of two findings can be
        compared only where it is the same.
    change : str
        The change in words, without values that may not be shown.
    note : str
        What a test saw that follows every pane; `change` is then of the last `events`.
    start_ms, end_ms, events
        What was tested.
    from_start : bool
        Whether the signal differed from its reference as soon as that was compared to.
    headline : str
        The one effect that the test is about, in one breath.
    settles : bool
        Whether it alone shows which way things went: of a test that began again since it last
        found something.
    expected_errors : AlertExpectedErrors, optional
        Of a feature: how many more errors to expect before their truth is known.
    harm : float
        By which part they are more, for ranking; 0 where a user says how important a signal is.
    """

    kind: Kind
    signal: str
    role: str
    test: str
    value: float
    threshold: float
    severity: Severity
    start_ms: int
    end_ms: int
    events: int
    segment: str = ""
    p_value: float | None = None
    importance: float = 1.0
    effect: float = 0.0
    direction: int = 0
    change: str = ""
    bins: AlertBins | None = None
    quantiles: AlertQuantiles | None = None
    change_point: ChangePoint | None = None
    note: str = ""
    moves: str = ""
    from_start: bool = False
    headline: str = ""
    settles: bool = False
    expected_errors: AlertExpectedErrors | None = None
    harm: float = 0.0

    @property
    def weight(self) -> float:
        """What a signal is ranked by within its severity."""
        return self.importance * self.effect * (1.0 + self.harm)

    @property
    def strength(self) -> tuple[int, float, str, int, float, str]:
        """Orders the findings of one signal."""
        level = LEVEL_OF_SEVERITY[self.severity]
        return level, self.weight, self.test, self.direction, self.value, self.change
