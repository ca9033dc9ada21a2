"""What makes a measured gate stale: other code, wherever it is imported, and not other words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.gates.__main__ import GATES, ROOT, sources
from benchmarks.gates.code_of import code_of, modules_of

GATE = '"""A gate."""\nfrom made.rule import level\nheld = level()\n'
RULE = 'def level():\n    """Its level."""\n    from made import late\n    return late.X\n'
FILES = {
    "made/__init__.py": "",
    "made/gate.py": GATE,
    "made/rule.py": RULE,
    "made/late.py": "X = 1\n",
    "made/other.py": "Y = 1\n",
}


def write(root: Path, **changed: str) -> Path:
    root.joinpath("made").mkdir(parents=True)
    for name, text in FILES.items():
        root.joinpath(name).write_text(changed.get(Path(name).stem, text))
    return root


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"late": "X = 2\n"}, False),  # imported within a function
        ({"rule": RULE.replace("return late.X", "return late.X + 1")}, False),
        ({"__init__": "Z = 1\n"}, False),  # runs whenever one of its modules is imported
        ({"other": "Y = 2\n"}, True),
        ({"rule": RULE.replace("Its level.", "The level.")}, True),
        ({"gate": "# a word\n" + GATE}, True),
    ],
)
def test_other_code_makes_it_stale_and_other_words_do_not(
    tmp_path: Path, changed: dict[str, str], same: bool
) -> None:
    before = code_of("made.gate", write(tmp_path / "before"))
    after = code_of("made.gate", write(tmp_path / "after", **changed))
    assert (before == after) is same


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_depends_on_what_it_measures(gate: str) -> None:
    held = {path.relative_to(ROOT).as_posix() for path in modules_of(GATES[gate].__module__, ROOT)}
    assert "detectors/references/calibration.py" in held
    uses = "Budget" in Path(sys.modules[GATES[gate].__module__].__file__ or "").read_text()
    assert not uses or code_of(GATES[gate].__module__, ROOT) == sources(gate)
    of_monitor = gate in {"G9", "G10", "G12", "G15", "G16", "G17", "real"}
    assert ("stream/stage2/detection.py" in held) is of_monitor
