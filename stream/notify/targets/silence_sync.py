"""Keeps silences in an Alertmanager for the alerts that are suppressed here.

An alert that is not posted any more would end there as if it were resolved. So it is still posted,
and silenced in Alertmanager itself, where people see it marked as silenced. The silences of earlier
runs are found by their comment, so nothing has to be stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from stream.contracts.alert_event import AlertEvent, AlertTime, format_time, parse_time
from stream.notify.answer import Answer
from stream.notify.suppression import Suppression
from stream.text.printable import printable

if TYPE_CHECKING:
    from stream.notify.http import Client

__all__ = ["SilenceSync", "alertmanager_labels", "filled"]

_AUTHOR: Final = "driftstream notify"
_COMMENT: Final = re.compile(r"^episode ([0-9a-f]{32})\b")
_DONE: Final = Answer(True, False, "nothing to do")


class _Status(msgspec.Struct):
    state: str = ""


class _Silence(msgspec.Struct):
    id: str
    endsAt: AlertTime  # noqa: N815 - Alertmanager's name
    createdBy: str = ""  # noqa: N815
    comment: str = ""
    status: _Status = msgspec.field(default_factory=_Status)


class SilenceSync:
    """Makes and ends an Alertmanager's silences to match a `Suppression`.

    Parameters
    ----------
    url : str
        Of the Alertmanager.
    headers : mapping
        Of every request.
    client : Client
    """

    def __init__(self, url: str, headers: Mapping[str, str], client: Client) -> None:
        self._url, self._headers, self._client = url, headers, client
        self._synced: dict[str, int] = {}  # episode -> until, as of the last sync
        self._known: set[str] = set()  # episodes of this notifier

    def sync(
        self,
        firing: Iterable[AlertEvent],
        ended: Iterable[AlertEvent],
        suppression: Suppression,
        now_ms: int,
    ) -> Answer:
        """Make and end silences until they are as they should be."""
        alerts = {alert.data.episode: alert for alert in firing}
        self._known |= {alert.data.episode for alert in ended}
        wanted = {
            episode: until
            for episode, alert in alerts.items()
            if (until := suppression.until(alert, now_ms)) is not None
        }
        news = not alerts.keys() <= self._known  # one of an earlier run may be silenced still
        self._known |= alerts.keys()
        if wanted == self._synced and not news:
            return _DONE
        answer, body = self._ask("GET", "/api/v2/silences")
        if not answer.delivered:
            return answer
        try:
            existing = msgspec.json.decode(body, type=list[_Silence])
        except msgspec.MsgspecError as error:
            return Answer(False, False, f"/api/v2/silences gives no silences: {error}")
        kept: dict[str, int] = {}
        for silence in existing:
            found = _COMMENT.match(silence.comment)
            if silence.createdBy != _AUTHOR or silence.status.state == "expired" or not found:
                continue
            episode = found[1]
            if abs(wanted.get(episode, 0) - parse_time(silence.endsAt)) < 1_000:
                kept[episode] = wanted[episode]
            elif episode in self._known:
                answer, _ = self._ask("DELETE", f"/api/v2/silence/{quote(silence.id, safe='')}")
                if not answer.delivered:
                    return answer
        for episode in wanted.keys() - kept.keys():
            reason = suppression.reason(alerts[episode], now_ms)
            body = _silence(alerts[episode], now_ms, wanted[episode], reason)
            answer, _ = self._ask("POST", "/api/v2/silences", body)
            if not answer.delivered:
                return answer
        self._synced = wanted
        return _DONE

    def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[Answer, bytes]:
        return self._client.request(method, self._url + path, body, self._headers)


def _silence(alert: AlertEvent, now_ms: int, until_ms: int, reason: str) -> bytes:
    """One that holds for every severity of the episode."""
    labels = alertmanager_labels(alert)
    matchers: list[dict[str, Any]] = [
        {"name": name, "value": value, "isRegex": False, "isEqual": True}
        for name, value in labels.items()
        if name != "severity"
    ]
    return msgspec.json.encode(
        {
            "matchers": matchers,
            "startsAt": format_time(now_ms),
            "endsAt": format_time(until_ms),
            "createdBy": _AUTHOR,
            "comment": f"episode {alert.data.episode}: {reason}",
        }
    )


def alertmanager_labels(event: AlertEvent) -> dict[str, str]:
    """What identifies an alert to Alertmanager."""
    data = event.data
    labels = {
        "alertname": data.labels.alertname,
        "environment": event.source.removeprefix("driftstream/"),
        "kind": data.labels.kind,
        "model": data.labels.model,
        "model_version": data.labels.model_version,
        "severity": data.severity,
    }
    return filled(labels)


def filled(texts: dict[str, str]) -> dict[str, str]:
    """The texts that are not empty, printable."""
    return {key: printable(text) for key, text in texts.items() if text}
