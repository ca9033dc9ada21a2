"""`tests = [...]` of a signal decides what is tested of it, from the plan to the finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream.config.load import load_config
from stream.plans.plan import Plan, PlanError, SignalOptions, decode_plan
from stream.stage2.detection import Detection
from stream.stage2.panes import Sealed
from tests.stream.harness import make_plan, make_reference


def pane_of(plan: Plan, start_ms: int, changed: bool) -> Sealed:
    """A pane of 250 events: what the reference has, or all of it in the upper half."""
    counts = np.zeros(plan.layout.width, np.int64)
    counts[0] = 250
    rng = np.random.default_rng(start_ms)
    for i, signal in enumerate(plan.monitored):
        share = signal.counts / signal.events
        if changed and signal.kind == "numeric":
            share = share * (np.arange(share.size) > share.size // 2)
        counts[plan.layout.slice(i)] = rng.multinomial(250, share / share.sum())
    return Sealed(start_ms, {"": counts}, {})


def findings_of(plan: Plan) -> set[tuple[str, str]]:
    detection = Detection(plan)
    steps = [detection.pane(pane_of(plan, i * plan.pane_ms, i >= 3)) for i in range(12)]
    assert not [f for step in steps[:3] for f in step.findings]
    return {(f.signal, f.test) for step in steps for f in step.findings}


def test_the_default_is_psi_and_rates_and_what_is_chosen_takes_its_place() -> None:
    chosen = ("wasserstein", "ks", "js")
    tests = {"x": chosen, "z": ("adwin",), "c": ("g",)}
    plan = make_plan(signals={name: SignalOptions(tests=names) for name, names in tests.items()})
    found = findings_of(plan)
    assert {test for signal, test in found if signal == "x"} == set(chosen)
    assert {test for signal, test in found if signal == "z"} == {"adwin"}
    assert ("score", "psi") in found
    detection = Detection(plan)
    for i in range(4):
        detection.pane(pane_of(plan, i * plan.pane_ms, changed=False))
    result = detection.results[""]
    tested = {(plan.monitored[i].name, t) for i, t in zip(result.signal, result.tests, strict=True)}
    assert {t for name, t in tested if name == "c"} == {"g"}
    assert {t for name, t in tested if name == "z"} == set()


def test_the_config_file_chooses(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(make_reference().to_json())
    (tmp_path / "c.toml").write_text(
        '[kafka]\nbootstrap_servers = "localhost:9092"\n'
        '[[models]]\nname = "fraud"\nreference = "r.json"\n'
        '[models.signals.x]\ntests = ["psi", "wasserstein"]\n'
    )
    (plan,) = load_config(tmp_path / "c.toml", {}).plans()
    assert plan.windowed_tests == {"x": ("psi", "wasserstein")}


def test_chosen_tests_survive_the_plans_topic() -> None:
    plan = make_plan(signals={"x": SignalOptions(tests=("psi", "wasserstein"))})
    again, _ = decode_plan(plan.encode())
    assert again.windowed_tests == {"x": ("psi", "wasserstein")}


@pytest.mark.parametrize(
    ("signal", "test"), [("c", "wasserstein"), ("c", "ks"), ("x", "unseen_rate")]
)
def test_a_test_for_the_other_kind_of_signal_is_refused(signal: str, test: str) -> None:
    with pytest.raises(PlanError, match=rf"plan fraud: signal '{signal}' is .*: test '{test}'"):
        make_plan(reference=make_reference(), signals={signal: SignalOptions(tests=(test,))})
