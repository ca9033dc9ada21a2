"""Which column of a file is what, for `replay` and `produce`: as fitted, or as options say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stream.contracts.roles import OUTPUTS

if TYPE_CHECKING:
    from stream.files.row_events import EventRows
    from stream.plans.plan import AnyPlan

__all__ = ["column_options", "event_rows"]

F = TypeVar("F", bound=Callable[..., Any])
_COLUMNS = {
    "timestamp": "Event time",
    "id": "Identifier of each prediction",
    **{role.option: role.meaning for role in OUTPUTS},
}


def column_options(command: F) -> F:
    """Give a command the options that name columns, for models without a reference."""
    command = click.option(
        "--ignore",
        "column_ignored",
        metavar="COLUMN",
        multiple=True,
        help="Leave a column out; of a model without a reference.",
    )(command)
    for name, words in reversed(_COLUMNS.items()):
        command = click.option(
            f"--{name}",
            f"column_{name}",
            metavar="COLUMN",
            help=f"{words}; of a model without a reference.",
        )(command)
    return command


def event_rows(
    data: Path, plan: AnyPlan, columns: dict[str, Any], version: str | None = None
) -> EventRows:
    """Give the maker of events for a plan's model.

    With a reference, columns are as when it was fitted. Without one the options say it, and all
    other columns that can be signals are features.
    """
    from stream.files.row_events import EventRows, RowMapping
    from stream.plans.plan import LearningPlan

    if version is None and plan.version != "*":
        version = plan.version
    named = {key.removeprefix("column_"): value for key, value in columns.items() if value}
    if isinstance(plan, LearningPlan):
        return EventRows(_mapping(data, plan, named, version or ""))
    if named:
        option = f"--{next(iter(named))}"
        raise click.UsageError(
            f"{option} is for models without a reference; that of {plan.model} says what its "
            f"columns are. Leave {option} out, or fit again with it."
        )
    # The events are the plan's: that a reference is of another model is shown elsewhere.
    return EventRows(replace(RowMapping.of(plan.reference, version), model=plan.model))


def _mapping(data: Path, plan: AnyPlan, named: dict[str, Any], version: str) -> Any:
    from detectors import ColumnMapping
    from stream.commands.fit_columns import check_columns
    from stream.files import DataTable
    from stream.files.row_events import RowMapping

    table = DataTable(data)
    ignored = named.pop("ignored", ())
    check_columns(table, [*named.values(), *ignored, *plan.segment_columns])
    role_of = {named[role.option]: role.name for role in OUTPUTS if role.option in named}
    aside = {named.get("timestamp"), named.get("id"), *ignored, *plan.segment_columns}
    roles = {
        name: role_of.get(name, "feature")
        for name, column in table.columns.items()
        if name not in aside
        and (name in role_of or column.kind in ("numeric", "categorical", "empty"))
    }
    kinds = {name: table.columns[name].kind for name in (*roles, *plan.segment_columns)}
    reading = table.reading(kinds)
    mapping = ColumnMapping(
        named.get("timestamp"),
        named.get("id"),
        named.get("prediction"),
        named.get("score"),
        named.get("actual"),
        tuple(ignored),
        reading.numerals(kinds),
        tuple(sorted(reading.commas)),
    )
    return RowMapping(plan.model, version, roles, reading, mapping, plan.segment_columns)
