"""What is asked again while a broker is away, and what is not."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError, NodeNotReadyError, TopicAuthorizationFailedError

from stream.kafka import connection
from stream.kafka.connection import patiently


def test_an_outage_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_AGAIN_S", 0.0)
    answers = iter([KafkaTimeoutError("away"), NodeNotReadyError("coming"), 7])

    async def ask() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert asyncio.run(patiently(ask)) == 7


def test_what_would_fail_for_ever_is_raised() -> None:
    async def ask() -> None:
        raise TopicAuthorizationFailedError("state")

    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(patiently(ask))
