"""The command line: which commands there are, and what their failures look like.

A command's module is imported when that command runs, so `driftstream --help` answers at once.
Exit codes: 0 done, 1 failed, 2 wrong use (of an option or in the config), 3 done, and
the data did not pass (`replay --fail-on`).
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Final

import click

from stream.commands.spelling import SpellingGroup, name_nearest
from stream.contracts.errors import DriftstreamError
from stream.process.extras import missing_words
from stream.process.patient_stderr import make_stderr_patient
from stream.text.printable import printable

__all__ = ["cli", "main"]

#: name -> (module, one line of help)
COMMANDS: Final = {
    "init": ("init", "Begin with a data file: a reference and a config, in one step."),
    "fit": ("fit", "Make a reference of training data: CSV, Parquet, Arrow or JSON lines."),
    "replay": ("replay", "Run both stages over a file in this process: what would have alerted?"),
    "map": ("map", "Show what is understood of a record in another format, and write its config."),
    "worker": ("worker", "Run a Kafka worker."),
    "produce": ("produce", "Publish a file's rows as prediction events."),
    "ingest": ("ingest", "Take events over HTTP, for those without a Kafka client."),
    "alerts": ("alerts", "Read the alerts topic."),
    "ack": ("ack", "Acknowledge an episode: no notifications of it for a while."),
    "runbook": ("runbook", "Print what to do about an alert."),
    "report": ("report", "Write a file about one episode: HTML or Markdown."),
    "notify": ("notify", "Deliver alerts to Alertmanager, webhooks and Slack."),
    "topics": ("topics", "Show, check and create the topics."),
    "skip": ("skip", "Pass over a batch that cannot be read."),
    "state": ("state", "Look at the workers' snapshots, and reset them."),
    "plan": ("plan", "Publish and show plans."),
    "check": ("check", "Check the config, its references and the connection."),
    "capacity": ("capacity", "Say how many cores, partitions and bytes a load needs."),
    "broker": ("broker", "Run a real Kafka broker for development, without Docker."),
    "demo": ("demo", "See it find drift: real flights, or a live change."),
}


#: Packages of others whose errors are for users too.
_LIBRARIES: Final = ("kafka", "aiokafka")
_COMPLETION: Final = """\b
Completion of commands and options, in bash (in zsh: zsh_source), for this session:
  source <(_DRIFTSTREAM_COMPLETE=bash_source driftstream)
In fish: _DRIFTSTREAM_COMPLETE=fish_source driftstream | source
"""


class _Commands(SpellingGroup):
    """Commands by name, imported late; errors of ours as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"stream.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name_nearest(error)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if isinstance(error, click.NoSuchOption):
                name_nearest(error)
            error.message = printable(error.message)  # it may repeat a name
            raise
        except Exception as error:
            if os.environ.get("DRIFTSTREAM_TRACEBACK") or not _is_for_user(error):
                raise
            click.echo(f"driftstream: {_words(error)}", err=True)
            ctx.exit(error.exit_code if isinstance(error, DriftstreamError) else 1)


def _is_for_user(error: Exception) -> bool:
    """Whether the message is meant for users; anything else is a bug and shows its traceback."""
    if isinstance(error, click.ClickException | click.exceptions.Exit | click.Abort):
        return False  # click's own, which it shows itself
    if isinstance(error, BrokenPipeError):
        return False  # the reader went away: `main` ends without a word
    if isinstance(error, ModuleNotFoundError):
        return bool(missing_words(error, "this"))
    if isinstance(error, DriftstreamError | OSError):
        return True
    # The statistics take seconds to import, and an error of theirs shows that they are.
    statistics = sys.modules.get("detectors.errors")
    if statistics is not None and isinstance(error, statistics.DetectorsError):
        return True
    return type(error).__module__.partition(".")[0] in _LIBRARIES


def _words(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return printable(missing_words(error, "this command"), 2_000)
    text = " ".join(str(error).split()) or type(error).__name__
    return printable(text, 2_000)


@click.group(
    cls=_Commands, epilog=_COMPLETION, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="driftstream", prog_name="driftstream")
def cli() -> None:
    """Watch models in production for drift, with a stated number of false alarms a week.

    \b
    driftstream init january.csv --model fraud           a reference and a config
    driftstream replay february.csv -c driftstream.toml  what would have alerted
    driftstream demo                                     all of it on a real broker
    """


def main() -> None:
    """Entry point of the `driftstream` command."""
    make_stderr_patient()
    try:
        cli(prog_name="driftstream")
    except BrokenPipeError:  # the reader went away, as in `driftstream alerts | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


if __name__ == "__main__":
    main()
