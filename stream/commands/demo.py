"""`driftstream demo`: the whole of it, on real data and on a real broker."""

from __future__ import annotations

import click

from stream.commands.shared import console

__all__ = ["command"]


@click.command("demo")
@click.argument("which", type=click.Choice(["flights", "live"]), default="flights")
@click.option("--seed", default=0, show_default=True, help="Of everything that is drawn.")
def command(which: str, seed: int) -> None:
    """Run a broker, a worker and a stream that drifts, and show the alerts as they come.

    `flights` (default) sends seven months of real flights past a model trained on January; `live`
    changes a synthetic model's input while you watch, and measures the delay of the alert.
    """
    if which == "flights":
        _check_packages()
    from stream.demo import demo_flights, demo_live

    run = demo_flights if which == "flights" else demo_live
    raise click.exceptions.Exit(run(console(), seed=seed))


def _check_packages() -> None:
    """What the demo alone needs: Java may come from elsewhere than from a wheel."""
    from stream.process.extras import extra_packages, install_command, missing_of

    others = {*extra_packages("broker"), *extra_packages("worker")}
    missing = missing_of(each for each in extra_packages("demo") if each not in others)
    if missing:
        raise click.ClickException(
            f"the demo of flights needs packages that are not installed: {', '.join(missing)}. "
            f"Install: {install_command(missing)}"
        )
