"""The decoder of a plan: compiled for known signals, or schemaless where none is known yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from stream.decode import batch
from stream.decode.columnar_batch import ColumnarBatch
from stream.decode.compiled_decoder import CompiledDecoder
from stream.decode.schemaless_decoder import SchemalessDecoder
from stream.plans.plan import AnyPlan, LearningPlan, Subject
from stream.plans.privacy import CategoryHash

__all__ = ["PlanDecoder", "coerce_batch", "make_plan_decoder", "read_columns"]

PlanDecoder: TypeAlias = CompiledDecoder | SchemalessDecoder


def make_plan_decoder(
    line: Subject,
    plan: AnyPlan,
    hashing: CategoryHash | None = None,
    own: frozenset[str] = frozenset(),
) -> PlanDecoder:
    """The decoder of a plan; parameters as of `CompiledDecoder`."""
    if isinstance(plan, LearningPlan):
        return SchemalessDecoder(line, plan, own)
    return CompiledDecoder(line, plan, hashing, own)


def read_columns(decoder: PlanDecoder, columns: Any, max_rows: int) -> ColumnarBatch:
    """The rows of a batch, from its struct of columns; RefusedError if it cannot be counted."""
    if isinstance(decoder, SchemalessDecoder):
        return decoder.read_columns(columns, max_rows)
    return batch.read_columns(decoder, columns, max_rows)


def coerce_batch(decoder: PlanDecoder, document: Mapping[str, Any]) -> Any:
    """The struct of columns of a batch, value by value; RefusedError if it has none."""
    if isinstance(decoder, SchemalessDecoder):
        return decoder.coerce_batch(document)
    return batch.coerce_batch(decoder, document)
