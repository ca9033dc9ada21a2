"""What the page of one signal shows: its trend, then and now, segments, and its episodes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

import stream
from stream.contracts.moments import INFINITY
from stream.page.detail import SegmentRow, SignalRow, segments_of, signal_row
from stream.page.episodes import heard_of, rows_of
from stream.page.page_model import PageSource, monitors_of
from stream.page.recent import EpisodeRow
from stream.page.trend import Trend, trend_of
from stream.report.loudness import Heard, loudest
from stream.stage2.subject import SubjectMonitor

__all__ = ["SignalState", "signal_state"]

#: So many other signals of the model are offered.
_MAX_OTHERS: Final = 60


class SignalState(msgspec.Struct, rename="camel"):
    """All that the page of a signal shows; `found` says whether the model has such a signal here.

    `signal` is None before anything is tested, the window's times 0 before the first full one.
    `episodes` name the signal, `related` are others of the model that were open beside one of them.
    """

    driftstream: str
    time: int
    model: str
    version: str
    name: str
    found: bool
    idle: bool = False
    private: bool = False
    by_hour: bool = False
    starts: int = 0
    ends: int = 0
    events: int = 0
    signal: SignalRow | None = None
    trend: Trend | None = None
    segments: list[SegmentRow] = []
    more_segments: int = 0
    episodes: list[EpisodeRow] = []
    related: list[EpisodeRow] = []
    alerts_unread: str = ""
    alerts_lost: int = 0
    others: list[str] = []
    more_others: int = 0


def signal_state(
    status: PageSource, model: str, version: str, name: str, now_ms: int
) -> SignalState:
    """What to show of one signal now."""
    state = SignalState(stream.__version__, now_ms, model, version, name, False)
    monitors: dict[tuple[str, str], SubjectMonitor]
    monitors = {each.subject: each for each in monitors_of(status)}
    rows = rows_of(status, monitors, now_ms)
    own = [row for row in rows if (row.model, row.version) == (model, version)]
    state.episodes = [row for row in own if name in row.names]
    state.related = _related(state.episodes, own)
    state.alerts_unread, state.alerts_lost = status.alerts_unread, status.alerts_lost
    if (found := monitors.get((model, version))) is not None:
        _fill(state, found, heard_of(own).get((model, version), ()))
    return state


def _related(own: Iterable[EpisodeRow], rows: Iterable[EpisodeRow]) -> list[EpisodeRow]:
    """Other episodes of the model that were open at a time with one of its own."""
    ids = {row.id for row in own}
    spans = [(row.starts, row.ends or INFINITY) for row in own]
    return [
        row
        for row in rows
        if row.id not in ids
        and any(row.starts <= ends and starts <= (row.ends or INFINITY) for starts, ends in spans)
    ]


def _fill(state: SignalState, monitor: SubjectMonitor, heard: Collection[Heard]) -> None:
    detection = monitor.detection
    if detection is None:
        return
    names = [signal.name for signal in detection.plan.monitored]
    others = [name for name in names if name != state.name]
    state.others, state.more_others = others[:_MAX_OTHERS], max(0, len(others) - _MAX_OTHERS)
    if state.name not in names:
        return
    index = names.index(state.name)
    state.found, state.idle, state.private = True, monitor.is_idle, detection.plan.private
    state.by_hour = detection.calendar is not None
    state.trend = trend_of(
        detection.changes.history,
        detection.plan.monitored,
        index,
        hidden=state.private,
        by_hour=state.by_hour,
    )
    state.segments, state.more_segments = segments_of(detection, index)
    if (worst := loudest(detection, heard).get(index)) is not None:
        state.signal = signal_row(detection, index, worst, drawn=True)
    if (window := detection.windows.last.get("")) is None:
        return
    state.starts, state.ends, state.events = window.start_ms, window.end_ms, window.events
