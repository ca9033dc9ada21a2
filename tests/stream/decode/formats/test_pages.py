"""The how-to of each format: its config is read, and its record counts as the event beside it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stream.config.load import load_config
from stream.plans.plan import PlanBook
from tests.stream.decode.formats.tools import by_worker, rec

PAGES = Path(__file__).parents[4] / "docs" / "how-to"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.S | re.M)
#: Page -> how many events its record is.
EVENTS = {"mapping": 1, "cloudevents": 1, "model-servers": 1}


@pytest.mark.parametrize("name", EVENTS)
def test_a_page(name: str, tmp_path: Path) -> None:
    blocks = BLOCK.findall((PAGES / f"{name}.md").read_text())
    toml = next(text for language, text in blocks if language == "toml")
    foreign, native, *_ = (text for language, text in blocks if language == "json")
    (tmp_path / "driftstream.toml").write_text(toml)
    config = load_config(tmp_path / "driftstream.toml")
    plans = PlanBook()
    for plan in config.plans():
        plans.add(plan)
    stamp = 1_772_366_460_000
    source = config.sources[config.models[0].topic]
    found = by_worker([rec(foreign.encode(), timestamp=stamp)], source, plans)
    read_as = json.loads(native)
    events = read_as if isinstance(read_as, list) else [read_as]
    expected = by_worker([rec(one, timestamp=stamp) for one in events], None, plans)
    assert found[1:] == ([], EVENTS[name])
    if EVENTS[name] == 1:
        assert found == expected
    assert expected[1:] == found[1:]
