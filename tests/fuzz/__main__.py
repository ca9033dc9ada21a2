"""`make fuzz`: a million mutated inputs, and a table of what became of them."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.loop import Tally, fuzz, table


def _progress(done: Tally) -> None:
    if sys.stderr.isatty():
        print(f"{done.name}: {done.inputs:,} in {done.seconds:.0f} s", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=None, help="default: another one every time")
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else int(time.time())
    logging.disable(logging.CRITICAL)
    print(f"{chosen.inputs:,} inputs, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        tallies = fuzz(chosen.inputs, seed, Path(folder), _progress)
    print(table(tallies))


if __name__ == "__main__":
    main()
