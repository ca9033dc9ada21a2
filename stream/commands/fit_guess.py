"""Which column has the times and which the predictions, by its look: where no option says it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from stream.contracts.roles import OUTPUTS

if TYPE_CHECKING:
    from stream.files import DataTable

__all__ = ["Guessed", "guess_columns"]

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
#: Words of which one is in the name of a column of numbers that are times.
_TIME_WORDS: Final = frozenset(("time", "timestamp", "ts", "date", "datetime", "epoch", "at"))
#: 2000 to 2100: numbers of other times are likelier something else.
_EARLIEST_MS, _LATEST_MS = 946_684_800_000, 4_102_444_800_000
#: Names of what turned out to be true, or of predictions: it is asked.
_EITHER: Final = ("label", "target", "class", "outcome", "y")


@dataclass(frozen=True)
class Guessed:
    """What was taken for what.

    Attributes
    ----------
    timestamp : str or None
        The column of times, if none was named.
    roles : dict of column to role
        Of columns that no option names.
    why : str
        Why that is the column of times.
    hints : list of str
        Sentences about roles that were taken, and about what may be meant.
    """

    timestamp: str | None = None
    why: str = ""
    roles: dict[str, str] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)


def guess_columns(
    table: DataTable, taken: Collection[str | None], roles: Collection[str], *, timed: bool
) -> Guessed:
    """Guess what no option says: `taken` are columns and `roles` are roles of which one does.

    Raises
    ------
    BadParameter
        If several columns may be that of the times.
    """
    free = [name for name in table.columns if name not in taken]
    hints: list[str] = []
    timestamp, why = (None, "") if timed else _timestamp(table, free, hints)
    found: dict[str, str] = {}
    for role in OUTPUTS:
        named = [name for name in free if name.lower() in role.columns]
        named = [name for name in named if table.columns[name].kind in ("numeric", "categorical")]
        if role.name in roles or not named:
            continue
        if len(named) > 1:
            hints.append(f"{_quoted(named)}: if one is what --{role.option} means, say which")
            continue
        found[named[0]] = role.name
        hints.append(
            f"{named[0]!r} is the {role.option}, by its name; if it is not: "
            f"--role {shlex.quote(named[0])}=feature"
        )
    either = [name for name in free if name.lower() in _EITHER]
    if either and not {"label", "actual"} <= {*roles, *found.values()}:
        hints.append(
            f"{_quoted(either)} counts as a feature: if it is what the model said, --prediction "
            f"{either[0]}; if it is what turned out to be true, --actual {either[0]}"
        )
    return Guessed(timestamp, why, found, hints)


def _timestamp(table: DataTable, free: list[str], hints: list[str]) -> tuple[str | None, str]:
    """The column of times, and why it is that."""
    times = [name for name in free if table.columns[name].kind == "time"]
    why = "the only column of times"
    if not times:
        times, why = list(_numbers_of_times(table, free)), "by its name and its numbers"
    if len(times) > 1:
        raise click.BadParameter(
            f"{table.path} has several columns of times: {_quoted(times)}. Say which has the time "
            f"of the prediction: --timestamp {shlex.quote(times[0])}. Others are left out."
        )
    if times:
        return times[0], why
    hints.append(
        "no column has times: rows count as one a second in the order of the file, and `produce` "
        "sends them with the time at which it does. If one has: --timestamp COLUMN"
    )
    return None, ""


def _numbers_of_times(table: DataTable, free: list[str]) -> Iterator[str]:
    """Columns of epoch numbers: by their names, and by what their first values are."""
    import numpy as np

    for name in free:
        words = {word.lower() for word in _WORD.findall(name)}
        if table.columns[name].kind != "numeric" or not words & _TIME_WORDS:
            continue
        first: Any = next(table.batches({name: "numeric"})).columns[name]
        if isinstance(first, np.ndarray) and _are_times(first):
            yield name


def _are_times(values: Any) -> bool:
    import numpy as np

    from stream.contracts.event_time import misread, numbers_ms

    if not values.size or not np.isfinite(values).all() or misread(values).any():
        return False
    ms = numbers_ms(values)
    return bool(((ms >= _EARLIEST_MS) & (ms < _LATEST_MS)).all())


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names))
