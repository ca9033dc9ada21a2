"""`driftstream fit`: a reference of training data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stream.commands.dump_fit import open_dump, version_of
from stream.commands.shared import (
    data_argument,
    hash_key_option,
    print_table,
    progress,
    read_hash_key,
    say,
    say_lines,
    when,
)

if TYPE_CHECKING:
    from detectors import Reference, ReferenceFitter
    from stream.data import DataTable
    from stream.plans.privacy import CategoryHash

__all__ = ["check_columns", "command"]

#: A text column in which this share of the values differ is an identifier.
_IDENTIFIER_SHARE: Final = 0.5
_IDENTIFIER_LEAST: Final = 1_000
#: A daily cycle is proposed if the hour explains this share of what differs between hours.
_DAILY_SHARE: Final = 0.5
#: Sampled rows in which a daily cycle is looked for.
_DAILY_ROWS: Final = 100_000
#: Values kept for quantiles: half a gigabyte, so a million of each of up to 64 columns.
_SAMPLE_VALUES: Final = 64_000_000
_FULL_COLUMNS: Final = 64
_DAY_MS: Final = 86_400_000


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
@click.option(
    "--ignore", "--drop", "ignored", metavar="COLUMN", multiple=True, help="Leave a column out."
)
@click.option(
    "--hash",
    "hashed",
    metavar="COLUMN",
    multiple=True,
    help="Keep the categories of a column under a keyed hash only; see --hash-key-file.",
)
@hash_key_option
@click.option("--cycle", default="", help="Length of the season, such as 24h or 7d.")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Where the reference is written (JSON).",
)  # fmt: skip
def command(
    data: Path, model: str, version: str, timestamp: str | None, identity: str | None,
    prediction: str | None, score: str | None, actual: str | None, segments: tuple[str, ...],
    ignored: tuple[str, ...], hashed: tuple[str, ...], hash_key_path: Path | None, cycle: str,
    output: Path,
) -> None:  # fmt: skip
    """Make a reference of DATA: a CSV, Parquet or JSON lines file of the training period.

    A dump of prediction events, JSON lines or Arrow IPC, is read as a worker reads the topic.
    Columns that no option names are features. The reference holds bins and counts, never rows. The
    file is read twice, in batches: it may be larger than memory.
    """
    from detectors import ColumnMapping, ReferenceFitter
    from stream.config.toml_table import duration_ms
    from stream.data import DataTable

    cycle_ms = duration_ms(cycle) if cycle else 0
    if cycle_ms is None:
        raise click.BadParameter(
            f"{cycle!r} is not a duration. Use 24h or 7d.", param_hint="--cycle"
        )
    named = {"timestamp": timestamp, "id": identity, "prediction": prediction, "score": score,
             "actual": actual}  # fmt: skip
    if (events := open_dump(data, model, version, segments, named)) is not None:
        data, timestamp, version = events.path, "timestamp", version_of(events, version)
        prediction, score, actual = map(events.columns.get, ("label", "score", "actual"))
    table = DataTable(data)
    roles = {"label": prediction, "score": score, "actual": actual}
    aside = [name for name in (timestamp, identity) if name]
    check_columns(table, [*aside, *(n for n in roles.values() if n), *segments, *ignored])
    role_of = {name: role for role, name in roles.items() if name}
    if events is not None and (latency := events.columns.get("latency")):
        role_of[latency] = "latency"
    notes: dict[str, str] = {}
    kinds = _kinds(table, {*aside, *segments, *ignored}, role_of, notes)
    sample = _SAMPLE_VALUES // max(_FULL_COLUMNS, list(kinds.values()).count("numeric"))
    fitter = ReferenceFitter(kinds, roles=role_of, cycle_ms=cycle_ms, sample=sample)
    with progress() as bar:
        task = bar.add_task("first pass", total=table.rows, note="rows")
        for batch in table.batches(kinds, timestamp):
            fitter.survey(batch.columns, batch.times_ms)
            bar.update(task, advance=batch.rows)
        _drop_identifiers(fitter, table, kinds, role_of, notes)
        daily = _daily(fitter, kinds) if timestamp and not cycle_ms else []
        task = bar.add_task("second pass", total=fitter.rows, note="rows")
        for batch in table.batches(kinds, timestamp):
            fitter.count(batch.columns, batch.times_ms)
            bar.update(task, advance=batch.rows)
    reference = fitter.finish(
        model=model,
        version=version,
        segments=segments,
        column_mapping=ColumnMapping(
            timestamp, identity, prediction, score, actual,
            tuple(dict.fromkeys([*ignored, *(name for name in table.columns if name in notes)])),
        ),
    )  # fmt: skip
    reference = _private(reference, hashed, read_hash_key(hash_key_path))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(reference.to_json())
    _report(reference, table, notes, timestamp is not None, daily)
    say(f"wrote {output} ({output.stat().st_size / 1024:,.0f} kB, {reference.hash[:19]})")


def _private(
    reference: Reference, hashed: tuple[str, ...], hashing: CategoryHash | None
) -> Reference:
    from stream.plans.privacy import apply_privacy

    try:
        return apply_privacy(reference, (), hashed, hashing)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--hash") from None


def check_columns(table: DataTable, named: list[str]) -> None:
    """Refuse a column that is not there, or is named twice."""
    import difflib

    for name in named:
        if name not in table.columns:
            near = difflib.get_close_matches(name, table.columns, 1)
            hint = f"Did you mean {near[0]}?" if near else f"It has: {', '.join(table.columns)}."
            raise click.BadParameter(f"{table.path} has no column {name!r}. {hint}")
        if named.count(name) > 1:
            raise click.BadParameter(f"column {name!r} is named for two purposes. Choose one.")


def _kinds(
    table: DataTable, left_out: set[str], role_of: dict[str, str], notes: dict[str, str]
) -> dict[str, str]:
    """Kinds of the signals, in the order of the file; why other columns are none, in notes."""
    kinds = {}
    for name, column in table.columns.items():
        if name in left_out:
            continue
        role = role_of.get(name)
        if column.kind == "none":
            notes[name] = f"left out: {column.note}"
        elif column.kind == "time" and role is None:
            notes[name] = "left out: times are no signal (name one with --timestamp)"
        elif role in ("label", "actual") and column.classes:
            kinds[name] = "categorical"  # a few whole numbers name classes
        else:
            kinds[name] = "numeric" if column.kind == "time" else column.kind
    _check_some(table, kinds)
    return kinds


def _check_some(table: DataTable, kinds: dict[str, str]) -> None:
    if not kinds:
        raise click.BadParameter(
            f"{table.path} has no column that can be a signal: what is left are times and "
            "identifiers. Name a --prediction or --score, or add features."
        )


def _drop_identifiers(
    fitter: ReferenceFitter, table: DataTable, kinds: dict[str, str], role_of: dict[str, str],
    notes: dict[str, str],
) -> None:  # fmt: skip
    """Between the passes: leave out names that hardly repeat."""
    for name, kind in list(kinds.items()):
        if kind == "categorical" and name not in role_of:
            distinct = fitter.distinct(name)
            if distinct > max(_IDENTIFIER_LEAST, _IDENTIFIER_SHARE * fitter.rows):
                notes[name] = (
                    f"left out: {distinct:,} different values, so an identifier (see --id)"
                )
                fitter.drop(name)
                del kinds[name]
    _check_some(table, kinds)


def _daily(fitter: ReferenceFitter, kinds: dict[str, str]) -> list[str]:
    """Numeric signals that follow the hour of the day."""
    from stream.proposal import daily_share

    times, pace = fitter.sample_times(), fitter.pace()
    if times is None or pace is None:
        return []
    together = ~pace.odd(times)
    times = times[together]
    step = -(-times.size // _DAILY_ROWS)
    return [
        name
        for name, kind in kinds.items()
        if kind == "numeric"
        and daily_share(fitter.sample(name)[together][::step], times[::step]) >= _DAILY_SHARE
    ]


def _report(
    reference: Reference, table: DataTable, notes: dict[str, str], timed: bool, daily: list[str]
) -> None:
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
        wrong = int(signal.counts[binning.invalid])
        rows.append(
            (
                signal.name, signal.role, signal.kind, str(used),
                f"{missing / reference.events:.1%}" if missing else "-",
                f"{signal.calibration.phi:.2f}",
                f"{wrong:,} values are not numbers" if wrong else table.columns[signal.name].note,
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
    if reference.time_step_ms == _DAY_MS:
        say("the times are dates without a time of day: a pane of one day (1d) is proposed below")
    for warning in reference.warnings:
        say(f"warning: {warning}")
    if daily:
        more = f" and {len(daily) - 3} more" if len(daily) > 3 else ""
        say(
            f"a daily cycle shows in {', '.join(daily[:3])}{more}: with --cycle 24h day and night "
            "are no drift"
        )
    say_lines("for the config:\n" + model_toml(reference))
