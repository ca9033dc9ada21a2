"""Protected columns of a plan: which can be, and what a reference needs for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors import fit_reference
from stream.plans.plan import Learn, LearningPlan, Plan, PlanError, SignalOptions, decode_plan
from stream.plans.proposal import proposed_plan
from tests.stream.harness import make_plan, make_reference

PAIR = ("region", "age")


@pytest.fixture(scope="module")
def reference() -> Any:
    return make_reference(outcomes=True, protected=("region",))


def test_a_plan_compares_by_the_columns_that_it_names(reference: Any) -> None:
    plan = make_plan(reference=reference, protected=("region",), fairness_difference=0.05)
    (of,) = plan.fairness
    assert of.column == "region"
    assert of.limits == (0.05, 0.8)
    stored, _ = decode_plan(plan.encode())
    assert isinstance(stored, Plan)
    assert stored.hash == plan.hash
    assert stored.fairness[0].column == "region"
    assert proposed_plan(reference).protected == ("region",)


def test_a_plan_that_protects_nothing_keeps_its_hash(reference: Any) -> None:
    plan = make_plan(reference=reference)
    assert plan.fairness == ()
    assert not plan.settings.keys() & {"protected", "fairness_difference", "fairness_ratio"}
    assert make_plan(reference=reference, protected=("region",)).hash != plan.hash


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"segments": ()}, r"must be among segments, \[\]; got 'region'"),
        ({"fairness_ratio": 1.0}, "fairness_ratio must be < 1"),
        ({"fairness_difference": 0.0}, "fairness_difference must be > 0"),
        ({"segments": ("sex",), "protected": ("sex",)}, "has them by region. Fit it again with"),
        (
            {"segments": (PAIR,), "protected": (PAIR,)},
            r"\[\['region', 'age'\]\] needs .* has them by region. .* --protected region,age,",
        ),
        ({"segments": ("region", "age"), "protected": (PAIR,)}, r"got \['region', 'age'\]"),
        ({"signals": {"actual": SignalOptions(monitor=False)}}, "actual is not monitored"),
        ({"reference": make_reference()}, "the reference has none"),
        ({"reference": make_reference(outcomes=True)}, "and the reference has none"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    reference: Any, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(PlanError, match=words):
        make_plan(**{"reference": reference, "protected": ("region",)} | settings)


def test_a_regression_has_no_fairness() -> None:
    rng = np.random.default_rng(0)
    said = rng.normal(size=1_000)
    known = fit_reference(
        {"said": said, "came": said + rng.normal(size=1_000)},
        model="fraud",
        roles={"said": "label", "came": "actual"},
    )
    with pytest.raises(PlanError, match="a regression has none"):
        make_plan(reference=known, protected=("region",), signals={})


def test_what_is_learned_has_no_outcomes_by_value() -> None:
    with pytest.raises(PlanError, match="protected needs outcomes by value"):
        LearningPlan(model="m", learn=Learn(), segments=("sex",), protected=("sex",))
