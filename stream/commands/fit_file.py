"""A file of training data as a reference: what `fit` and `init` do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.commands.dump_fit import open_dump, version_of
from stream.commands.fit_columns import check_columns, choose, look_again
from stream.commands.fit_guess import Guessed, guess_columns
from stream.commands.fit_options import segments_of_options
from stream.commands.fit_seasons import seasons_of, wanted_cycle
from stream.commands.shared import progress, read_hash_key, say
from stream.contracts.roles import OUTPUTS
from stream.text.counted import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from detectors import Reference, ReferenceFitter, Seasons
    from stream.files import DataTable
    from stream.files.label_column import LabelColumn
    from stream.plans.privacy import CategoryHash

__all__ = ["Fitted", "fit_file"]

#: Values kept for quantiles: half a gigabyte, so a million of each of up to 64 columns.
_SAMPLE_VALUES: Final = 64_000_000
_FULL_COLUMNS: Final = 64


@dataclass(frozen=True)
class Fitted:
    """A reference and what was found on the way to it.

    Attributes
    ----------
    notes : dict of column to words
        Why columns of the file are no signals.
    timed : bool
        Whether the rows have times.
    """

    reference: Reference
    table: DataTable
    notes: Mapping[str, str]
    timed: bool
    fitter: ReferenceFitter
    seasons: Seasons
    guessed: Guessed


def fit_file(
    data: Path,
    model: str,
    *,
    version: str,
    timestamp: str | None,
    identity: str | None,
    prediction: str | None,
    score: str | None,
    actual: str | None,
    labels_path: Path | None,
    positive: str | None,
    threshold: float | None,
    segments: tuple[str, ...],
    protected: tuple[str, ...],
    roles: tuple[str, ...],
    categorical: tuple[str, ...],
    numeric: tuple[str, ...],
    keep: tuple[str, ...],
    missing: tuple[str, ...],
    delimiter: str,
    decimal: str | None,
    ignored: tuple[str, ...],
    hashed: tuple[str, ...],
    hash_key_path: Path | None,
    cycle: str,
    slots: str | None,
    time_zone: str,
    holidays_path: Path | None,
    keep_days: bool,
    guess: bool = False,
    config_path: Path | None = None,
) -> Fitted:
    """Fit a reference, with the options of `fit_options`.

    To `guess` is to take times and roles by what columns hold and are called, where no option
    says it.
    """
    from detectors import ColumnMapping, OutcomeOptions, ReferenceFitter, tell_of_compiling
    from detectors.references.segments import columns_of_segments
    from stream.files import DataTable, Reading
    from stream.files.blocks import Blocks
    from stream.files.label_column import LabelColumn

    tell_of_compiling(say)
    cycle_ms, slots = wanted_cycle(cycle, slots)
    columns = {
        "timestamp": timestamp,
        "id": identity,
        "prediction": prediction,
        "score": score,
        "actual": actual,
    }
    events = open_dump(data, model, version, [*segments, *protected], columns, config_path)
    if events is not None:
        data, timestamp, version = events.path, "timestamp", version_of(events, version)
    if labels_path is not None and events is not None:
        raise click.UsageError(
            f"{data} holds events: a truth that comes later repeats its prediction there. Leave "
            "--labels out."
        )
    reading = Reading(_delimiter(delimiter), tuple(t for t in missing if t) if missing else None)
    labels = None
    if labels_path is not None:
        if identity is None or actual is None:
            raise click.UsageError("--labels is joined by id: give --id and --actual, too.")
        labels = LabelColumn(labels_path, identity, actual, data, reading.delimiter)
    table = DataTable(data, reading, decimal or "", labels)
    there = table.columns if events is None else ()
    apart = segments_of_options([*segments, *protected], there)
    fair = segments_of_options(protected, there)
    by_value = columns_of_segments(apart)
    asked = {role.name: columns[role.option] for role in OUTPUTS if role.option in columns}
    role_of = _roles(roles, asked if events is None else events.columns)
    guessed = Guessed()
    if guess and events is None:
        taken = {timestamp, identity, *role_of, *by_value, *ignored, *categorical, *numeric, *keep}
        guessed = guess_columns(table, taken, set(role_of.values()), timed=timestamp is not None)
        role_of |= guessed.roles
        timestamp = guessed.timestamp if timestamp is None else timestamp
    timed = timestamp is not None
    seasons = seasons_of(slots, time_zone, holidays_path, timed, keep_days=keep_days)
    aside = [name for name in (timestamp, identity) if name is not None]
    check_columns(table, [*aside, *role_of, *by_value, *ignored])
    check_columns(table, [*categorical, *numeric])
    check_columns(table, keep)
    given_kinds = dict.fromkeys(categorical, "categorical") | dict.fromkeys(numeric, "numeric")
    for name in (*given_kinds, *keep):
        if name in (*aside, *by_value, *ignored):
            raise click.BadParameter(f"column {name!r} is named for two purposes. Choose one.")
    chosen = choose(table, {*aside, *by_value, *ignored}, role_of, given_kinds, keep)
    kinds = chosen.kinds
    numbers = max(_FULL_COLUMNS, list(kinds.values()).count("numeric"))
    fitter = ReferenceFitter(
        kinds,
        roles=role_of,
        cycle_ms=cycle_ms,
        seasons=seasons,
        outcome=OutcomeOptions(positive, threshold, fair),
        segments=apart,
        sample=_SAMPLE_VALUES // numbers,
    )
    blocks = Blocks()
    counted = {**kinds, **dict.fromkeys(by_value, "categorical")}
    with progress() as bar:
        task = bar.add_task("first pass", total=table.rows, note="rows")
        for batch in table.batches(counted, timestamp):
            fitter.survey(batch.columns, batch.times_ms)
            if timestamp is None:
                blocks.add({n: batch.columns[n] for n, k in kinds.items() if k == "categorical"})
            bar.update(task, advance=batch.rows)
        look_again(fitter, table, chosen, timestamp is not None, blocks.grouped())
        task = bar.add_task("second pass", total=fitter.rows, note="rows")
        for batch in table.batches(counted, timestamp):
            fitter.count(batch.columns, batch.times_ms)
            bar.update(task, advance=batch.rows)
    if labels is not None:
        _tell_labels(labels)
    gone = [name for name in table.columns if name in chosen.notes]
    read = {**kinds, **dict.fromkeys(by_value, "categorical")}
    found = table.reading(read)
    named = {role: name for name, role in role_of.items()}
    reference = fitter.finish(
        model=model,
        version=version,
        segments=apart,
        column_mapping=ColumnMapping(
            timestamp,
            identity,
            named.get("label"),
            named.get("score"),
            named.get("actual"),
            tuple(dict.fromkeys([*ignored, *gone])),
            found.numerals(read),
            tuple(sorted(found.commas)),
            found.missing,
            found.delimiter,
        ),
    )
    reference = replace(reference, warnings=(*reference.warnings, *chosen.warnings))
    reference = _readable(_private(reference, hashed, read_hash_key(hash_key_path)))
    return Fitted(reference, table, chosen.notes, timestamp is not None, fitter, seasons, guessed)


def _tell_labels(labels: LabelColumn) -> None:
    """Say how many labels found their rows."""
    found = len(labels) - labels.alone
    say(f"{found:,} of {counted(len(labels), 'label')} were joined to the row with their id")
    if labels.alone:
        say(f"warning: {counted(labels.alone, 'label has', 'labels have')} no row with that id")


def _delimiter(given: str) -> str:
    delimiter = {"\\t": "\t", "tab": "\t"}.get(given, given)
    if len(delimiter.encode()) > 1:
        raise click.BadParameter(
            f"{given!r} must be one character, or tab.", param_hint="--delimiter"
        )
    return delimiter


def _roles(given: tuple[str, ...], named: Mapping[Any, str | None]) -> dict[str, str]:
    """Column to role, from --role and the options that name one."""
    from detectors.references.reference import OF_COLUMNS

    columns = [(role, name) for role, name in named.items() if name]
    for pair in given:
        name, _, role = pair.rpartition("=")
        if not name or role not in OF_COLUMNS:
            raise click.BadParameter(
                f"{pair!r} must be COLUMN=ROLE; roles are {', '.join(OF_COLUMNS)}.",
                param_hint="--role",
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
