"""Compare two results: `python -m benchmarks.compare OLD.json NEW.json [--tolerance 0.15]`.

Exit code 1 where a figure got worse by more than its tolerance. Memory hardly varies between runs,
so its tolerance is half of the others'.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.figures import show


class Difference(NamedTuple):
    """One figure in both results; `worse` is the share it got worse by, negative if better."""

    what: str
    unit: str
    old: float
    new: float
    worse: float
    failed: bool


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float
) -> Iterator[Difference]:
    """Yield every figure that both results have, in the order of the new one."""
    before = {figure["id"]: figure for figure in old["figures"]}
    for figure in new["figures"]:
        if figure["id"] not in before:
            continue
        was, now = before[figure["id"]]["value"], figure["value"]
        if min(was, now) <= 0:
            continue
        worse = 1 - now / was if figure["better"] == "higher" else now / was - 1
        limit = tolerance / 2 if figure["unit"] in ("MB", "MiB", "KB") else tolerance
        yield Difference(figure["what"], figure["unit"], was, now, worse, worse > limit)


def main(arguments: list[str] | None = None) -> int:
    """Print the differences; 1 if anything got worse beyond its tolerance."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--tolerance", type=float, default=0.15, help="share, default 0.15")
    options = parser.parse_args(arguments)
    results = []
    for path in (options.old, options.new):
        try:
            results.append(json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            print(f"{path} is not a result of this benchmark: {error}", file=sys.stderr)
            return 2
    if results[0]["about"]["cpu"] != results[1]["about"]["cpu"]:
        print("The results are of different machines: compare with care.")
    failed = False
    for difference in compare(results[0], results[1], options.tolerance):
        failed |= difference.failed
        mark = "WORSE" if difference.failed else ""
        print(
            f"{difference.what:<58} {show(difference.old):>12} {show(difference.new):>12} "
            f"{difference.unit:<10} {-difference.worse:+7.1%} {mark}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
