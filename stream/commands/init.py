"""`driftstream init`: from a data file to a reference and a config, in one step."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.commands.fit_options import fit_options
from stream.commands.shared import OUT_FILE, answer, say, when
from stream.contracts.roles import ROLES
from stream.text.counted import counted, some_of
from stream.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from detectors import SignalReference
    from stream.commands.fit_file import Fitted

__all__ = ["command"]

_NAMED: Final = 12
_PAGE: Final = "http://127.0.0.1:9464/"


@click.command("init")
@click.option("--model", help="Name of the model. Default: the name of the file.")
@fit_options
@click.option(
    "-c",
    "--config",
    "config_path",
    default="driftstream.toml",
    show_default=True,
    type=OUT_FILE,
    help="Where the config is written.",
)
@click.option(
    "-o",
    "--output",
    type=OUT_FILE,
    help="Where the reference is written. Default: MODEL.json beside the config.",
)
@click.option(
    "--bootstrap-servers",
    "servers",
    default="127.0.0.1:9092",
    show_default=True,
    metavar="HOST:PORT",
    help="Kafka, for the config.",
)
@click.option("--topic", default="predictions", show_default=True, help="Of the model's events.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def command(
    data: Path,
    model: str | None,
    config_path: Path,
    output: Path | None,
    servers: str,
    topic: str,
    force: bool,
    **options: Any,
) -> None:
    """Begin with DATA: write a reference of it and a config, and say what comes next.

    The reference is what `fit` makes of DATA, with the same options. Where none says it, the only
    column of times is that of the events, and columns called prediction, score or actual are that;
    the name of the file is the model's. What was taken for what is said.
    """
    from stream.commands.fit_file import fit_file
    from stream.commands.fit_report import tell_doubts
    from stream.commands.init_config import config_text

    model = data.name.split(".")[0] if model is None else model
    reference_path = output or config_path.parent / f"{_file_name(model)}.json"
    _refuse(config_path, reference_path, force)
    fitted = fit_file(data, model, **options, guess=True)
    reference = fitted.reference
    text = config_text(
        reference,
        config_path,
        reference_path,
        data,
        servers=servers,
        topic=topic,
        hash_key_path=options["hash_key_path"] if options["hashed"] else None,
    )
    for path, content in ((reference_path, reference.to_json()), (config_path, text.encode())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    _tell_found(fitted, data)
    tell_doubts(fitted)
    _tell_next(fitted, config_path, reference_path, servers)


def _refuse(config_path: Path, reference_path: Path, force: bool) -> None:
    if config_path.resolve() == reference_path.resolve():
        raise click.UsageError("-c and -o name one file. Give them two.")
    if there := [str(p) for p in (config_path, reference_path) if p.exists() and not force]:
        is_ = "is" if len(there) == 1 else "are"
        raise click.UsageError(
            f"{' and '.join(there)} {is_} there already. Write over with --force, or name others "
            "with -c and -o. For another model in the same config: driftstream fit, which prints "
            "its [[models]]."
        )


def _file_name(model: str) -> str:
    return re.sub(r"[^\w.-]+", "-", model).strip("-.") or "reference"


def _tell_found(fitted: Fitted, data: Path) -> None:
    """The rows, and each column with what it was taken for, in a few lines."""
    from detectors.references.segments import segment_name

    reference = fitted.reference
    until = f", {when(reference.first_ms)} to {when(reference.last_ms)} UTC" if fitted.timed else ""
    answer(f"{data}: {counted(reference.events, 'row')}{until}")
    signals, stamp = reference.signals, reference.columns.timestamp
    if stamp is not None:
        why = f" ({fitted.guessed.why})" if fitted.guessed.why else ""
        answer(f"  {'times':<11} {stamp or 'the column without a name'}{why}")
    for role in ROLES.values():
        if role.name != "feature":
            _tell(role.option, [s for s in signals if s.role == role.name], kinds=True)
    features = [s for s in signals if s.role == "feature"]
    for kind, title in (("numeric", "numbers"), ("categorical", "names")):
        _tell(title, [s for s in features if s.kind == kind])
    for title, segments in (
        ("segments", reference.segments),
        ("protected", reference.protected),
    ):
        if segments:
            names = [printable(segment_name(segment)) for segment in segments]
            answer(f"  {title:<11} {some_of(names, _NAMED)}")
    for words in _some(
        f"{name or '(no name)'}: {note.removeprefix('left out: ')}"
        for name, note in fitted.notes.items()
    ):
        answer(f"  {'left out':<11} {words}")
    columns = fitted.table.columns
    for words in _some(
        f"{s.name}: {columns[s.name].note}"
        for s in signals
        if not s.is_derived and columns[s.name].note
    ):
        say(f"note: {words}")
    for hint in fitted.guessed.hints:
        say(f"note: {hint}")


def _some(each: Iterable[str]) -> Iterator[str]:
    """The first of them, and how many more there are."""
    found = list(each)
    yield from found[:_NAMED]
    if more := found[_NAMED:]:
        yield f"{len(more)} more: `driftstream fit` lists every column"


def _tell(title: str, signals: list[SignalReference], *, kinds: bool = False) -> None:
    if signals:
        described = [_described(signal, kinds) for signal in signals]
        answer(f"  {title:<11} {some_of(described, _NAMED)}")


def _described(signal: SignalReference, kinds: bool) -> str:
    missing = int(signal.counts[signal.binning.missing])
    parts = []
    if kinds:
        parts.append("numbers" if signal.kind == "numeric" else "names")
    if missing:
        parts.append(f"{missing / signal.counts.sum():.1%} missing")
    return f"{signal.name} ({', '.join(parts)})" if parts else signal.name


def _tell_next(fitted: Fitted, config_path: Path, reference_path: Path, servers: str) -> None:
    """What was written, and the commands from here to an alert."""
    answer(f"wrote {reference_path} (the reference: counts, no rows) and {config_path}")
    config = shlex.quote(str(config_path))
    rate, sent = "", "or send events from your service: docs/events.md"
    if not fitted.timed:
        rate, sent = " --rate 20", "an event has the time at which it is sent: let minutes pass"
    steps = [
        (f"driftstream replay NEW -c {config}", "NEW: later rows. What would have alerted?"),
        *_broker(servers),
        (f"driftstream topics -c {config} --create", ""),
        (f"driftstream check -c {config}", ""),
        (f"driftstream worker -c {config}", f"in a terminal of its own; page: {_PAGE}"),
        (
            f"driftstream produce NEW -c {config} --model {shlex.quote(fitted.reference.model)}"
            f"{rate}",
            sent,
        ),
        (f"driftstream alerts -c {config} --follow --all", ""),
    ]
    width = max(len(words) for words, _ in steps)
    answer("next:")
    for words, why in steps:
        answer(f"  {words:<{width}}  # {why}" if why else f"  {words}")


def _broker(servers: str) -> Iterable[tuple[str, str]]:
    host, _, port = servers.rpartition(":")
    if host in ("127.0.0.1", "localhost") and port.isdigit():
        yield f"driftstream broker start --port {port}", "if no Kafka of yours is there"
