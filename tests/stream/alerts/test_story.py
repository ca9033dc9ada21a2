"""Episodes that are open at a time name each other: when that is news, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from detectors import ChangePoint
from detectors.causes import Explained
from stream.alerts.episodes import Episodes
from stream.alerts.story import related_words
from stream.contracts.alert_event import AlertContext, AlertEvent, RelatedEpisode, RelatedSignal
from stream.plans.plan import Subject
from tests.stream.alerts.test_episodes import PANE, T0, finding

Shares = dict[str, Explained]


class Line:
    """One subject's episodes, driven a window at a time; `asked` is how often shares were."""

    def __init__(self, shares: Shares | None = None, *, private: bool = False) -> None:
        self.episodes = Episodes(Subject("churn", "3"))
        self.context = AlertContext(private=private)
        self.shares, self.now, self.asked = shares, T0, 0

    def explain(self, began: ChangePoint | None) -> Shares | None:
        self.asked += 1
        return self.shares

    def window(self, *kinds: str | tuple[str, str], closed: bool = True) -> dict[str, AlertEvent]:
        """A window with a finding of each (kind, signal), the first change a minute ago."""
        self.now += PANE
        findings = [found(*((k, "x") if isinstance(k, str) else k)) for k in kinds]
        alerts = self.episodes.step(self.now, findings, closed, self.context, explain=self.explain)
        return {alert.data.labels.kind: alert for alert in alerts}


#: When each kind's change began, before T0.
BEGAN = {"data_drift": 60_000, "data_quality": 180_000, "prediction_drift": 30_000}


def found(kind: str, signal: str) -> Any:
    began = T0 - BEGAN.get(kind, 0)
    names = {"prediction_drift": "score", "performance": "error"}
    return finding(
        names.get(kind, signal), kind=kind, change_point=ChangePoint(began, began, began)
    )


def summary(alert: AlertEvent) -> str:
    return alert.data.annotations.summary


def test_the_cause_whose_change_began_first_stands_in_front() -> None:
    line = Line({"x": Explained(0.7, 0.0)})
    alerts = line.window("performance", "data_drift", ("data_quality", "z"), "prediction_drift")
    related = alerts["performance"].data.related
    assert [one.kind for one in related] == ["data_quality", "data_drift", "prediction_drift"]
    assert [one.since for one in related] == [
        "2026-03-01T11:57:00.000Z",
        "2026-03-01T11:59:00.000Z",
        "2026-03-01T11:59:30.000Z",
    ]
    assert {one.episode for one in related} == {
        alerts[kind].data.episode for kind in alerts if kind != "performance"
    }
    assert (
        " Data quality problem in 'z' since 2026-03-01 11:57 UTC; data drift in 'x' since "
        "2026-03-01 11:59 UTC explains up to 70 % of the prediction's move; prediction drift in "
        "'score' since 2026-03-01 11:59 UTC. Recommended action: investigate the feature"
    ) in summary(alerts["performance"])
    # Causes do not name their effects as causes, but all name each other.
    assert "since" not in summary(alerts["data_drift"]).split(" UTC", 1)[1]
    assert {one.kind for one in alerts["data_drift"].data.related} == set(alerts) - {"data_drift"}


@pytest.mark.parametrize(
    ("kind", "share", "action"),
    [
        ("data_drift", 0.7, "investigate_features"),
        ("data_quality", 0.7, "check_pipeline"),
        ("data_drift", 0.09, "rollback"),
        ("data_drift", None, "rollback"),
    ],
)
def test_what_to_do_is_about_the_input_that_explains(
    kind: str, share: float | None, action: str
) -> None:
    line = Line(None if share is None else {"x": Explained(share, 0.0)})
    alerts = line.window("performance", kind, "prediction_drift")
    assert alerts["performance"].data.annotations.action == action
    said = summary(alerts["performance"])
    assert ("explains up to 70 %" in said) == (share == 0.7)
    assert ("not explained by any single input" in said) == (share == 0.09)


def test_shares_are_asked_for_only_where_they_are_told() -> None:
    line = Line({"x": Explained(0.7, 0.0)})
    line.window("data_drift", "performance")
    line.window("data_drift", "performance")
    assert line.asked == 0
    line.window("data_drift", "performance", "prediction_drift")
    assert line.asked == 2


def test_a_cause_that_opens_later_is_news_once() -> None:
    line = Line()
    line.window("performance")
    assert not line.window("performance")
    later = line.window("performance", "data_drift")
    assert later["performance"].data.news == ["cause"]
    assert "Data drift in 'x' since" in summary(later["performance"])
    for _ in range(20):
        assert not line.window("performance", "data_drift")
    # It comes and goes: the episode of the cause tells, this one has told.
    ends = [line.window("performance") for _ in range(8)]
    assert any("data_drift" in alerts for alerts in ends)
    assert not any("performance" in alerts for alerts in ends)
    again = line.window("performance", "data_drift")
    assert "performance" not in again


def test_an_input_that_comes_to_explain_most_is_news_once() -> None:
    line = Line({"x": Explained(0.05, 0.0), "y": Explained(0.0, 0.3)})
    both = ("prediction_drift", ("data_drift", "x"))
    assert "explain" not in summary(line.window(*both)["prediction_drift"])
    line.shares = {"x": Explained(0.05, 0.0), "y": Explained(0.8, 0.3)}
    joined = line.window(*both, ("data_drift", "y"))
    assert joined["prediction_drift"].data.news == ["cause"]
    assert "'y' since 2026-03-01 11:59 UTC explains up to 80 % of the prediction's move (30 %" in (
        summary(joined["prediction_drift"])
    )
    line.shares = {"x": Explained(0.9, 0.0), "y": Explained(0.8, 0.3)}
    other = line.window(*both, ("data_drift", "y"))
    assert "explains up to 90 % of the prediction's move, 'y' up to 80 %." in (
        summary(other["prediction_drift"])
    )
    for _ in range(10):
        assert not line.window(*both, ("data_drift", "y"))
        line.shares = {"x": Explained(0.7, 0.0), "y": Explained(0.8, 0.3)}


def test_between_windows_a_cause_waits() -> None:
    line = Line()
    line.window("performance")
    assert set(line.window("data_drift", closed=False)) == {"data_drift"}
    assert line.window("performance", "data_drift")["performance"].data.news == ["cause"]


def test_what_is_resolved_keeps_the_causes_that_it_had() -> None:
    """The topic keeps the last revision alone; its sentence is of what happened, in the past."""
    line = Line({"x": Explained(0.7, 0.0)})
    named = line.window("performance", "data_drift", "prediction_drift")["performance"].data.related
    line.episodes = Episodes.load(Subject("churn", "3"), line.episodes.dump())
    alerts = {kind: alert for _ in range(8) for kind, alert in line.window().items()}
    assert {alert.data.status for alert in alerts.values()} == {"resolved"}
    assert set(alerts) == {"performance", "data_drift", "prediction_drift"}
    assert alerts["performance"].data.related == named
    assert "explains" not in summary(alerts["performance"])


def test_what_was_named_is_in_a_snapshot() -> None:
    line = Line({"x": Explained(0.7, 0.0)})
    line.window("performance", "data_drift", "prediction_drift")
    line.episodes = Episodes.load(Subject("churn", "3"), line.episodes.dump())
    assert not line.window("performance", "data_drift", "prediction_drift")


def test_a_private_model_names_signals_and_no_value() -> None:
    line = Line({"x": Explained(0.7, 0.0)}, private=True)
    said = summary(line.window("performance", "data_drift", "prediction_drift")["performance"])
    assert "explains up to 70 %" in said
    assert "4.1" not in said


def test_a_related_episode_in_words() -> None:
    one = RelatedEpisode(
        "0" * 32,
        "data_drift",
        "2026-03-01T10:02:00.000Z",
        [RelatedSignal("x", None, 0.7, 0.3), RelatedSignal("y")],
    )
    assert related_words(one) == (
        "data drift since 2026-03-01 10:02 UTC: 'x' explains up to 70 % (30 % of its values have "
        "no like in the reference), 'y'"
    )
    assert related_words(RelatedEpisode("0" * 32, "performance")) == "performance loss"
