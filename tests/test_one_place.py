"""Facts that are written once: lengths of time, and times that stand for something else."""

from __future__ import annotations

import re
from pathlib import Path

import detectors.units
import stream.text.durations
from stream.contracts.moments import INFINITY, MINUS_INFINITY, NOT_YET

ROOT = Path(__file__).resolve().parent.parent
#: A number that has a name, and the modules that give it one.
NAMED = {
    r"\b(86_?400_?000|604_?800_?000|3_?600_?000)\b": {
        "detectors/units.py", "stream/text/durations.py",
    },
    # Of counts and offsets it is the largest.
    r"\b2 ?\*\* ?62\b": {
        "stream/contracts/moments.py", "detectors/counting/sparse.py",
        "detectors/references/json_reader.py", "stream/contracts/summary_message.py",
    },
}  # fmt: skip


def test_a_number_that_has_a_name_is_called_by_it():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for folder in ("detectors", "stream", "driftstream")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for pattern, homes in NAMED.items()
        if str(path.relative_to(ROOT)) not in homes
        and re.search(pattern, line)
        and not line.strip().startswith(("#", ">>>"))
    ]
    assert not found


def test_lengths_of_time_are_the_same_in_both_packages():
    for name in detectors.units.__all__:
        assert getattr(detectors.units, name) == getattr(stream.text.durations, name)
    assert detectors.units.WEEK_MS == 7 * 24 * 60 * 60 * 1000


def test_no_event_has_a_time_that_stands_for_something_else():
    from stream.contracts.event_time import END_MS

    assert MINUS_INFINITY < NOT_YET < 0 < END_MS < INFINITY
    # Lengths of time are added to both: the sums stay in an int64.
    assert INFINITY + END_MS < 2**63
    assert MINUS_INFINITY - END_MS > -(2**63)
