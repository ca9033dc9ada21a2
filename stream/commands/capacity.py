"""`driftstream capacity`: how many cores, partitions and bytes a load needs."""

from __future__ import annotations

import click

__all__ = ["command"]


@click.command("capacity")
@click.option(
    "--events-per-second",
    "rate",
    type=click.FloatRange(min=0, min_open=True),
    required=True,
    help="Of all models together.",
)
@click.option("--signals", type=click.IntRange(min=1), required=True, help="Watched, of one model.")
@click.option("--models", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--segments",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Segment values of one model.",
)
@click.option(
    "--form",
    type=click.Choice(["json", "batch", "arrow"]),
    default="json",
    show_default=True,
    help="How events come: one by one, or as batches.",
)
@click.option(
    "--pane",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds.",
)
def command(rate: float, signals: int, models: int, segments: int, form: str, pane: float) -> None:
    """Show what a load needs, with the arithmetic, from measured unit costs."""
    from stream.capacity import UNITS, Load, capacity

    lines = list(capacity(Load(rate, signals, models, segments, form, pane)))
    width = max(len(line.what) for line in lines)
    for line in lines:
        click.echo(f"{line.what:<{width}}  {click.style(line.value, bold=True)}")
        click.echo(f"{'':<{width}}    = {line.how}")
    click.echo(f"\nUnit costs: {UNITS.source}.")
