"""Notifications over real HTTP: what is sent, tried again, given up, and committed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
import pytest

from stream.config.load import ConfigError, load_config
from stream.contracts.alert_event import AlertEvent, News, encode_alert, parse_time
from stream.notify.answer import Answer
from stream.notify.dispatcher import Commit, Dispatcher
from stream.notify.open_episodes import Change, OpenEpisodes
from stream.notify.sinks import GIVE_UP_S, QueueSink, Sink
from stream.notify.suppression import Suppression
from stream.notify.targets import Target, registry
from stream.notify.targets.alertmanager import FIRING_FOR_S, AlertmanagerSink, AlertmanagerTarget
from stream.notify.targets.contract import OptionTable
from stream.notify.targets.slack import SlackSink, SlackTarget
from stream.notify.targets.template import TEMPLATE_FIELDS
from stream.notify.targets.webhook import WebhookSink, WebhookTarget
from tests.stream.notify_tools import alert, hook

NOW = 1_800_000_000.0
BASE = """
[kafka]
bootstrap_servers = "localhost:9092"
[[models]]
name = "fraud"
reference = "fraud.json"
"""


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def news(event: object, peak: str = "") -> Change:
    return Change(event, peak or event.data.severity)


# ---- config


def targets(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> tuple[Target, ...]:
    path = tmp_path / "config.toml"
    path.write_text(BASE + text)
    return load_config(path, env or {}).notify


def test_targets_and_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "slack-url").write_text("https://hooks.example/T0/B0/xyzzy\n")
    found = targets(
        tmp_path,
        """
[[notify]]
type = "alertmanager"
url = "http://alertmanager:9093/"
[[notify]]
type = "webhook"
name = "pager"
url = "https://pager.example/hook"
secret = "${HOOK_SECRET}"
token = "t0ken"
models = ["fraud"]
min_severity = "critical"
timeout = "3s"
[[notify]]
type = "slack"
url_file = "slack-url"
""",
        {"HOOK_SECRET": "s3cret"},
    )
    assert found == (
        AlertmanagerTarget("alertmanager", "http://alertmanager:9093"),
        WebhookTarget(
            "pager",
            "https://pager.example/hook",
            "t0ken",
            ("fraud",),
            "critical",
            3.0,
            secret="s3cret",
        ),
        SlackTarget("slack", "https://hooks.example/T0/B0/xyzzy"),
    )
    for secret in ("s3cret", "t0ken", "xyzzy"):
        assert secret not in repr(found)
    assert targets(tmp_path, "") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('type = "email"', "notify[0].type must be one of alertmanager, webhook, slack"),
        ('type = "slack"\nurl = "hooks.example"', 'notify[0].url must be an address such as "http'),
        ('type = "slack"\nurl = "http://a b"', "notify[0].url must be an address"),
        ('type = "slack"', "notify[0].url must be an address"),
        ('type = "slack"\nurl = "http://a"\nsecret = "x"', "notify[0].secret signs webhooks only"),
        ('type = "webhook"\nurl = "http://a"\nsecret = "whsec_!"', "is not base64"),
        ('type = "webhook"\nurl = "http://a"\ntoken = "a\\nb"', "no HTTP header can"),
        ('type = "webhook"\nurl = "http://a"\nsecret = "x"\nsecret_file = "y"', "Keep one"),
        ('type = "webhook"\nurl_file = "nowhere"', "notify[0].url_file cannot be read"),
        (
            'type = "webhook"\nulr = "http://a"',
            "ulr is not a known key. Did you mean url",
        ),
        (
            'type = "slack"\nurl = "http://a"\n[[notify]]\ntype = "slack"\nurl = "http://b"',
            "notify[1].name is 'slack' like that of another target",
        ),
    ],
)
def test_mistakes_are_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        targets(tmp_path, f"[[notify]]\n{text}\n")
    assert words in str(caught.value)
    assert "hooks.example" not in str(caught.value)  # it may be a secret


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("slack", 'template_file = "t.json"', "template_file is for webhooks only"),
        ("alertmanager", 'channel = "#a"', "channel is for Slack only"),
        ("alertmanager", 'revisions = "all"', "revisions is not for Alertmanager"),
    ],
)
def test_keys_of_another_kind_are_mistakes(
    tmp_path: Path, kind: str, text: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        targets(tmp_path, f'[[notify]]\ntype = "{kind}"\nurl = "http://a"\n{text}\n')


def test_a_kind_is_one_row_of_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config reads, and the dispatcher delivers to, a kind that neither of them knows."""

    @dataclass(frozen=True)
    class FileTarget(Target):
        kind = "file"
        own_keys: ClassVar[Mapping[str, str]] = {"path": "is for files only."}
        path: str = ""

        @classmethod
        def read(cls, table: OptionTable, common: Mapping[str, Any]) -> Self:
            return cls(url="file:", path=table.text("path", non_empty=True), **common)

        def make_sink(self, clock: Callable[[], float], suppression: Suppression) -> Sink:
            return FileSink(self, clock, suppression)

    class FileSink(QueueSink):
        target: FileTarget

        def _deliver(self, event: AlertEvent) -> Answer:
            with Path(self.target.path).open("a") as file:
                file.write(f"{event.id}\n")
            return self._judge(Answer(True, False, "written"))

    monkeypatch.setitem(registry.BY_KIND, "file", FileTarget)
    monkeypatch.setitem(registry.OWN_KEYS, "path", (["file"], "is for files only."))
    written = tmp_path / "alerts.txt"
    found = targets(tmp_path, f'[[notify]]\ntype = "file"\npath = "{written}"\n')
    with pytest.raises(ConfigError, match="path is for files only"):
        targets(tmp_path, '[[notify]]\ntype = "slack"\nurl = "http://a"\npath = "x"\n')
    event, committed = alert(), {0: Commit(0, '{"file":0}')}
    dispatcher = Dispatcher(found, committed, {0: 1})
    dispatcher.feed(0, 0, encode_alert(event))
    run(dispatcher, committed, written.exists)
    assert written.read_text() == f"{event.id}\n"
    assert committed[0].offset == 1


def test_a_config_with_targets_is_read_where_no_notifier_is_installed(tmp_path: Path) -> None:
    """`replay` and `check` need the config, and not the packages that send requests."""
    (tmp_path / "config.toml").write_text(
        '[kafka]\nbootstrap_servers = "x:1"\n[[models]]\nname = "m"\nreference = "m.json"\n'
        + "".join(f'[[notify]]\ntype = "{kind}"\nurl = "http://a"\n' for kind in registry.BY_KIND)
    )
    program = (
        "import sys\nsys.modules['urllib3'] = sys.modules['prometheus_client'] = None\n"
        "from pathlib import Path\nfrom stream.config.load import load_config\n"
        "print(len(load_config(Path(sys.argv[1]), {}).notify))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "config.toml")],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == (f"{len(registry.BY_KIND)}\n", "")


# ---- which events are news


def test_copies_and_older_revisions_are_no_news() -> None:
    episodes = OpenEpisodes()
    first, worse = alert(), alert(revision=2, severity="critical")
    milder = alert(revision=3, severity="info")
    assert episodes.apply(first) == Change(first, "warning")
    assert episodes.apply(first) is None
    assert episodes.apply(worse) == Change(worse, "critical")
    assert episodes.apply(milder) == Change(milder, "critical", step=False)
    assert episodes.apply(worse) is None
    assert [change.event for change in episodes.changes] == [milder]
    ended = alert(revision=4, status="resolved", severity="info")
    assert episodes.apply(ended) == Change(ended, "critical")
    assert len(episodes) == 0
    assert episodes.apply(ended) is None
    again = alert(opened=5)
    assert episodes.apply(again) == Change(again, "warning")
    # The end of an episode that another one of its kind has followed already.
    assert episodes.apply(alert(revision=5, status="resolved")) is not None
    assert [change.event for change in episodes.changes] == [again]


@pytest.mark.parametrize("news", ["grown", "day"])
@pytest.mark.parametrize(("revisions", "told"), [("steps", [1, 3, 5]), ("all", [1, 2, 3, 4, 5])])
def test_a_hook_is_told_the_steps_or_all(revisions: str, told: list[int], news: News) -> None:
    joined = alert(revision=2)
    step = alert(revision=3)
    step = msgspec.structs.replace(step, data=msgspec.structs.replace(step.data, news=[news]))
    milder = alert(revision=4, severity="info")
    events = [alert(), joined, step, milder, alert(revision=5, status="resolved")]
    with hook() as here:
        target = WebhookTarget("w", here.url, revisions=revisions)
        sink, episodes = WebhookSink(target, Clock()), OpenEpisodes()
        for number, event in enumerate(events):
            sink.offer(number, episodes.apply(event))
        while sink.step() == 0.0:
            pass
        assert sink.done == 4
        bodies = [msgspec.json.decode(body) for _, _, body in here.requests]
    assert [body["data"]["revision"] for body in bodies] == told


def test_alertmanager_has_no_revisions_to_choose(tmp_path: Path) -> None:
    text = '[[notify]]\ntype = "alertmanager"\nurl = "http://a"\nrevisions = "all"\n'
    with pytest.raises(ConfigError, match=r"notify\[0\].revisions is not for Alertmanager"):
        targets(tmp_path, text)


# ---- webhooks and Slack


def test_a_webhook_is_the_signed_cloudevent() -> None:
    with hook() as here:
        sink = WebhookSink(WebhookTarget("w", here.url, "t0ken", secret="s3cret"), Clock())
        event = alert()
        sink.offer(0, news(event))
        assert sink.done == -1
        sink.step()
        assert sink.done == 0
        ((_, headers, body),) = here.requests
    assert body == encode_alert(event)
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["webhook-id"] == event.id
    signed = f"{event.id}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"s3cret", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    names: dict[str, Any] = {}
    page = (Path(__file__).parents[3] / "docs" / "notify.md").read_text()
    exec(page.split("```python\n")[1].split("```")[0], names)  # what receivers are told to do
    assert names["is_genuine"](b"s3cret", headers, body)
    assert not names["is_genuine"](b"other", headers, body)
    assert headers["webhook-timestamp"] == str(int(NOW))


def test_a_failure_is_tried_again_later_and_later_in_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    with hook() as here:
        here.answers = [(503, {}), (500, {}), (429, {"Retry-After": "30"})]
        sink = WebhookSink(WebhookTarget("w", here.url), clock)
        events = [alert(), alert(revision=2, severity="critical")]
        for number, event in enumerate(events):
            sink.offer(number, news(event))
        waits = []
        while len(here.taken) < 2:
            wait = sink.step()
            if wait:
                waits.append(wait)
            clock.now += wait
        assert waits == [1.0, 2.0, 30.0]
        assert here.taken == [event.id for event in events]
        assert sink.done == 1
    assert "answered 503" in caplog.text
    assert "delivered again" in caplog.text


def test_what_is_refused_for_good_does_not_stop_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    with hook() as here:
        here.answers = [(400, {})]
        sink = WebhookSink(WebhookTarget("w", here.url), Clock())
        sink.offer(0, news(alert()))
        sink.offer(1, news(alert("churn")))
        while sink.done < 1:
            sink.step()
        assert here.taken == [alert("churn").id]
    assert "was never delivered" in caplog.text


def test_nobody_there_for_a_day_gives_up(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    with hook() as here:
        url = here.url
    sink = WebhookSink(WebhookTarget("w", url), clock)
    sink.offer(0, news(alert()))
    sink.step()
    assert sink.done == -1
    clock.now += GIVE_UP_S + 1
    sink.step()
    assert sink.done == 0
    assert "hook" not in caplog.text.replace("webhook", "")  # the path may be a secret


def test_slack_is_told_in_words_and_only_what_it_wants() -> None:
    with hook() as here:
        sink = SlackSink(
            SlackTarget("s", here.url, models=("fraud",), min_severity="warning"), Clock()
        )
        sink.offer(0, news(alert("churn")))
        sink.offer(1, news(alert(severity="info")))
        sink.offer(2, news(alert(revision=2, severity="critical")))
        sink.offer(3, news(alert(revision=3, status="resolved", severity="info"), "critical"))
        while sink.done < 3:
            sink.step()
        told = [msgspec.json.decode(body)["text"] for _, _, body in here.requests]
    assert len(told) == 2
    assert told[0].startswith(":red_circle: *critical* fraud v3: Data drift: mean of ")
    assert "'purchase_frequency' 4.1 -&gt; 2.7 and" in told[0]
    assert "<https://grafana.example/d/driftstream|Dashboard>" in told[0]
    assert (
        "\n> PSI 0.31, threshold 0.11. If nothing had changed, a PSI this high would come by chance"
        in told[0]
    )
    assert f"`driftstream ack {alert().data.episode[:8]}`" in told[0]
    assert told[1].startswith(":white_check_mark: *resolved*")
    assert "driftstream ack" not in told[1]


def test_any_json_by_template(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "notify.md").read_text()
    (tmp_path / "pager.json").write_text(page.split("```json\n")[1].split("```")[0])
    with hook() as here:
        (target,) = targets(
            tmp_path,
            f'[[notify]]\ntype = "webhook"\nurl = "{here.url}"\ntemplate_file = "pager.json"\n',
        )
        sink = WebhookSink(target, Clock())
        sink.offer(0, news(alert('a "quoted" \\ model')))
        sink.offer(1, news(alert(revision=2, status="resolved")))
        while sink.done < 1:
            sink.step()
        fired, ended = posts(here.requests)
        assert here.requests[0][1]["content-type"] == "application/json"
    assert fired["event_action"] == "trigger"
    assert fired["payload"]["component"] == 'a "quoted" \\ model 3'
    assert fired["payload"]["summary"] == alert().data.annotations.summary
    assert (ended["event_action"], ended["dedup_key"]) == ("resolve", alert().data.fingerprint)
    assert all(f"`{name}`" in page for name in TEMPLATE_FIELDS)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ('{"a": "${nothing}"}', "has no field ${nothing}. Known: id, status"),
        ('{"a": ${summary}}', 'Put fields within quotes: "${summary}"'),
        ('{"a": "5 $"}', "Write $$ for a dollar sign"),
    ],
)
def test_a_template_that_cannot_be_used_is_said_at_once(
    tmp_path: Path, template: str, words: str
) -> None:
    (tmp_path / "t.json").write_text(template)
    text = '[[notify]]\ntype = "webhook"\nurl = "http://a"\ntemplate_file = "t.json"\n'
    with pytest.raises(ConfigError) as caught:
        targets(tmp_path, text)
    assert "notify[0].template_file" in str(caught.value)
    assert words in str(caught.value)


# ---- Alertmanager


def posts(requests: list[tuple[str, dict[str, str], bytes]]) -> list[Any]:
    return [msgspec.json.decode(body) for _, _, body in requests]


def test_alertmanager_hears_of_what_fires_every_minute_until_it_ends() -> None:
    clock = Clock()
    with hook() as here:
        sink = AlertmanagerSink(AlertmanagerTarget("am", here.url), clock)
        sink.restore(news(alert("churn")), 0)
        assert sink.step() == 60.0
        sink.offer(0, news(alert()))
        assert sink.done == -1
        sink.step()
        assert sink.done == 0
        assert sink.step() == 60.0
        clock.now += 60
        sink.step()
        sink.offer(1, news(alert(revision=2, severity="critical")))
        sink.step()
        sink.offer(2, news(alert(revision=3, status="resolved", severity="critical")))
        sink.offer(3, None)
        sink.step()
        assert sink.done == 3
        clock.now += 60
        sink.step()
        sent = posts(here.requests)
    said = [
        [
            (
                a["labels"]["model"],
                a["labels"]["severity"],
                parse_time(str(a["endsAt"])) / 1000 - NOW,
            )
            for a in post
        ]
        for post in sent
    ]
    churn = lambda at: ("churn", "warning", at + FIRING_FOR_S)  # noqa: E731
    assert said == [
        [churn(0)],
        [churn(0), ("fraud", "warning", FIRING_FOR_S)],
        [churn(60), ("fraud", "warning", 60 + FIRING_FOR_S)],
        [churn(60), ("fraud", "critical", 60 + FIRING_FOR_S), ("fraud", "warning", 60.0)],
        [churn(60), ("fraud", "critical", 60.0)],
        [churn(120)],
    ]
    assert sent[1][1]["labels"] == {
        "alertname": "DataDrift",
        "environment": "production",
        "kind": "data_drift",
        "model": "fraud",
        "model_version": "3",
        "severity": "warning",
    }
    assert sent[1][1]["annotations"]["signals"] == "purchase_frequency, country"


def test_alertmanager_down_for_a_while_hears_of_the_end_all_the_same() -> None:
    clock = Clock()
    with hook() as here:
        here.answers = [(200, {}), (500, {}), (500, {})]
        sink = AlertmanagerSink(AlertmanagerTarget("am", here.url), clock)
        sink.offer(0, news(alert()))
        sink.step()
        sink.offer(1, news(alert(revision=2, status="resolved")))
        for _ in range(20):
            clock.now += sink.step()
            if sink.done == 1:
                break
        last = posts(here.requests)[-1]
        assert sink.done == 1
        assert [parse_time(str(a["endsAt"])) <= clock.now * 1000 for a in last] == [True]


# ---- the notifier


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def run(dispatcher: Dispatcher, last: dict[int, Commit], until: Callable[[], object]) -> None:
    """Serve until it is so, then end; `last` is what a broker would have been told."""
    dispatcher.start()
    try:
        wait_for(until)
        wait_for(lambda: last.update(dispatcher.commits()) or until())
    finally:
        dispatcher.stop()
        last.update(dispatcher.commits())


def test_a_restart_sends_only_what_was_not_delivered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    topic = [
        alert("old"),
        alert("old", revision=2, status="resolved"),
        alert("fraud"),
        alert("churn"),
        alert("churn"),
        alert("fraud", revision=2, severity="critical"),
    ]
    values = [encode_alert(event) for event in topic]
    committed: dict[int, Commit] = {}
    with hook() as good, hook() as bad:
        pair = [WebhookTarget("good", good.url), WebhookTarget("bad", bad.url)]
        bad.answers = [(503, {})] * 1_000

        # A first start: what fires is told, what has ended is not.
        dispatcher = Dispatcher(pair, committed, {0: 3})
        for offset, value in enumerate(values[:3]):
            dispatcher.feed(0, offset, value)
        run(dispatcher, committed, lambda: good.taken == [topic[2].id])
        assert committed == {0: Commit(3, '{"good":3,"new:bad":3}')}

        # The other has no copy of it.
        bad.answers = []
        dispatcher = Dispatcher(pair, committed, {0: 3})
        for offset, value in enumerate(values[:3]):
            dispatcher.feed(0, offset, value)
        run(dispatcher, committed, lambda: len(bad.taken) == 1)
        assert good.taken == [topic[2].id]
        assert committed == {0: Commit(3, '{"good":3,"bad":3}')}

        # One is down: the other goes on, and its progress is kept.
        bad.answers = [(503, {})] * 1_000
        dispatcher = Dispatcher(pair, committed, {0: 5})
        for offset, value in enumerate(values[:5]):
            dispatcher.feed(0, offset, value)
        run(dispatcher, committed, lambda: len(good.taken) == 2)
        wait_for(lambda: committed[0].offset == 3)
        assert msgspec.json.decode(committed[0].metadata) == {"good": 5, "bad": 3}

        # Both get what they lack, once: no copy of a revision, nothing twice.
        bad.answers = []
        dispatcher = Dispatcher(pair, committed, {0: 6})
        for offset, value in enumerate(values):
            dispatcher.feed(0, offset, value)
        run(dispatcher, committed, lambda: len(good.taken) == 3 and len(bad.taken) == 3)
        assert good.taken[-2:] == [topic[3].id, topic[5].id]
        assert bad.taken == [topic[2].id, topic[3].id, topic[5].id]
        assert committed == {0: Commit(6, '{"good":6,"bad":6}')}


def test_a_target_that_was_never_there_costs_no_other_an_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What comes while the notifier is away reaches all, though one has not been reached yet."""
    caplog.set_level(logging.CRITICAL)
    topic = [
        alert("fraud"),
        alert("churn"),
        alert("fraud", revision=2, status="resolved"),
        alert("loans"),
        alert("loans", revision=2, status="resolved"),
    ]
    values = [encode_alert(event) for event in topic]
    told = [event.id for event in topic]
    committed: dict[int, Commit] = {}
    with hook() as good, hook() as bad:
        pair = [WebhookTarget("good", good.url), WebhookTarget("bad", bad.url)]
        bad.answers = [(404, {})] * 1_000  # a wrong address
        dispatcher = Dispatcher(pair, committed, {0: 1})
        for offset, value in enumerate(values[:2]):  # the second comes before it has begun
            dispatcher.feed(0, offset, value)
        run(dispatcher, committed, lambda: len(good.taken) == 2)
        assert committed == {0: Commit(1, '{"good":2,"new:bad":1}')}

        # Opened and over while no notifier ran.
        dispatcher = Dispatcher(pair, committed, {0: 5})
        for offset, value in enumerate(values):
            dispatcher.feed(0, offset, value)
        run(dispatcher, committed, lambda: len(good.taken) == 5)
        assert good.taken == told
        assert bad.taken == []

        # Once it is there it has what fired where it began, and all from there on.
        bad.answers = []
        dispatcher = Dispatcher(pair, committed, {0: 5})
        for offset, value in enumerate(values):
            dispatcher.feed(0, offset, value)
        run(dispatcher, committed, lambda: len(bad.taken) == 5)
        assert bad.taken == told
        assert good.taken == told
        assert committed == {0: Commit(5, '{"good":5,"bad":5}')}


def test_positions_are_committed_again_lest_kafka_forgets_them() -> None:
    now = [1e9]
    with hook() as here:
        pair = [WebhookTarget("w", here.url)]
        dispatcher = Dispatcher(pair, {0: Commit(1, '{"w":1}')}, {0: 1}, lambda: now[0])
        dispatcher.feed(0, 0, encode_alert(alert()))
        dispatcher.start()
        try:
            expected = {0: Commit(1, '{"w":1}')}
            assert dispatcher.commits() == expected
            now[0] += 3_000
            assert dispatcher.commits() == {}
            now[0] += 700
            assert dispatcher.commits() == expected
            assert dispatcher.commits() == {}
        finally:
            dispatcher.stop()


def test_a_topic_that_was_made_again_is_read_from_its_beginning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with hook() as here:
        committed = {0: Commit(100, '{"w":100}')}
        dispatcher = Dispatcher([WebhookTarget("w", here.url)], committed, {0: 1})
        dispatcher.feed(0, 0, encode_alert(alert()))
        run(dispatcher, committed, lambda: here.taken)
        assert committed == {0: Commit(1, '{"w":1}')}
    assert "was made again" in caplog.text


def test_garbage_on_the_topic_is_passed_by(caplog: pytest.LogCaptureFixture) -> None:
    with hook() as here:
        committed = {0: Commit(0, '{"w":0}')}
        dispatcher = Dispatcher([WebhookTarget("w", here.url)], committed, {0: 2})
        dispatcher.feed(0, 0, b"{")
        dispatcher.feed(0, 1, encode_alert(alert()))
        run(dispatcher, committed, lambda: here.taken)
        assert committed == {0: Commit(2, '{"w":2}')}
    assert "alerts[0]@0 is not" in caplog.text
