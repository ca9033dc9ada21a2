"""Whether a model is still right: which episodes what happens to prediction and truth opens."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from detectors import InvalidReferenceError
from detectors import fit_reference as raw_fit
from detectors.outcomes.relation import Relation
from driftstream import Episode, Seasons, fit_reference, replay
from stream.plans.plan import Plan, SignalOptions
from stream.stage2.untested import Untested, untested_by_plan

N = 6_000
START = 1_700_000_000
Frame = dict[str, Any]


def rows(seed: int, n: int, *, shift: float = 0.0, rightly: float = 1.0) -> Frame:
    """Scores that are what comes, and what a model of them says; a share of it is turned round."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n) + shift
    score = 1.0 / (1.0 + np.exp(-1.5 * x))
    came = rng.random(n) < score
    came ^= rng.random(n) >= rightly
    said = score >= 0.5
    return {
        "x": x,
        "said": np.where(said, "yes", "no"),
        "score": score,
        "truth": np.where(came, "yes", "no"),
    }


def timed(*parts: Frame) -> Frame:
    """One after the other, an event a second."""
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {"ts": START + np.arange(len(whole["x"])), **whole}


def fitted(frame: Frame, **columns: Any) -> Any:
    named = {"prediction": "said", "score": "score", "actual": "truth"} | columns
    return fit_reference(frame, model="churn", timestamp="ts", **named)


def shuffled(seed: int) -> Frame:
    part = rows(seed, N)
    return {**part, "truth": np.random.default_rng(seed).permutation(part["truth"])}


CHANGES: dict[str, tuple[Callable[[], Frame], set[str]]] = {
    "nothing": (lambda: rows(2, N), set()),
    "labels shuffled": (lambda: shuffled(2), {"performance", "concept_drift"}),
    "labels inverted": (lambda: rows(2, N, rightly=0.0), {"performance", "concept_drift"}),
    "inputs moved": (
        lambda: rows(2, N, shift=0.8),
        {"data_drift", "prediction_drift", "label_drift"},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_opens_is_what_happened(change: str) -> None:
    after, kinds = CHANGES[change]
    reference = fitted(timed(rows(0, 10_000)))
    found = replay(timed(rows(1, N), after()), reference)
    assert {episode.kind for episode in found} == kinds
    for episode in found:
        assert (episode.opened.timestamp() - START - N) in range(1_100), episode
        if episode.kind in ("performance", "concept_drift"):
            assert episode.severity == "critical"
    by_kind = {episode.kind: episode for episode in found}
    accuracy = found.metrics["accuracy"]
    assert accuracy.low < accuracy.value < accuracy.high
    assert accuracy.reference == pytest.approx(0.75, abs=0.02)
    assert (accuracy.value < 0.6) == ("performance" in kinds)
    if "performance" in kinds:
        assert "accuracy" in by_kind["performance"].summary
        assert "(usually 7" in by_kind["performance"].summary
        assert "'yes' came in" in by_kind["concept_drift"].summary
        assert by_kind["concept_drift"].signals == ("truth given score",)


@pytest.mark.parametrize("known", [True, False])
def test_what_was_found_does_not_end_while_no_truth_comes(known: bool) -> None:
    reference = fitted(timed(rows(0, 10_000)))
    waiting = rows(3, N)
    if not known:
        waiting["truth"] = np.full(N, None, object)
    found = replay(timed(rows(1, N), rows(2, N, rightly=0.0), waiting, rows(4, N)), reference)
    assert {episode.kind for episode in found} == {"performance", "concept_drift"}
    assert len(list(found)) == 2
    for episode in found:
        assert episode.ended is not None
        ended = episode.ended.timestamp() - START - 2 * N
        assert (0 if known else N) < ended <= (0 if known else N) + 2_500


def test_fewer_errors_are_no_loss_of_performance() -> None:
    reference = fitted(timed(rows(0, 10_000, rightly=0.8)))
    found = replay(timed(rows(1, N, rightly=0.8), rows(2, N)), reference)
    assert {episode.kind for episode in found} == {"concept_drift"}


def numbers(seed: int, n: int, spread: float) -> Frame:
    rng = np.random.default_rng(seed)
    x = rng.normal(50.0, 10.0, n)
    return {"x": x, "said": x, "truth": x + rng.normal(0.0, spread, n)}


@pytest.mark.parametrize("spread", [4.0, 2.0, 1.0])
def test_errors_of_numbers(spread: float) -> None:
    reference = fitted(timed(numbers(0, 10_000, 2.0)), score=None)
    assert reference.outcome.cells.task == "regression"
    found = replay(timed(numbers(1, N, 2.0), numbers(2, N, spread)), reference)
    kinds = {episode.kind for episode in found}
    assert ("performance" in kinds) == (spread > 2.0)
    if spread > 2.0:
        (episode,) = (each for each in found if each.kind == "performance")
        assert "mean absolute error 3." in episode.summary
        assert "(usually 1.59)" in episode.summary


def heavy(seed: int, scale: float) -> Frame:
    """Errors of which a few are very large: the middle of their bin is far from their mean."""
    rng = np.random.default_rng(seed)
    x = rng.normal(50.0, 10.0, N)
    return {"x": x, "said": x, "truth": x + scale * rng.standard_t(2.0, N)}


def test_the_mean_absolute_error_of_an_alert_is_that_of_its_events() -> None:
    reference = fitted(timed(heavy(0, 1.0)), score=None)
    parts = heavy(1, 1.0), heavy(2, 2.0)
    rows = timed(*parts)
    (episode,) = (e for e in replay(rows, reference) if e.kind == "performance")
    start, end = span_of(episode)
    inside = (rows["ts"] >= start) & (rows["ts"] < end)
    mean = np.abs(rows["truth"] - rows["said"])[inside].mean()
    usual = np.abs(parts[0]["truth"] - parts[0]["said"]).mean()
    assert told_errors(episode) == pytest.approx((mean, usual), rel=0.03)


def span_of(episode: Episode) -> tuple[float, float]:
    window = episode.alerts[0].data.window
    start, end = (datetime.fromisoformat(at).timestamp() for at in (window.start, window.end))
    return start, end


def told_errors(episode: Episode) -> tuple[float, float]:
    """The mean absolute errors, now and usually, that its first alert tells."""
    (signal,) = episode.alerts[0].data.signals
    told = re.fullmatch(r"mean absolute error (\S+) \(usually (\S+)\)", signal.headline)
    assert told, signal.headline
    return float(told[1]), float(told[2])


def nightly(seed: int, days: int, scale: float) -> Frame:
    """A row a minute; by night errors are four times as large."""
    rng = np.random.default_rng(seed)
    at = 1_700_006_400 + 60 * np.arange(days * 1_440)
    night = at % 86_400 < 43_200
    x = rng.normal(50.0, 10.0, at.size)
    return {"ts": at, "said": x, "truth": x + scale * rng.normal(0.0, np.where(night, 4.0, 1.0))}


def test_with_slots_the_usual_error_is_that_of_the_hours() -> None:
    reference = fit_reference(
        nightly(0, 28, 1.0), timestamp="ts", prediction="said", actual="truth",
        seasons=Seasons("auto"),
    )  # fmt: skip
    assert not replay(nightly(1, 7, 1.0), reference).episodes
    rows = nightly(2, 7, 2.0)
    (episode,) = (e for e in replay(rows, reference) if e.kind == "performance")
    start, end = span_of(episode)
    inside = (rows["ts"] >= start) & (rows["ts"] < end)
    mean = np.abs(rows["truth"] - rows["said"])[inside].mean()
    assert abs(mean / 2.0 - 0.8 * 2.5) > 0.3, "hours are mixed as in the whole week"
    assert told_errors(episode) == pytest.approx((mean, mean / 2.0), rel=0.1)


@pytest.mark.parametrize(
    ("usually", "spread", "words"),
    [
        (0.0, 2.0, "mean absolute error 1."),
        (0.0, 1e9, "of errors are not 0 (usually none)"),
        (0.05, 9.0, "of errors are beyond -0."),
    ],
)
def test_errors_that_the_reference_has_none_like(usually: float, spread: float, words: str) -> None:
    """No mean is told where most are too large to be added up as they are."""
    reference = fitted(timed(numbers(0, 10_000, usually)), score=None)
    found = replay(timed(numbers(1, N, usually), numbers(2, N, spread)), reference)
    (episode,) = (each for each in found if each.kind == "performance")
    assert words in episode.summary
    assert not replay(timed(numbers(1, N, usually), numbers(2, N, usually)), reference).episodes


def biased(seed: int, by: Callable[[np.ndarray], np.ndarray]) -> Frame:
    part = numbers(seed, N, 2.0)
    return {**part, "truth": part["truth"] + by(part["x"])}


MOVES: dict[str, tuple[Callable[[], Frame], bool]] = {
    "nothing": (lambda: numbers(2, N, 2.0), False),
    "inputs": (
        lambda: {name: v + 8.0 for name, v in numbers(2, N, 2.0).items()},
        False,
    ),
    "half a standard deviation": (lambda: biased(2, lambda x: np.full(x.size, 1.0)), True),
    "where much is predicted": (lambda: biased(2, lambda x: 2.0 * (x > 60.0)), True),
    "the slope, and no mean": (lambda: biased(2, lambda x: 0.1 * (x - 50.0)), True),
}


@pytest.mark.parametrize("what", MOVES)
def test_whether_actuals_follow_what_a_regression_says(what: str) -> None:
    after, expected = MOVES[what]
    reference = fitted(timed(numbers(0, 10_000, 2.0)), score=None)
    found = replay(timed(numbers(1, N, 2.0), after()), reference)
    drifts = [episode for episode in found if episode.kind == "concept_drift"]
    assert len(drifts) == expected, drifts
    if what == "inputs":
        assert {episode.kind for episode in found} == {
            "data_drift", "prediction_drift", "label_drift"
        }  # fmt: skip
    for episode in drifts:
        assert (episode.opened.timestamp() - START - N) in range(1_300)
        assert episode.signals == ("truth given said",)
        assert "truth was above said in" in episode.summary
        assert "(usually " in episode.summary


def test_a_model_without_scores_is_judged_by_what_it_says() -> None:
    def part(seed: int, right: float) -> Frame:
        rng = np.random.default_rng(seed)
        truth, other = rng.integers(0, 3, N), rng.integers(1, 3, N)
        said = np.where(rng.random(N) < right, truth, (truth + other) % 3)
        names = np.array(["cat", "dog", "owl"])
        return {"x": rng.normal(size=N), "said": names[said], "truth": names[truth]}

    reference = fitted(timed(part(0, 0.9)), score=None)
    assert reference.outcome.cells.task == "multiclass"
    found = replay(timed(part(1, 0.9), part(2, 0.8)), reference)
    kinds = {episode.kind: episode for episode in found}
    assert set(kinds) == {"performance", "concept_drift"}
    assert re.search(r"accuracy (79|80|81)[.0-9]* % \(usually", kinds["performance"].summary)
    assert kinds["concept_drift"].signals == ("truth given said",)
    assert not replay(timed(part(1, 0.9), part(3, 0.9)), reference)


def test_what_the_columns_hold_decides_what_is_counted() -> None:
    frame = timed(rows(0, 3_000))
    by_score = fitted(frame, prediction=None, ignore=["said"])
    assert by_score.outcome.cells.task == "binary"
    assert by_score.outcome.cells.classes == ("no", "yes")
    right = (frame["score"] >= 0.5) == (frame["truth"] == "yes")
    error = by_score.signals[-1]
    assert error.role == "error"
    assert error.counts[:2].tolist() == [right.sum(), 3_000 - right.sum()]
    # The score is of the class that it is high for, whatever the classes are called.
    named = {**frame, "truth": np.where(frame["truth"] == "yes", "blue", "red")}
    turned = fitted(named, prediction=None, ignore=["said"])
    assert turned.outcome.cells.classes == ("red", "blue")
    assert turned.signals[-1].counts.tolist() == error.counts.tolist()
    # A score that is never low for either class says how sure the model is.
    sure = np.maximum(frame["score"], 1.0 - frame["score"])
    confident = fitted({**frame, "score": sure})
    assert confident.outcome.cells.task == "multiclass"
    assert fitted(frame).outcome.cells.task == "binary"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"truth": ["yes"] * 3_000, "said": ["yes"] * 3_000}, "one class only"),
        ({"truth": list(range(3_000))}, "--categorical"),
    ],
)
def test_why_outcomes_are_not_followed_is_said(changes: Frame, why: str) -> None:
    frame = {**timed(rows(0, 3_000)), **changes}
    reference = fitted(frame, kinds={"truth": "numeric"} if why.startswith("--") else None)
    assert reference.outcome is None
    assert [signal.role for signal in reference.signals] == ["feature", "label", "score", "actual"]
    assert any("outcomes are not followed" in w and why in w for w in reference.warnings)


COLUMNS: dict[str, tuple[Frame, str]] = {
    "a class that is never said": ({"said": ["no"] * 3_000}, "binary"),
    "one that is never said, of more": (
        {
            "said": [f"c{i % 3}" for i in range(3_000)],
            "truth": [f"c{i % 4}" for i in range(3_000)],
        },
        "multiclass",
    ),
    "a hundred classes": (
        {
            "said": [f"c{i % 100}" for i in range(3_000)],
            "truth": [f"c{i * 7 % 100}" for i in range(3_000)],
        },
        "multiclass",
    ),
    "bits and booleans": (
        {"said": [0] * 3_000, "truth": [i % 3 == 0 for i in range(3_000)]},
        "binary",
    ),
    "numbers beside classes": ({"said": np.random.default_rng(1).random(3_000)}, "binary"),
    "a score of names": ({"score": ["low", "high"] * 1_500}, "binary"),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_as_people_have_them(case: str) -> None:
    changes, task = COLUMNS[case]
    frame = {**timed(rows(0, 3_000)), **changes}
    reference = fitted(frame)
    assert reference.outcome.cells.task == task
    assert type(reference).from_json(reference.to_json()).hash == reference.hash
    assert reference.outcome.events == 3_000
    assert not replay({**frame, "ts": frame["ts"] + 10_000}, reference).episodes


def test_a_class_that_is_said_for_the_first_time_can_be_right() -> None:
    frame = timed(rows(0, 3_000))
    reference = fitted({**frame, "said": ["no"] * 3_000}, score=None, ignore=["score"])
    came = frame["truth"] == "yes"
    assert reference.signals[-1].counts[:2].tolist() == [(~came).sum(), came.sum()]
    later = {**timed(rows(1, 3_000)), "ts": frame["ts"] + 10_000}
    found = replay({**later, "said": later["truth"]}, reference)
    assert "performance" not in {episode.kind for episode in found}  # all are right now
    assert "prediction_drift" in {episode.kind for episode in found}


@pytest.mark.parametrize(
    ("truth", "positive", "why"),
    [(None, "maybe", "must be 'no' or 'yes'; got 'maybe'"), ("abc", "a", "one of two")],
)
def test_a_positive_class_that_cannot_be(truth: str | None, positive: str, why: str) -> None:
    frame = timed(rows(0, 3_000))
    if truth is not None:
        frame |= dict.fromkeys(("said", "truth"), list(truth) * 1_000)
    with pytest.raises(InvalidReferenceError, match=why):
        fitted(frame, positive=positive)


def test_what_is_not_followed_of_outcomes_is_said() -> None:
    reference = fitted(timed(rows(0, 3_000)))
    plan = Plan(model="churn", reference=reference)
    assert "outcomes" not in {each.reason for each in untested_by_plan(plan)}
    off = {"score": SignalOptions(monitor=False)}
    (gap,) = _of_outcomes(Plan(model="churn", reference=reference, signals=off))
    assert gap.is_gap
    assert "score is not monitored" in gap.words
    old = replace(reference, outcome=None, signals=reference.signals[:-1])
    (gap,) = _of_outcomes(Plan(model="churn", reference=old))
    assert "no outcomes" in gap.words
    numeric = fitted(timed(numbers(0, 3_000, 2.0)), score=None)
    assert not _of_outcomes(Plan(model="churn", reference=numeric))
    cells = replace(numeric.outcome.cells, score_bins=0)
    sums = numeric.outcome.counts[[0, 1, -4, -3, -2, -1]]
    before = replace(numeric, outcome=replace(numeric.outcome, cells=cells, counts=sums))
    (note,) = _of_outcomes(Plan(model="churn", reference=before))
    assert not note.is_gap
    assert "Fit it again" in note.words
    assert not replay({**timed(numbers(1, N, 2.0)), "ts": START + 10_000 + np.arange(N)}, before)


def _of_outcomes(plan: Plan) -> list[Untested]:
    return [each for each in untested_by_plan(plan) if each.reason == "outcomes"]


def some_known(frame: Frame, seed: int) -> Frame:
    """With one truth in ten that has not come."""
    gone = np.random.default_rng(seed).random(len(frame["ts"])) < 0.1
    return {**frame, "truth": np.where(gone, None, frame["truth"])}


@pytest.mark.parametrize("numeric", [False, True])
def test_truths_that_have_not_come_are_no_missing_errors(numeric: bool) -> None:
    def part(seed: int, n: int, off: float = 1.0) -> Frame:
        return numbers(seed, n, 2.0 * off) if numeric else rows(seed, n, rightly=2.0 - off)

    named = {"score": None} if numeric else {}
    reference = fitted(some_known(timed(part(0, 10_000)), 0), **named)
    error = reference.signals[-1]
    assert error.counts[error.binning.missing] == 0
    assert error.counts.sum() == reference.outcome.events < 9_300
    assert not replay(some_known(timed(part(1, N), part(2, N)), 1), reference).episodes
    # As many are known from then on, and all of them: neither is drift, and what is wrong is.
    assert not replay(timed(part(1, N), part(2, N)), reference).episodes
    found = replay(some_known(timed(part(1, N), part(2, N, 2.0)), 1), reference)
    assert "performance" in {episode.kind for episode in found}


def test_swapped_labels_do_not_turn_round_with_the_scores() -> None:
    """What comes more often is by what the scores are; that their order is turned is always so."""

    def swapped(seed: int, shift: float) -> Frame:
        return rows(seed, 1_500, shift=shift, rightly=0.0)

    mixed = [rows(0, 5_000, shift=0.7), rows(10, 5_000, shift=-0.7)]
    reference = fitted(timed(*mixed))
    later = [swapped(seed, 0.7 if seed % 2 else -0.7) for seed in range(1, 9)]
    found = replay(timed(*later), reference)
    (episode,) = (each for each in found if each.kind == "concept_drift")
    assert episode.severity == "critical"
    assert "direction" not in {news for alert in episode.alerts for news in alert.data.news}


def test_no_column_is_derived() -> None:
    frame = {name: list(column) for name, column in rows(0, 400).items()}
    with pytest.raises(InvalidReferenceError, match="must be a role"):
        raw_fit(frame, model="m", roles={"x": "error"})


def test_swapped_labels_of_few_events_are_told_by_what_is_off() -> None:
    """Off both ways, they cancel over all scores: "45.7 % (usually 46.5 %)" would say nothing."""
    reference = fitted(timed(rows(0, 10_000)))
    cells, counts = reference.outcome.cells, reference.outcome.counts
    relation = Relation(cells, counts, edges=reference.signals[2].binning.edges)
    strata, rng = cells.calibration(counts), np.random.default_rng(1)
    events = strata.sum(axis=1)
    bins = rng.choice(events.size, 30, p=events / events.sum())
    came = rng.random(30) >= (strata[:, 1] / np.maximum(events, 1))[bins]
    few = np.zeros(cells.width, np.int64)
    np.add.at(few, cells.calibration_at + 2 * bins + came, 1)
    result = relation.test(few, 0.01)
    assert result is not None
    assert len(result.groups) == 1
    words = re.search(r"in ([\d.]+) % of .* \(usually ([\d.]+) %\)", relation.describe(few))
    assert words is not None
    assert abs(float(words[1]) - float(words[2])) > 25.0
