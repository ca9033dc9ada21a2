"""The decoder of a plan, whichever it needs: compiled for known signals, or open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from stream.decode import batch
from stream.decode.columnar_batch import Block
from stream.decode.compiled import Compiled
from stream.decode.schemaless import OpenCompiled
from stream.plans.plan import AnyPlan, LearningPlan, Subject
from stream.plans.privacy import CategoryHash

__all__ = ["Reader", "batch_block", "coerce_batch", "make_reader"]

Reader: TypeAlias = Compiled | OpenCompiled


def make_reader(
    line: Subject,
    plan: AnyPlan,
    hashing: CategoryHash | None = None,
    own: frozenset[str] = frozenset(),
) -> Reader:
    """The decoder of a plan; parameters as of `Compiled`."""
    if isinstance(plan, LearningPlan):
        return OpenCompiled(line, plan, own)
    return Compiled(line, plan, hashing, own)


def batch_block(reader: Reader, columns: Any, max_rows: int) -> Block:
    """The rows of a batch, from its struct of columns; RefusedError if it cannot be counted."""
    if isinstance(reader, OpenCompiled):
        return reader.block(columns, max_rows)
    return batch.batch_block(reader, columns, max_rows)


def coerce_batch(reader: Reader, document: Mapping[str, Any]) -> Any:
    """The struct of columns of a batch, value by value; RefusedError if it has none."""
    if isinstance(reader, OpenCompiled):
        return reader.coerce_batch(document)
    return batch.coerce_batch(reader, document)
