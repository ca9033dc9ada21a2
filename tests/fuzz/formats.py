"""Seeds of the formats that are not native: what each is given to begin with."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stream.decode import SourceOptions
from stream.decode.formats.contract import Mapped
from stream.decode.formats.paths import parse_path

__all__ = ["FOREIGN", "Foreign"]

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Foreign:
    """A format to be fuzzed; `seeds` makes its payloads of native events."""

    name: str
    seeds: Callable[[list[bytes]], list[bytes]]
    headers: Headers = ()
    source: SourceOptions | None = None
    form: str = "json"


def _each(make: Callable[[dict[str, Any]], Any]) -> Callable[[list[bytes]], list[bytes]]:
    return lambda events: [json.dumps(make(json.loads(one))).encode() for one in events[:6]]


def _envelope(event: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "type": "t",
        "source": "/s",
        "id": "a",
        "data": event,
        "time": "1970-01-12T13:46:40Z",
        "datacontenttype": "application/json",
    }


def _paths(**texts: str) -> dict[str, Any]:
    return {name: parse_path(text) for name, text in texts.items()}


_MAPPED = Mapped(
    **_paths(
        model="e.model.name",
        version="e.model.version",
        timestamp="e.timestamp",
        id="id",
        prediction="e.prediction.label",
        score="e.prediction.score",
        star="e.features",
        latency="ms",
    ),
    latency_unit="ms",
    ignore=("q",),
)
_ROWS = Mapped(
    **_paths(
        model="rows[].model.name", timestamp="rows[].timestamp", id="id", prediction="said[][0]"
    ),
    features={"x": parse_path("rows[].features.x"), "c": parse_path("rows[].features.c")},
    segments={"region": parse_path("region")},
)
_LOGGED = {
    "specversion": b"1.0", "type": b"org.kubeflow.serving.inference.response", "id": b"a",
    "inferenceservicename": b"fraud", "time": b"1970-01-12T13:46:40Z",
}  # fmt: skip


def _tensors(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "a",
        "inputs": [
            {
                "name": "x",
                "shape": [2, 1],
                "datatype": "FP64",
                "data": [event["features"]["x"], 1.5],
            },
            {"name": "c", "shape": [2], "datatype": "BYTES", "data": [["a"], ["b"]]},
        ],
    }


FOREIGN = [
    Foreign("cloudevent", _each(_envelope), (("content-type", b"application/cloudevents+json"),)),
    Foreign(
        "cloudevents batch",
        _each(lambda e: [_envelope(e)] * 2),
        source=SourceOptions("cloudevents-batch"),
    ),
    Foreign(
        "mapping",
        _each(lambda e: {"e": e, "id": "a", "ms": 12}),
        source=SourceOptions("mapping", mapping=_MAPPED),
    ),
    Foreign(
        "inference request",
        _each(_tensors),
        source=SourceOptions("inference", "fraud"),
    ),
    Foreign(
        "inference response",
        _each(lambda e: {"predictions": [{"label": "ok", "score": 0.5}] * 3}),
        tuple((f"ce_{name}", value) for name, value in _LOGGED.items()),
    ),
    Foreign(
        "mapping of rows",
        _each(lambda e: {"rows": [e] * 3, "said": [["ok"]] * 3, "id": 7, "region": "eu"}),
        source=SourceOptions("mapping", mapping=_ROWS),
    ),
]
