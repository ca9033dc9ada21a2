"""What was meant by a command or an option that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

import click

__all__ = ["SpellingGroup", "name_nearest"]

_LIKE: Final = 0.5


class SpellingGroup(click.Group):
    """Commands by name; for a wrong name the error says which is near, or which there are."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; the error names what is near."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchOption:
            raise
        except click.UsageError:
            known = self.list_commands(ctx)
            hint = _near(args[0], known) or f"There are: {', '.join(known)}."
            raise click.UsageError(f"No such command {args[0]!r}. {hint}", ctx) from None


def name_nearest(error: click.NoSuchOption) -> None:
    """Let the error about an option name the one that is nearest to it."""
    if error.ctx is None:
        return
    parameters = error.ctx.command.get_params(error.ctx)
    known = [name for each in parameters for name in each.opts if name.startswith("--")]
    error.message = (
        f"No such option: {error.option_name}. {_near(error.option_name, known)}".strip()
    )
    error.possibilities = None  # click's own list of what is near, in an order of its own


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, _LIKE)
    return f"Did you mean {near[0]}?" if near else ""
