"""Limits on metrics: they are found when passed, stay silent at the limit, and end."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy import stats

from detectors import fit_reference
from stream.contracts.alert_event import AlertEvent
from stream.contracts.plan_settings import Limit
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook, PlanError, decode_plan
from stream.replay import Replay
from stream.stage2.limit_tests import LimitTests
from stream.stage2.plan_notes import limit_lines, other_notes
from stream.stage2.shared_tables import SharedTables

START_S = 1_000_000
ACCURACY = Limit(metric="accuracy", at_least=0.9)


def rows(
    seed: int, n: int, *, right: float, stay: float = 0.0, slow: float = 1.0
) -> dict[str, Any]:
    """What a model said of an even coin, right so often; in spells of 1 / (1 - stay) events."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    fresh = rng.random(n) >= stay
    fresh[0] = True
    last = np.maximum.accumulate(np.where(fresh, np.arange(n), 0))
    is_right = (rng.random(n) < right)[last]
    names = np.array(["no", "yes"])
    return {
        "x": rng.normal(size=n),
        "took": rng.gamma(4.0, 0.025 * slow, n),
        "said": names[np.where(is_right, truth, 1 - truth)],
        "truth": names[truth],
    }


def reference(frame: dict[str, Any]) -> Any:
    n = len(frame["x"])
    return fit_reference(
        {key: values.tolist() for key, values in frame.items()},
        model="churn",
        version="",
        roles={"said": "label", "truth": "actual", "took": "latency"},
        times_ms=(START_S - n + np.arange(n)) * 1_000,
        segments=(),
    )


@pytest.fixture(scope="module")
def known() -> Any:
    return reference(rows(0, 8_000, right=0.93))


def plan_of(known: Any, *limits: Limit, **settings: Any) -> Plan:
    return Plan(model="churn", reference=known, limits=limits, **settings)


def events(*parts: dict[str, Any]) -> list[bytes]:
    frame = {key: np.concatenate([part[key] for part in parts]).tolist() for key in parts[0]}
    return [
        msgspec.json.encode(
            {
                "model": {"name": "churn", "version": "1"},
                "timestamp": START_S + i,
                "features": {"x": x},
                "prediction": {"label": said},
                "actual": truth,
                "latency_seconds": took,
            }
        )
        for i, (x, took, said, truth) in enumerate(
            zip(frame["x"], frame["took"], frame["said"], frame["truth"], strict=True)
        )
    ]


def alerts_of(plan: Plan, *parts: dict[str, Any]) -> list[AlertEvent]:
    book = PlanBook()
    book.add(plan)
    records = (FileRecord(i, 0, value) for i, value in enumerate(events(*parts)))
    return list(Replay(book).run(records))


def of_limit(alerts: list[AlertEvent], name: str) -> list[AlertEvent]:
    return [a for a in alerts if name in {s.name for s in a.data.signals}]


def test_what_is_beyond_its_limit_is_found_told_and_over(known: Any) -> None:
    plan = plan_of(known, ACCURACY)
    before, breach = rows(1, 4_000, right=0.93), rows(2, 6_000, right=0.80)
    alerts = alerts_of(plan, before, breach, rows(3, 6_000, right=0.93))
    opened = of_limit(alerts, "accuracy at least 0.9")[0]
    first = opened.data
    assert first.severity == "critical"
    assert opened.subject == "churn/1/performance"
    summary = first.annotations.summary
    assert re.match(
        r"churn v1: Performance loss: accuracy (79|8\d)[.\d]* % \(limit 90 %\), chance of this by "
        r"luck once in \d+ weeks.*since 1970-01-12 14:5\d UTC",
        summary,
    ), summary
    assert "If the metric were just at its limit" in first.annotations.evidence
    # Windows are of 1,000 events, and two of them are looked at after the breach is over, 16:26:40.
    (over,) = (alert for alert in alerts if "accuracy at least 0.9" in alert.data.left)
    assert "1970-01-12T16:43" <= over.time <= "1970-01-12T17:00"
    (last,) = (a for a in alerts if a.subject == opened.subject and a.data.status == "resolved")
    assert last.time < "1970-01-12T17:20"
    private = alerts_of(plan_of(known, ACCURACY, private=True), before, breach)
    assert not any("(limit 90 %)" in alert.data.annotations.summary for alert in private)


def started(known: Any, *limits: Limit, **settings: Any) -> tuple[Plan, LimitTests]:
    plan = plan_of(known, *limits, **settings)
    tests = LimitTests.of(plan, SharedTables.of(plan).budget)
    assert tests is not None
    return plan, tests


def panes_of(plan: Plan, frame: dict[str, Any], size: int = 10) -> np.ndarray:
    """Flat counts of panes of this frame, with the cells that the limits here read."""
    layout, outcome = plan.layout, plan.outcome
    n = len(frame["x"]) // size
    counts = np.zeros((n, layout.width), np.int64)
    counts[:, 0] = size
    pane = np.repeat(np.arange(n), size)
    for at, signal in enumerate(plan.monitored):
        if signal.name == "took":
            bins = signal.binning.bin(frame["took"][: n * size])
            np.add.at(counts, (pane, layout.slice(at).start + bins), 1)
    said, truth = (np.where(frame[key][: n * size] == "yes", 1, 0) for key in ("said", "truth"))
    assert outcome is not None
    cell = layout.cells.start + said * outcome.cells.sides + truth
    np.add.at(counts, (pane, cell), 1)
    return counts


def alarms(tests: LimitTests, panes: np.ndarray) -> list[int]:
    """Panes at which something was found."""
    return [
        at
        for at, counts in enumerate(panes)
        if list(tests.pane(counts, at * 10_000, at * 10_000 + 10_000))
    ]


@pytest.mark.parametrize("stay", [0.0, 0.9])
def test_at_its_limit_it_stays_silent(stay: float) -> None:
    """Exactly at the limit, errors independent or in spells of ten: once in A panes, or less."""
    known = reference(rows(10, 20_000, right=0.9, stay=stay))
    plan, tests = started(known, ACCURACY)
    (rule,) = plan.limit_rules
    assert (rule.phi > 5.0) == (stay > 0.0)
    tests.evidence = [rule.evidence(200.0)]  # so that chance has many a chance
    found = panes = 0
    for seed in range(10):
        counts = panes_of(plan, rows(100 + seed, 20_000, right=0.9, stay=stay))
        found, panes = found + len(alarms(tests, counts)), panes + len(counts)
    at_least = float(stats.chi2.ppf(0.01, 2 * found)) / 2 if found else 0.0
    assert at_least <= panes / 200


def test_a_loss_from_90_to_86_percent_is_found_after_2_000_events(known: Any) -> None:
    delays = []
    for seed in range(20):
        plan, tests = started(known, ACCURACY)
        assert not alarms(tests, panes_of(plan, rows(200 + seed, 5_000, right=0.9)))
        found = alarms(tests, panes_of(plan, rows(300 + seed, 6_000, right=0.86)))
        delays.append(10 * found[0] if found else 6_000)
    assert np.median(delays) < 2_000, delays
    assert max(delays) < 4_000, delays


@pytest.mark.parametrize(
    ("limit", "kind", "words"),
    [
        (
            Limit(metric="p95", signal="took", at_most=0.2, severity="warning"),
            "system",
            r"p95 of 'took' 0.2\d+ \(limit 0.2\)",
        ),
        (
            Limit(metric="mean", signal="took", at_most=0.11),
            "system",
            r"mean of 'took' 0.1[1-4]\d*",
        ),
        (
            Limit(metric="missing_rate", signal="x", at_most=0.02),
            "data_quality",
            r"missing rate of",
        ),
    ],
)
def test_limits_on_signals(known: Any, limit: Limit, kind: str, words: str) -> None:
    plan = plan_of(known, limit)
    (rule,) = plan.limit_rules
    after = rows(5, 6_000, right=0.93, slow=1.3)
    after["x"] = np.where(np.arange(6_000) % 20 == 0, None, after["x"])
    alerts = alerts_of(plan, rows(4, 3_000, right=0.93), after)
    told = [signal for alert in alerts for signal in alert.data.signals if signal.name == rule.name]
    assert re.match(words, told[0].headline), told
    (found,) = {a.subject for a in alerts if rule.name in {s.name for s in a.data.signals}}
    assert found == f"churn/1/{kind}"
    quiet = alerts_of(plan, rows(4, 6_000, right=0.93))
    assert not of_limit(quiet, rule.name)


def test_a_quantile_never_counts_what_is_within_its_limit(known: Any) -> None:
    for metric, side in (("p95", "at_most"), ("p50", "at_least")):
        limit = Limit(metric=metric, signal="took", **{side: 0.1})
        plan, _ = started(known, limit)
        (rule,) = plan.limit_rules
        within = rows(7, 2_000, right=0.9)
        inside = within["took"] <= 0.1 if side == "at_most" else within["took"] >= 0.1
        counts = panes_of(plan, {key: values[inside] for key, values in within.items()}, 1)
        assert not (counts @ rule.measure.amount).any()
        assert any("is counted at" in note for note in other_notes(plan))


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (Limit(metric="acuracy", at_least=0.9), "metric of a binary model must be one of accuracy"),
        (Limit(metric="mae", at_most=3.0), "metric of a binary model must be one of accuracy"),
        (Limit(metric="accuracy", at_least=0.9, at_most=0.95), "either at_least or at_most"),
        (Limit(metric="accuracy"), "either at_least or at_most"),
        (Limit(metric="accuracy", at_least=90.0), "above 0 and below 1, as 0.9 for 90 %; got 90"),
        (Limit(metric="accuracy", at_least=1.0), "above 0 and below 1"),
        (Limit(metric="accuracy", at_least=0.9, false_positive_cost=5.0), "costs are for metric"),
        (Limit(metric="accuracy", at_least=0.9, value="yes"), "value is not for accuracy"),
        (Limit(metric="cost_per_event", at_most=2.0), "false_positive_cost"),
        (Limit(metric="brier", at_most=0.1), "a score that is a probability"),
        (Limit(metric="mean", at_most=2.0), "Name it with the key signal."),
        (Limit(metric="mean", signal="tok", at_most=2.0), "signal must be a monitored one"),
        (Limit(metric="median", signal="took", at_most=2.0), "must be one of mean"),
        (Limit(metric="mean", signal="said", at_most=2.0), "is categorical"),
        (Limit(metric="share", signal="said", value="may", at_most=0.5), "no, yes|yes, no"),
        (Limit(metric="p95", signal="took", at_most=99.0), "within the reference's values"),
        (Limit(metric="mean", signal="took", at_most=99.0), "told apart"),
    ],
)
def test_a_limit_that_cannot_be_is_refused(known: Any, limit: Limit, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        plan_of(known, limit)


@pytest.mark.parametrize(("limit", "asked"), [({"at_most": 0.99}, 1), ({"at_least": 0.8}, 0)])
def test_a_limit_that_better_models_break_is_asked_about(
    known: Any, limit: dict[str, float], asked: int
) -> None:
    plan, _ = started(known, Limit(metric="accuracy", **limit))
    assert sum("gets better: is that meant?" in note for note in other_notes(plan)) == asked


def test_a_limit_changes_the_hash_and_none_does_not(known: Any) -> None:
    plain, limited = plan_of(known), plan_of(known, ACCURACY)
    assert "limits" not in plain.settings
    assert plain.hash != limited.hash
    again, _ = decode_plan(limited.encode())
    assert again.hash == limited.hash
    assert again.limits == (ACCURACY,)


def test_all_limits_are_one_family_of_the_budget(known: Any) -> None:
    none, one, two = (
        SharedTables.of(plan_of(known, *limits)).budget
        for limits in ((), (ACCURACY,), (ACCURACY, Limit(metric="recall", at_least=0.5)))
    )
    alarms_a_week = one.panes_per_week / one.limit_threshold
    assert alarms_a_week == pytest.approx(one.window_alpha * one.windows_per_week)
    assert two.limit_threshold == pytest.approx(2.0 * one.limit_threshold)
    assert none.window_alpha > one.window_alpha == two.window_alpha


def test_what_is_said_of_limits_beforehand(known: Any) -> None:
    plan = plan_of(known, ACCURACY, Limit(metric="recall", at_least=0.99, severity="warning"))
    first, second = limit_lines(plan)
    assert re.match(
        r"accuracy at least 0.9: performance loss, critical; by luck at most once in \d+ weeks",
        first,
    )
    assert "recall at least 0.99: performance loss, warning" in second
    (note,) = (note for note in other_notes(plan) if "limit" in note)
    assert re.match(r"the reference itself is beyond a limit: recall 9[23]", note)


def test_a_restored_state_goes_on_as_the_one_it_is_of(known: Any) -> None:
    limits = ACCURACY, Limit(metric="mean", signal="took", at_most=0.11)
    plan, tests = started(known, *limits)
    panes = panes_of(plan, rows(8, 6_000, right=0.86, slow=1.2))
    restored = LimitTests.of(plan, SharedTables.of(plan).budget)
    assert restored is not None
    assert alarms(tests, panes[:300])
    restored.load(tests.dump())
    assert alarms(tests, panes[300:]) == alarms(restored, panes[300:])
    assert tests.dump() == restored.dump()


def test_sums_of_events_that_came_twice_may_be_more_than_those_are() -> None:
    """Counts are divided and rounded: three scores that are all wrong become 1 event, and 1.5."""
    rng = np.random.default_rng(9)
    score = rng.random(3_000)
    came = (rng.random(3_000) < score).astype(int)
    frame = {"score": score.tolist(), "truth": np.array(["no", "yes"])[came].tolist()}
    roles = {"score": "score", "truth": "actual"}
    fitted = fit_reference(
        frame, model="churn", version="", roles=roles, times_ms=None, segments=()
    )
    plan, tests = started(fitted, Limit(metric="brier", at_most=0.2))
    counts = np.zeros(plan.layout.width, np.int64)
    assert plan.outcome is not None
    cells = plan.outcome.cells
    counts[0] = counts[plan.layout.cells.start + cells.calibration_at] = 1
    counts[plan.layout.cells.start + cells.sums_at + 1] = round(1.5 * 2**30)
    for at in range(30):
        if found := list(tests.pane(counts, at * 10_000, at * 10_000 + 10_000)):
            break
    assert found[0].kind == "performance"
    assert found[0].headline.startswith("brier 1.5 (limit 0.2)")
