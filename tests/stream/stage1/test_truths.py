"""Truths that repeat their predictions: outcomes as of both at once, and nothing counted twice."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.counting.ids import IdSample
from stream.contracts.summary_message import Source, SummaryBatch, decode_message
from stream.decode import FormatDecoder, NativeDecoder, SourceOptions
from stream.decode.formats.contract import Mapped
from stream.plans.plan import Learn, LearningPlan, Plan, PlanBook
from stream.stage1.summarise import Summariser
from stream.stage1.truth_delays import BOUNDS_S
from tests.stream.decode_tools import NOW, NOW_MS, Rec
from tests.stream.stage1.test_outcomes import N, counted, events, plan_of, table
from tests.stream.value_ways import ARROW

TASKS = pytest.mark.parametrize("task", ["binary", "score", "multiclass", "regression"])
DAY_S = 86_400.0


def apart(rows: dict[str, list[Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Predictions without a truth, and truths that repeat them, as documents."""
    predictions, truths = [], []
    for i in range(N):
        said = {key: rows[key][i] for key in ("label", "score") if key in rows}
        head = {"model": {"name": "m"}, "timestamp": NOW, "prediction_id": f"p{i}"}
        predictions.append({**head, "features": {"x": 1.0}, "prediction": said})
        if rows["actual"][i] is not None:
            truths.append({
                **head, "features": {"x": 2.0}, "prediction": said, "latency_seconds": 1.0,
                "actual": {"label": rows["actual"][i]}, "prediction_timestamp": NOW - DAY_S,
            })  # fmt: skip
    return predictions, truths


def singly(documents: list[dict[str, Any]]) -> list[Rec]:
    return [Rec(json.dumps(document).encode()) for document in documents]


def leniently(documents: list[dict[str, Any]]) -> list[Rec]:
    """By the way of values: the time is text that only that reads."""
    texts = [
        {**d, "prediction_timestamp": "20260228T120000Z"} if "prediction_timestamp" in d else d
        for d in documents
    ]
    return singly(texts)


def columns_of(documents: list[dict[str, Any]]) -> dict[str, Any]:
    keys = documents[0]["prediction"]
    found: dict[str, Any] = {
        "timestamp": [d["timestamp"] for d in documents],
        "prediction_id": [d["prediction_id"] for d in documents],
        "features": {"x": [d["features"]["x"] for d in documents]},
        "prediction": {key: [d["prediction"][key] for d in documents] for key in keys},
        "actual": {"label": [d.get("actual", {}).get("label") for d in documents]},
    }
    if any("prediction_timestamp" in d for d in documents):
        found["prediction_timestamp"] = [d.get("prediction_timestamp") for d in documents]
    return found


def native_batch(documents: list[dict[str, Any]]) -> list[Rec]:
    value = {"model": {"name": "m"}, "columns": columns_of(documents)}
    return [Rec(json.dumps(value).encode())]


def arrow_batch(documents: list[dict[str, Any]]) -> list[Rec]:
    flat: dict[str, Any] = {}
    for name, column in columns_of(documents).items():
        if isinstance(column, dict):
            flat |= {f"{name}.{key}": values for key, values in column.items()}
        else:
            flat[name] = column
    whole = pa.table(flat).replace_schema_metadata({"model.name": "m"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, whole.schema) as stream:
        stream.write_table(whole)
    return [Rec(sink.getvalue().to_pybytes(), headers=ARROW)]


def numbered(records: list[Rec]) -> list[Rec]:
    for offset, record in enumerate(records):
        record.offset = offset
    return records


def summarised(plan: Any, records: list[Rec]) -> tuple[Summariser, list[SummaryBatch], list[Any]]:
    plans = PlanBook()
    plans.add(plan)
    summariser = Summariser(Source("id", "predictions", 0, 1), plans, NativeDecoder(plans))
    flushes = summariser.add(numbered(records))
    if (last := summariser.flush_idle()) is not None:
        flushes.append(last)
    messages = [decode_message(value) for flush in flushes for _, value in flush.summaries]
    found = [message for message in messages if isinstance(message, SummaryBatch)]
    return summariser, found, [reject for flush in flushes for _, reject in flush.rejects]


@TASKS
@pytest.mark.parametrize("way", [singly, leniently, native_batch, arrow_batch])
def test_predictions_and_later_truths_are_counted_as_both_at_once(way: Any, task: str) -> None:
    plan, rows = plan_of(task), table(1, task)
    predictions, truths = apart(rows)
    together = counted(plan, numbered(events(rows)))
    mixed = [*predictions, *truths]
    np.random.default_rng(0).shuffle(mixed)  # type: ignore[arg-type]
    found = counted(plan, numbered(way(mixed)))
    np.testing.assert_array_equal(found, together)
    assert together[0] == N
    without = counted(plan, numbered(way(predictions)))
    assert not np.array_equal(without, together)


def test_a_plan_without_outcomes_counts_only_the_truth_itself() -> None:
    plan = plan_of("binary", signals={})
    plan = Plan(model="m", reference=_without_outcome(plan), pane_ms=60_000)
    assert plan.outcome is None
    predictions, truths = apart(table(1, "binary"))
    alone = counted(plan, numbered(singly(predictions)))
    both = counted(plan, numbered(singly([*predictions, *truths])))
    changed = np.flatnonzero(alone != both)
    at = [signal.name for signal in plan.monitored].index("actual")
    where = plan.layout.slice(at)
    assert changed.size
    assert ((changed >= where.start) & (changed < where.stop)).all()
    assert both[where].sum() == len(truths)


def _without_outcome(plan: Plan) -> Any:
    from dataclasses import replace

    signals = tuple(s for s in plan.reference.signals if not s.is_derived)
    return replace(plan.reference, signals=signals, outcome=None)


def test_a_truth_is_no_copy_of_its_prediction_and_twice_the_same_is_one() -> None:
    predictions, truths = apart(table(1, "binary"))
    _, (batch,), _ = summarised(plan_of("binary"), singly([*predictions, *truths, truths[0]]))
    sample = IdSample.decode(batch.entries[0].ids)
    assert sample.counts.max() <= 2
    _, (batch,), _ = summarised(plan_of("binary"), singly([*predictions, *truths]))
    assert IdSample.decode(batch.entries[0].ids).counts.max() == 1
    _, (batch,), _ = summarised(plan_of("binary"), singly([truths[0]] * 3))
    assert IdSample.decode(batch.entries[0].ids).counts.tolist() == [3]


def test_delays_are_counted_and_a_clock_that_is_ahead_is_no_delay() -> None:
    _, truths = apart(table(1, "binary"))
    some = [dict(d) for d in truths[:4]]
    for document, before in zip(some, (-5.0, 30.0, 3 * 3600.0, 400 * DAY_S), strict=True):
        document["prediction_timestamp"] = NOW - before
    summariser, _, rejects = summarised(plan_of("binary"), singly(some))
    assert not rejects
    delays = summariser.stats.truth_delays["m"]
    assert delays.buckets[0] == ("1.0", 1.0)
    assert dict(delays.buckets)["60.0"] == 2.0
    assert dict(delays.buckets)["21600.0"] == 3.0
    assert [delays.buckets[-2], delays.buckets[-1]] == [(str(BOUNDS_S[-1]), 3.0), ("+Inf", 4.0)]
    assert delays.seconds == 30.0 + 3 * 3600.0 + 400 * DAY_S


BAD = [
    ("yesterday", "bad_timestamp", "$.prediction_timestamp"),
    (True, "bad_timestamp", "$.prediction_timestamp"),
    (20261399, "bad_timestamp", "$.prediction_timestamp"),
    (-1.0, "bad_timestamp", "$.prediction_timestamp"),
    ("2300-01-01", "bad_timestamp", "$.prediction_timestamp"),
]


@pytest.mark.parametrize(("time", "reason", "where"), BAD)
def test_what_is_no_time_refuses_its_event_alone(time: object, reason: str, where: str) -> None:
    _, truths = apart(table(1, "binary"))
    bad = {**truths[0], "prediction_timestamp": time}
    _, (batch,), rejects = summarised(plan_of("binary"), singly([truths[1], bad, truths[2]]))
    assert [(reject.index, reject.reason) for reject in rejects] == [(1, reason)]
    assert where in rejects[0].error
    assert len(batch.entries) == 1
    _, batches, rejects = summarised(plan_of("binary"), native_batch([truths[1], bad]))
    assert not batches
    assert [(reject.reason) for reject in rejects] == [reason]
    assert "$.columns.prediction_timestamp[1]" in rejects[0].error


def test_a_truth_without_a_truth_is_refused() -> None:
    _, truths = apart(table(1, "binary"))
    empty = {key: value for key, value in truths[0].items() if key != "actual"}
    _, batches, rejects = summarised(plan_of("binary"), singly([empty]))
    assert not batches
    assert rejects[0].reason == "missing_field"
    assert "prediction_timestamp" in rejects[0].error


def test_models_that_learn_pass_truths_by() -> None:
    predictions, truths = apart(table(1, "binary"))
    plan = LearningPlan(model="m", learn=Learn())
    _, (alone,), _ = summarised(plan, singly(predictions))
    summariser, (both,), _ = summarised(plan, singly([*predictions, *truths]))
    assert both.entries[0].counts == alone.entries[0].counts
    assert summariser.stats.truth_delays["m"].buckets[-1][1] == len(truths)


def test_a_mapping_names_where_the_time_is() -> None:
    _, truths = apart(table(1, "binary"))
    plans = PlanBook()
    plans.add(plan_of("binary"))
    mapped = Mapped(
        id=("id",), timestamp=("at",), prediction=("said",), score=("p",), actual=("truth",),
        prediction_timestamp=("made", "at"), features={"x": ("x",)},
    )  # fmt: skip
    foreign = [
        {
            "id": d["prediction_id"], "at": NOW, "said": d["prediction"]["label"],
            "p": d["prediction"]["score"], "x": 1.0, "truth": d["actual"]["label"],
            "made": {"at": d["prediction_timestamp"]},
        }
        for d in truths[:3]
    ]  # fmt: skip
    decoder = FormatDecoder(
        NativeDecoder(plans), SourceOptions("mapping", model="m", mapping=mapped)
    )
    decoded = decoder.decode(numbered([Rec(json.dumps(d).encode()) for d in foreign]))
    (group,) = decoded.groups
    assert group.predicted_ms is not None
    assert group.predicted_ms.tolist() == [NOW_MS - DAY_S * 1000] * 3
