"""Every rule of the protocol, broken on purpose, is found out by some seed.

Rules are numbered as in docs/architecture.md.
"""

from __future__ import annotations

import pytest

from tests.simulation.mutations import (
    BY_CLASS,
    BY_EDGE,
    Break,
    chunks_cut_anew_count_too,
    the_first_to_speak_does_not_wait,
)
from tests.simulation.scenario import LONG, SHORT, Plans, outcome, run
from tests.simulation.test_protocol import events_of_an_upload, recounted, run_with_resets
from tests.simulation.truth import DENSE, FAULTS, check, truth
from tests.simulation.world import WORLD_MUTATIONS

#: In a tenth of the time of a long run, short ones find out all rules but four.
SHORT_SEEDS = (1_001, 1_003, 1_000)
#: Of the four, one of rule 5 needs the last ones.
LONG_SEEDS = (500, 501, 502, 503, 514, 518, 526, 532)
WORLDS = [(SHORT(seed), seed, DENSE) for seed in SHORT_SEEDS] + [
    (LONG(seed), seed, {"faults": FAULTS}) for seed in LONG_SEEDS
]
EDGE = [(rule, name) for rule, names in BY_EDGE.items() for name in names]
CLASS = [(rule, broken) for rule, some in BY_CLASS.items() for broken in some]


@pytest.fixture(scope="module", autouse=True)
def truths() -> None:
    """What is true is found out before anything is broken."""
    for scenario, _, _ in WORLDS:
        truth(scenario)


def found_out_by(mutations=()) -> int | None:
    """The first seed that shows another outcome, or state that no correct run can have."""
    for scenario, seed, faults in WORLDS:
        idle = scenario.idleness or any("idle" in name for name in mutations)
        try:
            world, _ = run(scenario._replace(idleness=idle), seed, mutations=mutations, **faults)
            check(world, truth(scenario))
        except (AssertionError, LookupError, ValueError):
            return seed
    return None


def test_nothing_is_found_out_where_no_rule_is_broken() -> None:
    """Otherwise a rule that is broken would seem found out whatever it does."""
    assert found_out_by() is None


def test_each_of_the_ten_rules_is_broken() -> None:
    assert set(BY_EDGE) | set(BY_CLASS) == set(range(1, 11))
    assert {name for _, name in EDGE} == WORLD_MUTATIONS


@pytest.mark.parametrize(
    "mutation", [name for _, name in EDGE], ids=[f"rule {rule}: {name}" for rule, name in EDGE]
)
def test_a_rule_that_the_edge_breaks_is_found_out(mutation: str) -> None:
    assert found_out_by([mutation]) is not None


@pytest.mark.parametrize(
    "broken",
    [broken for _, broken in CLASS],
    ids=[f"rule {rule}: {broken.__name__.replace('_', ' ')}" for rule, broken in CLASS],
)
def test_a_rule_that_a_class_breaks_is_found_out(
    broken: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    assert found_out_by() is not None


def test_rule_6_without_a_look_at_overlaps_counts_events_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chunks_cut_anew_count_too(monkeypatch)
    plans = Plans(window_events=10**9)
    for seed in range(10):
        counted, _ = recounted(SHORT(seed).n_events, seed % 6)
        for subject, (_, windows, _) in outcome(run_with_resets(seed, plans)).states.items():
            if any(c[0] > counted[subject.model, s] for s, c in windows.items()):
                return
    pytest.fail("no event was counted twice")


def test_rule_5_without_a_wait_for_the_others_makes_an_upload_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    the_first_to_speak_does_not_wait(monkeypatch)
    assert any(events_of_an_upload(seed) != recounted(360, seed) for seed in range(3))
