"""Fairness from events to alerts: what is found, what stays silent, and what is said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import OutcomeOptions, Reference, fit_reference
from detectors.outcomes.fairness import FEWEST_EVENTS
from stream.contracts.alert_event import AlertEvent
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay
from stream.stage2.detection import Detection
from tests.census import census_or_skip

START_S = 1_700_000_000
Rows = dict[str, np.ndarray]


def rows(
    seed: int,
    n: int,
    *,
    share: float = 0.5,
    recall: tuple[float, float] = (0.8, 0.8),
    wrong: tuple[float, float] = (0.2, 0.2),
    base: float = 0.5,
) -> Rows:
    """Half of all truths are yes; `recall` and the share of wrong positives are those of F and M.

    `share` of the events are M.
    """
    rng = np.random.default_rng(seed)
    m = rng.random(n) < share
    yes = rng.random(n) < base
    said = rng.random(n) < np.where(
        yes, np.where(m, recall[1], recall[0]), np.where(m, wrong[1], wrong[0])
    )
    return {
        "x": rng.normal(size=n),
        "sex": np.where(m, "M", "F"),
        "said": np.where(said, "yes", "no"),
        "truth": np.where(yes, "yes", "no"),
    }


def joined(*parts: Rows) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def reference_of(data: Rows, **more: Any) -> Reference:
    return fit_reference(
        {name: column.tolist() for name, column in data.items()},
        model="m",
        roles={"said": "label", "truth": "actual"},
        times_ms=np.arange(len(data["x"])) * 1_000,
        outcome=OutcomeOptions(positive="yes", protected=("sex",)),
        **more,
    )


def plan_of(reference: Reference, **settings: Any) -> Plan:
    return Plan(
        model="m",
        reference=reference,
        segments=("sex",),
        protected=("sex",),
        **{"window_events": 1_000, "pane_ms": 60_000} | settings,
    )


def events_of(data: Rows) -> list[bytes]:
    return [
        msgspec.json.encode(
            {
                "model": {"name": "m", "version": "1"},
                "timestamp": START_S + i,
                "features": {"x": x},
                "prediction": {"label": said},
                "actual": truth,
                "segments": {"sex": sex},
            }
        )
        for i, (x, sex, said, truth) in enumerate(
            zip(*(data[name].tolist() for name in ("x", "sex", "said", "truth")), strict=True)
        )
    ]


def later_truths(events: list[bytes], after: int) -> list[bytes]:
    """The same with each truth in an event of its own, so many seconds after its prediction."""
    found = []
    for value in events:
        event = msgspec.json.decode(value)
        at, known = event["timestamp"], event.pop("actual")
        found.append((at, event))
        repeated = {name: event[name] for name in ("model", "prediction", "segments")}
        truth = {"timestamp": at + after, "prediction_timestamp": at, "actual": known}
        found.append((at + after, repeated | truth))
    return [msgspec.json.encode(event) for _, event in sorted(found, key=lambda each: each[0])]


def replayed(plan: Plan, data: Rows, *, late: int = 0) -> tuple[list[AlertEvent], Detection]:
    book = PlanBook()
    book.add(plan)
    replay = Replay(book)
    events = later_truths(events_of(data), late) if late else events_of(data)
    records = (FileRecord(i, 0, value) for i, value in enumerate(events))
    alerts = list(replay.run(records))
    (monitor,) = replay.monitor.subjects.values()
    assert monitor.detection is not None
    return alerts, monitor.detection


def opened(alerts: list[AlertEvent]) -> dict[str, AlertEvent]:
    """The first alert of each kind."""
    first: dict[str, AlertEvent] = {}
    for alert in alerts:
        first.setdefault(alert.data.labels.kind, alert)
    return first


def rates(data: Rows, alert: AlertEvent) -> Mapping[str, float]:
    """True positives by sex of the events that an alert is about, counted one by one."""
    window = alert.data.window
    start, end = (
        int(np.datetime64(t.removesuffix("Z"), "ms").astype(int)) // 1_000 - START_S
        for t in (window.start, window.end)
    )
    found = {}
    for sex in ("F", "M"):
        of = slice(max(0, start), end)
        among = (data["sex"][of] == sex) & (data["truth"][of] == "yes")
        found[sex] = float((data["said"][of][among] == "yes").mean())
    return found


BEFORE = rows(1, 10_000)


def test_one_value_breaks_and_the_whole_stays_clean() -> None:
    """Simpson: what F loses M gains, so of the whole stream nothing has changed."""
    broken = rows(3, 4_000, recall=(0.6, 1.0), wrong=(0.2, 0.2))
    data = joined(rows(2, 3_000), broken)
    alerts, detection = replayed(plan_of(reference_of(BEFORE)), data)
    first = opened(alerts)
    alert = first["fairness"]
    of_whole = {
        kind: [signal.name for signal in each.data.signals if not signal.segment]
        for kind, each in first.items()
    }
    assert {kind for kind, names in of_whole.items() if names} == {"fairness"}
    assert alert.data.annotations.action == "review_decisions"
    assert alert.data.severity == "critical"
    (lead, *_) = alert.data.signals
    assert lead.name == "equal opportunity by sex"
    words = re.search(
        r"m v1: Unequal outcomes: equal opportunity differs by ([\d.]+) points between "
        r"sex=F \(([\d.]+) %\) and sex=M \(([\d.]+) %\), usually (-?[\d.]+)\b",
        alert.data.annotations.summary,
    )
    assert words is not None, alert.data.annotations.summary
    naive = rates(data, alert)
    assert float(words[2]) == pytest.approx(100 * naive["F"], rel=2e-3)
    assert float(words[3]) == pytest.approx(100 * naive["M"], rel=2e-3)
    assert float(words[1]) == pytest.approx(100 * (naive["M"] - naive["F"]), rel=1e-2)
    assert abs(float(words[4])) < 5.0
    assert lead.value == pytest.approx(naive["M"] - naive["F"])
    assert "chance once in" in alert.data.annotations.evidence
    assert detection.budget_summary.fairness_alpha > 0.0


def test_the_whole_moves_and_each_value_is_as_before() -> None:
    """Simpson: the mix changed, so the whole selects more, and F and M are treated as ever."""
    known = rows(1, 10_000, recall=(0.7, 0.9), wrong=(0.1, 0.3))
    data = joined(
        rows(2, 3_000, recall=(0.7, 0.9), wrong=(0.1, 0.3)),
        rows(3, 4_000, recall=(0.7, 0.9), wrong=(0.1, 0.3), share=0.9),
    )
    alerts, _ = replayed(plan_of(reference_of(known)), data)
    first = opened(alerts)
    assert "fairness" not in first
    whole = [
        signal.headline
        for alert in alerts
        if alert.data.labels.kind == "prediction_drift"
        for signal in alert.data.signals
        if signal.name == "said" and not signal.segment
    ]
    assert re.match(r"'(yes|no)' is [\d.]+ % of 'said' \(usually", whole[0])


def test_a_shift_of_all_values_is_no_disparity() -> None:
    data = joined(rows(2, 3_000), rows(3, 4_000, recall=(0.5, 0.5)))
    first = opened(replayed(plan_of(reference_of(BEFORE)), data)[0])
    assert "performance" in first
    assert "fairness" not in first


def test_a_disparity_of_the_reference_is_none_until_it_grows() -> None:
    known = reference_of(rows(1, 10_000, recall=(0.5, 0.9)))
    as_ever, _ = replayed(plan_of(known), rows(2, 8_000, recall=(0.5, 0.9)))
    assert "fairness" not in opened(as_ever)
    grown, _ = replayed(plan_of(known), rows(2, 8_000, recall=(0.3, 0.9)))
    words = [
        signal.headline
        for alert in grown
        for signal in alert.data.signals
        if signal.name == "equal opportunity by sex"
    ]
    assert re.search(r"usually (39|40|41)", words[0]), words


def test_it_is_over_when_a_stretch_finds_nothing() -> None:
    data = joined(rows(2, 3_000, recall=(0.5, 1.0)), rows(3, 6_000))
    alerts, _ = replayed(plan_of(reference_of(BEFORE)), data)
    of = [a for a in alerts if a.data.labels.kind == "fairness"]
    assert of[0].data.status == "firing"
    assert of[-1].data.status == "resolved"
    assert "equal opportunity differs by" in of[-1].data.annotations.summary


def test_rare_positives_are_counted_over_several_windows() -> None:
    """A window of 1,000 has 40 positives: 100 of both values take six of them."""
    shape = {"base": 0.04, "wrong": (0.0, 0.0)}
    data = rows(2, 8_000, recall=(0.3, 0.9), **shape)
    alerts, _ = replayed(plan_of(reference_of(rows(1, 20_000, **shape))), data)
    alert = opened(alerts)["fairness"]
    naive = rates(data, alert)
    lead = next(s for s in alert.data.signals if s.name == "equal opportunity by sex")
    assert lead.value == pytest.approx(naive["M"] - naive["F"])
    assert lead.events is not None
    assert lead.events >= 2 * FEWEST_EVENTS


def test_what_never_has_enough_is_given_up() -> None:
    known = rows(1, 20_000, base=0.04)
    data = rows(2, 9_000, base=0.004)
    _, detection = replayed(plan_of(reference_of(known)), data)
    assert detection.fairness is not None
    of = {test.rate: test for test in detection.fairness.rates}
    assert of["true_positive_rate"].given_up
    assert of["true_positive_rate"].result is None
    assert not of["selection_rate"].given_up
    assert of["selection_rate"].result is not None
    assert of["true_positive_rate"].found == {}


def test_values_that_the_reference_lacks_are_one() -> None:
    data = rows(2, 3_000)
    data["sex"] = np.where(np.arange(3_000) % 3 == 0, "D", data["sex"])
    _, detection = replayed(plan_of(reference_of(BEFORE)), data)
    assert detection.fairness is not None
    test = detection.fairness.rates[0]
    assert test.result is not None
    (start, end) = (t // 1_000 - START_S for t in test.span)
    of = slice(max(0, start), end)
    for value in ("F", "M"):
        assert (
            test.result.rates[f"sex={value}"][test.rate].events == (data["sex"][of] == value).sum()
        )
    other = test.result.rates["sex=__other__"][test.rate]
    assert other.events == (data["sex"][of] == "D").sum()


def test_truths_that_come_later_count_by_value_too() -> None:
    late = 900
    data = joined(rows(2, 3_000), rows(3, 5_000, recall=(0.6, 1.0)))
    alerts, detection = replayed(plan_of(reference_of(BEFORE)), data, late=late)
    assert "equal opportunity by sex" in {
        signal.name for signal in opened(alerts)["fairness"].data.signals
    }
    assert detection.fairness is not None
    for test in detection.fairness.rates:
        assert test.result is not None
        start, end = (t // 1_000 - START_S - late for t in test.span)
        of = slice(max(0, start), end)
        for value in ("F", "M"):
            among = data["sex"][of] == value
            if test.rate == "true_positive_rate":
                among &= data["truth"][of] == "yes"
            elif test.rate == "false_positive_rate":
                among &= data["truth"][of] == "no"
            assert test.result.rates[f"sex={value}"][test.rate].events == among.sum()


def test_a_private_model_names_no_value() -> None:
    data = joined(rows(2, 3_000), rows(3, 4_000, recall=(0.6, 1.0)))
    alerts, _ = replayed(plan_of(reference_of(BEFORE), private=True), data)
    alert = opened(alerts)["fairness"]
    text = msgspec.json.encode(alert).decode()
    assert "sex=" not in text
    assert "equal opportunity by sex" in alert.data.annotations.summary


def test_limits_are_the_user_s() -> None:
    data = joined(rows(2, 3_000), rows(3, 5_000, recall=(0.68, 0.92)))
    strict = plan_of(reference_of(BEFORE), fairness_difference=0.05)
    lax = plan_of(reference_of(BEFORE), fairness_difference=0.5, fairness_ratio=0.3)
    assert "fairness" in opened(replayed(strict, data)[0])
    assert "fairness" not in opened(replayed(lax, data)[0])


@pytest.mark.parametrize("column", ["sex", "race"])
def test_the_census_to_the_row(column: str) -> None:
    """Accuracy and selection by value, through both stages, are a naive count's."""
    data = census_or_skip()
    known, later = data.reference, data.later.take(slice(0, 20_000))
    reference = fit_reference(
        {
            "score": known.score,
            "employed": [str(e) for e in known.employed.tolist()],
            column: getattr(known, column).tolist(),
        },
        model="m",
        roles={"score": "score", "employed": "actual"},
        times_ms=np.arange(len(known.score)) * 1_000,
        outcome=OutcomeOptions(positive="1", protected=(column,)),
    )
    plan = Plan(
        model="m", reference=reference, segments=(column,), protected=(column,), pane_ms=60_000
    )
    values = getattr(later, column)
    events = (
        msgspec.json.encode(
            {
                "model": {"name": "m", "version": "1"},
                "timestamp": START_S + i,
                "prediction": {"score": score},
                "features": {},
                "actual": str(employed),
                "segments": {column: value},
            }
        )
        for i, (score, employed, value) in enumerate(
            zip(later.score.tolist(), later.employed.tolist(), values.tolist(), strict=True)
        )
    )
    book = PlanBook()
    book.add(plan)
    replay = Replay(book)
    list(replay.run(FileRecord(i, 0, value) for i, value in enumerate(events)))
    (monitor,) = replay.monitor.subjects.values()
    assert monitor.detection is not None
    assert monitor.detection.fairness is not None
    said = later.score >= 0.5
    for test in monitor.detection.fairness.rates:
        if test.rate not in ("selection_rate", "error_rate"):
            continue
        assert test.result is not None
        start, end = (t // 1_000 - START_S for t in test.span)
        of = slice(max(0, start), end)
        hits = said[of] if test.rate == "selection_rate" else said[of] != (later.employed[of] == 1)
        for scope, rate in test.result.rates.items():
            among = values[of] == scope.removeprefix(f"{column}=")
            assert rate[test.rate].events == among.sum()
            assert rate[test.rate].value * among.sum() == pytest.approx(hits[among].sum(), abs=1e-6)
