"""Silences and acks: who is not told, until when, and what is told afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from stream.alerts.silences import Silence
from stream.cli import cli
from stream.config.load import ConfigError, load_config
from stream.config.silences import silence_notes
from stream.contracts.acks import ack_schema, decode_alert_or_ack, encode_ack, make_ack
from stream.contracts.alert_event import AlertError, AlertEvent, encode_alert, format_time
from stream.notify.dispatcher import Commit, Dispatcher
from stream.notify.sinks import QueueSink
from stream.notify.suppression import Suppression
from stream.notify.targets.alertmanager import AlertmanagerSink, AlertmanagerTarget
from stream.notify.targets.webhook import WebhookSink, WebhookTarget
from tests.stream.notify.test_notify import BASE, NOW, Clock, news
from tests.stream.notify_tools import alert, hook, serving

NOW_MS = int(NOW * 1000)
HOUR = 3_600_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def silences(tmp_path: Path, text: str) -> tuple[Silence, ...]:
    path = tmp_path / "config.toml"
    path.write_text(BASE + text)
    return load_config(path, {}).silences


# ---- acks


def test_an_ack_is_written_and_read() -> None:
    event = alert()
    ack = make_ack(event, NOW_MS, NOW_MS + HOUR, "ann", "known since noon")
    assert decode_alert_or_ack(encode_ack(ack)) == ack
    assert decode_alert_or_ack(encode_alert(event)) == event
    assert ack.until_ms == NOW_MS + HOUR
    plain = msgspec.json.decode(encode_ack(ack))
    assert plain["type"] == "io.driftstream.ack.v1"
    assert plain["data"]["episode"] == event.data.episode
    assert plain["id"] != make_ack(event, NOW_MS, NOW_MS + 2 * HOUR).id
    plain["data"]["later"] = 1
    assert decode_alert_or_ack(msgspec.json.encode(plain)) == ack
    del plain["data"]["episode"]
    for wrong in (msgspec.json.encode(plain), b"", b"\xff", b"[]", b'{"type": "other"}'):
        with pytest.raises(AlertError, match=r"alerts-0@7 is not an io\.driftstream"):
            decode_alert_or_ack(wrong, "alerts-0@7")


def test_the_published_schema_of_acks_is_that_of_the_code() -> None:
    published = Path(__file__).parents[3] / "docs" / "ack.v1.schema.json"
    assert published.read_bytes() == ack_schema()


def test_the_last_ack_of_an_episode_counts() -> None:
    suppression, event = Suppression(), alert()
    suppression.note(make_ack(event, NOW_MS, NOW_MS + HOUR, "ann", "known"))
    assert suppression.until(event, NOW_MS) == NOW_MS + HOUR
    assert suppression.until(event, NOW_MS + HOUR) is None
    assert (
        suppression.until(alert(opened=1), NOW_MS) is None
    )  # another episode of the same fingerprint
    assert suppression.reason(event, NOW_MS) == "acknowledged by ann: known"
    suppression.note(make_ack(event, NOW_MS + 1, NOW_MS + 1))
    assert suppression.until(event, NOW_MS + 1) is None


# ---- silences of the config


def test_silences_of_a_time_and_of_every_week(tmp_path: Path) -> None:
    once, weekly, late = silences(
        tmp_path,
        """
[[silences]]
models = ["fraud"]
kinds = ["data_drift"]
start = "2026-03-01T22:00:00Z"
end = 2026-03-02T01:00:00+01:00
[[silences]]
weekly = "Sat 22:00 - Sun 04:30"
max_severity = "warning"
reason = "reindexing"
[[silences]]
weekly = "Mon 09:00 - Mon 10:00"
timezone = "Europe/Berlin"
""",
    )
    event = alert()
    assert once.until(event, at("2026-03-01T21:59:59")) is None
    assert once.until(event, at("2026-03-01T22:00:00")) == at("2026-03-02T00:00:00")
    assert once.until(event, at("2026-03-02T00:00:00")) is None
    assert once.until(alert("churn"), at("2026-03-01T23:00:00")) is None
    saturday = at("2026-03-07T23:10:20")
    assert weekly.until(event, saturday) == at("2026-03-08T04:30:00")
    assert weekly.until(event, at("2026-03-08T04:29:59")) == at("2026-03-08T04:30:00")
    assert weekly.until(event, at("2026-03-08T04:30:00")) is None
    assert weekly.until(alert(severity="critical"), saturday) is None
    assert Suppression((once, weekly)).reason(event, saturday) == "reindexing"
    assert late.until(event, at("2026-01-05T08:30:00")) == at("2026-01-05T09:00:00")  # winter
    assert late.until(event, at("2026-07-06T08:30:00")) is None  # summer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('start = "2026-03-01T22:00:00Z"', "silences[0].end is missing"),
        ('start = "noon"\nend = "2026-03-01T22:00:00Z"', "silences[0].start must be a time"),
        ('start = "2026-03-01T22:00:00"\nend = "2026-03-01T22:00:00Z"', "with its zone"),
        ('start = "2026-03-01T22:00:00Z"\nend = "2026-03-01T22:00:00Z"', "must be after start"),
        ('weekly = "sometimes"', 'must be as in "Sat 22:00 - Sun 04:00"'),
        ('weekly = "Sat 25:00 - Sun 04:00"', "silences[0].weekly must be"),
        ('weekly = "Sat 22:00 - Sun 04:00"\nend = "x"', "Keep one"),
        ('weekly = "Sat 22:00 - Sun 04:00"\ntimezone = "Mars/North"', "silences[0].timezone"),
        ('weekly = "Sat 22:00 - Sun 04:00"\nkinds = ["drift"]', "silences[0].kinds[0]"),
        ('weekly = "Sat 22:00 - Sun 04:00"\nmodel = "fraud"', "Did you mean models?"),
    ],
)
def test_wrong_silences(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        silences(tmp_path, f"[[silences]]\n{text}\n")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ('["concept_drift"]', 1),
        ('["data_drift", "concept_drift"]', 1),
        ('["concept_drift", "label_drift"]', 0),
        ('["label_drift"]', 0),
        ("[]", 0),
    ],
)
def test_a_silence_of_the_kind_that_was_parted_is_explained_once(
    tmp_path: Path, kinds: str, said: int
) -> None:
    text = f'[[silences]]\nweekly = "Sat 22:00 - Sun 04:00"\nkinds = {kinds}\n' * 2
    read = silences(tmp_path, text)
    checked = CliRunner().invoke(
        cli, ["check", "-c", str(tmp_path / "config.toml"), "--offline"], prog_name="driftstream"
    )
    words = "note: [[silences]] of kind concept_drift: concept_drift now is"
    assert checked.output.count(words) == len(silence_notes(read)) == said
    assert (
        "which was called so before, is label_drift" in " ".join(checked.output.split())
    ) == said


def test_a_silence_holds_for_episodes_of_before_and_of_now(tmp_path: Path) -> None:
    text = '[[silences]]\nweekly = "Mon 00:00 - Sun 23:59"\nkinds = ["concept_drift"]\n'
    (silence,) = silences(tmp_path, text)
    assert silence.until(alert(kind="concept_drift"), NOW_MS) is not None
    assert silence.until(alert(kind="label_drift"), NOW_MS) is None


def test_alerts_of_the_kind_that_was_parted_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text(BASE)
    log = [alert("old", kind="concept_drift"), alert("new", kind="label_drift")]
    monkeypatch.setattr("stream.client.alert_log.read_alert_log", lambda *_, **__: iter(log))
    for kind, shown, explained in (("concept_drift", "old", True), ("label_drift", "new", False)):
        done = CliRunner().invoke(
            cli, ["alerts", "-c", str(tmp_path / "config.toml"), "--kind", kind, "--json"]
        )
        assert [decode_alert_or_ack(line.encode()) for line in done.stdout.splitlines()] == [
            event for event in log if event.data.labels.model == shown
        ]
        assert ("is label_drift" in " ".join(done.stderr.split())) is explained


# ---- webhooks and Slack


def suppressing_sink(url: str, suppression: Suppression, clock: Clock) -> QueueSink:
    return WebhookSink(WebhookTarget("w", url), clock, suppression=suppression)


def drain(sink: QueueSink) -> None:
    while sink.step() == 0.0:
        pass


NIGHT = Silence(models=("fraud",), start_ms=NOW_MS, end_ms=NOW_MS + HOUR)


def test_what_still_fires_is_told_when_the_silence_ends() -> None:
    clock = Clock()
    first, second = alert(), alert(revision=2, severity="critical")
    with hook() as here:
        sink = suppressing_sink(here.url, Suppression([NIGHT]), clock)
        other = alert("churn")
        for number, event in enumerate((first, other, second)):
            sink.offer(number, news(event))
        drain(sink)
        assert here.taken == [other.id]
        assert sink.done == 2  # what is held back does not hold up the rest
        clock.now += 3_600
        drain(sink)
        drain(sink)
        assert here.taken == [other.id, second.id]
        end = alert(revision=3, status="resolved")
        sink.offer(3, news(end))
        drain(sink)
        assert here.taken == [other.id, second.id, end.id]


def test_what_began_and_ended_in_silence_is_not_told() -> None:
    clock = Clock()
    with hook() as here:
        sink = suppressing_sink(here.url, Suppression([NIGHT]), clock)
        sink.offer(0, news(alert()))
        drain(sink)
        clock.now += 3_601  # it ends before anybody looked
        sink._suppressed.clear()
        sink.offer(1, news(alert(revision=2, status="resolved")))
        drain(sink)
        assert here.taken == []
        again = alert(opened=5)
        sink.offer(2, news(again))
        drain(sink)
        assert here.taken == [again.id]


def test_an_acknowledged_episode_is_told_of_when_it_ends() -> None:
    clock, suppression = Clock(), Suppression()
    first, second = alert(), alert(revision=2, severity="critical")
    end = alert(revision=3, status="resolved")
    with hook() as here:
        sink = suppressing_sink(here.url, suppression, clock)
        sink.offer(0, news(first))
        drain(sink)
        suppression.note(make_ack(first, NOW_MS, NOW_MS + HOUR))
        sink.offer(1, news(second))
        drain(sink)
        assert here.taken == [first.id]
        sink.offer(2, news(end))
        drain(sink)
        assert here.taken == [first.id, end.id]
        clock.now += 7_200
        drain(sink)
        assert here.taken == [first.id, end.id]


def test_a_notifier_that_starts_again_knows_what_it_held_back() -> None:
    """Held by a silence that ended while the notifier was away: told, not lost."""
    clock = Clock()
    event, told = alert(), alert("churn")
    with hook() as here:
        target = WebhookTarget("w", here.url)
        dispatcher = Dispatcher([target], {0: Commit(2, '{"w": 2}')}, {0: 2}, clock, [NIGHT])
        clock.now += 7_200
        dispatcher.feed(0, 0, encode_alert(event), NOW_MS + 60_000)
        dispatcher.feed(0, 1, encode_alert(told), NOW_MS + 60_000)
        sink = dispatcher._workers[0].sink
        assert isinstance(sink, QueueSink)
        drain(sink)
        assert here.taken == [event.id]


def test_a_notifier_reads_acks_from_the_topic() -> None:
    clock = Clock()
    first, second = alert(), alert(revision=2, severity="critical")
    ack = make_ack(first, NOW_MS, NOW_MS + HOUR)
    with hook() as here:
        target = WebhookTarget("w", here.url)
        dispatcher = Dispatcher([target], {0: Commit(1, '{"w": 1}')}, {0: 1}, clock)
        dispatcher.feed(0, 0, encode_alert(first), NOW_MS)
        dispatcher.feed(0, 1, encode_ack(ack), NOW_MS)
        dispatcher.feed(0, 2, encode_alert(second), NOW_MS)
        sink = dispatcher._workers[0].sink
        assert isinstance(sink, QueueSink)
        drain(sink)
        assert here.taken == []
        assert dispatcher.commits()[0].offset == 3
        clock.now += 3_600
        drain(sink)
        assert here.taken == [second.id]


# ---- Alertmanager


class Silences:
    """The part of Alertmanager's API that silences are about."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.broken = False
        self.url = ""

    def active(self) -> list[dict[str, Any]]:
        return [s for s in self.held.values() if s["status"]["state"] == "active"]


@contextmanager
def alertmanager_api() -> Iterator[Silences]:
    here = Silences()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            here.asked.append(f"{method} {self.path}")
            said: Any = {}
            if "silence" in self.path and here.broken:
                self.send_response(500)
            else:
                self.send_response(200)
            if method == "GET":
                said = list(here.held.values())
            elif method == "DELETE":
                here.held[self.path.rpartition("/")[2]]["status"]["state"] = "expired"
            elif self.path.endswith("/silences"):
                name = f"s{len(here.held)}"
                here.held[name] = {
                    **msgspec.json.decode(body),
                    "id": name,
                    "status": {"state": "active"},
                }
                said = {"silenceID": name}
            text = msgspec.json.encode(said)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def do_DELETE(self) -> None:
            self._answer("DELETE")

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            pass

    with serving(Handler) as here.url:
        yield here


def am_sink(here: Silences, clock: Clock, suppression: Suppression) -> AlertmanagerSink:
    return AlertmanagerSink(AlertmanagerTarget("am", here.url), clock, suppression=suppression)


def offered(sink: AlertmanagerSink, number: int, event: AlertEvent) -> None:
    sink.offer(number, news(event))
    sink.step()


def test_what_is_quiet_is_silenced_in_alertmanager() -> None:
    clock, suppression = Clock(), Suppression()
    event = alert()
    with alertmanager_api() as here:
        sink = am_sink(here, clock, suppression)
        offered(sink, 0, event)
        assert here.active() == []
        suppression.note(make_ack(event, NOW_MS, NOW_MS + HOUR, "ann"))
        sink.recheck()
        sink.step()
        (silence,) = here.active()
        assert silence["comment"] == f"episode {event.data.episode}: acknowledged by ann"
        assert silence["endsAt"] == format_time(NOW_MS + HOUR)
        assert {m["name"]: m["value"] for m in silence["matchers"]} == {
            "alertname": "DataDrift",
            "environment": "production",
            "kind": "data_drift",
            "model": "fraud",
            "model_version": "3",
        }
        # It is posted on, so that it does not look resolved, and nothing is silenced twice.
        clock.now += 60
        sink.step()
        assert here.asked[-1] == "POST /api/v2/alerts"
        assert len(here.held) == 1
        # A notifier that starts again finds the silence by its comment.
        again = am_sink(here, clock, suppression)
        again.restore(news(event), NOW_MS)
        again.step()
        assert len(here.held) == 1
        # The episode ends: what comes next must not be silenced.
        offered(again, 1, alert(revision=2, status="resolved"))
        assert here.active() == []


def test_a_silence_that_was_left_over_is_ended() -> None:
    clock, suppression = Clock(), Suppression()
    event = alert()
    suppression.note(make_ack(event, NOW_MS, NOW_MS + HOUR))
    with alertmanager_api() as here:
        offered(am_sink(here, clock, suppression), 0, event)
        assert len(here.active()) == 1
        offered(am_sink(here, clock, Suppression()), 0, event)
        assert here.active() == []


def test_alerts_are_posted_though_they_cannot_be_silenced() -> None:
    clock, suppression = Clock(), Suppression([NIGHT])
    with alertmanager_api() as here:
        here.broken = True
        sink = am_sink(here, clock, suppression)
        offered(sink, 0, alert())
        assert here.asked == ["GET /api/v2/silences", "POST /api/v2/alerts"]
        assert sink.done == 0
        here.broken = False
        clock.now += 60
        sink.step()
        assert len(here.active()) == 1


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "2020-01-01", "0s"])
def test_an_ack_until_a_time_that_has_passed_is_refused(until: str) -> None:
    result = CliRunner().invoke(cli, ["ack", "4f6988d8", "-c", "none.toml", "--until", until])
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "'--until': must be a time that is yet to come" in said
    assert repr(until) in said
    assert 'Give a later one, a length such as "4h", or "now"' in said
    for later in ("4h", "2199-01-01", "now"):
        result = CliRunner().invoke(cli, ["ack", "4f6988d8", "-c", "none.toml", "--until", later])
        assert "yet to come" not in result.output
        assert "none.toml" in f"{result.output}{result.exception}"
