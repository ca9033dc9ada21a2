"""Parts of a stream beside their own rows of the reference: silent where nothing changed, and found
where one part did, be it towards the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from detectors import Reference
from driftstream import ReplayResult, Seasons, fit_reference
from driftstream import replay as replay_frame
from stream.plans.proposal import proposed_plan
from stream.stage2.shared_tables import SharedTables
from stream.stage2.untested import untested_by_plan

Frame = dict[str, npt.NDArray[Any]]

START = 1.7e9
MEANS = {"DE": 1.0, "US": 1.6, "FR": 1.2}
SAYS_YES = {"F": 0.16, "M": 0.38}


def rows(
    seed: int,
    n: int,
    *,
    means: Mapping[str, float] = MEANS,
    yes: Mapping[str, float] = SAYS_YES,
    errors: float = 0.1,
    countries: tuple[float, float, float] = (0.5, 0.3, 0.2),
) -> Frame:
    """Amounts by country, and predictions by sex, a tenth of which are wrong."""
    rng = np.random.default_rng(seed)
    country = rng.choice(["DE", "US", "FR"], n, p=countries)
    sex = rng.choice(["F", "M"], n)
    said = rng.random(n) < np.where(sex == "F", yes["F"], yes["M"])
    came = said ^ (rng.random(n) < errors)
    return {
        "ts": START + 60.0 * np.arange(n),
        "amount": rng.lognormal([means[c] for c in country], 0.5),
        "pred": np.where(said, "yes", "no"),
        "paid": np.where(came, "yes", "no"),
        "country": country,
        "sex": sex,
    }


def fitted(seed: int, n: int = 6_000, **other: Any) -> Reference:
    segments = other.pop("segments", ["country", "sex"])
    return fit_reference(
        rows(seed, n, **other),
        timestamp="ts",
        prediction="pred",
        actual="paid",
        segments=segments,
    )


def after(seed: int, n: int = 8_000, **moved: Any) -> Frame:
    frame = rows(seed + 1_000, n, **moved)
    return {**frame, "ts": frame["ts"] + 60.0 * 6_000}


def told(result: ReplayResult) -> set[str]:
    """Parts that something was found in; "" is the whole stream."""
    return {signal.segment for alert in result.alerts for signal in alert.data.signals}


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fitted(0)


def test_parts_that_differ_and_do_not_change_are_silent_over_twelve_seeds() -> None:
    found = [list(replay_frame(after(seed, 4_000), fitted(seed, 4_000))) for seed in range(12)]
    assert sum(map(len, found)) <= 1  # one a week is allowed, and these are five weeks


def test_compared_with_the_whole_the_same_parts_are_in_alarm_for_ever(reference: Reference) -> None:
    result = replay_frame(after(0), replace(reference, parts=()))
    assert {"country=DE", "country=US", "sex=F", "sex=M"} <= told(result)


def test_a_part_that_moves_by_half_a_deviation_is_found_and_named(reference: Reference) -> None:
    moved = replay_frame(after(1, means={**MEANS, "US": 1.85}), reference)
    assert "country=US" in told(moved)
    assert "country=DE" not in told(moved)


def test_a_part_that_becomes_as_the_whole_is_found(reference: Reference) -> None:
    """To the whole's reference it would look as if it had just come home."""
    rng = np.random.default_rng(5)
    frame = after(2)
    us, amount = frame["country"] == "US", frame["amount"].copy()
    amount[us] = rng.choice(rows(9, 8_000)["amount"], int(us.sum()))
    frame = {**frame, "amount": amount}
    assert "country=US" in told(replay_frame(frame, reference))


def test_words_say_what_was_usual_of_the_part(reference: Reference) -> None:
    result = replay_frame(after(3, yes={"F": 0.27, "M": 0.38}), reference)
    found = {
        signal.change
        for alert in result.alerts
        for signal in alert.data.signals
        if (signal.segment, signal.name) == ("sex=F", "pred")
    }
    before = rows(0, 6_000)
    usual = 100.0 * np.mean(before["pred"][before["sex"] == "F"] == "yes")
    assert found
    assert all(f"{usual:.1f}" in words for words in found), found


def test_tables_of_parts_are_made_when_they_are_asked_for() -> None:
    tables = SharedTables.of(plan := proposed_plan(fitted(8)))
    assert tables._parts == {}
    assert tables.of_part("country=JP") is None
    assert tables.of_part("") is None
    part = tables.of_part("country=US")
    assert part is tables.of_part("country=US")
    assert part is not None
    assert part.plan.reference.events < plan.reference.events
    assert part.plan.layout.width == plan.layout.width


def test_a_reference_without_counts_by_value_says_so(reference: Reference) -> None:
    assert not [e for e in untested_by_plan(proposed_plan(reference)) if e.reason == "whole"]
    plan = proposed_plan(replace(reference, parts=()))
    (said,) = [each for each in untested_by_plan(plan) if each.reason == "whole"]
    assert "the parts of country, sex, as the reference has no counts" in said.line
    assert "--segment country --segment sex" in said.line
    assert not said.is_gap


def test_with_slots_parts_are_compared_with_the_whole_which_is_said() -> None:
    n = 28 * 144
    at = 1_700_006_400 + 600 * np.arange(n)
    rng = np.random.default_rng(8)
    frame = {
        "ts": at,
        "amount": rng.normal(np.where(at % 86_400 < 43_200, 0.0, 2.0)),
        "country": rng.choice(["DE", "US"], n),
    }
    for seasons, words in (
        ("auto", "with slots it has counts by hour of the week, not by part"),
        ("off", ""),
    ):
        reference = fit_reference(
            frame, timestamp="ts", segments=["country"], seasons=Seasons(seasons)
        )
        assert (reference.calendar is None) == (words == "")
        assert bool(reference.parts) == (words == "")
        said = [e.line for e in untested_by_plan(proposed_plan(reference)) if e.reason == "whole"]
        assert [words in line for line in said] == [True] * bool(words)


def test_rare_values_are_counted_in_words_and_new_ones_named() -> None:
    reference = fitted(4, countries=(0.5, 0.48, 0.02))
    (said,) = [e for e in untested_by_plan(proposed_plan(reference)) if e.reason == "whole"]
    assert said.words.startswith("1 rare value of country: the reference has")
    frame = after(4, 12_000)
    country = np.where(frame["country"] == "US", "JP", frame["country"])
    notes = " ".join(replay_frame({**frame, "country": country}, reference).notes)
    assert "country=FR, country=JP, as the reference has too few rows with them, or none" in notes


@pytest.mark.parametrize("known", [True, False])
def test_a_part_without_truths_in_the_reference_says_so(known: bool) -> None:
    frame = rows(9, 6_000)
    if not known:
        frame["paid"] = frame["paid"].astype(object)
        frame["paid"][frame["sex"] == "F"] = None
    reference = fit_reference(
        frame, timestamp="ts", prediction="pred", actual="paid", segments=["sex"]
    )
    plan = proposed_plan(reference)
    said = [e.warning for e in untested_by_plan(plan) if e.reason == "outcomes"]
    assert len(said) == (0 if known else 1)
    if not known:
        assert "not tested: whether predictions are right in sex=F: the reference" in said[0]
        private = msgspec.structs.replace(plan, private=True)
        (hidden,) = (e for e in untested_by_plan(private) if e.reason == "outcomes")
        assert "right in 1 part of the stream: " in hidden.words
        assert "=F" not in hidden.words


@pytest.mark.parametrize(
    ("others", "words"),
    [
        (False, "fairness does not compare them"),
        (True, "fairness takes them for other values of sex"),
    ],
)
def test_a_value_that_fairness_does_not_know_is_told(others: bool, words: str) -> None:
    frame = rows(6, 6_000)
    if others:  # so long that it has no counts of its own
        frame["sex"] = np.where(np.arange(6_000) % 10 == 0, "Z" * 201, frame["sex"])
    reference = fit_reference(
        frame, timestamp="ts", prediction="pred", actual="paid", positive="yes", protected=["sex"]
    )
    later = after(6)
    sex = np.where(np.arange(8_000) % 3 == 0, "X", later["sex"])
    notes = " ".join(replay_frame({**later, "sex": sex}, reference).notes)
    assert "sex=X, as the reference has too few rows" in notes
    assert words in notes


def test_combinations_are_beside_their_own_rows() -> None:
    reference = fitted(7, segments=[["sex", "country"]], n=8_000)
    names = {part.scope for part in reference.parts[0].parts}
    assert "sex=F, country=US" in names
    assert not list(replay_frame(after(7), reference))
    moved = told(replay_frame(after(7, 12_000, means={**MEANS, "US": 2.0}), reference))
    assert {"sex=F, country=US", "sex=M, country=US"} <= moved
    assert "sex=F, country=DE" not in moved
