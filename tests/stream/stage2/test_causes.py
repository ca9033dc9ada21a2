"""One cause, one story: what an alert says of the inputs that moved before it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import Reference, fit_reference
from stream.contracts.alert_event import decode_alert
from stream.contracts.plan_settings import Limit
from stream.plans.plan import Plan, PlanBook, SignalOptions
from stream.stage2 import causes
from stream.stage2.untested import untested_by_plan
from tests.stream.harness import START_S, run_stages

CHANGE = 2_000
N = 6_000
Frame = dict[str, Any]
SIGNALS = {"said": "label", "score": "score", "truth": "actual"}


def rows(seed: int, n: int, *, moved: bool = False, other: float = 0.0) -> Frame:
    """A score of how often people buy and of something else; it is wrong of who seldom does."""
    rng = np.random.default_rng(seed)
    frequency = rng.gamma(4.0, 1.0, n) * (0.75 if moved else 1.0)
    unseen = rng.normal(0.6 if moved else 0.0, 1.0, n)
    score = 1.0 / (1.0 + np.exp(1.2 * (frequency - 3.7) - 0.9 * unseen))
    right = rng.random(n) < np.where(frequency < 2.0, 0.7, 0.97)
    said = score >= 0.5
    return {
        "purchase_frequency": frequency,
        "age": rng.normal(other, 1.0, n),
        "said": np.where(said, "leaves", "stays"),
        "score": score,
        "truth": np.where(said == right, "leaves", "stays"),
    }


def fitted(without: tuple[str, ...] = ()) -> Reference:
    data = {name: column for name, column in rows(0, 10_000).items() if name not in without}
    roles = {name: role for name, role in SIGNALS.items() if name in data}
    times = 1_000 * np.arange(10_000)
    return fit_reference(data, model="churn", roles=roles, times_ms=times)


def plan(reference: Reference, **changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "model": "churn",
        "reference": reference,
        "window_events": 1_000,
        "window_min_events": 300,
    }
    return Plan(**settings | changes)


def stream(**after: Any) -> list[bytes]:
    """One event a second; from CHANGE on the inputs have moved."""
    before, later = rows(1, CHANGE), rows(2, N - CHANGE, **after)
    columns = {name: before[name].tolist() + later[name].tolist() for name in before}
    return [
        msgspec.json.encode(
            {
                "model": {"name": "churn", "version": "3"},
                "timestamp": START_S + i,
                "features": {name: columns[name][i] for name in ("purchase_frequency", "age")},
                "prediction": {"label": columns["said"][i], "score": columns["score"][i]},
                "actual": columns["truth"][i],
            }
        )
        for i in range(N)
    ]


def told(the_plan: Plan, events: list[bytes]) -> dict[str, list[dict[str, Any]]]:
    """The alerts of a replay by kind."""
    book = PlanBook()
    book.add(the_plan)
    alerts, _ = run_stages(book, events, partitions=1, seed=0)
    found: dict[str, list[dict[str, Any]]] = {}
    for alert in alerts:
        found.setdefault(alert["data"]["labels"]["kind"], []).append(alert["data"])
    return found


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fitted()


@pytest.fixture(scope="module")
def moved() -> list[bytes]:
    return stream(moved=True, other=1.0)


def test_an_alert_says_which_input_moved_before_and_how_much_that_explains(
    reference: Reference, moved: list[bytes]
) -> None:
    """The sentence that an engineer on call wants to read, out of a replay of events."""
    alerts = told(plan(reference, limits=(Limit(metric="accuracy", at_least=0.92),)), moved)
    last = alerts["performance"][-1]
    found = re.fullmatch(
        r"churn v3: Performance loss: accuracy (\d\d|\d\d\.\d) % \(limit 92 %\).*?"
        r" since 1970-01-12 14:[12]\d UTC.*?\. "
        r"Data drift in 'purchase_frequency' since 1970-01-12 14:20 UTC "
        r"explains up to (\d\d) % of the prediction's move; "
        r"prediction drift in 'said' and 'score' since 1970-01-12 14:20 UTC\. "
        r"Recommended action: investigate the feature distribution and schedule retraining\.",
        last["annotations"]["summary"],
    )
    assert found, last["annotations"]["summary"]
    assert 85.0 < float(found[1]) < 90.0
    assert 60 <= int(found[2]) <= 95
    assert last["annotations"]["action"] == "investigate_features"
    episodes = {kind: some[0]["episode"] for kind, some in alerts.items()}
    cause, prediction, *_ = last["related"]
    assert (cause["kind"], cause["episode"]) == ("data_drift", episodes["data_drift"])
    assert prediction["episode"] == episodes["prediction_drift"]
    assert cause["since"] == "1970-01-12T14:20:00.000Z"
    by_name = {signal["name"]: signal for signal in cause["signals"]}
    assert by_name["purchase_frequency"]["explains"] == int(found[2]) / 100
    assert by_name["age"]["explains"] < 0.1  # it moved as far, and does not matter
    assert decode_alert(encode(last, "performance")).data.related[0].kind == "data_drift"


def encode(data: dict[str, Any], kind: str) -> bytes:
    event = {
        "specversion": "1.0",
        "id": "0" * 32,
        "source": "driftstream/default",
        "type": "io.driftstream.alert.v1",
        "subject": f"churn/3/{kind}",
        "time": data["startsAt"],
        "datacontenttype": "application/json",
        "data": {**data, "offsets": {}},
    }
    return msgspec.json.encode(event)


def test_errors_are_expected_before_a_truth_has_come(
    reference: Reference, moved: list[bytes]
) -> None:
    blind = [msgspec.json.encode({**msgspec.json.decode(e), "actual": None}) for e in moved]
    alerts = told(plan(reference), blind)
    assert set(alerts) == {"data_drift", "prediction_drift"}
    last = alerts["data_drift"][-1]
    assert re.search(
        r"\. 'purchase_frequency' would raise the error rate from 6\.\d+ % to about 1\d\.?\d* %, "
        r"if errors still follow it as in the reference\. Recommended",
        last["annotations"]["summary"],
    )
    signals = {signal["name"]: signal for signal in last["signals"]}
    assert "expected_errors" not in signals["age"]
    expected = signals["purchase_frequency"]["expected_errors"]
    after = rows(2, N - CHANGE, moved=True)
    wrong = float(np.mean(after["said"] != after["truth"]))
    assert expected["of"] == "rate"
    assert expected["after"] == pytest.approx(wrong, abs=0.02)


def leader(alerts: dict[str, list[dict[str, Any]]]) -> str:
    return str(alerts["data_drift"][-1]["signals"][0]["name"])


def test_inputs_are_ranked_by_the_errors_to_expect_unless_a_user_ranks_them(
    reference: Reference,
) -> None:
    """'age' moves a little further; what errors follow leads all the same."""
    events = stream(moved=True, other=0.55)
    flat = replace(reference, joint=None)
    assert leader(told(plan(reference), events)) == "purchase_frequency"
    assert leader(told(plan(flat), events)) == "age"
    ranked = {name: SignalOptions(importance=0.5) for name in ("age", "purchase_frequency")}
    assert leader(told(plan(reference, signals=ranked), events)) == "age"


def test_what_no_input_explains_is_said(reference: Reference) -> None:
    """The score moves by itself, beside an input that does not matter."""
    events = []
    for at, value in enumerate(stream(other=1.0)):
        event = msgspec.json.decode(value)
        if at >= CHANGE:
            event["prediction"]["score"] **= 0.4
        events.append(msgspec.json.encode(event))
    alerts = told(plan(reference), events)
    summary = alerts["prediction_drift"][-1]["annotations"]["summary"]
    assert "the prediction's move is not explained by any single input." in summary
    assert "Data drift in 'age' since 1970-01-12 14:20 UTC; the" in summary


def test_values_that_the_reference_does_not_have_are_named(reference: Reference) -> None:
    events = []
    for at, value in enumerate(stream(moved=True)):
        event = msgspec.json.decode(value)
        if at >= CHANGE and at % 4 == 0:
            event["features"]["purchase_frequency"] = 1e6
        events.append(msgspec.json.encode(event))
    summary = told(plan(reference), events)["prediction_drift"][-1]["annotations"]["summary"]
    assert re.search(r"\(2\d % of its values have no like in the reference\)", summary)
    assert "not explained by any" not in summary


def test_a_reference_without_tables_names_the_input_and_no_share(
    reference: Reference, moved: list[bytes]
) -> None:
    old = replace(reference, joint=None)
    assert Reference.from_json(old.to_json()).hash == old.hash
    assert "joint" not in msgspec.json.decode(old.to_json())
    alerts = told(plan(old), moved)
    summary = alerts["performance"][-1]["annotations"]["summary"]
    assert "Data drift in " in summary
    assert "explain" not in summary
    assert alerts["performance"][-1]["annotations"]["action"] == "rollback"
    (note,) = (each for each in untested_by_plan(plan(old)) if each.reason == "causes")
    assert "fit again" in note.words
    assert not note.is_gap
    assert "causes" not in {each.reason for each in untested_by_plan(plan(reference))}


def test_inputs_without_a_table_are_said(reference: Reference) -> None:
    joint = reference.joint
    assert joint is not None
    few = replace(reference, joint=replace(joint, left_out=3))
    (note,) = (each for each in untested_by_plan(plan(few)) if each.reason == "causes")
    assert "is not known of 3 inputs: the reference has counts of the 2 that go" in note.words
    off = {"score": SignalOptions(monitor=False)}
    blind = untested_by_plan(plan(reference, signals=off))
    assert any(each.words.endswith("score is not monitored") for each in blind)


def test_without_a_truth_in_the_reference_a_move_is_explained_all_the_same(
    moved: list[bytes],
) -> None:
    summary = told(plan(fitted(("truth",))), moved)["prediction_drift"][-1]["annotations"][
        "summary"
    ]
    assert re.search(r"'purchase_frequency' since [^;]* explains up to \d\d %", summary)


@pytest.mark.parametrize("partitions", [1, 3, 8])
def test_the_story_is_the_same_over_partitions_and_through_restarts(
    reference: Reference, moved: list[bytes], partitions: int
) -> None:
    book = PlanBook()
    book.add(plan(reference))
    truth, _ = run_stages(book, moved, partitions=1, seed=0)
    alerts, _ = run_stages(
        book,
        moved,
        partitions=partitions,
        seed=partitions,
        snapshot_every=0.1,
        release_every=0.1,
    )
    assert alerts == truth
    assert any(a["data"]["news"] == ["cause"] for a in truth)


def test_nothing_is_computed_while_no_episode_is_open(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(causes, "explained", lambda *given: calls.append(given))
    monkeypatch.setattr(causes, "expected_errors", lambda *given: calls.append(given))
    assert not told(plan(reference), stream())
    assert not calls
