"""Requests and responses of model servers: KServe v1, Open Inference Protocol v2, KServe's logger.

A request has features and no prediction, a response the other way; a record is one of them, and
what it lacks counts as not sent. Rows of one message are an event each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from stream.decode.formats.contract import (
    Document,
    Envelope,
    Format,
    Message,
    OptionsError,
    SourceOptions,
    Translate,
    encode,
    event_time,
    native_type,
    parse_any,
)
from stream.decode.values import RefusedError, type_name

__all__ = ["FORMAT", "LOGGER_FORMAT", "REQUEST_TYPE", "RESPONSE_TYPE"]

#: Types of the CloudEvents that KServe's logger sends.
REQUEST_TYPE: Final = "org.kubeflow.serving.inference.request"
RESPONSE_TYPE: Final = "org.kubeflow.serving.inference.response"
_MAX_ROWS: Final = 100_000
_DEEPEST: Final = 8
_OUTPUTS: Final = ("label", "score")
#: Values of one row by name.
_Row: TypeAlias = dict[str, Any]


def _make(options: SourceOptions) -> Translate:
    for name in options.columns:
        if not name:
            raise OptionsError("columns", "names a column with an empty text. Give it a name.")

    def translate(value: bytes, envelope: Envelope) -> Sequence[Message]:
        document = parse_any(value)
        model = options.model or document.get("model_name")
        model = model or envelope.attributes.get("inferenceservicename")
        if not isinstance(model, str) or not model:
            raise RefusedError(
                "missing_field",
                "Found no model: no `model_name`, no attribute `inferenceservicename`, and no "
                "model in [[sources]]",
            )
        version = options.version or document.get("model_version")
        shared = {"model": {"name": model, "version": version}, "timestamp": event_time(envelope)}
        if "predictions" in document or ("outputs" in document and "inputs" not in document):
            rows = _rows(document, "predictions", "outputs", ())
            found = [{"prediction": _prediction(row, options)} for row in rows]
            identity = document.get("id") or envelope.id or None
        elif "instances" in document or "inputs" in document:
            rows = _rows(document, "instances", "inputs", options.columns)
            found = [{"features": row} for row in rows]
            identity = None  # two events of one id would be copies: it is the response's
        else:
            raise RefusedError(
                "missing_field",
                "Expected `instances`, `inputs`, `predictions` or `outputs` - at $",
            )
        several = len(found) > 1
        return [
            encode(
                {
                    **shared,
                    **event,
                    "prediction_id": f"{identity}/{i}"
                    if several and identity is not None
                    else identity,
                }
            )
            for i, event in enumerate(found)
        ]

    return translate


def _rows(document: Document, v1: str, v2: str, columns: Sequence[str]) -> list[_Row]:
    if v1 in document:
        return _of_instances(document[v1], v1, columns)
    return _of_tensors(document[v2], v2, columns)


def _of_instances(instances: Any, member: str, columns: Sequence[str]) -> list[_Row]:
    """Rows of version 1: objects, arrays without names, or single values."""
    if not isinstance(instances, list):
        raise _wrong("array", instances, f"$.{member}")
    _check_rows(len(instances), member)
    rows = []
    for i, one in enumerate(instances):
        if isinstance(one, dict):
            rows.append(one)
            continue
        values = one if isinstance(one, list) else [one]
        rows.append(dict(zip(_names(member, len(values), columns, i), values, strict=True)))
    return rows


def _names(member: str, n: int, columns: Sequence[str], row: int) -> Sequence[str]:
    if member == "predictions":
        return [member] if n == 1 else [f"{member}[{j}]" for j in range(n)]
    if n != len(columns):
        raise RefusedError(
            "ragged_batch",
            f"Expected {len(columns)} values, as [[sources]] has columns, got {n} - at "
            f"$.{member}[{row}]",
        )
    return columns


def _of_tensors(tensors: Any, member: str, columns: Sequence[str]) -> list[_Row]:
    """Rows of version 2: the first dimension of every tensor counts them."""
    if not isinstance(tensors, list) or not tensors:
        raise _wrong("array of tensors", tensors, f"$.{member}")
    n = -1
    by_name: dict[str, list[Any]] = {}
    for i, tensor in enumerate(tensors):
        place = f"$.{member}[{i}]"
        name, rows, width, values = _tensor(tensor, place)
        if n not in (-1, rows):
            raise RefusedError("ragged_batch", f"Expected {n} rows, got {rows} - at {place}.shape")
        n = rows
        if width == 1:
            by_name[name] = values
        else:
            named = columns if len(columns) == width else [f"{name}[{j}]" for j in range(width)]
            by_name |= {one: values[j::width] for j, one in enumerate(named)}
    if len(columns) == len(by_name) and not set(columns) & by_name.keys():
        by_name = dict(zip(columns, by_name.values(), strict=True))
    _check_rows(n, member)
    return [dict(zip(by_name, row, strict=True)) for row in zip(*by_name.values(), strict=True)]


def _tensor(tensor: Any, place: str) -> tuple[str, int, int, list[Any]]:
    """Name, rows, values of a row, and all values of a tensor."""
    if not isinstance(tensor, dict):
        raise _wrong("object", tensor, place)
    name, shape, data = tensor.get("name"), tensor.get("shape"), tensor.get("data")
    if not isinstance(name, str):
        raise _wrong("str", name, f"{place}.name")
    if data is None:
        raise RefusedError(
            "missing_field", f"Expected `data`; binary tensors are not read - at {place}"
        )
    values = _flat(data, f"{place}.data")
    dims: list[int] = shape if isinstance(shape, list) else []
    if not dims or not all(type(d) is int and 0 < d <= len(values) for d in dims):
        raise RefusedError("wrong_type", f"Expected a shape of its data - at {place}.shape")
    width = 1
    for dim in dims[1:]:
        width *= dim
        if width > len(values):
            break
    if dims[0] * width != len(values):
        raise RefusedError(
            "ragged_batch",
            f"Expected as many values as the shape says, got {len(values)} - at {place}.data",
        )
    return name, dims[0], width, values


def _flat(data: Any, place: str) -> list[Any]:
    """The values of nested arrays, in their order."""
    if not isinstance(data, list):
        raise _wrong("array", data, place)
    values: list[Any] = data
    for _ in range(_DEEPEST):
        if not any(isinstance(one, list) for one in values):
            return values
        values = [inner for one in values for inner in (one if isinstance(one, list) else [one])]
    raise RefusedError("wrong_type", f"Expected at most {_DEEPEST} dimensions - at {place}")


def _prediction(row: _Row, options: SourceOptions) -> Any:
    """What the model said: the outputs that the config names, or the only one."""
    if options.outputs:
        for name in options.outputs.values():
            if name not in row:
                raise RefusedError(
                    "missing_field", "Found no output of a name in [sources.outputs]"
                )
        return {key: row[name] for key, name in options.outputs.items()}
    if len(row) == 1:
        return next(iter(row.values()))
    if known := {key: row[key] for key in _OUTPUTS if key in row}:
        return known
    raise RefusedError(
        "missing_field", f"Expected one output, got {len(row)}: name them in [sources.outputs]"
    )


def _check_rows(n: int, member: str) -> None:
    if n == 0:
        raise RefusedError("empty", f"Expected at least one row - at $.{member}")
    if n > _MAX_ROWS:
        raise RefusedError("too_large", f"Expected at most {_MAX_ROWS} rows, got {n}")


def _wrong(expected: str, got: Any, place: str) -> RefusedError:
    return RefusedError("wrong_type", f"Expected {expected}, got {type_name(got)} - at {place}")


def _is_protocol(document: Document) -> bool:
    tensors = document.get("outputs") or document.get("inputs")
    return (
        isinstance(tensors, list)
        and bool(tensors)
        and isinstance(tensors[0], dict)
        and {"name", "shape", "datatype"} <= tensors[0].keys()
    )


FORMAT: Final = Format("inference", _make, (native_type("inference"),), looks_like=_is_protocol)
LOGGER_FORMAT: Final = Format(
    "kserve", _make, (native_type("kserve"),), (REQUEST_TYPE, RESPONSE_TYPE)
)
