"""`driftstream fit`: a reference of training data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stream.commands.dump_fit import open_dump, version_of
from stream.commands.fit_columns import check_columns, choose, look_again
from stream.commands.fit_report import report
from stream.commands.fit_seasons import season_options, seasons_of, wanted_cycle
from stream.commands.shared import data_argument, hash_key_option, progress, read_hash_key, say

if TYPE_CHECKING:
    from detectors import Reference
    from stream.plans.privacy import CategoryHash

__all__ = ["command"]

#: Values kept for quantiles: half a gigabyte, so a million of each of up to 64 columns.
_SAMPLE_VALUES: Final = 64_000_000
_FULL_COLUMNS: Final = 64


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
    "--role", "roles", metavar="COLUMN=ROLE", multiple=True,
    help="What a column is: feature, label, score, actual or latency.",
)  # fmt: skip
@click.option(
    "--categorical", metavar="COLUMN", multiple=True, help="Its values are names, not numbers."
)
@click.option("--numeric", metavar="COLUMN", multiple=True, help="Its values are numbers.")
@click.option(
    "--keep", metavar="COLUMN", multiple=True,
    help="Keep a column that would be left out as an index or identifier.",
)  # fmt: skip
@click.option(
    "--missing", metavar="TEXT", multiple=True,
    help="What stands for no value, beside an empty field, null and NaN; '' for nothing else.",
)  # fmt: skip
@click.option("--delimiter", default="", help="Between the fields of a CSV. Default: found out.")
@click.option(
    "--decimal", type=click.Choice([".", ","]),
    help="Of the numbers of a CSV. Default: found out, by column.",
)  # fmt: skip
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
@season_options
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Where the reference is written (JSON).",
)  # fmt: skip
def command(
    data: Path, model: str, version: str, timestamp: str | None, identity: str | None,
    prediction: str | None, score: str | None, actual: str | None, segments: tuple[str, ...],
    roles: tuple[str, ...], categorical: tuple[str, ...], numeric: tuple[str, ...],
    keep: tuple[str, ...], missing: tuple[str, ...], delimiter: str, decimal: str | None,
    ignored: tuple[str, ...], hashed: tuple[str, ...], hash_key_path: Path | None, cycle: str,
    slots: str | None, time_zone: str, holidays_path: Path | None, output: Path,
) -> None:  # fmt: skip
    """Make a reference of DATA: CSV, Parquet, Arrow or JSON lines of the training period.

    A dump of prediction events, JSON lines or Arrow IPC, is read as a worker reads the topic.
    Columns that no option names are features. The reference holds bins and counts, never rows. The
    file is read twice, in batches: it may be larger than memory.
    """
    from detectors import ColumnMapping, ReferenceFitter, tell_of_compiling
    from stream.data import DataTable, Reading
    from stream.data.blocks import Blocks

    tell_of_compiling(say)
    cycle_ms, slots = wanted_cycle(cycle, slots)
    columns = {"timestamp": timestamp, "id": identity, "prediction": prediction, "score": score,
               "actual": actual}  # fmt: skip
    if (events := open_dump(data, model, version, segments, columns)) is not None:
        data, timestamp, version = events.path, "timestamp", version_of(events, version)
        prediction, score, actual = map(events.columns.get, ("label", "score", "actual"))
    seasons = seasons_of(slots, time_zone, holidays_path, timestamp is not None)
    reading = Reading(_delimiter(delimiter), tuple(t for t in missing if t) if missing else None)
    table = DataTable(data, reading, decimal or "")
    role_of = _roles(roles, {"label": prediction, "score": score, "actual": actual})
    if events is not None and (latency := events.columns.get("latency")):
        role_of[latency] = "latency"
    aside = [name for name in (timestamp, identity) if name]
    check_columns(table, [*aside, *role_of, *segments, *ignored])
    check_columns(table, [*categorical, *numeric])
    check_columns(table, keep)
    said = dict.fromkeys(categorical, "categorical") | dict.fromkeys(numeric, "numeric")
    for name in (*said, *keep):
        if name in (*aside, *segments, *ignored):
            raise click.BadParameter(f"column {name!r} is named for two purposes. Choose one.")
    chosen = choose(table, {*aside, *segments, *ignored}, role_of, said, keep)
    kinds = chosen.kinds
    numbers = max(_FULL_COLUMNS, list(kinds.values()).count("numeric"))
    fitter = ReferenceFitter(
        kinds, roles=role_of, cycle_ms=cycle_ms, seasons=seasons,
        sample=_SAMPLE_VALUES // numbers,
    )  # fmt: skip
    blocks = Blocks()
    with progress() as bar:
        task = bar.add_task("first pass", total=table.rows, note="rows")
        for batch in table.batches(kinds, timestamp):
            fitter.survey(batch.columns, batch.times_ms)
            if not timestamp:
                blocks.add({n: batch.columns[n] for n, k in kinds.items() if k == "categorical"})
            bar.update(task, advance=batch.rows)
        look_again(fitter, table, chosen, timestamp is not None, blocks.grouped())
        task = bar.add_task("second pass", total=fitter.rows, note="rows")
        for batch in table.batches(kinds, timestamp):
            fitter.count(batch.columns, batch.times_ms)
            bar.update(task, advance=batch.rows)
    gone = [name for name in table.columns if name in chosen.notes]
    read = {**kinds, **dict.fromkeys(segments, "categorical")}
    found = table.reading(read)
    named = {role: name for name, role in role_of.items()}
    reference = fitter.finish(
        model=model,
        version=version,
        segments=segments,
        column_mapping=ColumnMapping(
            timestamp, identity, named.get("label"), named.get("score"), named.get("actual"),
            tuple(dict.fromkeys([*ignored, *gone])), found.numerals(read),
            tuple(sorted(found.commas)), found.missing, found.delimiter,
        ),
    )  # fmt: skip
    reference = replace(reference, warnings=(*reference.warnings, *chosen.warnings))
    reference = _readable(_private(reference, hashed, read_hash_key(hash_key_path)))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(reference.to_json())
    report(reference, table, chosen.notes, timestamp is not None, fitter, seasons)
    say(f"wrote {output} ({output.stat().st_size / 1024:,.0f} kB, {reference.hash[:19]})")


def _delimiter(said: str) -> str:
    delimiter = {"\\t": "\t", "tab": "\t"}.get(said, said)
    if len(delimiter.encode()) > 1:
        raise click.BadParameter(
            f"{said!r} must be one character, or tab.", param_hint="--delimiter"
        )
    return delimiter


def _roles(said: tuple[str, ...], named: dict[str, str | None]) -> dict[str, str]:
    """Column to role, from --role and the options that name one."""
    from detectors.references.reference import ROLES

    columns = [(role, name) for role, name in named.items() if name]
    for pair in said:
        name, _, role = pair.rpartition("=")
        if not name or role not in ROLES:
            raise click.BadParameter(
                f"{pair!r} must be COLUMN=ROLE; roles are {', '.join(ROLES)}.", param_hint="--role"
            )
        columns.append((role, name))
    found: dict[str, str] = {}
    for role, name in columns:
        if name in found:
            raise click.BadParameter(f"column {name!r} is named for two purposes. Choose one.")
        if role != "feature" and role in found.values():
            raise click.BadParameter(f"two columns are named as {role}. Choose one.")
        found[name] = role
    return found


def _readable(reference: Reference) -> Reference:
    """What is written can be read: the checks of `replay` and the worker, before it is."""
    from detectors import Reference
    from stream.plans.kinds import readable
    from stream.plans.plan import Plan

    plan = Plan(model=reference.model, reference=reference, segments=reference.segments)
    readable(plan)
    return Reference.from_json(reference.to_json())


def _private(
    reference: Reference, hashed: tuple[str, ...], hashing: CategoryHash | None
) -> Reference:
    from stream.plans.privacy import apply_privacy

    try:
        return apply_privacy(reference, (), hashed, hashing)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--hash") from None
