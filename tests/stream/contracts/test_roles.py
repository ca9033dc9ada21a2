"""One table says what a role is: names in other layers are the same, and a row is all it takes."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from detectors.references.reference import ROLES as OF_REFERENCES
from stream.alerts.sentences import ACTION_TEXT, action_for
from stream.contracts.alert_event import KINDS, Action
from stream.contracts.prediction_event import Actual, Prediction, PredictionEvent
from stream.contracts.roles import OUTPUTS, ROLES, DerivedName, RoleName, keys_of, place_of
from stream.sketches.sketch import GROUPS


def test_references_plans_and_types_know_the_same_roles():
    assert tuple(ROLES) == OF_REFERENCES == (*get_args(RoleName), *get_args(DerivedName))
    assert {role.name for role in ROLES.values() if role.derived} == {*get_args(DerivedName)}


@pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))
def test_a_role_is_of_the_contracts(role):
    assert role.kind in KINDS
    assert role.action in get_args(Action)
    if role.derived:
        return
    assert role.member in GROUPS
    assert role.member in PredictionEvent.__struct_fields__
    members: dict[str, type[msgspec.Struct]] = {"prediction": Prediction, "actual": Actual}
    if role.member in members:
        assert role.key("x") in members[role.member].__struct_fields__


def test_no_two_roles_have_one_place_option_or_column():
    for of in (
        [role.path for role in OUTPUTS],
        [role.option for role in ROLES.values()],
        [column for role in ROLES.values() for column in role.columns],
    ):
        assert len(of) == len(set(of))


def test_where_signals_are_in_an_event():
    assert place_of("amount", "feature") == "features.amount"
    assert place_of("whatever", "label") == "prediction.label"
    assert place_of("whatever", "latency") == "latency_seconds"
    assert keys_of("prediction") == {"label": "label", "score": "score"}
    assert keys_of("actual") == {"label": "actual"}
    assert keys_of("latency_seconds") == {"latency_seconds": "latency"}
    assert {role.key("amount") for role in ROLES.values() if not role.derived} == {
        "amount",
        "label",
        "score",
        "latency_seconds",
    }


def test_the_action_is_that_of_the_role_where_the_alert_is_of_its_kind():
    for role in ROLES.values():
        assert action_for(role.kind, role.name) == role.action
        assert action_for("data_quality", role.name) == "check_pipeline"
    for kind in ("concept_drift", "performance", "data_quality", "system"):
        for role in ("event", "actual"):
            assert action_for(kind, role) in get_args(Action)


def test_an_actual_drifts_as_a_label_and_a_concept_is_its_relation_to_the_score():
    assert ROLES["actual"].kind == "label_drift"
    assert "actuals" in ACTION_TEXT[action_for("label_drift", "actual")]
    assert action_for("concept_drift", "actual") == "retrain"
