"""Acknowledgements and silences on the page, and episodes that are known from the topic alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stream.alerts.silences import Silence
from stream.contracts.acks import decode_alert_or_ack, encode_ack, make_ack
from stream.contracts.alert_event import AlertEvent, decode_alert, encode_alert
from stream.decode.record import FileRecord
from stream.page.page_model import page_model_of
from stream.page.recent import EpisodeRow, RecentEpisodes
from stream.page.signal import signal_state
from tests.page.test_page import state_after
from tests.stream.harness import make_events
from tests.stream.metrics.test_metrics import FileState

NOW = 1_002_400_000
HOUR = 3_600_000
EVENTS = make_events(3, 3_000, drift_at=2_400)


@pytest.fixture
def worker() -> tuple[FileState, list[AlertEvent]]:
    """A worker after drift, and what it published."""
    state, alerts = state_after([]), []
    for alert in state.replay.run(FileRecord(i, 0, value) for i, value in enumerate(EVENTS)):
        state.count(alert)
        alerts.append(alert)
    return state, alerts


def hear(state: FileState, *said: Any) -> None:
    """What comes over the topic, as bytes."""
    for each in said:
        value = encode_alert(each) if isinstance(each, AlertEvent) else encode_ack(each)
        state.recent.hear(decode_alert_or_ack(value))


def only(state: FileState, now_ms: int = NOW) -> EpisodeRow:
    (row,) = [row for row in page_model_of(state, "", "", now_ms).episodes if not row.ends]
    return row


def test_an_ack_is_shown_with_who_when_until_and_note(
    worker: tuple[FileState, list[AlertEvent]],
) -> None:
    state, alerts = worker
    firing = alerts[-1]
    assert only(state).ack is None
    hear(state, make_ack(firing, NOW, NOW + HOUR, "anna", "known since Monday"))
    ack = only(state).ack
    assert ack is not None
    assert (ack.by, ack.at, ack.until, ack.note) == (
        "anna",
        NOW,
        NOW + HOUR,
        "known since Monday",
    )
    own = signal_state(state, "fraud", "1", "x", NOW).episodes
    assert [row.ack for row in own if not row.ends] == [ack], "on the page of its signal too"


def test_the_last_ack_counts_whichever_order_they_come_in(
    worker: tuple[FileState, list[AlertEvent]],
) -> None:
    state, alerts = worker
    first = make_ack(alerts[-1], NOW, NOW + HOUR, "anna")
    back = make_ack(alerts[-1], NOW + 5, NOW + 5, "ben")
    hear(state, first, back, first)
    ack = only(state).ack
    assert ack is not None
    assert (ack.by, ack.until) == ("ben", NOW + 5)


def test_an_ack_may_come_before_its_alert_and_is_of_that_episode_alone(
    worker: tuple[FileState, list[AlertEvent]],
) -> None:
    state, alerts = worker
    other = msgspec.structs.replace(
        alerts[-1], data=msgspec.structs.replace(alerts[-1].data, episode=f"{7:032x}")
    )
    hear(state, make_ack(other, NOW, NOW + HOUR))
    assert only(state).ack is None
    fresh = state_after(EVENTS)
    hear(fresh, make_ack(alerts[-1], NOW, NOW + HOUR))
    for alert in alerts:
        fresh.recent.note(alert)
    assert only(fresh).ack is not None


def test_a_silence_is_shown_with_its_end_and_on_what_it_silences(
    worker: tuple[FileState, list[AlertEvent]],
) -> None:
    state, _ = worker
    state.silences = (
        Silence(models=("fraud",), start_ms=NOW - 1, end_ms=NOW + HOUR, reason="rollout"),
        Silence(models=("churn",), start_ms=NOW - 1, end_ms=NOW + 9 * HOUR),
        Silence(
            kinds=("data_drift",), start_ms=NOW - 1, end_ms=NOW + 9 * HOUR, max_severity="warning"
        ),
        Silence(start_ms=NOW + HOUR, end_ms=NOW + 2 * HOUR),
    )
    said = page_model_of(state, "", "", NOW)
    assert [(row.models, row.until) for row in said.silences] == [
        (("fraud",), NOW + HOUR),
        (("churn",), NOW + 9 * HOUR),
        ((), NOW + 9 * HOUR),
    ]
    quiet = only(state).silence
    assert quiet is not None, "it is critical, so the third is not over it"
    assert (quiet.until, quiet.reason) == (NOW + HOUR, "rollout")
    assert only(state, NOW + HOUR).silence is not None, "the fourth holds now"
    assert only(state, NOW + 2 * HOUR).silence is None
    assert all(row.silence is None for row in said.episodes if row.ends)


def test_what_fires_since_before_this_worker_began_is_known_from_the_topic(
    worker: tuple[FileState, list[AlertEvent]],
) -> None:
    state, alerts = worker
    before = only(state)
    restarted = FileState(state.replay)
    assert page_model_of(restarted, "", "", NOW).episodes == []
    hear(restarted, *alerts)
    row = only(restarted)
    assert row.told is False
    assert (row.id, row.names, row.severities) == (before.id, before.names, before.severities)
    restarted.count(decode_alert(encode_alert(alerts[-1])))
    assert only(restarted).told is True


def test_episodes_of_models_that_are_elsewhere_or_over_are_left_out(
    worker: tuple[FileState, list[AlertEvent]],
) -> None:
    state, alerts = worker
    data = alerts[-1].data

    def like(number: int, **changes: Any) -> AlertEvent:
        labels = msgspec.structs.replace(data.labels, **changes.pop("labels", {}))
        made = msgspec.structs.replace(data, episode=f"{number:032x}", labels=labels, **changes)
        return msgspec.structs.replace(alerts[-1], data=made)

    restarted = FileState(state.replay)
    hear(
        restarted,
        *alerts,
        like(1, labels={"model": "churn"}),
        like(2, labels={"kind": "performance"}),  # nothing of it is open here: its end was lost
        like(3, starts_at="1970-01-02T00:00:00.000Z"),  # an older one of the same kind
    )
    shown = {row.id for row in page_model_of(restarted, "", "", NOW).episodes}
    assert shown == {alert.data.episode for alert in alerts}


def test_the_sentence_is_one_breath_and_the_rest_is_kept(
    worker: tuple[FileState, list[AlertEvent]],
) -> None:
    state, alerts = worker
    row = only(state)
    assert f"{row.summary} {row.advice}" == alerts[-1].data.annotations.summary
    assert row.summary.endswith(".")
    assert row.advice.startswith("Recommended action:")


def test_what_fires_and_no_alert_is_known_of_is_counted(
    worker: tuple[FileState, list[AlertEvent]],
) -> None:
    state, alerts = worker
    assert page_model_of(state, "", "", NOW).unseen_episodes == 0
    state.recent = RecentEpisodes()
    said = page_model_of(state, "", "", NOW)
    assert (said.episodes, said.unseen_episodes) == ([], 1)
    hear(state, *alerts)
    assert page_model_of(state, "", "", NOW).unseen_episodes == 0
