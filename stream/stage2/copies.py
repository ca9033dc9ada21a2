"""Events that come more than once: counted once, and reported.

A producer that sends again what it was not told had arrived doubles all counts, and n is what every
test relies on. The ids that summaries have a sample of say how often events came. Copies come up to
a minute or so after each other, so the ids of the panes before are remembered.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from detectors import ChangePoint
from detectors.counting.ids import IdSample
from detectors.counting.once import MOST_COPIES, Seen, counted_once, seen
from detectors.figures import percent
from detectors.null_distributions.special import beta_cdf
from stream.alerts.episodes import Finding
from stream.alerts.sizes import on_one_scale
from stream.contracts.alert_event import format_time
from stream.contracts.moments import NOT_YET
from stream.stage2.panes import Sealed

__all__ = ["DUPLICATES", "MIN_SHARE", "CopyCounter"]

#: The signal of an episode about events that come more than once.
DUPLICATES: Final = "duplicates"
#: The share of copies that exceeds the reference's by so much is a finding: less costs the tests
#: next to nothing.
MIN_SHARE: Final = 0.02
_WARNING, _CRITICAL = 0.05, 0.25
#: Events of a pane that show alone that it has no more copies than usual.
_LARGE: Final = 50
#: Ids are remembered for so long, and of at least the pane before, but of no more panes than this.
_REMEMBERED_MS: Final = 120_000
_MAX_PANES: Final = 8
#: A mean number of copies so near to a whole number is reported as that of every event.
_NEAR_WHOLE: Final = 0.05


class _Scope(msgspec.Struct, array_like=True):
    """One segment: samples of its last panes by their start, and the last known factor."""

    panes: list[tuple[int, bytes]] = []
    factor: float = 1.0


class _Tally(msgspec.Struct, array_like=True):
    """Sampled events of the whole stream, and those of them that had come before.

    `events` and `again` are since the last judgement, those of `run` after the first pane that had
    more copies than usual, as all large ones after it, and those of `all` since the beginning.
    """

    events: int = 0
    again: int = 0
    start_ms: int = NOT_YET
    run_events: int = 0
    run_again: int = 0
    since_ms: int = NOT_YET
    all_events: int = 0
    all_again: int = 0


class CopyCounter:
    """Counts of one subject's panes, in their order.

    Parameters
    ----------
    pane_ms : int
        Of the plan.
    usual : float
        Share of the reference's events that had come before.
    """

    def __init__(self, pane_ms: int, usual: float = 0.0) -> None:
        self._pane_ms = pane_ms
        self.usual = usual
        self._scopes: dict[str, _Scope] = {}
        self._tally = _Tally()

    def once(self, sealed: Sealed, start: npt.NDArray[np.int64]) -> Sealed:
        """The next pane with each of its events counted once; `start` is where signals begin."""
        if not sealed.ids and not self._scopes:  # as where no event has an id
            return sealed
        counts = {}
        for segment, whole in sealed.counts.items():
            sample = sealed.ids.get(segment)
            if sample is None and segment not in self._scopes:
                counts[segment] = whole
            else:
                factor = self._factor(segment, sealed.start_ms, sample)
                counts[segment] = counted_once(whole, factor, start)
        self._forget(sealed.start_ms)
        return sealed._replace(counts=counts)

    def note(self, start_ms: int, sample: IdSample | None) -> None:
        """Look at the ids of the next pane of the whole stream, whose counts are left alone."""
        if sample is not None:
            self._factor("", start_ms, sample)

    @property
    def share(self) -> float:
        """Of all events so far those that had come before."""
        return self._tally.all_again / max(1, self._tally.all_events)

    def _factor(self, segment: str, start_ms: int, sample: IdSample | None) -> float:
        scope = self._scopes.setdefault(segment, _Scope())
        if sample is None:  # of no event that came in this pane anything is known
            return 1.0
        before = [IdSample.decode(data) for _, data in scope.panes]
        found = seen(sample, before)
        if found.factor:
            scope.factor = found.factor
        if not segment:
            tally = self._tally
            tally.start_ms = start_ms if tally.start_ms < 0 else tally.start_ms
            tally.events += found.events
            tally.again += found.again
            tally.all_events += found.events
            tally.all_again += found.again
            self._note_run(start_ms, found)
        scope.panes = [*scope.panes[-(_MAX_PANES - 1) :], (start_ms, sample.encode())]
        return scope.factor

    def _note_run(self, start_ms: int, found: Seen) -> None:
        """Note whether more copies come than usual, as far as a pane alone can tell."""
        tally = self._tally
        many = found.again > (self.usual + MIN_SHARE) * found.events
        if not many and found.events >= _LARGE:
            tally.since_ms, tally.run_events, tally.run_again = NOT_YET, 0, 0
        if many and tally.since_ms < 0:
            tally.since_ms = start_ms
        elif tally.since_ms >= 0:
            tally.run_events += found.events
            tally.run_again += found.again

    def _forget(self, now_ms: int) -> None:
        """Forget panes that no copy of an event of the next one can be in."""
        since_ms = now_ms + self._pane_ms - max(self._pane_ms, _REMEMBERED_MS)
        for segment, scope in list(self._scopes.items()):
            scope.panes = [pane for pane in scope.panes if pane[0] >= since_ms]
            if not scope.panes:
                del self._scopes[segment]

    def judge(self, end_ms: int, alpha: float) -> Finding | None:
        """The finding about copies in the panes since the last call, at the end of a window.

        Said is it if the chance is below `alpha` of so many copies where as many as may pass
        without a word were usual.
        """
        tally, usual = self._tally, self.usual
        events, again, start_ms = tally.events, tally.again, tally.start_ms
        tally.events = tally.again = 0
        tally.start_ms = NOT_YET
        threshold = min(usual + MIN_SHARE, 1.0)
        p_value = 1.0
        if events and again > threshold * events:
            p_value = beta_cdf(threshold, float(again), float(events - again + 1))
        if p_value > alpha:
            tally.since_ms, tally.run_events, tally.run_again = NOT_YET, 0, 0
            return None
        share = again / events
        if tally.since_ms < 0:
            tally.since_ms = start_ms
        since_ms = tally.since_ms
        run = (tally.run_events, tally.run_again) if tally.run_events else (events, again)
        return Finding(
            kind="data_quality",
            signal=DUPLICATES,
            role="event",
            test=DUPLICATES,
            value=share,
            threshold=threshold,
            p_value=p_value,
            severity="critical"
            if share - usual >= _CRITICAL
            else "warning"
            if share - usual >= _WARNING
            else "info",
            effect=on_one_scale("missing_rate", share - usual),
            direction=1,
            change=_words(*run, usual, since_ms),
            start_ms=start_ms,
            end_ms=end_ms,
            events=events,
            change_point=ChangePoint(since_ms, since_ms, min(end_ms, since_ms + self._pane_ms)),
        )

    def dump(self) -> bytes:
        """The state as bytes; `load` is the inverse."""
        return msgspec.msgpack.encode((self._scopes, self._tally))

    def load(self, data: bytes) -> None:
        """Take over a dumped state."""
        kind = tuple[dict[str, _Scope], _Tally]
        self._scopes, self._tally = msgspec.msgpack.decode(data, type=kind)


def _words(events: int, again: int, usual: float, since_ms: int) -> str:
    times = events / max(1, events - again)
    before = f"; in the reference {percent(usual)} had" if usual else ""
    if times > MOST_COPIES:
        return (
            f"{percent(again / events)} of the events have an id that had come before: it does not "
            "identify them, so they are counted as they come"
        )
    every = round(times) > 1 and abs(times - round(times)) < _NEAR_WHOLE
    whole = (
        f"every event came {times:.1f} times"
        if every
        else (f"events came {times:.2f} times on average")
    )
    since = format_time(since_ms)[:16].replace("T", " ")
    return (
        f"{whole} since {since}: {percent(again / events)} had come before{before}; each is "
        "counted once"
    )
