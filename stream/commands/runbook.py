"""`driftstream runbook`: what to do about an alert."""

from __future__ import annotations

import sys

import click

from stream.commands.shared import console, print_table

__all__ = ["command"]


def _names(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    from stream.runbooks import runbooks

    return [name for name in runbooks() if name.startswith(begun)]


@click.command("runbook")
@click.argument("kind", required=False, shell_complete=_names)
def command(kind: str | None) -> None:
    """Print what to do about alerts of a KIND: what it means, where to look first, what to do.

    KIND is that of an episode, such as data_drift, or the name of an alert of the Prometheus rules,
    such as DriftstreamLagHigh. Without it: which runbooks there are.
    """
    from stream.runbooks import UnknownRunbookError, find_runbook, runbooks

    if kind is None:
        of_kinds = [page for page in runbooks().values() if page.is_kind]
        print_table("", ("episodes of kind", "about"), [(p.name, p.title) for p in of_kinds])
        others = [page for page in runbooks().values() if not page.is_kind]
        click.echo()
        print_table(
            "",
            ("pipeline", "about", "alerts of the Prometheus rules"),
            [(page.name, page.title, ", ".join(page.alerts)) for page in others],
        )
        return
    try:
        page = find_runbook(kind)
    except UnknownRunbookError as error:
        raise click.BadParameter(str(error), param_hint="'KIND'") from error
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        console().print(Markdown(page.text, hyperlinks=False))
    else:
        click.echo(page.text, nl=False)
