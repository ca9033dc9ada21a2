"""`python -m benchmarks`: every figure of the goals beside its peers, from one run.

Sections run one after the other: W1 to W7, scale, latency, parts, memory. `--only W1,parts` runs
some; `--resume` goes on where a run was broken off, as each section is stored when it is done.
`--quick` is a short look that leaves the README alone. `--profile` measures nothing and prints
where a worker spends its time with the workloads of `--only`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from benchmarks import figures, latency, parts, scale, tables, throughput
from benchmarks.figures import Figure
from benchmarks.workloads import WORKLOADS
from stream.devbroker.broker import Broker, find_broker

SECTIONS = (*WORKLOADS, "scale", "latency", "parts", "memory")
_WITHOUT_BROKER = {"parts", "memory"}
RUN = figures.HERE / "results" / "run.json"

Result = tuple[list[Figure], dict[str, Any]]


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for. A goal that is missed is said; only work not done is an error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", default=",".join(SECTIONS), help="such as W1,W3,parts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args(arguments)
    names = options.only.split(",")
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    stored = json.loads(RUN.read_text()) if options.resume and RUN.exists() else {}
    whole = set(names) == set(SECTIONS) and not options.quick and not options.profile
    began = time.monotonic()
    with nullcontext() if set(names) <= _WITHOUT_BROKER else _broker() as broker:
        for name in names:
            if name in stored:
                print(f"{name}: as of the run that is resumed", flush=True)
                continue
            print(f"{name}, after {time.monotonic() - began:.0f} s", flush=True)
            found, details = _section(name, broker, options)()
            stored[name] = {"figures": [one.as_dict() for one in found], "details": details}
            if whole:
                RUN.write_text(json.dumps(stored, indent=1) + "\n")
    if options.profile:
        return 0
    every = [figure for name in names for figure in stored[name]["figures"]]
    print(figures.figure_table(every))
    print(f"took {time.monotonic() - began:.0f} s")
    if options.out is not None or whole:
        sections = {name: stored[name]["details"] for name in names}
        result = figures.write(options.out or figures.LATEST, every, sections=sections)
        if whole:
            RUN.unlink()
            tables.update(result)
    if missed := [figure["what"] for figure in every if figure["met"] is False]:
        print("\nbelow its goal: " + "; ".join(missed))
    return 0


def _broker() -> Broker:
    found = find_broker()
    if found.broker is None:
        raise SystemExit(f"benchmarks need a Kafka broker: {found.sentence}")
    print(f"broker: {found.sentence}", flush=True)
    return found.broker


def _section(name: str, broker: Broker | None, options: argparse.Namespace) -> Callable[[], Result]:
    rounds, share = (1, 0.34) if options.quick else (options.rounds, 1.0)
    if name == "parts":
        return lambda: (parts.run(), {})
    if name == "memory":
        return lambda: (parts.run_memory(), {})
    assert broker is not None
    if name == "scale":
        return lambda: scale.run(broker, share)
    if name == "latency":
        return lambda: latency.run(broker, quick=options.quick)
    return lambda: throughput.run(broker, name, rounds, share, profile=options.profile)


if __name__ == "__main__":
    sys.exit(main())
