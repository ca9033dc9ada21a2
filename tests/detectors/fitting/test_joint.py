"""What the rows of a reference say of features beside predictions and errors."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detectors import InvalidReferenceError, Reference, ReferenceFitter, fit_reference
from detectors.fitting import joint as fitting
from detectors.fitting.rebase import rebased
from stream.plans.privacy import CategoryHash, apply_privacy

N = 3_000
ROLES = {"said": "label", "score": "score", "truth": "actual"}


def rows(n: int = N, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    score = 1.0 / (1.0 + np.exp(-2.0 * x))
    shop = rng.choice(["a", "b", "c"], n)
    return {
        "x": np.where(rng.random(n) < 0.05, np.nan, x),
        "idle": rng.normal(size=n),
        "shop": [None if rng.random() < 0.1 else str(name) for name in shop],
        "said": np.where(score >= 0.5, "yes", "no").tolist(),
        "score": score,
        "truth": np.where(rng.random(n) < score, "yes", "no").tolist(),
    }


def fitted(**changes: Any) -> Reference:
    return fit_reference(rows() | changes, model="m", roles=ROLES)


def binned(reference: Reference, name: str, column: Any) -> list[int]:
    """The bin of each value, one by one."""
    (signal,) = (signal for signal in reference.signals if signal.name == name)
    binning = signal.binning
    if binning.kind == "numeric":
        return [int(binning.bin(np.array([value], np.float64))[0]) for value in column]
    return [binning.missing if v is None else binning.bins_of_names[v] for v in column]


@pytest.mark.parametrize("name", ["x", "shop"])
def test_tables_are_what_the_rows_hold(name: str) -> None:
    data, reference = rows(), fitted()
    joint = reference.joint
    assert joint is not None
    assert joint.said == "score"
    assert joint.left_out == 0
    assert set(joint.features) == {"x", "idle", "shop"}
    (score,) = (signal for signal in reference.signals if signal.name == "score")
    groups = score.calibration.groups
    counts: dict[tuple[int, int], int] = {}
    errors: dict[int, list[int]] = {}
    for b, s, said, truth in zip(
        binned(reference, name, data[name]),
        binned(reference, "score", data["score"]),
        data["said"],
        data["truth"],
        strict=True,
    ):
        at = (b, int(groups[s]))
        counts[at] = counts.get(at, 0) + 1
        of_bin = errors.setdefault(b, [0, 0])
        of_bin[0] += 1
        of_bin[1] += said != truth
    table = joint.features[name]
    assert {(b, g): int(table.counts[b, g]) for b, g in np.argwhere(table.counts)} == counts
    assert table.errors is not None
    assert {int(b): table.errors[b].tolist() for b in np.unique(np.nonzero(table.errors)[0])} == (
        errors
    )


def test_a_reference_with_tables_reads_back_and_is_small() -> None:
    rng = np.random.default_rng(1)
    more = {f"f{i}": rng.normal(size=10_000) for i in range(17)}
    reference = fit_reference(rows(10_000) | more, model="m", roles=ROLES)
    again = Reference.from_json(reference.to_json())
    assert again.to_json() == reference.to_json()
    assert again.hash == reference.hash
    size = len(reference.to_json()) - len(replace(reference, joint=None).to_json())
    assert len(reference.joint.features) == 20
    assert size < 55_000


def test_how_rows_are_cut_changes_nothing() -> None:
    data = rows()
    kinds = {"x": "numeric", "idle": "numeric", "shop": "categorical", "said": "categorical"}
    fitter = ReferenceFitter(
        {**kinds, "score": "numeric", "truth": "categorical"}, roles=ROLES, sample=N
    )
    for take, size in ((fitter.survey, 700), (fitter.count, 1_100)):
        for at in range(0, N, size):
            take({name: column[at : at + size] for name, column in data.items()})
    assert fitter.finish(model="m").hash == fitted().hash


@pytest.mark.parametrize("gone", ["said", "score", "truth"])
def test_what_is_said_is_the_score_or_else_the_prediction(gone: str) -> None:
    data = rows()
    del data[gone]
    roles = {name: role for name, role in ROLES.items() if name in data}
    joint = fit_reference(data, model="m", roles=roles).joint
    assert joint is not None
    assert joint.said == ("said" if gone == "score" else "score")
    assert (joint.features["x"].errors is None) == (gone == "truth")


def test_of_several_classes_a_score_does_not_say_which() -> None:
    said = [f"c{i % 3}" for i in range(N)]
    joint = fitted(said=said, truth=said[1:] + said[:1]).joint
    assert joint is not None
    assert joint.said == "said"


def test_without_a_prediction_there_are_no_tables() -> None:
    data = rows()
    reference = fit_reference({name: data[name] for name in ("x", "shop")}, model="m")
    assert reference.joint is None
    assert "joint" not in json.loads(reference.to_json())


def test_errors_of_a_regression_are_sums_of_their_sizes() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=N)
    data = {"x": x, "said": x, "truth": x + rng.normal(size=N) * (1.0 + (x > 0.0))}
    reference = fit_reference(data, model="m", roles={"said": "label", "truth": "actual"})
    assert reference.joint is not None
    table = reference.joint.features["x"]
    known, amount = table.errors.sum(axis=0)
    unit = reference.outcome.cells.unit
    assert known == N
    assert amount * unit == pytest.approx(np.abs(data["truth"] - x).sum(), rel=1e-4)


def test_a_score_of_the_other_class_turns_the_errors() -> None:
    """A score is of the class that it is high for: what was taken for wrong may be right."""
    data = rows()
    named = {"yes": "blue", "no": "red"}
    data["truth"] = [named[truth] for truth in data["truth"]]
    del data["said"]
    wrong = sum((s >= 0.5) != (t == "blue") for s, t in zip(data["score"], data["truth"]))
    roles = {"score": "score", "truth": "actual"}
    for truth in (data["truth"], [{"red": "blue", "blue": "red"}[t] for t in data["truth"]]):
        joint = fit_reference({**data, "truth": truth}, model="m", roles=roles).joint
        assert joint is not None
        assert joint.features["shop"].errors.sum(axis=0).tolist() == [N, wrong]


def test_of_too_many_features_the_closest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "MAX_TABLES", 1)
    joint = fitted().joint
    assert joint is not None
    assert set(joint.features) == {"x"}
    assert joint.left_out == 2


def test_hidden_signals_are_hidden_in_tables_too() -> None:
    reference = fitted()
    assert reference.joint is not None
    dropped = apply_privacy(reference, ["x"], [], None)
    assert set(dropped.joint.features) == {"idle", "shop"}
    assert apply_privacy(reference, ["score"], [], None).joint is None
    no_truth = apply_privacy(reference, ["truth"], [], None)
    assert no_truth.joint.features["x"].errors is None
    assert Reference.from_json(no_truth.to_json()).hash == no_truth.hash


def test_hashed_names_keep_their_rows() -> None:
    rng = np.random.default_rng(3)
    names = [f"n{int(k)}" for k in rng.zipf(1.5, N) % 400]  # more than have a bin of their own
    reference = fitted(shop=names)
    hashed = apply_privacy(reference, [], ["shop"], CategoryHash("correct horse battery"))
    for plain, hidden in zip(reference.signals, hashed.signals, strict=True):
        for name, signal in (("plain", plain), ("hidden", hidden)):
            if signal.name == "shop":
                joint = (reference if name == "plain" else hashed).joint
                rows_of = joint.features["shop"].counts.sum(axis=1)
                assert rows_of.tolist() == signal.counts.tolist()
    assert reference.joint.features["shop"].counts.tolist() != (
        hashed.joint.features["shop"].counts.tolist()
    )


def test_what_production_counts_has_no_tables() -> None:
    reference = fitted()
    signals = reference.signals
    table = np.concatenate([[N], *(signal.counts for signal in signals), reference.outcome.counts])
    made = rebased(reference, signals, np.tile(table, (10, 1)), first_ms=0, last_ms=10_000)
    assert made.joint is None
    assert any("which input explains" in warning for warning in made.warnings)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"said": "nobody"}, "joint.said must be one of"),
        ({"left_out": -1}, "joint.left_out"),
        ({"features": {"nobody": {"counts": ""}}}, "joint.features.nobody is of no signal"),
        ({"features": {"x": {"counts": "AAA"}}}, "joint.features.x.counts must be Base64"),
        ({"features": {"x": {"counts": "AAAA"}}}, "joint.features.x.counts must be .* integers"),
    ],
)
def test_damaged_tables_are_refused(change: dict[str, Any], why: str) -> None:
    document = json.loads(fitted().to_json())
    document["joint"] |= change
    with pytest.raises(InvalidReferenceError, match=why):
        Reference.from_json(json.dumps(document))
