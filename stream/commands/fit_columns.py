"""Which columns of a file become signals, as what, and why others do not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from detectors import ReferenceFitter
    from stream.files import ColumnInfo, DataTable

__all__ = ["Chosen", "check_columns", "choose", "look_again"]

#: Names that data frames give to the numbers of their rows.
_INDEX: Final = re.compile(r"|Unnamed: \d+.*|__index_level_\d+__")


@dataclass
class Chosen:
    """Signals in the order of the file; `notes` says why other columns are none.

    Attributes
    ----------
    named : frozenset of str
        Columns that an option names: they are kept whatever they look like.
    """

    kinds: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    named: frozenset[str] = frozenset()


def check_columns(table: DataTable, named: Sequence[str]) -> None:
    """Refuse a column that is not there, or is named twice."""
    from stream.files import no_column_hint

    for name in named:
        if name not in table.columns:
            hint = no_column_hint(table.path, name, table.columns)
            raise click.BadParameter(f"{table.path} has no column {name!r}. {hint}")
        if named.count(name) > 1:
            raise click.BadParameter(f"column {name!r} is named for two purposes. Choose one.")


def choose(
    table: DataTable,
    left_out: set[str],
    roles: Mapping[str, str],
    kinds: Mapping[str, str],
    kept: Sequence[str],
) -> Chosen:
    """Choose from the first rows; `kinds` are those that options name, `kept` likewise.

    Raises
    ------
    BadParameter
        If a column cannot be what an option says, or nothing is left.
    """
    chosen = Chosen(roles=dict(roles), named=frozenset((*kinds, *kept, *roles)))
    for name, column in table.columns.items():
        if name in left_out:
            continue
        if name in kinds:
            _check_kind(table, column, kinds[name])
        if not name:
            chosen.notes[name] = _nameless(column)
        elif name not in chosen.named and _INDEX.fullmatch(name):
            chosen.notes[name] = f"left out: numbers of rows, by its name (--keep '{name}')"
        elif column.kind == "none":
            if name in chosen.named:
                raise click.BadParameter(f"column {name!r} of {table.path}: {column.note}.")
            chosen.notes[name] = f"left out: {column.note}"
        elif column.kind == "time" and name not in chosen.named:
            chosen.notes[name] = "left out: times are no signal (name one with --timestamp)"
        else:
            chosen.kinds[name] = kinds.get(name) or _kind(column, roles.get(name))
    _check_some(table, chosen)
    return chosen


def _nameless(column: ColumnInfo) -> str:
    if column.kind == "time":
        return (
            "left out: times without a name, as an index: say --timestamp '', or name them (in "
            "pandas to_csv(index_label='ts')) and say --timestamp ts"
        )
    return "left out: it has no name, as an index (give it one to keep it)"


def _kind(column: ColumnInfo, role: str | None) -> str:
    if role in ("label", "actual") and column.classes:
        return "categorical"  # a few whole numbers name classes
    return "numeric" if column.kind == "numeric" else "categorical"


def _check_kind(table: DataTable, column: ColumnInfo, kind: str) -> None:
    """Refuse what no event could be read as."""
    if column.kind == "none":
        return  # refused with its own words
    option = f"--{kind} {column.name}"
    if kind == "numeric" and (column.typed_text or (table.typed and column.kind == "time")):
        what = "times" if column.kind == "time" else "texts"
        raise click.BadParameter(
            f"{option}: {table.path} holds {what} there, and {what} in events are of a wrong type "
            "for a numeric signal. Convert them to numbers, in the file and in the events."
        )
    if kind == "numeric" and column.kind in ("categorical", "time") and not column.readable:
        raise click.BadParameter(
            f"{option}: the values there are no numbers. Leave the option out, or see --decimal "
            "and --delimiter."
        )


def _check_some(table: DataTable, chosen: Chosen) -> None:
    from stream.files.dialect import uneven_lines

    if chosen.kinds:
        return
    if len(table.columns) == 1 and not table.typed and (uneven := uneven_lines(table.path)):
        raise click.BadParameter(f"{table.path}: all of a line was read as one field. {uneven}")
    raise click.BadParameter(
        f"{table.path} has no column that can be a signal: what is left are times and "
        "identifiers. Name a --prediction or --score, or add features (--keep COLUMN)."
    )


def look_again(
    fitter: ReferenceFitter, table: DataTable, chosen: Chosen, timed: bool, grouped: Sequence[str]
) -> None:
    """Between the passes: leave out what follows the rows; doubt an order that is no time's.

    `grouped` has the columns of names that come in blocks.
    """
    from detectors.fitting import suspects

    times = fitter.sample_times()
    every_row = fitter.rows == (0 if times is None else times.size)
    sort_keys = [] if timed else list(grouped)
    for name, kind in list(chosen.kinds.items()):
        why = ""
        if kind == "categorical":
            why = _identifier(fitter, name, chosen)
        else:
            values = fitter.sample(name)
            if times is not None and (timed or every_row) and suspects.follows_rows(values, times):
                whole = not (values[values == values] % 1).any()
                if timed or whole:
                    why = "it grows (or falls) from row to row: an identifier or a clock"
            elif suspects.is_own_number(values):
                why = "each row has a number of its own: an identifier"
            if not timed and every_row and not why and suspects.is_sorted(values):
                sort_keys.append(name)
            if not why:
                _suspect(table.columns[name], values, chosen)
        if why and name not in chosen.named:
            note = table.columns[name].note
            chosen.notes[name] = f"left out: {why} (--keep {name})" + (f"; {note}" if note else "")
            fitter.drop(name)
            del chosen.kinds[name]
        elif why:
            chosen.warnings.append(f"{name}: {why}; it was kept as an option says")
    if sort_keys:
        fitter.doubt_order(
            f"rows are sorted by {', '.join(sort_keys[:3])} and have no times (see --timestamp), "
            "so their order is not that in which they came"
        )
    _check_some(table, chosen)


def _identifier(fitter: ReferenceFitter, name: str, chosen: Chosen) -> str:
    """Why a column of names is one of identifiers, or an empty text; a warning if it is near."""
    from detectors.counting.category_sketch import LEAST_VALUES, MANY_NEW, is_identifier

    names, distinct = fitter.names(name), fitter.distinct(name)
    if distinct == len(names):
        once, values = sum(count == 1 for count in names.values()), sum(names.values())
    else:  # not all are in memory
        once, values = distinct, fitter.rows
    if is_identifier(once, values):
        return f"{distinct:,} different values, so an identifier (see --id)"
    if values >= LEAST_VALUES and once > MANY_NEW * values:
        chosen.warnings.append(
            f"{name}: {once:,} of {values:,} values come once in these rows, so about one event in "
            f"{round(values / once)} will have a name never seen before, which is then no finding. "
            "A longer reference knows more of them"
        )
    return ""


def _suspect(column: ColumnInfo, values: Any, chosen: Chosen) -> None:
    """Words about numbers that may be none."""
    from detectors.fitting import suspects

    name = column.name
    if column.codes and name not in chosen.named:
        chosen.warnings.append(
            f"{name}: {column.codes:,} different whole numbers that may be codes. If they are "
            f"names, --categorical {name} finds those never seen before; if not, --numeric {name}"
        )
    found = suspects.spikes(values)
    if found:
        words = ", ".join(f"{value:.15g}" for value in found)
        chosen.warnings.append(
            f"{name}: {words} is far outside all other values: an error code? If it stands for no "
            f"value, --missing {found[0]:.15g}, and send null in events"
        )
