"""How sure an alert is, in words: how often chance alone would say the same, and what it may cost.

The figures are the tests' own: a windowed test's tail probability, an e-detector's evidence (its
mean time to such evidence by chance is at least that many panes), ADWIN's measured rate.
"""

from __future__ import annotations

from typing import Final

from detectors import ChangePoint
from detectors.figures import figure, figures, round_figure
from stream.alerts.finding import Finding
from stream.alerts.sentences import TEST_TEXT
from stream.alerts.sizes import FAIRNESS, LIMIT
from stream.contracts.alert_event import format_time
from stream.contracts.budget_summary import BudgetSummary
from stream.plans.slots import DAY

__all__ = ["evidence", "in_time"]

#: Tails below this were not measured: no more is claimed.
_MIN_P: Final = 1e-9
_YEAR_WEEKS: Final = 365.25 / 7.0
_COUNTED: Final = "This was counted, not estimated: chance has no part in it."


def evidence(finding: Finding, began: ChangePoint | None, budget: BudgetSummary | None) -> str:
    """Why to believe a finding, and how often chance alone would bring it."""
    if budget is None:
        return ""
    if finding.test == finding.signal:  # the pipeline's own
        return _COUNTED
    value, threshold = figures(finding.value, finding.threshold)
    of = f"{TEST_TEXT.get(finding.test, finding.test)} {value}, threshold {threshold}. "
    if finding.test == "edetector":
        text = _by_edetector(finding, budget)
    elif finding.test == "adwin":
        text = _by_adwin(finding, budget)
    elif finding.test == LIMIT:
        text = _by_limit(finding, budget)
    elif finding.test == FAIRNESS:
        text = _by_fairness(budget)
    elif finding.test == DAY:
        text = _by_day(finding)
    else:
        text = _by_window(finding, budget)
    allowed = budget.false_alarms_per_week
    alarms = f"{round_figure(allowed)} false alarm{'' if allowed == 1.0 else 's'} a week"
    text = (
        f"{of}{text} All {budget.tests} groups of tests of this model together stay within its "
        f"budget of {alarms}."
    )
    if began is not None and began.confidence is not None:
        how = "came gradually; it began" if began.shape == "ramp" else "began"
        text += (
            f" The change {how} about {_minute(began.estimate_ms)} "
            f"({100 * began.confidence:.0f} % sure: {_minute(began.earliest_ms)} to "
            f"{_minute(began.latest_ms)})."
        )
    return text


def _by_window(finding: Finding, budget: BudgetSummary) -> str:
    what = TEST_TEXT.get(finding.test, finding.test)
    p = 1.0 if finding.p_value is None else finding.p_value
    often = "less than once in a billion" if p < _MIN_P else f"once in {round_figure(1.0 / p)}"
    text = (
        f"If nothing had changed, a {what} this high would come by chance {often} windows of "
        f"{finding.events:,} events"
    )
    if finding.segment:
        level = round_figure(1.0 / budget.segment_alpha)
        return f"{text}. The tests of this segment's windows alarm from once in {level}."
    if p >= _MIN_P:
        text += f", {in_time(1.0 / p / budget.windows_per_week)} of this stream"
    return (
        f"{text}. The window tests of this signal are set to raise one false alarm in "
        f"{_per(budget)}, once in {round_figure(1.0 / budget.window_alpha)} windows."
    )


def _by_day(finding: Finding) -> str:
    p = max(_MIN_P, finding.p_value or 0.0)
    return (
        f"If nothing had changed, a day as unlike those of the reference would come by chance once "
        f"in {round_figure(1.0 / p)} days. It alarms from {figure(round(finding.threshold, 1))} "
        "standard deviations of the reference's days on."
    )


def _by_edetector(finding: Finding, budget: BudgetSummary) -> str:
    pane = "cycles" if budget.cycle else "panes"
    checks = 10.0 ** min(finding.value, 15.0)
    alarm = 10.0 ** min(finding.threshold, 15.0)
    return (
        "If nothing had changed, so much evidence would build up by chance at most once in "
        f"{round_figure(checks)} {pane} with events, {in_time(checks / budget.panes_per_week)} of "
        f"this stream. It alarms from once in {round_figure(alarm)}, which chance reaches by "
        f"measured rates once in {_per(budget)} or less often."
    )


def _by_limit(finding: Finding, budget: BudgetSummary) -> str:
    pane = "cycles" if budget.cycle else "panes"
    checks, alarm = (10.0 ** min(value, 15.0) for value in (finding.value, finding.threshold))
    return (
        "If the metric were just at its limit, so much evidence would build up by chance at most "
        f"once in {round_figure(checks)} {pane} with events, "
        f"{in_time(checks / budget.panes_per_week)} of this stream. It alarms from once in "
        f"{round_figure(alarm)}: that holds for any distribution, as far as the reference tells "
        "how long values depend on each other."
    )


def _by_fairness(budget: BudgetSummary) -> str:
    often = round_figure(1.0 / budget.fairness_alpha)
    return (
        "It is certain to be beyond its limit, and to be larger than in the reference, but for "
        f"chance once in {often} such stretches: over all pairs of values at once."
    )


def _by_adwin(finding: Finding, budget: BudgetSummary) -> str:
    much = "more than"
    if finding.threshold > 0.0 and (times := round(finding.value / finding.threshold, 1)) > 1.0:
        much = f"{figure(times)} times as much as"
    return (
        f"The averages before and after differ {much} chance is allowed to make them. By measured "
        "rates chance goes beyond what it is allowed once in "
        f"{_per(budget)} or less often."
    )


def _per(budget: BudgetSummary) -> str:
    return in_time(1.0 / budget.share_per_week, bare=True)


def in_time(weeks: float, *, bare: bool = False) -> str:
    """`about 14 years`; at most a thousand years, since nobody measured more."""
    if weeks >= 1_000 * _YEAR_WEEKS:
        return "more than 1,000 years"
    scales = ((_YEAR_WEEKS, "years"), (1.0, "weeks"), (1 / 7, "days"), (1 / 168, "hours"))
    size, unit = next((s for s in scales if weeks >= 2.0 * s[0]), scales[-1])
    amount = max(1, round(weeks / size))
    return f"{'' if bare else 'about '}{amount:,} {unit if amount > 1 else unit[:-1]}"


def _minute(time_ms: int) -> str:
    text = format_time(time_ms)
    return f"{text[:10]} {text[11:16]}"
