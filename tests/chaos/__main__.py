"""`make chaos`: the long form. Exit code 1 if anything was lost or invented."""

from __future__ import annotations

import argparse
import os
import sys

from tests.chaos.faults import LONG
from tests.chaos.run import run, table

parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="a run each")
parser.add_argument("--events", type=int, default=2_000_000, help="of each run")
parser.add_argument("--faults", type=float, default=1.0, help="times as many faults")
parser.add_argument("--away", type=float, default=120.0, help="seconds of the longest outage")
parser.add_argument("--keep", action="store_true", help="keep logs and data of good runs too")
chosen = parser.parse_args()

outcomes = []
for seed in chosen.seeds:
    outcomes.append(
        run(
            seed,
            chosen.events,
            {fault: max(1, round(n * chosen.faults)) for fault, n in LONG.items()},
            away_s=chosen.away,
            real="DRIFTSTREAM_DATA" in os.environ,
            keep=chosen.keep,
            say=lambda words: print(words, file=sys.stderr, flush=True),
        )
    )
    print(table(outcomes), flush=True)
sys.exit(any(outcome.complaints for outcome in outcomes))
