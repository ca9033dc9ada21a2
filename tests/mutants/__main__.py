"""`make mutants`: changes the code in one place at a time, and says whether a test noticed."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.mutants.edits import Edit, edits_of
from tests.mutants.table import EQUIVALENT, TESTS
from tests.mutants.trial import Trial

ROOT = Path(__file__).resolve().parents[2]


class Mutant(NamedTuple):
    module: str
    source: bytes
    edit: Edit


def mutants_of(places: list[str]) -> list[Mutant]:
    """All mutants of the named places: folders, modules, or `module:line`."""
    found = []
    for place in places:
        name, _, line = place.partition(":")
        modules = [m for m in TESTS if m == name or m.startswith(name.rstrip("/") + "/")]
        if not modules:
            sys.exit(f"{name}: tests/mutants/table.py names no tests for it. Add them there.")
        for module in modules:
            source = (ROOT / module).read_bytes()
            edits = edits_of(source)
            found += [Mutant(module, source, e) for e in edits if not line or e.line == int(line)]
    return found


def main() -> int:
    """0 if every mutant was caught, or is known to be none; else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("places", nargs="*", help="module, module:line or folder; default: all")
    parser.add_argument("--number", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    chosen = parser.parse_args()
    mutants = mutants_of(chosen.places or list(TESTS))
    number = min(chosen.number, len(mutants))
    drawn = sorted(random.Random(chosen.seed).sample(mutants, number))
    print(f"{number} of {len(mutants):,} mutants, seed {chosen.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trial = Trial(ROOT, Path(folder)) if not chosen.list else None
        counted = Counter(_try(mutant, trial) for mutant in drawn)
    print(", ".join(f"{count} {word}" for word, count in sorted(counted.items())))
    return 1 if counted["survived"] else 0


def _try(mutant: Mutant, trial: Trial | None) -> str:
    """Say of one mutant what became of it."""
    before, after = mutant.edit.lines(mutant.source)
    place = f"{mutant.module}:{mutant.edit.line}"
    seconds = 0.0
    if (mutant.module, before, after) in EQUIVALENT:
        word = "equivalent"
    elif trial is None:
        word = "listed"
    else:
        tests = TESTS[mutant.module]
        trial.prepare(tests)
        word, seconds = trial.run(mutant.module, mutant.edit.apply(mutant.source), tests)
    print(f"{word:10} {seconds:5.0f} s  {place}\n    - {before}\n    + {after}", flush=True)
    return word


if __name__ == "__main__":
    sys.exit(main())
