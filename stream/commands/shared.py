"""What several commands have in common: options, tables, and how a sentence looks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.commands.data_path import DataPath
from stream.text.printable import printable, printable_json, printable_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from stream.config.load import Config
    from stream.contracts.alert_event import AlertEvent
    from stream.plans.plan import AnyPlan
    from stream.plans.privacy import CategoryHash

__all__ = [
    "IN_FILE",
    "OUT_FILE",
    "alert_line",
    "config_option",
    "console",
    "data_argument",
    "hash_key_option",
    "open_config",
    "plan_name",
    "print_table",
    "progress",
    "read_hash_key",
    "say",
    "say_lines",
    "start_log",
    "when",
]

#: Files that are read, and those that are written.
IN_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
OUT_FILE: Final = click.Path(dir_okay=False, path_type=Path)

config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    required=True,
    envvar="DRIFTSTREAM_CONFIG",
    show_envvar=True,
    help="The config file (TOML).",
)
data_argument = click.argument("data", type=DataPath())
hash_key_option = click.option(
    "--hash-key-file",
    "hash_key_path",
    envvar="DRIFTSTREAM_HASH_KEY_FILE",
    show_envvar=True,
    type=IN_FILE,
    help="File with the key of hashed categories.",
)

_COLOUR = {"critical": "red", "warning": "yellow", "info": "cyan"}


def open_config(path: Path) -> Config:
    """Read the config file."""
    from stream.config.load import load_config

    return load_config(path)


def plan_name(plan: AnyPlan) -> str:
    """The model of a plan, with the version if it is for one."""
    return plan.model if plan.version == "*" else f"{plan.model}/{plan.version}"


def read_hash_key(path: Path | None) -> CategoryHash | None:
    """Give the key of hashed categories, if a file of it was named."""
    from stream.plans.privacy import CategoryHash

    return None if path is None else CategoryHash(path.read_text().rstrip("\r\n"))


def console(*, err: bool = False) -> Console:
    """Give a console on stdout or stderr; plain and unwrapped where it is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else 10_000
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


def say(words: str) -> None:
    """Print a line for people: to stderr, so that stdout stays data."""
    click.echo(printable(words), err=True)


def say_lines(words: str) -> None:
    """Print lines of ours for people to stderr."""
    click.echo(printable_lines(words), err=True)


def answer(words: str, mark: str = "") -> None:
    """Print a line of the answer to stdout, after a mark that may be coloured."""
    click.echo(f"{mark}{printable(words)}")


def answer_json(document: bytes | str) -> None:
    """Print JSON to stdout: the same values, and nothing in them that steers a terminal."""
    click.echo(printable_json(document))


def start_log(verbose: bool) -> None:
    """Log to stderr, a line for each record."""
    import logging

    from stream.text.printable import PrintableFormatter

    handler: logging.Handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout: boxed on a terminal, aligned columns otherwise."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    terminal = sys.stdout.isatty()
    table = Table(
        title=escape(printable(title)) or None,
        title_justify="left",
        pad_edge=False,
        box=box.SIMPLE_HEAD if terminal else None,
        expand=False,
    )
    for head in heads:
        numbers = rows and all(_is_figure(row[len(table.columns)]) for row in rows)
        table.add_column(head, justify="right" if numbers else "left", no_wrap=not terminal)
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    console().print(table)


def _is_figure(text: str) -> bool:
    return not text or text[0].isdigit() or text[0] in "-+." or text == "n/a"


def progress(*, transient: bool = True) -> Progress:
    """Give a progress bar on stderr; nothing is drawn where that is no terminal."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    ]
    return Progress(
        *columns, console=console(err=True), transient=transient, disable=not sys.stderr.isatty()
    )


def when(time_ms: int) -> str:
    """Event time as people write it."""
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def alert_line(alert: AlertEvent) -> str:
    """Render an alert event as one line: time, status, severity, episode and its sentence."""
    data = alert.data
    firing = data.status == "firing"
    mark = click.style(
        f"{data.status:8}",
        fg=_COLOUR.get(data.severity, "white") if firing else "green",
        bold=firing,
    )
    episode = click.style(data.episode[:8], dim=True)
    summary = printable(data.annotations.summary)
    return f"{alert.time}  {mark} {data.severity:8} {episode} {summary}"
