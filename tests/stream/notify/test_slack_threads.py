"""Episodes that are open at a time are one thread in Slack, through restarts too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.config.load import ConfigError, load_config
from stream.contracts.alert_event import AlertEvent, Kind, encode_alert
from stream.notify.dispatcher import Commit, Dispatcher
from stream.notify.open_episodes import OpenEpisodes
from stream.notify.targets import Target
from stream.notify.targets.slack import SlackTarget, SlackThreads
from tests.stream.notify_tools import Slack, alert, slack

NOW = 1_800_000_000.0
KINDS: tuple[Kind, ...] = ("data_drift", "data_quality", "prediction_drift")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def target(here: Slack, **more: Any) -> Target:
    return SlackTarget("s", here.url, token="xoxb-1", channel="#models", **more)


def tell(here: Slack, *events: AlertEvent, **more: Any) -> SlackThreads:
    """A bot that is offered these, and delivers what it can."""
    sink, episodes = SlackThreads(target(here, **more), Clock()), OpenEpisodes()
    for number, event in enumerate(events):
        sink.offer(number, episodes.apply(event))
    while sink.step() == 0.0:
        pass
    return sink


def heads(thread: list[dict[str, Any]]) -> list[str]:
    """Mark and first words of each message."""
    return [" ".join(m["text"].split()[:2]) for m in thread]


def test_one_story_is_one_thread_and_the_next_is_another() -> None:
    drift = alert()
    quality = alert(kind="data_quality", opened=1, beside=[drift])
    later = alert(opened=9)
    with slack() as here:
        sink = tell(
            here,
            drift,
            alert("churn"),
            quality,
            alert(kind="data_quality", opened=1, revision=2, severity="critical", beside=[drift]),
            alert(revision=2, status="resolved", beside=[quality]),
            alert(kind="data_quality", opened=1, revision=3, status="resolved"),
            later,
        )
        story, other, again = here.threads()
        assert heads(story) == [
            ":large_orange_circle: *warning*",
            ":large_orange_circle: *warning*",
            ":red_circle: *critical*",
            ":white_check_mark: *resolved*",
            ":white_check_mark: *resolved*",
        ]
        assert [len(other), len(again)] == [1, 1]
        # Who does not follow the thread hears of what is critical, and of nothing else in it.
        assert [m.get("reply_broadcast") for m in story] == [None, False, True, False, False]
        assert here.tokens == {"Bearer xoxb-1"}
        assert list(sink.kept) == [alert("churn").data.episode[:8], later.data.episode[:8]]
        assert sink.done == 6


def test_what_was_never_told_here_begins_no_thread() -> None:
    """Of two that are open the first is too mild for this channel."""
    mild = alert(severity="info")
    with slack() as here:
        quality = alert(kind="data_quality", beside=[mild])
        tell(here, mild, quality, min_severity="warning")
        ((only,),) = here.threads()
        assert "thread_ts" not in only


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), min_size=1, max_size=12))
def test_threads_are_as_long_as_something_is_open(steps: list[tuple[Kind, bool]]) -> None:
    """Each step opens an episode or ends it; a bot may be another process at each."""
    expected: list[int] = []
    story, is_open = 0, dict[str, AlertEvent]()
    with slack() as here:
        sink, episodes, kept = SlackThreads(target(here), Clock()), OpenEpisodes(), {}
        for at, (kind, restart) in enumerate(steps):
            if restart:
                sink = SlackThreads(target(here), Clock())
                sink.recall(kept)
            before = is_open.pop(kind, None)
            if before is None:
                story += not is_open
                event = alert(kind=kind, opened=at, beside=is_open.values())
                is_open[kind] = event
            else:
                data = msgspec.structs.replace(before.data, status="resolved", revision=2)
                event = msgspec.structs.replace(before, data=data)
            expected.append(story)
            sink.offer(at, episodes.apply(event))
            while sink.step() == 0.0:
                pass
            kept = sink.kept
            assert len(kept) == len(is_open)
        roots = list(dict.fromkeys(m.get("thread_ts", m["ts"]) for m in here.posted))
        assert [roots.index(m.get("thread_ts", m["ts"])) + 1 for m in here.posted] == expected


# ---- a restart


def run(dispatcher: Dispatcher, first: int, *events: AlertEvent) -> dict[int, Commit]:
    """Feed events, deliver in this thread, and give what is committed."""
    for offset, event in enumerate(events, first):
        dispatcher.feed(0, offset, encode_alert(event))
    for worker in dispatcher._workers:
        while worker.sink.step() == 0.0:
            pass
    return dispatcher.commits()


@pytest.fixture
def unthreaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread of its own for a target: the test takes the steps."""
    monkeypatch.setattr("stream.notify.target_worker.TargetWorker.start", lambda self: None)


@pytest.mark.usefixtures("unthreaded")
def test_a_notifier_that_is_started_again_goes_on_in_the_thread() -> None:
    drift, quality = alert(), alert(kind="data_quality", opened=1, beside=[alert()])
    with slack() as here:
        first = Dispatcher([target(here)], {}, {0: 0}, Clock())
        first.start()
        commits = run(first, 0, drift)
        assert commits[0].offset == 1
        second = Dispatcher([target(here)], commits, {0: 1}, Clock())
        second.feed(0, 0, encode_alert(drift))
        second.start()
        commits = run(second, 1, quality, alert(revision=2, status="resolved", beside=[quality]))
        assert [len(thread) for thread in here.threads()] == [3]
        kept = [key for key in msgspec.json.decode(commits[0].metadata) if key.startswith("kept:")]
        assert kept == [f"kept:s/{quality.data.episode[:8]}"]


@pytest.mark.usefixtures("unthreaded")
def test_more_threads_than_a_commit_holds_are_said(caplog: pytest.LogCaptureFixture) -> None:
    models = [f"model-{number}" for number in range(120)]
    with slack() as here:
        first = Dispatcher([target(here)], {}, {0: 0}, Clock())
        first.start()
        commits = run(first, 0, *(alert(model) for model in models))
        assert len(commits[0].metadata) <= 4_096
        assert "more threads are open than a restart can remember" in caplog.text
        second = Dispatcher([target(here)], commits, {0: 120}, Clock())
        for offset, model in enumerate(models):
            second.feed(0, offset, encode_alert(alert(model)))
        second.start()
        ends = [alert(model, revision=2, status="resolved") for model in models]
        run(second, 120, *ends)
        lengths = [len(thread) for thread in here.threads()]
    # The newest go on, of the others the end is a message of its own: none is lost.
    assert sum(lengths) == 240
    assert lengths[:120] == sorted(lengths[:120])
    assert lengths[:120].count(2) > 50


# ---- what Slack answers


def test_a_thread_that_is_closed_is_followed_by_another() -> None:
    clock = Clock()
    with slack() as here:
        sink, episodes = SlackThreads(target(here), clock), OpenEpisodes()
        sink.offer(0, episodes.apply(alert()))
        sink.step()
        here.closed.add(here.posted[0]["ts"])
        sink.offer(1, episodes.apply(alert(revision=2, severity="critical")))
        clock.now += sink.step() + sink.step()
        sink.step()
        sink.offer(2, episodes.apply(alert(revision=3, status="resolved")))
        sink.step()
        assert [len(thread) for thread in here.threads()] == [1, 2]
        assert sink.done == 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            "not_in_channel",
            "Slack refused it: not_in_channel. Invite the bot to the channel. Next try",
        ),
        ("invalid_auth", "Slack refused it: invalid_auth. Check the token. Next try"),
        ("a_new_one\x1b[31m", "Slack refused it: a_new_one\\x1b[31m. Next try"),
    ],
)
def test_a_bot_that_may_not_speak_says_why_and_tries_again(
    error: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with slack() as here:
        here.errors = [error]
        sink = tell(here, alert())
        assert words in caplog.text
        assert sink.failing
        assert sink.done == -1
        sink._clock.now += 1  # type: ignore[attr-defined]
        sink.step()
        assert len(here.posted) == 1
        assert not sink.failing


def test_what_slack_will_never_take_does_not_stop_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with slack() as here:
        here.errors = ["msg_too_long"]
        sink = tell(here, alert(), alert("churn"))
        assert sink.done == 1
        assert sink.stats.given_up == 1
        ((only,),) = here.threads()
    assert f"driftstream ack {alert('churn').data.episode[:8]}" in only["text"]
    assert "was never delivered" in caplog.text


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"[1]", b'{"ok": 1}'])
def test_an_answer_that_is_not_slacks_is_no_delivery(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with slack() as here:
        here.answers = [(200, body)]
        sink = tell(here, alert())
        assert sink.done == -1
    assert "not as chat.postMessage answers" in caplog.text


# ---- the config


def read(tmp_path: Path, text: str) -> tuple[Target, ...]:
    (tmp_path / "bot").write_text("xoxb-7\n")
    path = tmp_path / "config.toml"
    path.write_text(
        '[kafka]\nbootstrap_servers = "localhost:9092"\n[[models]]\nname = "fraud"\n'
        f'reference = "fraud.json"\n[[notify]]\n{text}\n'
    )
    return load_config(path, {}).notify


def test_a_bot_needs_a_channel_and_a_token_only(tmp_path: Path) -> None:
    (found,) = read(tmp_path, 'type = "slack"\nchannel = "#models"\ntoken_file = "bot"')
    assert found == SlackTarget("slack", "https://slack.com/api", token="xoxb-7", channel="#models")
    assert "xoxb" not in repr(found)


def test_the_pages_example_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "notify.md").read_text()
    example = re.search(r"```toml\n\[\[notify\]\]\n([^`]*channel = [^`]*)```", page)
    assert example, "docs/notify.md has no example of a bot"
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "slack-bot").write_text("xoxb-8")
    (found,) = read(tmp_path, example[1])
    assert (found.token, found.channel) == ("xoxb-8", "#models")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('type = "slack"\nchannel = "#a"', "notify[0].channel needs token_file or token"),
        ('type = "webhook"\nurl = "http://a"\nchannel = "#a"', "channel is for Slack only"),
        (
            'type = "slack"\nchannel = "#a"\ntoken = "x"\nurl = "https://hooks.slack.com/services/T/B/x"',
            "is of an incoming webhook, which has its own channel. Leave out url or channel.",
        ),
        ('type = "slack"\ntoken = "x"', "Or give channel and token_file, for a bot."),
        ('type = "slack"\nchannel = ""\ntoken = "x"', "notify[0].channel must"),
    ],
)
def test_mistakes_are_said(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert words in str(caught.value)
    assert "services/T" not in str(caught.value)
