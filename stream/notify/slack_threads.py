"""Slack by a bot's token: episodes of one story are one thread.

Episodes of one subject that are open at a time name each other (`related`). The first of them that
is told is a message of the channel, and all that follows is a reply to it. An incoming webhook does
not say under which number a message was posted, so it cannot do this; chat.postMessage does.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from stream.contracts.alert_event import AlertEvent
from stream.notify.http import Answer
from stream.notify.render import slack_message
from stream.notify.sinks import QueueSink
from stream.notify.suppression import Suppression
from stream.notify.targets import Target
from stream.text.printable import printable

__all__ = ["SlackThreads"]

#: A message's number within its channel: seconds and microseconds.
_TS: Final = re.compile(r"(\d{1,12})\.(\d{6})")
_MICROS: Final = 1_000_000
#: Digits of an episode's id that it is kept under: as many as `driftstream ack` shows.
_DIGITS: Final = 8
_MAX_EPISODES: Final = 1_000
#: The message itself is wrong: it would be refused again.
_REFUSED: Final = frozenset({"msg_too_long", "no_text"})
#: Nothing can be said in this thread any more.
_CLOSED: Final = frozenset({
    "cannot_reply_to_message", "invalid_thread_ts", "message_not_found",
    "restricted_action_non_threadable_channel", "restricted_action_thread_locked",
    "thread_not_found",
})  # fmt: skip
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


class SlackThreads(QueueSink):
    """Every event in order, into the thread of its story."""

    def __init__(
        self, target: Target, clock: Callable[[], float], suppression: Suppression | None = None
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
            "POST", f"{target.url}/chat.postMessage", slack_message(event, **place),
            {"Content-Type": "application/json; charset=utf-8",
             "Authorization": f"Bearer {target.token}"},
        )  # fmt: skip
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
