"""`produce` on a real broker: each form, a dump as it is, and rows that cannot be sent."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stream.client.records import read_topic
from stream.config.load import load_config
from stream.decode import NativeDecoder
from stream.plans.plan import PlanBook
from tests.integration.test_cli_kafka import config, must, run  # noqa: F401 - a fixture

pytestmark = pytest.mark.broker


def place(record: Any) -> tuple[int, int]:
    return record.partition, record.offset


def test_every_form_means_the_same(config: Path, tmp_path: Path) -> None:  # noqa: F811
    must("topics", "-c", config, "--create")
    lines = (tmp_path / "changed.csv").read_text().splitlines()
    lines[6] = lines[6].replace("2026-02-01T", "yesterday")
    rows = tmp_path / "odd.csv"
    rows.write_text("\n".join(lines) + "\n")
    loaded = load_config(config)
    topic = loaded.models[0].topic
    book = PlanBook()
    book.add(loaded.plan(loaded.models[0]))
    seen: list[Any] = []
    before: Counter[tuple[int, int]] = Counter()
    for form in ("native", "batch", "arrow"):
        said = must("produce", rows, "-c", config, "--model", "fraud", "--format", form).stderr
        assert "1 row was not sent: bad_timestamp; row 6: ts is not a time; got 'yesterday" in said
        assert f"3,999 events to {topic}" in said
        found = [
            r for r in read_topic(loaded.kafka, topic) if (r.partition, r.offset) not in before
        ]
        before.update(map(place, found))
        assert len(found) == (3_999 if form == "native" else 4)
        decoded = NativeDecoder(book).decode(sorted(found, key=place))
        assert not decoded.rejects
        (group,) = decoded.groups
        counts = Counter(zip(group.numeric[:, 0].tolist(), decoded.time_ms.tolist(), strict=True))
        seen.append(counts)
    assert seen[0] == seen[1] == seen[2]

    dump = tmp_path / "dump.jsonl"
    event = {
        "model": {"name": "fraud", "version": "3"},
        "timestamp": "2026-02-01T00:00:00Z",
        "features": {"amount": 1.5},
    }
    dump.write_text(json.dumps(event) + "\n")
    assert "1 messages to" in must("produce", dump, "-c", config, "--model", "fraud").stderr
    (sent,) = [r for r in read_topic(loaded.kafka, topic) if place(r) not in before]
    assert json.loads(sent.value or b"") == event
    refused = run("produce", dump, "-c", config, "--model", "fraud", "--format", "arrow")
    assert refused.exit_code == 2
    assert "sent as they are. Leave --format out" in refused.stderr
