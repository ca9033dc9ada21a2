"""`driftstream fit`: a reference of training data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stream.commands.fit_options import fit_options
from stream.commands.shared import OUT_FILE, say

__all__ = ["command"]


@click.command("fit")
@click.option("--model", required=True, help="Name of the model.")
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="A config whose [[sources]] say in which format the topic's dump is.",
)
@fit_options
@click.option(
    "-o",
    "--output",
    required=True,
    type=OUT_FILE,
    help="Where the reference is written (JSON).",
)
def command(data: Path, model: str, output: Path, **options: Any) -> None:
    """Make a reference of DATA: CSV, Parquet, Arrow or JSON lines of the training period.

    A dump of prediction events, JSON lines or Arrow IPC, is read as a worker reads the topic.
    Columns that no option names are features. The reference holds bins and counts, never rows. The
    file is read twice, in batches: it may be larger than memory.
    """
    from stream.commands.fit_file import fit_file
    from stream.commands.fit_report import report

    fitted = fit_file(data, model, **options)
    reference = fitted.reference
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(reference.to_json())
    report(fitted)
    say(f"wrote {output} ({output.stat().st_size / 1024:,.0f} kB, {reference.hash[:19]})")
