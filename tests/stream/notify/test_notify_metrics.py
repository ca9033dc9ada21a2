"""The notifier says of itself what it delivered, what it could not, and how far behind it is."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable

from stream.contracts.alert_event import encode_alert
from stream.http.server import PageServer
from stream.metrics import serve
from stream.notify.dispatcher import Dispatcher
from stream.notify.metrics import NotifyCollector
from stream.notify.notify_status import NotifyStatus
from stream.notify.targets import Target
from stream.notify.targets.webhook import WebhookTarget
from tests.stream.notify_tools import alert, hook


def target(name: str, url: str) -> Target:
    return WebhookTarget(name=name, url=url, timeout_s=2.0)


def figures(status: NotifyStatus) -> dict[tuple[str, str], float]:
    """(family, target) -> value."""
    return {
        (s.name.removeprefix("driftstream_notify_"), s.labels.get("target", "")): s.value
        for family in NotifyCollector(status).collect()
        for s in family.samples
    }


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def get(server: PageServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_figures_and_health() -> None:
    status = NotifyStatus()
    server = serve("127.0.0.1:0", NotifyCollector(status), status)
    try:
        assert get(server, "/healthz") == (200, "alive\n")
        assert get(server, "/readyz") == (503, "reading the alerts topic\n")
        with hook() as good, hook() as wrong:
            wrong.answers = [(400, {})]
            down = target("down", "http://127.0.0.1:9/hook")
            dispatcher = Dispatcher(
                [target("good", good.url), target("wrong", wrong.url), down], {}, {0: 0}
            )
            status.dispatcher = dispatcher
            dispatcher.feed(0, 0, encode_alert(alert()))
            dispatcher.end_at(0, 1)
            assert figures(status)["lag_records", "good"] == 1
            dispatcher.start()
            try:

                def settled() -> bool:
                    dispatcher.commits()
                    found = figures(status)
                    return (
                        found["delivered_total", "good"] == 1
                        and found["given_up_total", "wrong"] == 1
                        and found["failed_total", "down"] >= 1
                        and found["lag_records", "good"] == found["lag_records", "wrong"] == 0
                    )

                wait_for(settled)
                found = figures(status)
                assert found["lag_records", "down"] == 1
                assert found["open_episodes", ""] == 1
                assert ("last_delivery_timestamp_seconds", "good") in found
                assert ("last_delivery_timestamp_seconds", "down") not in found
                status, words = get(server, "/readyz")
                assert status == 200
                assert "trying again:" in words
                assert "down" in words
                assert (
                    'driftstream_notify_lag_records{target="down"} 1.0'
                    in (get(server, "/metrics")[1])
                )
            finally:
                dispatcher.stop()
    finally:
        server.close()


def test_a_thread_that_ended_is_told() -> None:
    status = NotifyStatus()
    with hook() as good:
        status.dispatcher = Dispatcher([target("good", good.url)], {}, {0: 0})
        status.dispatcher._workers[0].failure = RuntimeError("a bug")
    assert status.healthy() == (False, "RuntimeError: a bug")
