"""Model servers: KServe's v1 protocol, Open Inference Protocol v2 (2.0.0, REST), KServe's logger.

The golden payloads are those of their documents: v1 and the attributes of the logger of KServe's
inference logger page (release 0.11, sklearn-iris), v2 of the Open Inference Protocol's REST API,
with names and values of the model of these tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream.decode import SourceOptions
from tests.stream.decode.formats.tools import by_file, by_worker, rec
from tests.stream.decode_tools import NOW, event

COLUMNS = SourceOptions("inference", "fraud", "3", columns=("amount", "age", "country"))
ROWS = [[12.5, 40, "DE"], [1.25, 41, "FR"], [None, 18, "XX"]]
LABELS = ["ok", "fraud", "ok"]
V1_REQUEST = {"instances": ROWS}
V1_NAMED = {"instances": [dict(zip(COLUMNS.columns, row, strict=True)) for row in ROWS]}
V1_RESPONSE = {"predictions": LABELS}
V2_REQUEST = {
    "id": "42",
    "inputs": [
        {"name": "amount", "shape": [3, 1], "datatype": "FP64", "data": [12.5, 1.25, None]},
        {"name": "age", "shape": [3], "datatype": "INT64", "data": [40, 41, 18]},
        {"name": "country", "shape": [3, 1], "datatype": "BYTES", "data": [["DE"], ["FR"], ["XX"]]},
    ],
}
V2_RESPONSE = {
    "model_name": "fraud", "model_version": "3", "id": "42",
    "outputs": [{"name": "predict", "shape": [3], "datatype": "BYTES", "data": LABELS}],
}  # fmt: skip
V2_TWO = {
    **V2_RESPONSE,
    "outputs": [
        V2_RESPONSE["outputs"][0],  # type: ignore[index]
        {
            "name": "proba",
            "shape": [3, 2],
            "datatype": "FP64",
            "data": [[0.9, 0.1], [0.25, 0.75], [0.5, 0.5]],
        },
    ],
}


def natives(*, request: bool, score: bool = False, identity: str = "") -> list[dict[str, Any]]:
    """The same rows as native events."""
    found = []
    for i, row in enumerate(ROWS):
        prediction: Any = LABELS[i]
        if score:
            prediction = {"label": LABELS[i], "score": [0.1, 0.75, 0.5][i]}
        members = {"features": dict(zip(COLUMNS.columns, row, strict=True)), "prediction": ...}
        if not request:
            members = {"features": ..., "prediction": prediction}
        found.append(
            event(timestamp=NOW, prediction_id=f"{identity}/{i}" if identity else ..., **members)
        )
    return found


def one_record(events: list[dict[str, Any]]) -> Any:
    """The counts of native events of one record, by a batch of CloudEvents."""
    wrapped = [{"specversion": "1.0", "type": "t", "data": one} for one in events]
    return by_worker([rec(wrapped)], SourceOptions("cloudevents-batch"))


@pytest.mark.parametrize(
    ("document", "source", "native"),
    [
        (V1_REQUEST, COLUMNS, natives(request=True)),
        (V1_NAMED, SourceOptions("inference", "fraud", "3"), natives(request=True)),
        (V1_RESPONSE, COLUMNS, natives(request=False)),
        (V2_REQUEST, COLUMNS, natives(request=True)),
        (V2_RESPONSE, SourceOptions("inference"), natives(request=False, identity="42")),
        (
            V2_TWO,
            SourceOptions("inference", outputs={"label": "predict", "score": "proba[1]"}),
            natives(request=False, score=True, identity="42"),
        ),
    ],
)
def test_counts_are_those_of_the_native_form(
    document: Any, source: SourceOptions, native: list[dict[str, Any]], tmp_path: Path
) -> None:
    expected = one_record(native)
    assert expected[1:] == ([], len(ROWS))
    assert by_worker([rec(document)], source) == expected
    # Files have no time beside what is in them; those of the logger do, as CloudEvents.
    kind = "request" if "instances" in document or "inputs" in document else "response"
    logged = {
        "specversion": "1.0",
        "id": "0009174a",
        "source": "http://localhost:9081/",
        "type": f"org.kubeflow.serving.inference.{kind}",
        "time": "2026-03-01T12:00:00Z",
        "datacontenttype": "application/json",
        "inferenceservicename": "fraud",
        "namespace": "default",
        "component": "predictor",
        "endpoint": "",
        "data": document,
    }
    wrapped = [json.dumps(one).encode() for one in native]
    counted = by_file(tmp_path / "n.jsonl", wrapped)
    found = by_file(tmp_path / "f.jsonl", [json.dumps(logged).encode()], source)
    assert found[1:] == counted[1:] == ([], len(ROWS))


def test_the_logger_in_binary_mode() -> None:
    headers = {"ce_specversion": "1.0", "ce_id": "0009174a", "ce_source": "http://localhost:9081/",
               "ce_time": "2026-03-01T12:00:00Z", "ce_inferenceservicename": "fraud",
               "content-type": "application/json"}  # fmt: skip

    def logged(kind: str) -> list[tuple[str, bytes]]:
        all_of = {**headers, "ce_type": f"org.kubeflow.serving.inference.{kind}"}
        return [(name, text.encode()) for name, text in all_of.items()]

    native = natives(request=False, identity="0009174a")
    for one in native:
        one["model"] = {"name": "fraud"}
    assert by_worker([rec(V1_RESPONSE, *logged("response"))]) == one_record(native)
    single = {"predictions": ["ok"]}
    native = [
        event(prediction_id="0009174a", features=..., prediction="ok", model={"name": "fraud"})
    ]
    assert by_worker([rec(single, *logged("response"))]) == one_record(native)
    both = [rec(V1_NAMED, *logged("request")), rec(V1_RESPONSE, *logged("response"))]
    assert by_worker(both)[1:] == ([], 2 * len(ROWS))


@pytest.mark.parametrize(
    ("document", "reason", "words"),
    [
        ({"instances": [[1, 2]]}, "ragged_batch", "Expected 3 values, as [[sources]] has columns"),
        ({"instances": []}, "empty", "at $.instances"),
        ({"instances": 5}, "wrong_type", "Expected array, got int - at $.instances"),
        ({"predictions": [[0.1, 0.9]]}, "missing_field", "Expected one output, got 2: name them"),
        ({"outputs": []}, "wrong_type", "array of tensors"),
        ({"inputs": [{"name": "a", "shape": [2], "data": [1]}]}, "wrong_type", "inputs[0].shape"),
        ({"inputs": [{"name": "a", "shape": [1, 1], "data": [1, 2]}]}, "ragged_batch", "got 2"),
        ({"inputs": [{"name": "a", "shape": [2]}]}, "missing_field", "binary tensors are not read"),
        (
            {
                "inputs": [
                    {"name": "a", "shape": [1], "data": [1]},
                    {"name": "b", "shape": [2], "data": [1, 2]},
                ]
            },
            "ragged_batch",
            "Expected 1 rows, got 2 - at $.inputs[1].shape",
        ),
        ({"outputs": [{"name": "a", "shape": [10**9, 10**9], "data": [1]}]}, "wrong_type", "shape"),
        ({"instances": [0] * 100_001}, "too_large", "at most 100000 rows"),
        ({}, "missing_field", "Expected `instances`, `inputs`, `predictions` or `outputs`"),
    ],
)
def test_what_cannot_be_read_says_why(document: Any, reason: str, words: str) -> None:
    _, rejects, events = by_worker([rec(document), rec(V1_RESPONSE)], COLUMNS)
    ((offset, why, error),) = rejects
    assert (offset, why, events) == (0, reason, len(ROWS))
    assert words in error


def test_a_message_without_a_model_is_refused() -> None:
    _, rejects, _ = by_worker([rec(V1_RESPONSE)], SourceOptions("inference"))
    assert rejects[0][1] == "missing_field"
    assert "no model in [[sources]]" in rejects[0][2]
