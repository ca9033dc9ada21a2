"""Plans in parts: whole again from any order, and nothing else is taken for a plan."""

from __future__ import annotations

import itertools
import logging

import numpy as np
import pytest

from detectors import fit_reference
from stream.contracts.moments import MINUS_INFINITY
from stream.plans.parts import PlanAssembler, plan_parts
from stream.plans.plan import Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    values = np.random.default_rng(1).normal(size=500)
    # Names may hold what separates the parts of a key.
    reference = fit_reference({"x": values}, model="a#b/c", roles={})
    return Plan(model="a#b/c", version="1#2", reference=reference)


def _add_all(assembler: PlanAssembler, parts: list[tuple[bytes, bytes]]) -> list[tuple[str, int]]:
    return [(p.hash, since) for part in parts for p, since in assembler.add(*part)]


def test_any_order_and_repetition_give_the_plan_once(plan: Plan) -> None:
    size = len(plan.encode(7)) // 3 + 1
    parts = plan_parts(plan, 7, part_bytes=size)
    assert len(parts) == 3
    for order in itertools.permutations(parts):
        assembler = PlanAssembler()
        assert _add_all(assembler, [*order, *order, order[0]]) == [(plan.hash, 7)]
        assert assembler.incomplete == []


def test_a_small_plan_is_one_record(plan: Plan) -> None:
    [(key, value)] = plan_parts(plan)
    assert key.startswith(b"a#b/c/1#2#")
    assert value == plan.encode(MINUS_INFINITY)


def test_parts_of_two_plans_do_not_mix(plan: Plan) -> None:
    one, two = (plan_parts(plan, since, part_bytes=1_000) for since in (1, 2))
    assembler = PlanAssembler()
    mixed = [*one[:-1], *two[-1:]]
    assert _add_all(assembler, mixed) == []
    assert len(assembler.incomplete) == 2
    assert _add_all(assembler, [*two[:-1], one[-1]]) == [(plan.hash, 2), (plan.hash, 1)]


def test_a_deleted_plan_may_come_again(plan: Plan) -> None:
    parts = plan_parts(plan, 3, part_bytes=1_000)
    assembler = PlanAssembler()
    assert assembler.add(*parts[0]) == []
    assert assembler.add(parts[0][0], None) == []
    assert assembler.incomplete == []
    assert _add_all(assembler, parts) == [(plan.hash, 3)]
    assembler.add(parts[0][0], None)
    assert _add_all(assembler, parts) == [(plan.hash, 3)]


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b"m/v",
        b"\xff#1#x#0/1",
        b"m/v#1#x#1/1",
        b"m/v#1#x#-1/1",
        b"m/v#now#x#0/1",
        b"m/v#1#x#0/99999999999",
    ],
)
def test_other_keys_are_ignored_and_logged(
    key: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    assembler = PlanAssembler()
    assert assembler.add(key, b"x") == []
    assert assembler.incomplete == []
    assert "is not that of a plan's part" in caplog.text


def test_damaged_bytes_are_not_a_plan(plan: Plan, caplog: pytest.LogCaptureFixture) -> None:
    [(key, value)] = plan_parts(plan)
    with caplog.at_level(logging.ERROR):
        assert PlanAssembler().add(key, value[:-1] + b" ") == []
    assert "does not have the digest of its key" in caplog.text
