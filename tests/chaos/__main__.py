"""`make chaos`: the long form. Exit code 1 if anything was lost or invented.

With `--soak` events flow at an even rate for so many minutes, and a worker is killed every two.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

from tests.chaos.faults import LONG, TRIO_LONG, Torment
from tests.chaos.run import run, table
from tests.chaos.soak import Soak


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="a run each")
parser.add_argument("--events", type=int, default=2_000_000, help="of each run")
parser.add_argument("--faults", type=float, default=1.0, help="times as many faults")
parser.add_argument("--away", type=float, default=120.0, help="seconds of the longest outage")
parser.add_argument("--brokers", type=int, choices=(1, 3), help="default: 1, then 3, one seed")
parser.add_argument("--soak", type=float, default=0.0, help="minutes of a soak instead")
parser.add_argument("--rate", type=int, default=5_000, help="events a second of the soak")
parser.add_argument("--kill-every", type=float, default=120.0, help="seconds, in the soak")
parser.add_argument("--keep", action="store_true", help="keep logs and data of good runs too")
chosen = parser.parse_args()

runs = [(seed, chosen.brokers or 1) for seed in chosen.seeds]
if chosen.soak:
    runs = runs[:1]
elif chosen.brokers is None:
    runs.append((chosen.seeds[0], 3))
outcomes = []
for seed, brokers in runs:
    faults = LONG if brokers == 1 else TRIO_LONG
    counts = {fault: max(1, round(n * chosen.faults)) for fault, n in faults.items()}
    if chosen.soak:
        n_events = int(chosen.soak * 60 * chosen.rate)
        torment = partial(
            Soak,
            seed=seed,
            minutes=chosen.soak,
            rate=chosen.rate,
            kill_every_s=chosen.kill_every,
            say=say,
        )
    else:
        n_events = chosen.events
        torment = partial(
            Torment, n_events=n_events, seed=seed, counts=counts, away_s=chosen.away, say=say
        )
    real = "DRIFTSTREAM_DATA" in os.environ
    outcomes.append(
        run(seed, n_events, torment, real=real, brokers=brokers, say=say, keep=chosen.keep)
    )
    print(table(outcomes), flush=True)
sys.exit(any(outcome.complaints for outcome in outcomes))
