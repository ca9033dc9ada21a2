"""From the false alarms a week that somebody accepts to the settings of each test.

The budget F is split equally over the families of all signals (ADWIN, the windowed tests and, if it
is on, the e-detector of each), then over the checks each makes in a week.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from detectors._data import measured
from detectors.references.reference import Reference, SignalReference
from detectors.units import DAY_MS, WEEK_MS

__all__ = ["Budget", "adwin_delta_for", "edetector_threshold_for"]

#: Below this alpha the null law of PSI is not known well enough: the window is enlarged instead.
LEAST_ALPHA: Final = 1e-6
#: A generous budget for few checks buys no test weaker than these.
_MOST_ALPHA: Final = 0.01
#: Share of the budget for scope `all` where there are segments too.
_SHARE_OF_ALL: Final = 0.8
#: Windows that a segment's values close by age are counted for so many values.
_VALUES_OF_SEGMENT: Final = 10
#: No more than one false alarm in so many windows is bought: each lasts for more than one of them,
#: and one a week would leave a slow stream in alarm for most of the time.
_WINDOWS_OF_ALARM: Final = 5
#: Windows a week below which, one in half a year, the tests without windows are all there is: they
#: may bring a false alarm a month, or a daily stream would hear of nothing within months.
_RAREST: Final = 1 / 26
_WITHOUT_WINDOWS: Final = 1 / 4
#: Share of the budget for single days of streams with slots: each false alarm lasts two days.
_SHARE_OF_DAYS: Final = 0.1
#: Share of the budget for events that come more than once.
_SHARE_OF_DUPLICATES: Final = 0.01

#: Events a pane, false alarms of one ADWIN a pane at delta = .01, power that they fall with.
_ADWIN_ALARMS: Final = measured("adwin_alarms")
_MOST_DELTA: Final = 0.01
#: Events a pane over rows of the reference, slack of an e-detector's bound at `_SLACK_FROM`, and
#: from `_SLACK_TO` on.
_EDETECTOR_SLACK: Final = measured("edetector_slack")
#: Rows for one unit of slack: in small references rare values are so uncertain that some alarm
#: again and again, however high the threshold.
_ROWS_OF_SLACK: Final = 1_000
_SLACK_FROM, _SLACK_TO = 300.0, 3_000.0
_LEAST_THRESHOLD: Final = 100.0
#: Of a limit the bound itself holds: no more is asked for than a chance of 1 in 20.
_LEAST_OF_LIMITS: Final = 20.0
#: Events a week over rows of the reference from which even a rare error of its mean is found.
#: Just below it, z = 3: .08 alarms a signal and week of a third allowed, .003 of a sixtieth.
_FAST: Final = 2_000


def adwin_delta_for(alarms_a_pane: float, events_a_pane: float) -> float:
    """ADWIN's delta for so many false alarms a pane, from the measured table."""
    rate = _between(tuple((n, rate) for n, rate, _ in _ADWIN_ALARMS), events_a_pane)
    power = math.log(_between(tuple((n, math.exp(p)) for n, _, p in _ADWIN_ALARMS), events_a_pane))
    return min(_MOST_DELTA, 0.01 * math.pow(alarms_a_pane / rate, 1.0 / power))


def edetector_threshold_for(alarms_a_pane: float, events_a_pane: float, rows: int) -> float:
    """An e-detector's A for so many false alarms a pane: its bound over the measured slack."""
    bound, ratio = 1.0 / alarms_a_pane, events_a_pane / max(1, rows)
    known = max(1.0, rows / _ROWS_OF_SLACK)
    least = min(known, _between(tuple((r, first) for r, first, _ in _EDETECTOR_SLACK), ratio))
    slack = min(known, _between(tuple((r, last) for r, _, last in _EDETECTOR_SLACK), ratio))
    if bound >= _SLACK_TO * slack:
        return bound / slack
    if bound <= _SLACK_FROM * least:
        return max(min(bound, _SLACK_FROM), _LEAST_THRESHOLD)
    at = math.log(bound / (_SLACK_FROM * least)) / math.log(
        _SLACK_TO * slack / (_SLACK_FROM * least)
    )
    return float(_SLACK_FROM * (_SLACK_TO / _SLACK_FROM) ** at)


def _between(table: Sequence[tuple[float, float]], at: float) -> float:
    """Value of a table, linear between the logarithms; its ends go on."""
    at = min(max(at, table[0][0]), table[-1][0])
    for (low, first), (high, second) in pairwise(table):
        if at <= high:
            return float(first * (second / first) ** (math.log(at / low) / math.log(high / low)))
    return table[-1][1]


@dataclass(frozen=True)
class Budget:
    """Settings that keep a subject to its false alarms a week.

    Attributes
    ----------
    adwin_alarms : float
        False alarms a pane that ADWIN may make on a signal, shared by its slots; see `adwin_delta`.
    window_alpha, segment_alpha : float
        Chance of a false alarm for each signal and window, of scope `all` and of a segment.
    edetector_threshold, edetector_z : float
        Of `EDetectorBank`; infinite if it is off.
    limit_threshold : float
        A of `LimitEvidence`: all limits together have the part of one family.
    window_events : int
        What was asked for, or more if alpha would be too small otherwise.
    panes_per_week, windows_per_week : float
        Checks that were reckoned with.
    events_per_pane : float
        Of panes that are not empty.
    spent_per_week : float
        Of the false alarms that are accepted: fewer in slow streams, where each lasts for long.
    duplicates_alpha : float
        Chance of a false alarm about events that come more than once, for each window.
    day_alpha : float
        Chance of a false alarm about one day of a signal, in streams with slots.
    fairness_alpha : float
        Chance of a false alarm about a disparity of a protected column, for each window.
    """

    false_alarms_per_week: float
    adwin_alarms: float
    window_alpha: float
    segment_alpha: float
    window_events: int
    panes_per_week: float
    windows_per_week: float
    events_per_pane: float
    edetector_threshold: float = math.inf
    edetector_z: float = 4.0
    limit_threshold: float = math.inf
    spent_per_week: float = math.inf
    duplicates_alpha: float = 0.0
    day_alpha: float = 0.0
    fairness_alpha: float = 0.0

    def adwin_delta(self, slots: float = 2.0) -> float:
        """ADWIN's delta on one of so many slots of a signal."""
        return adwin_delta_for(self.adwin_alarms / slots, self.events_per_pane)

    @classmethod
    def of(
        cls,
        reference: Reference,
        signals: Sequence[SignalReference],
        *,
        false_alarms_per_week: float,
        pane_ms: int,
        cycle_ms: int = 0,
        window_events: int = 1_000,
        window_max_age_ms: int = DAY_MS,
        segments: int = 0,
        edetector: bool = False,
        limits: int = 0,
        disparities: int = 0,
    ) -> Budget:
        """Budget of a subject.

        Without a known rate of events every pane is taken to be filled, and every window to be one
        pane: no stream can spend more.

        Parameters
        ----------
        reference : Reference
            Its rate of events is taken for the stream's.
        signals : sequence of SignalReference
            Those that are monitored.
        false_alarms_per_week : float
            What is accepted for the whole subject.
        pane_ms, cycle_ms, window_events, window_max_age_ms
            Of the plan. With a cycle each cycle is one window and one pane.
        segments : int
            Number of segmented columns.
        edetector : bool
            Whether signals have an e-detector too, which takes its part of the budget.
        limits : int
            Number of limits on metrics.
        disparities : int
            Number of disparities of protected columns, which are among the segmented ones: each has
            the part of one signal of a segmented column.

        Raises
        ------
        ValueError
            If `false_alarms_per_week` is not above 0.
        """
        if not false_alarms_per_week > 0.0:
            raise ValueError(f"false_alarms_per_week must be > 0; got {false_alarms_per_week}.")
        events = float(reference.events_per_week)
        panes = WEEK_MS / (cycle_ms or pane_ms)
        if events:
            panes = min(panes, events)  # those that are not empty, however evenly events come
        else:
            events = panes * window_events
        tested = len(signals) + (reference.outcome is not None)  # the relation counts as a signal
        families = (3 if edetector else 2) * tested + (limits > 0)
        by_age = WEEK_MS / window_max_age_ms
        windows = panes if cycle_ms else max(_windows(events, panes, window_events), by_age)
        of_days = 0.0 if reference.calendar is None else _SHARE_OF_DAYS * false_alarms_per_week
        bought = windows / _WINDOWS_OF_ALARM if windows >= _RAREST else _WITHOUT_WINDOWS
        spent = min(false_alarms_per_week - of_days, bought)
        of_duplicates = _SHARE_OF_DUPLICATES * spent
        whole = (spent - of_duplicates) * (_SHARE_OF_ALL if segments else 1.0)
        family = whole / max(1, families)
        if not cycle_ms and family / windows < LEAST_ALPHA and reference.events_per_week:
            window_events = math.ceil(events * LEAST_ALPHA / family)
            windows = max(_windows(events, panes, window_events), by_age)
        of_segments = windows if cycle_ms else windows + _VALUES_OF_SEGMENT * by_age
        if cycle_ms:
            of_segments *= _VALUES_OF_SEGMENT
        rest = (spent - of_duplicates - whole) / max(1, segments * tested + disparities)
        return cls(
            false_alarms_per_week=false_alarms_per_week,
            adwin_alarms=family / panes,
            window_alpha=min(_MOST_ALPHA, family / windows),
            segment_alpha=min(_MOST_ALPHA, rest / of_segments),
            window_events=window_events,
            panes_per_week=panes,
            windows_per_week=windows,
            events_per_pane=events / panes,
            duplicates_alpha=min(_MOST_ALPHA, of_duplicates / windows),
            day_alpha=min(_MOST_ALPHA, of_days / (7.0 * max(1, len(signals)))),
            edetector_threshold=edetector_threshold_for(
                family / panes, events / panes, reference.events
            )
            if edetector
            else math.inf,
            limit_threshold=max(_LEAST_OF_LIMITS, limits * panes / family) if limits else math.inf,
            fairness_alpha=min(_MOST_ALPHA, rest / windows) if disparities else 0.0,
            edetector_z=4.0 if events >= _FAST * reference.events else 3.0,
            spent_per_week=spent,
        )


def _windows(events: float, panes: float, window_events: int) -> float:
    """Full windows a week: they are of whole panes."""
    return panes / math.ceil(window_events * panes / events)
