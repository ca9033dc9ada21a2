"""Outcomes as stage 1 counts them, against a twin that looks at one row after the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors import OutcomeOptions, fit_reference
from detectors.counting.outcome_cells import LOG_LOSS_UNIT, SCORE_UNIT
from detectors.counting.sparse import decode_counts
from stream.contracts.summary_message import Source, SummaryBatch, decode_message
from stream.decode.native import NativeDecoder
from stream.plans.plan import Plan, PlanBook, SignalOptions
from stream.stage1.summarise import Summariser
from tests.stream.decode_tools import NOW, Rec
from tests.stream.value_ways import ARROW

N = 500


def table(seed: int, task: str) -> dict[str, list[Any]]:
    """Rows with what the model said and what came; some of either are missing."""
    rng = np.random.default_rng(seed)
    n = N
    score = rng.random(n)
    gone = rng.random(n)
    came = rng.random(n) < score
    if task == "regression":
        said = rng.normal(50, 10, n).round(2)
        actual: list[Any] = (said + rng.normal(0, 5, n)).round(2).tolist()
        rows: dict[str, list[Any]] = {"label": said.tolist(), "actual": actual}
    elif task == "multiclass":
        names = np.array(["cat", "dog", "owl"])
        label = rng.integers(0, 3, n)
        truth = np.where(came, label, (label + 1) % 3)
        rows = {
            "label": names[label].tolist(), "score": score.tolist(), "actual": names[truth].tolist()
        }  # fmt: skip
    else:
        names = np.array(["good", "bad"])
        rows = {"score": score.tolist(), "actual": names[came.astype(int)].tolist()}
        if task == "binary":
            rows["label"] = names[(score >= 0.4).astype(int)].tolist()
    for name, column in rows.items():
        rows[name] = [
            None if gone[i] < 0.05 + 0.01 * len(name) else v for i, v in enumerate(column)
        ]
    return rows


def plan_of(task: str, **options: Any) -> Plan:
    columns: dict[str, Any] = table(0, task)
    reference = fit_reference(
        {"x": np.arange(N) % 7 * 1.0, **columns},
        model="m",
        roles={name: name for name in columns},
        kinds={"label": "numeric" if task == "regression" else "categorical"}
        if "label" in columns
        else {},
        outcome=OutcomeOptions(positive=None if task in ("regression", "multiclass") else "bad"),
    )
    return Plan(model="m", reference=reference, pane_ms=60_000, **options)


def events(rows: dict[str, list[Any]]) -> list[Rec]:
    found = []
    for i in range(N):
        said = {key: rows[key][i] for key in ("label", "score") if key in rows}
        document = {
            "model": {"name": "m"}, "timestamp": NOW, "features": {"x": 1.0}, "prediction": said,
            "actual": {"label": rows["actual"][i]},
        }  # fmt: skip
        if rows["actual"][i] is None:
            del document["actual"]
        found.append(Rec(json.dumps(document).encode(), offset=i))
    return found


def native_batch(rows: dict[str, list[Any]]) -> list[Rec]:
    said = {key: rows[key] for key in ("label", "score") if key in rows}
    columns = {
        "timestamp": [NOW] * N, "features": {"x": [1.0] * N}, "prediction": said,
        "actual": {"label": rows["actual"]},
    }  # fmt: skip
    return [Rec(json.dumps({"model": {"name": "m"}, "columns": columns}).encode())]


def arrow_batch(rows: dict[str, list[Any]]) -> list[Rec]:
    said = {f"prediction.{key}": rows[key] for key in ("label", "score") if key in rows}
    whole = pa.table({
        "timestamp": [NOW] * N, "features.x": [1.0] * N, **said, "actual": rows["actual"]
    }).replace_schema_metadata({"model.name": "m"})  # fmt: skip
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as stream:
        stream.write_table(whole)
    return [Rec(sink.getvalue().to_pybytes(), headers=ARROW)]


def counted(plan: Plan, records: list[Rec]) -> Any:
    """The flat counts of all of them, as stage 1 sends them."""
    plans = PlanBook()
    plans.add(plan)
    summariser = Summariser(Source("id", "predictions", 0, 1), plans, NativeDecoder(plans))
    flushes = summariser.add(records)
    if (last := summariser.flush_idle()) is not None:
        flushes.append(last)
    assert not any(flush.rejects for flush in flushes)
    (message,) = [value for flush in flushes for _, value in flush.summaries]
    batch = decode_message(message)
    assert isinstance(batch, SummaryBatch)
    (entry,) = batch.entries
    return decode_counts(entry.counts, plan.layout.width)


WAYS = pytest.mark.parametrize("way", [events, native_batch, arrow_batch])


@WAYS
@pytest.mark.parametrize("task", ["binary", "score", "multiclass", "regression"])
def test_every_way_counts_what_one_row_after_the_other_does(
    way: Callable[[Any], list[Rec]], task: str
) -> None:
    plan, rows = plan_of(task), table(1, task)
    assert plan.outcome is not None
    cells, counts = plan.outcome.cells, counted(plan, way(rows))
    held = counts[plan.layout.cells]
    error = counts[plan.layout.slice(len(plan.monitored) - 1)]
    truth = rows["actual"]
    pairs = [
        (i, truth[i])
        for i in range(N)
        if truth[i] is not None and said_of(rows, task, i) is not None
    ]
    assert 300 < len(pairs) < N
    assert cells.events(held) == len(pairs)
    if task == "regression":
        errors = np.array([rows["label"][i] - actual for i, actual in pairs])
        unit = cells.unit
        over, under, high, low = held[cells.sums_at :].tolist()
        binning = next(s.binning for s in plan.monitored if s.name == "label")
        naive_cells = np.zeros((cells.score_bins, 2), np.int64)
        for i, actual in pairs:
            said_bin = binning.bin(np.array([rows["label"][i]]))[0]
            naive_cells[said_bin, int(actual > rows["label"][i])] += 1
        assert cells.calibration(held).tolist() == naive_cells.tolist()
        assert held[1] == 0
        assert (over - under) * unit == pytest.approx(errors.sum(), abs=N * unit)
        assert (over + under) * unit == pytest.approx(np.abs(errors).sum(), abs=N * unit)
        squares = (high * 2**26 + low) * unit**2
        assert squares == pytest.approx(np.square(errors).sum(), rel=1e-6)
        assert (
            error.tolist()
            == np.bincount(plan.monitored[-1].binning.bin(errors), minlength=error.size).tolist()
        )
        return
    confusion = cells.confusion(held)
    for said_class, said in enumerate(cells.classes):
        for came_class, came in enumerate(cells.classes):
            naive = sum(said_of(rows, task, i) == said and actual == came for i, actual in pairs)
            assert confusion[said_class, came_class] == naive, (said, came)
    right = sum(said_of(rows, task, i) == actual for i, actual in pairs)
    assert error.tolist() == [right, len(pairs) - right, 0, 0, 0, 0]
    scored = [(i, y) for i, y in pairs_of_score(rows, task) if rows["score"][i] is not None]
    binning = next(s.binning for s in plan.monitored if s.name == "score")
    naive_cells = np.zeros((cells.score_bins, 2), np.int64)
    for i, y in scored:
        naive_cells[binning.bin(np.array([rows["score"][i]]))[0], y] += 1
    assert cells.calibration(held).tolist() == naive_cells.tolist()
    score = np.array([rows["score"][i] for i, _ in scored])
    y = np.array([y for _, y in scored])
    total, brier, loss = held[cells.sums_at :].tolist()
    assert total * SCORE_UNIT == pytest.approx(score.sum(), rel=1e-8)
    assert brier * SCORE_UNIT == pytest.approx(np.square(score - y).sum(), rel=1e-8)
    of_truth = np.where(y == 1, score, 1 - score)
    assert loss * LOG_LOSS_UNIT == pytest.approx(-np.log(of_truth).sum(), rel=1e-6)


def said_of(rows: dict[str, list[Any]], task: str, i: int) -> Any:
    if task == "score":
        score = rows["score"][i]
        return None if score is None else "bad" if score >= 0.5 else "good"
    return rows["label"][i]


def pairs_of_score(rows: dict[str, list[Any]], task: str) -> list[tuple[int, int]]:
    """Rows whose score is known to have been right or not."""
    found = []
    for i, actual in enumerate(rows["actual"]):
        if actual is None or (task == "multiclass" and rows["label"][i] is None):
            continue
        found.append(
            (i, int(rows["label"][i] == actual if task == "multiclass" else actual == "bad"))
        )
    return found


def test_a_signal_that_is_not_monitored_ends_the_outcomes() -> None:
    plan = plan_of("binary", signals={"actual": SignalOptions(monitor=False)})
    assert plan.outcome is None
    assert "error" not in {signal.name for signal in plan.monitored}
    assert plan.layout.cells.start == plan.layout.width
    assert counted(plan, events(table(1, "binary"))).size == plan.layout.width


def test_a_truth_that_comes_alone_is_counted_nowhere() -> None:
    plan = plan_of("binary")
    document = {"model": {"name": "m"}, "timestamp": NOW, "actual": "bad"}
    with_one = [*events(table(1, "binary")), Rec(json.dumps(document).encode(), offset=N)]
    assert counted(plan, with_one).tolist() == counted(plan, events(table(1, "binary"))).tolist()
