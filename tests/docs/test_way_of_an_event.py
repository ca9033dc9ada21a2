"""docs/architecture.md, "The way of an event": how many modules of ours run, counted as they run.

The numbers on the page are bounds. A change that needs more says so there; one that needs clearly
fewer lowers them, so that the page stays true.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from stream.config.load import load_config
from stream.contracts.alert_event import AlertEvent
from stream.contracts.declared import settings_of
from stream.contracts.plan_settings import PlanSettings
from stream.contracts.summary_message import Source
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.plans.plan import PlanBook, decode_plan
from stream.stage1.summarise import Flush, Summariser
from stream.stage2.detection import Detection
from stream.stage2.monitor import PartitionMonitor
from tests.stream.harness import START_S, make_events, make_plan, make_reference

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
#: Way -> the number of modules that the page allows it.
BOUNDS = {way: int(n) for way, n in re.findall(r"^\| ([^|]+) \| at most (\d+) \|$", PAGE, re.M)}
#: So much below its bound a way may stay before the page has to be corrected.
SLACK = 4


@contextmanager
def traced() -> Iterator[set[str]]:
    """The modules of `detectors` and `stream` in which a function begins meanwhile.

    Compiled kernels are not seen: each is called from a function of its own module. What runs when
    a module is imported, or a kernel is loaded, is not counted: it runs once a process.
    """
    found: set[str] = set()
    once = {"detectors._jit", "detectors._kernel_cache"}
    roots = tuple(f"{ROOT / package}/" for package in ("detectors", "stream"))

    def note(frame: FrameType, event: str, _: Any) -> None:
        path = frame.f_code.co_filename
        is_function = frame.f_code.co_flags & inspect.CO_OPTIMIZED  # and no body of a class
        if event == "call" and is_function and path.startswith(roots):
            found.add(Path(path).relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)
        found -= once


class Pipeline:
    """Both stages, an event at a time; each event is flushed, so that it has a summary."""

    def __init__(self) -> None:
        plans = PlanBook()
        plans.add(make_plan())
        self.stage1 = Summariser(Source("id", "predictions", 0, 1), plans, NativeDecoder(plans))
        self.stage2 = PartitionMonitor(plans)
        self._offset = 0

    def summarise(self, record: FileRecord) -> list[Flush]:
        last = self.stage1.add([record]), self.stage1.flush_idle()
        return [*last[0], last[1]] if last[1] is not None else last[0]

    def monitor(self, flushes: list[Flush]) -> list[AlertEvent]:
        alerts = []
        for flush in flushes:
            for value in (*(value for _, value in flush.summaries), flush.progress):
                alerts += self.stage2.apply(self._offset, value, 0, plans_current=True)
                self._offset += 1
        return alerts

    @property
    def windows(self) -> int:
        (subject,) = self.stage2.subjects.values()
        return 0 if subject.detection is None else subject.detection.windows.n_closed


def way_of_events() -> dict[str, set[str]]:
    """The modules that one event of a running pipeline passes, by how far it comes."""
    records = [
        FileRecord(i, (START_S + i) * 1000, value)
        for i, value in enumerate(make_events(3, 1_500, drift_at=800))
    ]
    pipeline = Pipeline()
    for record in records[:100]:
        pipeline.monitor(pipeline.summarise(record))
    with traced() as stage1:
        flushes = pipeline.summarise(records[100])
    with traced() as stage2:
        pipeline.monitor(flushes)
    ways = {"an event until its summary": stage1, "the same until its counts are merged": stage2}
    for record in records[101:]:
        windows = pipeline.windows
        with traced() as passed:
            alerts = pipeline.monitor(pipeline.summarise(record))
        if pipeline.windows > windows:
            way = "the same that closes a window"
            if alerts:
                way += " and opens an episode"
            ways.setdefault(way, passed)
    ways["the same until its counts are merged"] |= stage1
    return ways


def way_of_a_plan(folder: Path) -> set[str]:
    """The modules between a config file and a detection that can be given its first pane."""
    (folder / "fraud.json").write_bytes(make_reference().to_json())
    config = folder / "driftstream.toml"
    config.write_text(  # numbers of its own: tables of equal plans are made once a process
        'kafka.bootstrap_servers = "localhost:9092"\n'
        '[[models]]\nname = "fraud"\nreference = "fraud.json"\nwindow.events = 234\n'
    )
    with traced() as passed:
        (plan,) = load_config(config).plans()
        Detection(decode_plan(plan.encode())[0])  # type: ignore[arg-type]
    return passed


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    plan = way_of_a_plan(tmp_path_factory.mktemp("plan"))
    return {**way_of_events(), "a plan from TOML to its first pane": plan}


def test_the_page_has_each_way(ways: dict[str, set[str]]) -> None:
    assert ways.keys() == BOUNDS.keys()


@pytest.mark.parametrize("way", BOUNDS)
def test_a_way_is_as_short_as_the_page_says(
    ways: dict[str, set[str]], way: str, tell: Callable[[str], None]
) -> None:
    passed = sorted(ways[way])
    tell(f"{way}: {len(passed)} modules")
    assert BOUNDS[way] - SLACK <= len(passed) <= BOUNDS[way], "\n".join(passed)


def test_each_setting_of_a_plan_has_one_name() -> None:
    """The key is the field without what the TOML says anyhow: its table, and the unit."""
    document = make_plan().settings
    for setting in settings_of(PlanSettings):
        table = setting.extra.get("table", "")
        key = setting.name.removeprefix(f"{table}_")
        unit = "_ms" if setting.kind == "duration" else ""
        assert setting.field == (f"{table}_" if table else "") + key + unit
        if not setting.extra.get("added"):  # those are in the document where they are set
            assert setting.field in document


def _types_of_results() -> dict[str, set[str]]:
    """Classes with a test, its value and threshold, on the way to the wire, with their fields."""
    folders = ("detectors", "stream/stage2", "stream/alerts", "stream/contracts")
    found = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                fields = {
                    each.target.id
                    for each in node.body
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
                }
                if {"test", "value", "threshold"} <= fields or "finding" in fields:
                    found[node.name] = fields
    return found


def test_a_drifted_signal_has_the_types_that_the_page_says() -> None:
    (sentence,) = re.findall(r"A drifted signal has four types.*?\n\n", PAGE, re.S)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(_types_of_results())
