"""A drifted signal as an alert shows it: the test, what moved, and since when."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

__all__ = [
    "MAX_BINS",
    "MAX_SIGNALS",
    "SIGNALS_WITH_BINS",
    "AlertBins",
    "AlertChangePoint",
    "AlertExpectedErrors",
    "AlertQuantiles",
    "AlertSignal",
    "AlertTime",
]

#: An alert names at most so many signals, draws the first few, with at most so many bins each.
MAX_SIGNALS: Final = 20
SIGNALS_WITH_BINS: Final = 5
MAX_BINS: Final = 20

AlertTime: TypeAlias = Annotated[
    str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$")
]


class AlertBins(msgspec.Struct, frozen=True, omit_defaults=True):
    """Shares of a signal's values in coarse bins: the reference beside the window.

    `edges` are where the bins of numbers begin and the last ends, in order; `labels` name all bins,
    those of missing and other special values too. Both are empty for a private model.
    """

    reference: tuple[float, ...]
    window: tuple[float, ...]
    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


class AlertQuantiles(msgspec.Struct, frozen=True, omit_defaults=True):
    """Quantiles of a number: of the reference, and of the window estimated from its bins.

    One that is beyond the reference's range, or in a bin too wide to say where in it, is given as
    the edge that it is beyond. The sides, if there are any, name those: 1 for a quantile that is so
    much or more, -1 for one that is so much or less, 0 for one that is known.
    """

    q: tuple[float, ...]
    reference: tuple[float, ...]
    window: tuple[float, ...]
    reference_sides: tuple[int, ...] = ()
    window_sides: tuple[int, ...] = ()


class AlertChangePoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """When the change began. Without `confidence` the bounds are only those of a window.

    `shape` is "ramp" if the change clearly came gradually; a step is assumed where it is left out.
    """

    estimate: AlertTime
    earliest: AlertTime
    latest: AlertTime
    confidence: float | None = None
    shape: Literal["step", "ramp"] = "step"


class AlertExpectedErrors(msgspec.Struct, frozen=True, omit_defaults=True):
    """Errors that a feature's drift lets expect, if they follow it as in the reference.

    `of` is "rate" for the share of wrong predictions, "size" for the mean absolute error of a
    number. `unknown` is the share of the feature's values whose errors the reference does not know.
    """

    of: Literal["rate", "size"]
    before: float
    after: float
    unknown: float | None = None

    @property
    def rise(self) -> float:
        """By which part they are more."""
        return self.after / self.before - 1.0


class AlertSignal(msgspec.Struct, frozen=True, omit_defaults=True):
    """One drifted signal: the test that shows it best, and how it changed.

    `segment` is left out for the whole stream, `p_value` for tests that have none. `effect` is the
    size of the change on the one scale of all tests: that of a PSI. `events` is how many events
    `change`, `bins` and `quantiles` are of. `from_start` says that the signal differed as soon as
    its reference was compared to: it may be the wrong one. `headline` is the one effect that the
    test is about; `change` has everything that moved. `expected_errors` is there if the drift of a
    feature clearly lets expect more errors.
    """

    name: str
    role: str
    test: str
    value: float
    threshold: float
    importance: float
    since: str
    p_value: float | None = None
    segment: str = ""
    change: str = ""
    bins: AlertBins | None = None
    quantiles: AlertQuantiles | None = None
    change_point: AlertChangePoint | None = None
    effect: float | None = None
    events: int | None = None
    from_start: bool = False
    headline: str = ""
    expected_errors: AlertExpectedErrors | None = None
