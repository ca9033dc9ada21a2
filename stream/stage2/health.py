"""What the pipeline itself does wrong: findings of kind `system`, and the silence of a subject.

These speak of the pipeline as it ran, so they are outside the laws of partition invariance and
restart; all they are decided from is in the state and on the log.
"""

from __future__ import annotations

from typing import Final

import msgspec

from detectors.figures import percent
from stream.alerts.episodes import Finding
from stream.alerts.sizes import on_one_scale
from stream.contracts.moments import NOT_YET
from stream.contracts.summary_message import SummaryBatch
from stream.plans.plan import AnyPlan
from stream.stage1.versions import AT_ONCE
from stream.stage2.detection import Step
from stream.stage2.panes import Late
from stream.text.durations import duration

__all__ = [
    "AHEAD_SHARE_LIMIT",
    "LATE_SHARE_LIMIT",
    "NO_DATA",
    "STALE_SHARE_LIMIT",
    "VERSIONS",
    "Health",
    "versions_folded",
]

#: A share of late events above this in a window is raised as a `system` episode.
LATE_SHARE_LIMIT: Final = 0.01
#: So for events from a clock that leads.
AHEAD_SHARE_LIMIT: Final = 0.01
#: So for events that were much older than their records.
STALE_SHARE_LIMIT: Final = 0.1
#: The signal of an episode about a subject that no events come of.
NO_DATA: Final = "no_data"
#: The signal of an episode about versions that are counted together.
VERSIONS: Final = "versions"


class Health(msgspec.Struct, array_like=True):
    """What is known of the pipeline of one subject.

    Attributes
    ----------
    late_judged : int
        Late events that a closed window has judged.
    bad_plans : int
        Summaries refused for their plan since the last judgement.
    heard_to_ms : int
        End of the last pane that there are events of; -1 before the first.
    silent : bool
        Whether an episode says that no data come.
    stale, aged : dict
        Stale events, and those whose age was looked at, by source partition; and how many of all a
        closed window has judged.
    ahead : dict
        Events from a clock that leads, by source partition; `ahead_judged` of all were judged by a
        closed window, and since then one of them led by up to `ahead_max_ms`.
    told, waits_since_ms : int
        Late events and events ahead that were judged, be it before a window closed; and the
        frontier when the first was heard of that was not, -1 if there is none.
    """

    late_judged: int = 0
    bad_plans: int = 0
    heard_to_ms: int = NOT_YET
    silent: bool = False
    stale: dict[int, Late] = {}
    aged: dict[int, Late] = {}
    stale_judged: int = 0
    aged_judged: int = 0
    ahead: dict[int, Late] = {}
    ahead_judged: int = 0
    ahead_max_ms: int = 0
    told: int = 0
    waits_since_ms: int = NOT_YET

    def begin_source(self) -> None:
        """The events come from another topic: counts of partitions begin again at 0."""
        self.late_judged = self.stale_judged = self.aged_judged = self.ahead_judged = self.told = 0
        self.stale, self.aged, self.ahead = {}, {}, {}

    def note(self, batch: SummaryBatch) -> None:
        """Take in how many events of a chunk are stale, and how many are ahead."""
        partition = batch.source.partition
        if batch.ahead or partition in self.ahead:
            late = self.ahead.setdefault(partition, Late())
            if late.note(batch.chunk, batch.through, batch.ahead, batch.plan):
                self.ahead_max_ms = max(self.ahead_max_ms, batch.ahead_max_ms)
        if batch.aged or partition in self.aged:
            for kept, said in ((self.stale, batch.stale), (self.aged, batch.aged)):
                late = kept.setdefault(partition, Late())
                late.note(batch.chunk, batch.through, said, batch.plan)

    @property
    def ahead_total(self) -> int:
        """Events from a clock that leads."""
        return sum(late.total for late in self.ahead.values())

    def is_overdue(self, late_total: int, now_ms: int, plan: AnyPlan) -> bool:
        """Whether clocks have to be judged before a window closes.

        A model all of whose events are late has no window; one that loses most of them waits long
        for it.
        """
        waiting = late_total + self.ahead_total - self.told
        if not waiting:
            self.waits_since_ms = NOT_YET
            return False
        if self.waits_since_ms < 0:
            self.waits_since_ms = now_ms
        enough = min(plan.window_min_events, plan.window_events)
        return waiting >= enough or now_ms - self.waits_since_ms >= plan.window_max_age_ms

    def of_clocks(self, step: Step, late_total: int) -> list[Finding]:
        """What clocks that trail or lead did since the last full window."""
        self.told, self.waits_since_ms = late_total + self.ahead_total, NOT_YET
        findings = []
        late = late_total - self.late_judged
        events = max(1, late + step.events)
        if (share := late / events) > LATE_SHARE_LIMIT:
            words = f"{percent(share)} of the events came too late to be counted"
            findings.append(_finding(step, "late_share", share, LATE_SHARE_LIMIT, words))
        ahead = self.ahead_total - self.ahead_judged
        if (share := ahead / max(ahead, events)) > AHEAD_SHARE_LIMIT:
            most = duration(self.ahead_max_ms)
            words = f"{percent(share)} of the events are ahead of the clock, by up to {most}"
            findings.append(_finding(step, "clock_ahead", share, AHEAD_SHARE_LIMIT, words))
        return findings

    def findings(self, step: Step, late_total: int) -> list[Finding]:
        """What went wrong since the last full window, now that another one closes."""
        findings = self.of_clocks(step, late_total)
        self.late_judged, self.ahead_judged = late_total, self.ahead_total
        self.ahead_max_ms = 0
        stale = sum(late.total for late in self.stale.values()) - self.stale_judged
        aged = sum(late.total for late in self.aged.values()) - self.aged_judged
        self.stale_judged += stale
        self.aged_judged += aged
        share = stale / max(1, aged)
        if share > STALE_SHARE_LIMIT:
            words = f"{percent(share)} of the events were old when they were sent"
            findings.append(_finding(step, "event_age", share, STALE_SHARE_LIMIT, words))
        if self.bad_plans:
            words = f"{self.bad_plans} summaries were made under another plan"
            findings.append(_finding(step, "plan_mismatch", float(self.bad_plans), 0.0, words))
            self.bad_plans = 0
        return findings

    def deadline_ms(self, no_data_after_ms: int) -> int | None:
        """Event time at which silence is alerted; None if it never is, or was already."""
        if not no_data_after_ms or self.silent or self.heard_to_ms < 0:
            return None
        return self.heard_to_ms + no_data_after_ms

    def fall_silent(self, no_data_after_ms: int) -> Step:
        """The step that tells of it, at the deadline."""
        self.silent = True
        at_ms = self.heard_to_ms + no_data_after_ms
        seconds = no_data_after_ms / 1000.0
        step = Step(at_ms, self.heard_to_ms, 0, [], False, [], {})
        words = f"no events for {duration(no_data_after_ms)}"
        step.findings.append(_finding(step, NO_DATA, seconds, seconds, words))
        return step

    def note_pane(self, pane_end_ms: int) -> None:
        """Note that there are events of a pane that is not sealed yet."""
        if not self.silent:
            self.heard_to_ms = max(self.heard_to_ms, pane_end_ms)

    def hear(self, pane_end_ms: int) -> bool:
        """Note a sealed pane; whether that ends a silence."""
        ends = self.silent and pane_end_ms > self.heard_to_ms
        self.heard_to_ms = max(self.heard_to_ms, pane_end_ms)
        self.silent = self.silent and not ends
        return ends


def versions_folded(step: Step) -> Finding:
    """The finding about a pane of events whose versions are folded."""
    words = (
        f"events of more versions than have counts of their own ({AT_ONCE} in a chunk) are counted "
        "together; is an id or a time in model.version?"
    )
    return _finding(step, VERSIONS, float(step.events), 0.0, words)


def _finding(step: Step, test: str, value: float, threshold: float, change: str) -> Finding:
    return Finding(
        kind="system",
        signal=test,
        role="system",
        test=test,
        value=value,
        threshold=threshold,
        severity="critical" if test == NO_DATA else "warning",
        effect=on_one_scale("missing_rate", min(value, 1.0)),
        change=change,
        start_ms=step.start_ms,
        end_ms=step.at_ms,
        events=step.events,
    )
