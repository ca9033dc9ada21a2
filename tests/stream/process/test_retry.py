"""Pauses between tries: how they grow, begin again, and end."""

from __future__ import annotations

import asyncio
import time

import pytest

from stream.process.retry import Retry


def test_pauses_are_equal_or_double_up_to_the_longest() -> None:
    same, grows = Retry(0.5), Retry(1.0, 10.0)
    assert [same.next_pause() for _ in range(3)] == [0.5] * 3
    assert [grows.next_pause() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_success_begins_with_the_first_pause() -> None:
    retry = Retry(1.0, 10.0)
    retry.next_pause()
    assert retry.next_pause() == retry.pause_s == 2.0
    retry.succeeded()
    assert retry.pause_s == 0.0
    assert retry.next_pause() == 1.0


def test_a_longer_pause_that_is_asked_for_is_made_beyond_the_longest() -> None:
    retry = Retry(1.0, 10.0)
    assert retry.next_pause(0.5) == 1.0
    assert retry.next_pause(3_600.0) == 3_600.0
    assert retry.next_pause() == 10.0


def test_there_is_no_other_try_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    retry = Retry(1.0, 4.0, within_s=6.0)
    assert [retry.sleep() for _ in range(4)] == [True, True, True, False]
    assert slept == [1.0, 2.0, 4.0]
    assert retry.is_over


def test_an_event_loop_goes_on_meanwhile() -> None:
    async def both() -> tuple[bool, list[str]]:
        order: list[str] = []

        async def other() -> None:
            order.append("other")

        task = asyncio.create_task(other())
        slept = await Retry(0.01).sleep_async()
        order.append("slept")
        await task
        return slept and not await Retry(1.0, within_s=0.0).sleep_async(), order

    assert asyncio.run(both()) == (True, ["other", "slept"])
