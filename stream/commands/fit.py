"""`driftstream fit`: a reference of training data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.commands.shared import data_argument, print_table, say, when

if TYPE_CHECKING:
    from detectors import Reference
    from stream.data import Column

__all__ = ["command"]

#: A label with at most this many whole numbers is a set of classes.
_CLASSES: Final = 62
#: A text column in which this share of the values differ is an identifier.
_IDENTIFIER_SHARE: Final = 0.5
_IDENTIFIER_LEAST: Final = 1_000
#: A daily cycle is proposed if the hour explains this share of what differs between hours.
_DAILY_SHARE: Final = 0.5


@click.command("fit")
@data_argument
@click.option("--model", required=True, help="Name of the model.")
@click.option("--version", default="", help="Model version the data belong to.")
@click.option("--timestamp", metavar="COLUMN", help="Event time: RFC 3339, dates or epoch numbers.")
@click.option("--id", "identity", metavar="COLUMN", help="Identifier of each prediction.")
@click.option("--prediction", metavar="COLUMN", help="What the model said: a class or a number.")
@click.option("--score", metavar="COLUMN", help="The model's probability or score.")
@click.option("--actual", metavar="COLUMN", help="What turned out to be true.")
@click.option("--segment", "segments", metavar="COLUMN", multiple=True, help="Watch per value.")
@click.option("--ignore", "ignored", metavar="COLUMN", multiple=True, help="Leave a column out.")
@click.option("--cycle", default="", help="Length of the season, such as 24h or 7d.")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Where the reference is written (JSON).",
)  # fmt: skip
def command(
    data: Path, model: str, version: str, timestamp: str | None, identity: str | None,
    prediction: str | None, score: str | None, actual: str | None, segments: tuple[str, ...],
    ignored: tuple[str, ...], cycle: str, output: Path,
) -> None:  # fmt: skip
    """Make a reference of DATA: a CSV, Parquet or JSON lines file of the training period.

    Columns that no option names are features. The reference holds bins and counts, never rows.
    """
    from detectors import ColumnMapping, fit_reference
    from stream.data import read_columns
    from stream.toml_table import duration_ms

    cycle_ms = duration_ms(cycle) if cycle else 0
    if cycle_ms is None:
        raise click.BadParameter(
            f"{cycle!r} is not a duration. Use 24h or 7d.", param_hint="--cycle"
        )
    columns = {column.name: column for column in read_columns(data)}
    roles = {"label": prediction, "score": score, "actual": actual}
    aside = [name for name in (timestamp, identity) if name]
    _check_names(columns, [*aside, *(n for n in roles.values() if n), *segments, *ignored], data)
    times_ms, dates_only = _times(data, columns, timestamp)
    role_of = {name: role for role, name in roles.items() if name}
    left_out = {*aside, *segments, *ignored}
    signals = {n: c for n, c in columns.items() if n not in left_out}
    notes = _leave_out(signals, keep=role_of)
    kinds = {name: _kind(column, role_of.get(name)) for name, column in signals.items()}
    reference = fit_reference(
        {name: column.values for name, column in signals.items()},
        model=model,
        version=version,
        roles=role_of,
        kinds=kinds,
        times_ms=times_ms,
        cycle_ms=cycle_ms,
        segments=segments,
        column_mapping=ColumnMapping(
            timestamp, identity, prediction, score, actual,
            tuple(dict.fromkeys([*ignored, *notes])),
        ),
    )  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(reference.to_json())
    _report(reference, signals, notes, dates_only, timestamp is not None, times_ms)
    say(f"wrote {output} ({output.stat().st_size / 1024:,.0f} kB, {reference.hash[:19]})")


def _check_names(columns: dict[str, Column], named: list[str], data: Path) -> None:
    import difflib

    for name in named:
        if name not in columns:
            near = difflib.get_close_matches(name, columns, 1)
            hint = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(columns)}."
            raise click.BadParameter(f"{data} has no column {name!r}. {hint}")
        if named.count(name) > 1:
            raise click.BadParameter(f"column {name!r} is named for two purposes. Choose one.")


def _times(data: Path, columns: dict[str, Column], timestamp: str | None) -> tuple[Any, bool]:
    """Event times in milliseconds, and whether they are dates without a time."""
    import numpy as np

    from stream.data import parse_times

    if timestamp is None:
        rows = len(next(iter(columns.values())).values)
        return np.arange(rows, dtype=np.int64) * 1_000, False
    times = parse_times(data, columns[timestamp])
    return times, not (times % 86_400_000).any()


def _leave_out(signals: dict[str, Column], keep: dict[str, str]) -> dict[str, str]:
    """Remove what is no signal; why, by name."""
    notes = {}
    for name, column in list(signals.items()):
        if name in keep:
            continue
        if column.kind == "time":
            notes[name] = "left out: times are no signal (name one with --timestamp)"
        elif column.note.endswith("cannot be a signal"):
            notes[name] = f"left out: {column.note}"
        elif column.kind == "categorical":
            distinct, rows = len(set(column.values)), len(column.values)
            if distinct > max(_IDENTIFIER_LEAST, _IDENTIFIER_SHARE * rows):
                notes[name] = (
                    f"left out: {distinct:,} different values, so an identifier (see --id)"
                )
        if name in notes:
            del signals[name]
    return notes


def _kind(column: Column, role: str | None) -> str:
    """Numeric or categorical; a label of a few whole numbers names classes."""
    import numpy as np

    values = column.values
    if column.kind == "numeric" and role in ("label", "actual") and isinstance(values, np.ndarray):
        there = np.unique(values[np.isfinite(values)])
        if there.size <= _CLASSES and (there == np.rint(there)).all():
            return "categorical"
    return "numeric" if column.kind == "time" else column.kind


def _report(
    reference: Reference, signals: dict[str, Column], notes: dict[str, str], dates_only: bool,
    timed: bool, times_ms: Any,
) -> None:  # fmt: skip
    from detectors import NumericBinning
    from stream.proposal import model_toml

    rows = []
    for signal in reference.signals:
        binning = signal.binning
        used = (
            binning.edges.size - 1
            if isinstance(binning, NumericBinning)
            else len(binning.categories)
        )
        missing = int(signal.counts[binning.missing])
        rows.append(
            (
                signal.name, signal.role, signal.kind, str(used),
                f"{missing / reference.events:.1%}" if missing else "-",
                f"{signal.calibration.phi:.2f}", signals[signal.name].note,
            )
        )  # fmt: skip
    for name, note in notes.items():
        rows.append((name, "-", "-", "-", "-", "-", note))
    print_table(
        f"{reference.model} {reference.version}: {reference.events:,} rows".replace(" :", ":"),
        ("signal", "role", "kind", "bins", "missing", "phi", "note"),
        rows,
    )
    if timed:
        say(f"from {when(reference.first_ms)} to {when(reference.last_ms)} UTC")
    else:
        say("no --timestamp: rows count as one second apart, in the order of the file")
    if dates_only and timed:
        say("the times are dates without a time of day: a pane of one day (1d) is proposed below")
    for warning in reference.warnings:
        say(f"warning: {warning}")
    if timed and not reference.cycle_ms:
        _propose_cycle(signals, times_ms)
    say("for the config:\n" + model_toml(reference))


def _propose_cycle(signals: dict[str, Column], times_ms: Any) -> None:
    import numpy as np

    from stream.proposal import daily_share

    daily = [
        name
        for name, column in signals.items()
        if isinstance(column.values, np.ndarray)
        and daily_share(column.values, times_ms) >= _DAILY_SHARE
    ]
    if daily:
        more = f" and {len(daily) - 3} more" if len(daily) > 3 else ""
        say(
            f"a daily cycle shows in {', '.join(daily[:3])}{more}: with --cycle 24h day and night "
            "are no drift"
        )
