"""The tool itself: which changes it makes, and what it says of those that tests notice or not."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

from tests.mutants import trial as mutants_trial
from tests.mutants.edits import edits_of
from tests.mutants.table import EQUIVALENT, TESTS
from tests.mutants.trial import Trial

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("a <= b < c", ["a < b < c", "a <= b <= c"]),
        ("(a) >= (b)", ["(a) > (b)"]),
        ("a == 'é=='", ["a != 'é=='"]),
        ("a and not b", ["a or not b", "a and b"]),
        ("a if b or c else d", ["a if b and c else d"]),
        ("not (a or b)", ["(a or b)", "not (a and b)"]),
        ("x = ((a) + 1)", ["x = ((a) )", "x = ((a) - 1)", "x = ((a) + 2)", "x = ((a) + 0)"]),
        ("x = a + 1", ["x = a", "x = a - 1", "x = a + 2", "x = a + 0"]),
        ("x[0] -= 0.5", ["pass", "x[1] -= 0.5", "x[0] -= 0.75"]),
        ("x = np.minimum(a, b)", ["x = np.maximum(a, b)"]),
        ("x: Final[int] = 7", ["x: Final[int] = 8", "x: Final[int] = 6"]),
        ("x.append(a)", ["pass"]),
        ("log.warning('%d', a + 1)", []),
        ("'''1 + 1'''", []),
        ("x = f'{a + 1}'", []),
        ("raise ValueError(1)", []),
    ],
)
def test_the_changes_of_a_line(line: str, changed: list[str]) -> None:
    source = f"é = ''\n{line}\n".encode()
    edits = edits_of(source)
    assert sorted(edit.lines(source)[1] for edit in edits) == sorted(changed)
    assert {edit.lines(source)[0] for edit in edits} <= {line}
    assert {edit.line for edit in edits} <= {2}


def test_early_leaves_are_removed_and_the_end_of_a_function_is_not() -> None:
    source = textwrap.dedent("""
        def f(a):
            for b in a:
                if b:
                    continue
                elif a:
                    raise ValueError("no")
            if a:
                return a
            return b
    """).encode()
    lines = [edit.lines(source) for edit in edits_of(source)]
    assert lines == [("continue", "pass"), ('raise ValueError("no")', "pass"), ("return a", "pass")]


def test_changes_of_every_module_are_still_python() -> None:
    for module in TESTS:
        source = (ROOT / module).read_bytes()
        for edit in edits_of(source)[::10]:
            ast.parse(edit.apply(source))
            assert edit.apply(source) != source


def test_the_tables_speak_of_what_is_there() -> None:
    for module, tests in TESTS.items():
        assert (ROOT / module).is_file(), module
        for path in tests:
            assert (ROOT / path).exists(), f"{module}: {path}"
    for module, before, after in EQUIVALENT:
        source = (ROOT / module).read_bytes()
        made = {edit.lines(source) for edit in edits_of(source)}
        assert (before, after) in made, f"{module}: {before!r} is never changed to {after!r}"


TOY = b"""
from detectors._jit import kernel

@kernel
def inner(a, b):
    return a + b

@kernel
def outer(a, b):
    while a < 0:
        a += 1
    return inner(a, b)

def largest(values):
    return max(values, default=0)
"""
TOY_TESTS = b"""
from detectors.toy import largest, outer

def test_toy():
    assert outer(2, 3) == 5
    assert outer(-2, 3) == 3
    assert largest([4, 4]) == 4
"""


def test_a_change_that_no_test_notices_survives_and_the_others_are_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels too: what calls a changed kernel is compiled anew."""
    root = tmp_path / "root"
    for name, content in {
        "detectors/__init__.py": b"",
        "detectors/toy.py": TOY,
        "test_toy.py": TOY_TESTS,
        "test_wrong.py": b"def test_wrong(): assert False",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    for name in ("_jit.py", "_kernel_cache.py"):
        (root / "detectors" / name).write_bytes((ROOT / "detectors" / name).read_bytes())
    trial = Trial(root, tmp_path)
    trial.prepare(["test_toy.py"])
    changed = {edit.lines(TOY)[1]: edit.apply(TOY) for edit in edits_of(TOY)}

    def became(line: str) -> str:
        return trial.run("detectors/toy.py", changed[line], ["test_toy.py"]).word

    assert became("return a - b") == "caught"
    assert became("return min(values, default=0)") == "survived"
    monkeypatch.setattr(mutants_trial, "_LEAST_TIMEOUT_S", 1.0)
    monkeypatch.setattr(mutants_trial, "_TIMES_SLOWER", 0)
    assert became("pass") == "timeout"
    assert (root / "detectors" / "toy.py").read_bytes() == TOY
    with pytest.raises(RuntimeError, match=r"test_wrong\.py fail on the code as it is"):
        trial.prepare(["test_wrong.py"])
