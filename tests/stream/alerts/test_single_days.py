"""How often an episode tells of single days: once for each run of them, and runs grow longer."""

from __future__ import annotations

import msgspec
import numpy as np

from stream.alerts.episodes import Episodes
from stream.alerts.finding import Finding
from stream.contracts.alert_event import AlertContext, AlertEvent
from stream.plans.plan import Subject

DAY_MS = 86_400_000
T0 = 1_767_571_200_000
CONTEXT = AlertContext()


def found(day: int, signal: str = "a", test: str = "day", severity: str = "critical") -> Finding:
    return Finding(
        kind="data_drift",
        signal=signal,
        role="feature",
        test=test,
        value=4.0,
        threshold=3.0,
        severity=severity,
        start_ms=T0 + day * DAY_MS,
        end_ms=T0 + (day + 1) * DAY_MS,  # type: ignore[arg-type]
        events=48,
        effect=0.3,
        note=f"unusually low on day {day}" if test == "day" else "",
    )


def alerts_of(days: list[bool], *, lasting: bool = True, windows: int = 7) -> list[AlertEvent]:
    """Of a signal that is odd on some days, with a window of a week; told and loaded each day."""
    episodes, alerts = Episodes(Subject("m", "1")), []
    for day, odd in enumerate(days):
        closed = day % windows == windows - 1
        findings = [found(day)] * odd + [found(day, test="psi", severity="info")] * lasting
        alerts += episodes.step(T0 + (day + 1) * DAY_MS, findings, closed, CONTEXT, day_ended=True)
        episodes = Episodes.load(
            Subject("m", "1"), msgspec.json.decode(msgspec.json.encode(episodes.dump()))
        )
    return alerts


def told(alerts: list[AlertEvent]) -> list[str]:
    return [
        a.data.annotations.summary.split("unusually low on day ")[1].split(";")[0].split(".")[0]
        for a in alerts
        if "day" in a.data.news
    ]


def on(*days: int, of: int = 120) -> list[bool]:
    return [day in days for day in range(of)]


def test_days_far_apart_are_told_each_and_a_run_with_its_first() -> None:
    assert told(alerts_of(on(10, 11, 13, 40, 80, 81))) == ["10", "40", "80"]


def test_two_holidays_of_two_weeks_are_told_both() -> None:
    assert told(alerts_of(on(10, 11, 17))) == ["10", "17"]


def test_a_shift_that_makes_every_day_odd_is_told_once() -> None:
    assert told(alerts_of([day >= 10 for day in range(400)])) == ["10"]


def test_days_that_are_odd_by_chance_again_and_again_are_soon_one_run() -> None:
    rng = np.random.default_rng(3)
    for share in (0.2, 0.5):
        alerts = alerts_of((rng.random(400) < share).tolist())
        assert len(told(alerts)) <= 6
        severities = [a for a in alerts if "severity" in a.data.news]
        assert len(severities) <= 2 * len(told(alerts))


def test_a_day_does_not_prolong_what_other_tests_found() -> None:
    """Its signal has left that episode when windows are as their reference again."""
    ends = []
    for odd in (False, True):
        episodes = Episodes(Subject("m", "1"))
        for day in range(40):
            findings = [found(day, test="psi", severity="info")] * (day < 10)
            findings += [found(day)] * (odd and day == 18)
            for alert in episodes.step(
                T0 + (day + 1) * DAY_MS, findings, day % 7 == 6, CONTEXT, day_ended=True
            ):
                if alert.data.status == "resolved":
                    ends.append((odd, day))
    assert ends == [(False, 27), (True, 27)]


def test_a_day_found_as_its_signal_leaves_is_told_before_the_end() -> None:
    episodes = Episodes(Subject("m", "1"))
    news = []
    for day in range(40):
        findings = [found(day, test="psi", severity="info")] * (day < 10)
        findings += [found(day)] * (day == 27)
        for alert in episodes.step(
            T0 + (day + 1) * DAY_MS, findings, day % 7 == 6, CONTEXT, day_ended=True
        ):
            if alert.data.news:
                news.append((day, alert.data.news))
    assert news == [(0, ["opened"]), (27, ["day", "severity"]), (34, ["resolved"])]


def test_signals_odd_on_one_day_are_told_together_between_windows() -> None:
    episodes = Episodes(Subject("m", "1"))
    episodes.step(T0, [found(0, "a", "psi", "info")], False, CONTEXT)
    both = [found(3, "b"), found(3, "c")]
    (alert,) = episodes.step(T0 + 4 * DAY_MS, both, False, CONTEXT, day_ended=True)
    assert alert.data.news == ["day", "joined", "severity", "lead"]
    assert "; 'b' and 'c' unusually low on day 3" in alert.data.annotations.summary
