"""The public names: which there are, that they are loaded late, and that their examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import driftstream

#: What may be leant on. A name that leaves, or is renamed, breaks code: CHANGELOG has to say so.
NAMES = [
    "ADWIN",
    "ARROW_CONTENT_TYPE",
    "AccessError",
    "Actual",
    "AlertError",
    "AlertEvent",
    "BATCH_CONTENT_TYPE",
    "BatchColumns",
    "CUSUM",
    "ColumnResult",
    "ColumnTest",
    "Comparison",
    "ConfigError",
    "DataError",
    "DeliveryError",
    "DriftstreamError",
    "DroppedEventError",
    "EVENT_CONTENT_TYPE",
    "Episode",
    "InvalidEventError",
    "ModelId",
    "Monitor",
    "MonitorMiddleware",
    "MonitorStats",
    "NotFoundError",
    "OutcomeMetric",
    "PageHinkley",
    "PlanError",
    "Prediction",
    "PredictionBatch",
    "PredictionEvent",
    "Reference",
    "InvalidReferenceError",
    "ReplayResult",
    "Seasons",
    "SettingError",
    "TopicError",
    "UnreadableError",
    "__version__",
    "chi2",
    "compare",
    "decode_alert",
    "encode_batch",
    "encode_event",
    "fit_reference",
    "g",
    "hellinger",
    "js",
    "kl",
    "ks",
    "latest_alerts",
    "producer",
    "psi",
    "publish",
    "read_alerts",
    "replay",
    "total_variation",
    "wasserstein",
]
#: Of what `import driftstream` must load nothing.
HEAVY = {
    "numpy",
    "scipy",
    "pandas",
    "numba",
    "pyarrow",
    "msgspec",
    "kafka",
    "aiokafka",
    "faust",
    "stream",
    "detectors",
}


def loaded_by(program: str) -> set[str]:
    """The modules that a program leaves loaded."""
    program += "\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_names_are_these() -> None:
    assert sorted(driftstream.__all__) == sorted(NAMES)
    assert set(NAMES) <= set(dir(driftstream))


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there(name: str) -> None:
    value = getattr(driftstream, name)
    assert getattr(driftstream, name) is value
    if callable(value):
        assert value.__doc__, f"{name} has no docstring"


def test_what_type_checkers_are_told_is_what_is_there() -> None:
    """Each import under TYPE_CHECKING is the one that the first use makes."""
    tree = ast.parse(Path(driftstream.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told.keys() == set(NAMES)
    for name, (module, attribute) in told.items():
        assert module is not None
        there = getattr(importlib.import_module(module), attribute)
        assert there is getattr(driftstream, name), name


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'driftstream' has no attribute 'Nothing'"):
        driftstream.Nothing  # noqa: B018
    with pytest.raises(ImportError, match="Nothing"):
        from driftstream import Nothing  # type: ignore[attr-defined]  # noqa: F401


def test_importing_it_loads_nothing_else() -> None:
    assert not loaded_by("import driftstream; dir(driftstream)") & HEAVY


def test_a_name_loads_what_it_needs_and_no_more() -> None:
    events = loaded_by("from driftstream import PredictionEvent, encode_event")
    assert "msgspec" in events
    assert not events & {"numpy", "numba", "pyarrow", "kafka", "aiokafka", "faust", "detectors"}
    monitor = loaded_by("from driftstream import Monitor")
    assert {"msgspec", "kafka"} <= monitor
    assert not monitor & {"numpy", "numba", "pyarrow", "aiokafka", "faust", "detectors"}
    detector = loaded_by("from driftstream import ADWIN")
    assert "numba" in detector
    assert not detector & {"pyarrow", "kafka", "aiokafka", "faust", "msgspec"}


def modules() -> list[str]:
    found = pkgutil.walk_packages(driftstream.__path__, "driftstream.")
    return ["driftstream", *(each.name for each in found if not each.name.endswith("__main__"))]


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


def test_there_are_examples() -> None:
    with_examples = [
        name
        for name in modules()
        if doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
        and ">>>" in Path(importlib.import_module(name).__file__ or "").read_text()
    ]
    assert {"driftstream.comparing", "driftstream.fitting", "driftstream.replaying"} <= {
        *with_examples
    }
