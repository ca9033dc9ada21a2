"""The examples of docs/how-to/publish.md, as they stand there, on a real broker."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from stream.client.records import read_topic
from stream.kafka.topics import WantedTopic, create_topics

pytestmark = pytest.mark.broker

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "publish.md"
WHERE = 'bootstrap_servers="localhost:9092"'


def test_the_examples_send_what_they_say(kafka: dict[str, object], topic_prefix: str) -> None:
    topic = f"{topic_prefix}predictions"
    create_topics(kafka, [WantedTopic(topic, 1, {"cleanup.policy": "delete"})])
    here = f'bootstrap_servers="{kafka["bootstrap_servers"]}", topic="{topic}"'
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    simple, later, frames, model, served = examples

    def run(text: str) -> dict[str, Any]:
        assert WHERE in text
        names: dict[str, Any] = {}
        exec(compile(text.replace(WHERE, here), str(PAGE), "exec"), names)
        return names

    run(simple)
    made = run(later)["made"]
    run(frames)
    run(model)
    names = run(served)

    async def ask() -> None:
        async def send(_: Any) -> None: ...

        await names["served"]({"type": "http"}, None, send)
        await names["monitor"].aclose()

    asyncio.run(ask())
    found = [json.loads(record.value or b"") for record in read_topic(kafka, topic)]
    first, late, truth, batch, predicted, request = found
    assert first["features"] == {"amount": 12.5, "country": "DE", "age": None}
    assert (late["prediction_id"], late["actual"]["label"]) == ("3f0c", "fraud")
    assert truth["prediction"] == {"label": "ok", "score": 0.93}
    assert datetime.fromisoformat(truth["prediction_timestamp"]) == made
    assert truth["actual"]["label"] == "fraud"
    assert batch["columns"]["prediction"] == {"label": ["ok", "fraud"], "score": [0.93, 0.71]}
    assert predicted["columns"]["features"] == {"amount": [0.1], "age": [0.8]}
    assert request["prediction"] == {"label": "ok"}
    assert request["latency_seconds"] > 0
