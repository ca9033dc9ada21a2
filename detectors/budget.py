"""From false alarms a week to the level of every test.

A subject has one budget F. Every signal has families of tests (numeric: ADWIN and windowed;
categorical: windowed), and F is shared equally over all families of all signals; within a family,
over what it does in a week. docs/statistics.md says what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detectors.reference import Reference, SignalReference

__all__ = ["Budget", "adwin_delta"]

WEEK_MS: Final = 604_800_000
#: Levels below this need more of the tail than is calibrated: windows are enlarged instead.
LEAST_ALPHA: Final = 1e-6
#: What scope `all` gets where there are segments; these share the rest.
SHARE_OF_ALL: Final = 0.8
#: Values a segment column is taken to have where windows close by time and not by count.
SEGMENT_VALUES: Final = 20
_FAMILIES: Final = {"numeric": 2, "categorical": 1}

# Measured false alarms of pane-form ADWIN per million independent items at delta = .002, and how
# they grow with delta, for panes of so many items (docs/statistics.md).
_SIZES: Final = (20.0, 100.0, 1_000.0)
_RATES: Final = (0.10, 0.06, 0.02)
_POWERS: Final = (1.2, 1.2, 1.0)
_BASE_DELTA: Final = 0.002
_DELTAS: Final = (1e-12, 0.05)


def adwin_delta(false_alarms_per_million: float, items_per_pane: float) -> float:
    """The delta at which ADWIN has so many false alarms per million items of a null stream."""
    at = math.log(min(max(items_per_pane, _SIZES[0]), _SIZES[-1]))
    i = 1 if at > math.log(_SIZES[1]) else 0
    low, high = math.log(_SIZES[i]), math.log(_SIZES[i + 1])
    part = (at - low) / (high - low)
    rate = math.exp((1 - part) * math.log(_RATES[i]) + part * math.log(_RATES[i + 1]))
    power = (1 - part) * _POWERS[i] + part * _POWERS[i + 1]
    delta = _BASE_DELTA * (false_alarms_per_million / rate) ** (1 / power)
    return min(max(delta, _DELTAS[0]), _DELTAS[1])


@dataclass(frozen=True)
class Budget:
    """Levels of one subject's tests.

    Attributes
    ----------
    window_alpha, segment_alpha : float
        Chance of a false alarm of one signal in one window of scope `all`, and of a segment.
    window_events : int
        Events that fill a window: as asked, or more where the level would be too small.
    adwin_delta : float
        Of each of the two streams of a numeric signal.
    panes_per_week, windows_per_week : float
        Non-empty panes and windows that were reckoned with.
    """

    false_alarms_per_week: float
    window_alpha: float
    segment_alpha: float
    window_events: int
    adwin_delta: float
    panes_per_week: float
    windows_per_week: float

    @classmethod
    def of(
        cls, reference: Reference, signals: Sequence[SignalReference], *,
        false_alarms_per_week: float, pane_ms: int, cycle_ms: int, window_events: int,
        window_max_age_ms: int, segments: int,
    ) -> Budget:  # fmt: skip
        """Share a budget out.

        Without a known rate of events every pane is taken to be filled, and every window to be one
        pane: no stream can spend more.

        Parameters
        ----------
        signals : sequence of SignalReference
            Those that are tested.
        segments : int
            Number of segment columns.
        """
        rate = float(reference.events_per_week)
        panes = WEEK_MS / pane_ms
        if rate:
            panes *= -math.expm1(-rate / panes)
        by_time = WEEK_MS / (cycle_ms or window_max_age_ms)
        families = sum(_FAMILIES[signal.kind] for signal in signals)
        whole = false_alarms_per_week * (SHARE_OF_ALL if segments else 1.0)

        def windows_of(events: int) -> float:
            if cycle_ms:
                return by_time
            return min(panes, rate / events + by_time) if rate else panes

        windows = windows_of(window_events)
        if rate and not cycle_ms and whole / families / windows < LEAST_ALPHA:
            most = max(whole / families / LEAST_ALPHA - by_time, by_time)
            window_events = max(window_events, math.ceil(rate / most))
            windows = windows_of(window_events)
        segment_alpha = 0.0
        if segments:
            of_columns = segments * (windows + SEGMENT_VALUES * by_time)
            segment_alpha = (false_alarms_per_week - whole) / len(signals) / of_columns
        checks = by_time if cycle_ms else panes
        items = rate or panes * window_events
        allowed = whole / families / 2 / items * 1e6
        return cls(
            false_alarms_per_week, min(whole / families / windows, 0.1), min(segment_alpha, 0.1),
            window_events, adwin_delta(allowed, items / checks), checks, windows,
        )  # fmt: skip
