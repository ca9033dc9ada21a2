"""One subject driven through the product's own `Detection` and `Episodes`, from counts of panes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from stream.alerts.episodes import Episodes
from stream.contracts.alert_event import AlertContext
from stream.plans.plan import Plan, Subject
from stream.stage2.detection import Detection, Step
from stream.stage2.panes import Sealed

__all__ = ["SubjectRun"]


class SubjectRun:
    """Feeds panes and counts what opened, and which tests and signals had findings.

    Attributes
    ----------
    opened : int
        Episodes so far.
    first_findings : Counter
        Test -> episodes whose first pane it was in.
    opened_ms : list of int
        When each opened, in event time.
    told : int
        Alert events so far: openings, revisions and ends.
    panes, in_alarm : int
        Panes so far, and those after which an episode was open.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.detection = Detection(plan)
        self.episodes = Episodes(Subject(plan.model, "1"))
        self.opened = self.told = 0
        self.first_findings: Counter[str] = Counter()
        self.opened_ms: list[int] = []
        self.panes = self.in_alarm = 0
        self._context = AlertContext(
            environment="gate",
            reference=plan.reference.hash,
            config=plan.hash,
            false_alarms_per_week=plan.false_alarms_per_week,
            alpha=self.detection.budget.window_alpha,
        )

    @property
    def share_in_alarm(self) -> float:
        """Share of the panes after which an episode was open."""
        return self.in_alarm / max(1, self.panes)

    def feed(self, start_ms: int, counts: np.ndarray) -> None:
        """A sealed pane; an empty one is as in the product none at all."""
        if counts[0]:
            self._judge(self.detection.expire(start_ms))
            self._judge([self.detection.pane(Sealed(start_ms, {"": counts}, {}))])
            self.panes += 1
            self.in_alarm += bool(self.episodes.active)

    def end(self, time_ms: int) -> None:
        """Close the windows whose deadline is before this time."""
        self._judge(self.detection.expire(time_ms))

    def _judge(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if not step.findings and not step.window_closed and not self.episodes.active:
                continue
            alerts = self.episodes.step(
                step.at_ms,
                step.findings,
                step.window_closed,
                self._context,
                step.segments_closed,
                unlike=self.detection.unlike() if step.window_halved else None,
                day_ended=step.day_ended,
            )
            self.told += len(alerts)
            for alert in alerts:
                if alert.data.revision == 1 and alert.data.status == "firing":
                    self.opened += 1
                    self.opened_ms.append(step.at_ms)
                    kind = alert.data.labels.kind
                    tests = {f.test for f in step.findings if f.kind == kind}
                    self.first_findings["+".join(sorted(tests))] += 1
