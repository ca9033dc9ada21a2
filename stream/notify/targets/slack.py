"""Slack as a target: an incoming webhook, or a bot's token and threads.

By a bot's token episodes of one story are one thread.

Episodes of one subject that are open at a time name each other (`related`). The first of them that
is told is a message of the channel, and all that follows is a reply to it. An incoming webhook does
not say under which number a message was posted, so it cannot do this; chat.postMessage does.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote

import msgspec

from stream.alerts.story import related_words
from stream.contracts.alert_event import AlertEvent
from stream.notify.answer import Answer
from stream.notify.sinks import QueueSink
from stream.notify.suppression import Suppression
from stream.notify.targets.contract import REVISIONS, OptionTable, Target, read_url
from stream.runbooks import runbook_command
from stream.text.printable import printable

__all__ = ["SlackSink", "SlackTarget", "SlackThreads", "slack_message", "slack_text"]

_API: Final = "https://slack.com/api"
_MARK: Final = {"critical": ":red_circle:", "warning": ":large_orange_circle:"}
#: What Slack, and those who take the same, read as markup within a line.
_LOOKALIKE: Final = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ", "@": "＠"})
#: Slack cuts a text that is longer.
_SLACK_CHARS: Final = 3_000

#: A message's number within its channel: seconds and microseconds.
_TS: Final = re.compile(r"(\d{1,12})\.(\d{6})")
_MICROS: Final = 1_000_000
#: Digits of an episode's id that it is kept under: as many as `driftstream ack` shows.
_DIGITS: Final = 8
_MAX_EPISODES: Final = 1_000
#: The message itself is wrong: it would be refused again.
_REFUSED: Final = frozenset({"msg_too_long", "no_text"})
#: Nothing can be said in this thread any more.
_CLOSED: Final = frozenset(
    {
        "cannot_reply_to_message",
        "invalid_thread_ts",
        "message_not_found",
        "restricted_action_non_threadable_channel",
        "restricted_action_thread_locked",
        "thread_not_found",
    }
)
_ADVICE: Final = {
    "channel_not_found": "Check channel; to a private one the bot must be invited.",
    "invalid_auth": "Check the token.",
    "missing_scope": "The bot needs the scope chat:write.",
    "not_authed": "Check the token.",
    "not_in_channel": "Invite the bot to the channel.",
    "token_revoked": "Make a new token.",
}


class _Reply(msgspec.Struct):
    """What chat.postMessage answers."""

    ok: bool = False
    error: str = ""
    ts: str = ""

    @property
    def number(self) -> int | None:
        """The message's number, in microseconds."""
        found = _TS.fullmatch(self.ts)
        return int(found[1] + found[2]) if found else None

    def as_answer(self) -> Answer:
        """Whether it was posted, else why not and what to do."""
        if self.ok:
            return Answer(True, False, "delivered")
        words = f"Slack refused it: {printable(self.error, 100)}."
        advice = _ADVICE.get(self.error, "")
        return Answer(False, self.error in _REFUSED, f"{words} {advice}".strip(" ."))


@dataclass(frozen=True)
class SlackTarget(Target):
    """See `Target`.

    Attributes
    ----------
    channel : str
        Written to by a bot's token: episodes of one story are a thread. "" for an incoming webhook,
        which has its own channel.
    """

    kind = "slack"
    own_keys: ClassVar[Mapping[str, str]] = {"channel": "is for Slack only. Leave it out."}

    channel: str = ""

    @classmethod
    def read(cls, table: OptionTable, common: Mapping[str, Any]) -> Self:
        """See `Target`."""
        channel = table.text("channel", non_empty=True) if table.has("channel") else ""
        if channel and not common["token"]:
            raise table.error(
                "channel",
                "needs token_file or token, of a Slack app's bot with the scope chat:write. "
                "An incoming webhook (url) has its own channel.",
            )
        if channel and not table.secret("url"):
            url = _API
        else:
            url = read_url(table, instead=" Or give channel and token_file, for a bot.")
        if channel and "/services/" in url:
            raise table.error(
                "url",
                "is of an incoming webhook, which has its own channel. Leave out url or channel.",
            )
        revisions = table.choice("revisions", "steps", REVISIONS)
        return cls(url=url, channel=channel, revisions=revisions, **common)

    def make_sink(self, clock: Callable[[], float], suppression: Suppression) -> QueueSink:
        """See `Target`."""
        kind = SlackThreads if self.channel else SlackSink
        return kind(self, clock, suppression)


class SlackSink(QueueSink):
    """Every event in order, as a message of an incoming webhook."""

    def _deliver(self, event: AlertEvent) -> Answer:
        """See `QueueSink`."""
        headers = {"Content-Type": "application/json"}
        return self._post(self.target.url, slack_message(event), headers)


class SlackThreads(QueueSink):
    """Every event in order, by a bot's token, into the thread of its story."""

    target: SlackTarget

    def __init__(
        self,
        target: SlackTarget,
        clock: Callable[[], float],
        suppression: Suppression | None = None,
    ) -> None:
        super().__init__(target, clock, suppression)
        self._threads: OrderedDict[str, int] = OrderedDict()  # episode -> its thread's number

    @property
    def kept(self) -> dict[str, int]:
        """See `Sink`."""
        with self._lock:
            return dict(self._threads)

    def recall(self, kept: Mapping[str, int]) -> None:
        """See `Sink`."""
        with self._lock:
            self._threads.update(kept)

    def _deliver(self, event: AlertEvent) -> Answer:
        target, data = self.target, event.data
        thread = self._thread_of(event)
        place: dict[str, str | bool] = {"channel": target.channel}
        if thread is not None:
            place["thread_ts"] = f"{thread // _MICROS}.{thread % _MICROS:06d}"
            # Else only those who follow the thread would hear of it.
            place["reply_broadcast"] = data.status == "firing" and data.severity == "critical"
        answer, content = self.client.request(
            "POST",
            f"{target.url}/chat.postMessage",
            slack_message(event, **place),
            {
                "Content-Type": "application/json; charset=utf-8",
                "Authorization": f"Bearer {target.token}",
            },
        )
        if answer.delivered:  # by HTTP: what became of the message is in the body
            said = _read(content)
            answer = said.as_answer()
            if said.ok:
                self._note(event, said.number if thread is None else thread)
            elif thread is not None and said.error in _CLOSED:
                self._forget(thread)  # the next try begins another
        return self._judge(answer)

    def _thread_of(self, event: AlertEvent) -> int | None:
        """The thread in which this episode was told, or one that is open beside it."""
        story = (event.data.episode, *(other.episode for other in event.data.related))
        with self._lock:
            found = (self._threads.get(episode[:_DIGITS]) for episode in story)
            return next((thread for thread in found if thread is not None), None)

    def _note(self, event: AlertEvent, thread: int | None) -> None:
        episode = event.data.episode[:_DIGITS]
        with self._lock:
            self._threads.pop(episode, None)
            if thread is not None and event.data.status == "firing":
                self._threads[episode] = thread
            while len(self._threads) > _MAX_EPISODES:
                self._threads.popitem(last=False)

    def _forget(self, thread: int) -> None:
        with self._lock:
            for episode in [e for e, ts in self._threads.items() if ts == thread]:
                del self._threads[episode]


def _read(content: bytes) -> _Reply:
    try:
        return msgspec.json.decode(content, type=_Reply)
    except msgspec.MsgspecError:
        return _Reply(error="what it answers is not as chat.postMessage answers")


def slack_message(event: AlertEvent, **place: str | bool) -> bytes:
    """A message for Slack's incoming webhooks, and for those who take the same.

    `place` is what chat.postMessage wants besides: channel, thread.
    """
    data = event.data
    firing = data.status == "firing"
    mark = _MARK.get(data.severity, ":large_blue_circle:") if firing else ":white_check_mark:"
    head = f"*{data.severity}*" if firing else "*resolved*"
    lines = [f"{mark} {head} {slack_text(data.annotations.summary)}"]
    links = [
        f"<{_slack_url(url)}|{name}>"
        for name, url in (
            ("Runbook", data.annotations.runbook_url),
            ("Dashboard", data.annotations.dashboard_url),
        )
        if url.startswith(("http://", "https://"))
    ]
    if firing:
        if not data.annotations.runbook_url:
            links.append(f"`{runbook_command(data.labels.kind)}`")
        if data.related:
            others = "; ".join(
                f"{slack_text(related_words(other))} `{other.episode[:8]}`"
                for other in data.related
            )
            lines.append(f"Together with {others}")
        if data.annotations.evidence:
            lines.append(f"> {slack_text(data.annotations.evidence)}")
        links.append(f"`driftstream ack {data.episode[:8]}`")
    if links:
        lines.append(" · ".join(links))
    return msgspec.json.encode({"text": "\n".join(lines)[:_SLACK_CHARS], **place})


def slack_text(text: str) -> str:
    """A text that Slack shows as it is: no link, no mention, no picture, nothing bold.

    What `<`, `>` and `&` start is escaped as Slack says. It has no escape for what else it reads as
    markup, so that is shown by its like: no name can look as if it were ours.
    """
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.translate(_LOOKALIKE).replace("://", "꞉//")
    text = re.sub(r"(?<!\w)_|_(?!\w)", "＿", text)
    return re.sub(r":(?=[\w+-]+:)", "꞉", text)


def _slack_url(url: str) -> str:
    return quote(url, safe="%/:?#[]@!$'()*+,;=~&").replace("&", "&amp;")
