"""The alert contract: bytes, ids, times, the published schema."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import pytest

from stream.alerts.episodes import Episodes
from stream.alerts.sentences import action_for, alert_name, sentence
from stream.contracts.alert_event import (
    AlertContext,
    AlertError,
    AlertSignal,
    alert_schema,
    decode_alert,
    encode_alert,
    episode_id,
    event_id,
    fingerprint,
    format_time,
    parse_time,
)
from stream.plans.plan import Subject
from stream.text.durations import duration
from tests.stream.alerts.test_episodes import finding

DOCS = Path(__file__).parents[3] / "docs"
CONTEXT = AlertContext(
    environment="prod",
    dashboard_url="https://d",
    runbook_url="https://r/{kind}",
    reference="sha256:aa",
    config="sha256:bb",
    false_alarms_per_week=1.0,
    alpha=2e-6,
    offsets={"predictions-0": (12, 22)},
)


def opened():
    (alert,) = Episodes(Subject("fraud", "3")).step(
        1_772_366_400_000,
        [finding("purchase_frequency", value=0.31, threshold=0.11)],
        True,
        CONTEXT,
    )
    return alert


def test_an_alert_is_the_documented_event():
    assert json.loads(encode_alert(opened())) == {
        "specversion": "1.0",
        "id": "61d8dc64387031221547340eebda1e8f",
        "source": "driftstream/prod",
        "type": "io.driftstream.alert.v1",
        "subject": "fraud/3/data_drift",
        "time": "2026-03-01T12:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {
            "status": "firing",
            "severity": "critical",
            "revision": 1,
            "fingerprint": "0517ba28b3fdcaca7d6e506b5bda10a9",
            "episode": "4f6988d83ce988af026bd259e7b43974",
            "labels": {
                "alertname": "DataDrift",
                "model": "fraud",
                "model_version": "3",
                "kind": "data_drift",
            },
            "annotations": {
                "summary": "fraud v3: Data drift in 'purchase_frequency' (PSI 0.31, threshold "
                "0.11; mean 4.1 -> 2.7). Recommended action: investigate the feature distribution "
                "and schedule retraining.",
                "action": "investigate_features",
                "runbook_url": "https://r/data_drift",
                "dashboard_url": "https://d",
            },
            "startsAt": "2026-03-01T12:00:00.000Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "signals": [
                {
                    "name": "purchase_frequency",
                    "role": "feature",
                    "test": "psi",
                    "value": 0.31,
                    "threshold": 0.11,
                    "importance": 0.5,
                    "since": "revision 1",
                    "p_value": 1e-9,
                    "change": "mean 4.1 -> 2.7",
                    "bins": {"edges": [1.0], "reference": [0.5, 0.5], "window": [0.25, 0.75]},
                    "effect": 0.3,
                    "events": 1000,
                }
            ],
            "joined": ["purchase_frequency"],
            "left": [],
            "window": {
                "start": "2026-03-01T11:50:00.000Z",
                "end": "2026-03-01T12:00:00.000Z",
                "events": 1000,
            },
            "reference": "sha256:aa",
            "config": "sha256:bb",
            "budget": {"false_alarms_per_week": 1.0, "alpha": 2e-06},
            "offsets": {"predictions-0": [12, 22]},
            "news": ["opened"],
            "related": [],
        },
    }


def test_ids_never_change():
    identity = fingerprint("fraud", "3", "data_drift")
    episode = episode_id(identity, 1_772_366_400_000)
    assert identity == "0517ba28b3fdcaca7d6e506b5bda10a9"
    assert episode == "4f6988d83ce988af026bd259e7b43974"
    assert event_id(episode, 1) == "61d8dc64387031221547340eebda1e8f"


def test_ids_keep_their_parts_apart():
    assert fingerprint("a", "b/c", "x") != fingerprint("a/b", "c", "x")
    assert fingerprint("a", "b", "c") != episode_id("a", 1)
    assert event_id("a", 1) != episode_id("a", 1)


def test_what_is_written_is_read():
    alert = opened()
    assert decode_alert(encode_alert(alert)) == alert


def test_numbers_that_json_cannot_hold():
    found = finding(value=math.inf, threshold=-math.inf, effect=math.inf, p_value=math.nan)
    (alert,) = Episodes(Subject("m", "")).step(0, [found], True, CONTEXT)
    (signal,) = decode_alert(encode_alert(alert)).data.signals
    assert (signal.value, signal.threshold, signal.p_value) == (1.7e308, -1.7e308, None)


def test_later_fields_are_ignored_and_wrong_ones_named():
    plain = json.loads(encode_alert(opened()))
    plain["data"]["owner"] = "someone"
    plain["extra"] = 1
    assert decode_alert(json.dumps(plain).encode()) == opened()
    for change, place in (
        (("data", "severity", "huge"), "$.data.severity"),
        (("data", "revision", 0), "$.data.revision"),
        (("data", "startsAt", "noon"), "$.data.startsAt"),
        (("data", "signals", [{}]), r"$.data.signals[0]"),
    ):
        broken = json.loads(json.dumps(plain))
        broken[change[0]][change[1]] = change[2]
        with pytest.raises(AlertError) as error:
            decode_alert(json.dumps(broken).encode(), "alerts-0@7")
        assert "alerts-0@7 is not an io.driftstream.alert.v1 event" in str(error.value)
        assert place in str(error.value)
    plain["type"] = "io.driftstream.alert.v2"
    with pytest.raises(AlertError):
        decode_alert(json.dumps(plain).encode())
    with pytest.raises(AlertError):
        decode_alert(b"\xff")


def test_the_published_schema_is_that_of_the_code():
    published = DOCS / "alert.v1.schema.json"
    assert published.read_bytes() == alert_schema(), (
        "docs/alert.v1.schema.json is not what alert_schema() of this code gives; if the change "
        "only adds optional fields, write it anew, else the event needs a new version."
    )


#: What every v1 event has. Nothing may be taken away or added here: that would be v2.
REQUIRED = {
    "AlertBins": {"reference", "window"},
    "AlertBudget": {"alpha", "false_alarms_per_week"},
    "AlertData": {
        "annotations", "budget", "config", "endsAt", "episode", "fingerprint", "joined", "labels",
        "left", "offsets", "reference", "revision", "severity", "signals", "startsAt", "status",
        "window",
    },
    "AlertEvent": {
        "data", "datacontenttype", "id", "source", "specversion", "subject", "time", "type",
    },
    "AlertLabels": {"alertname", "kind", "model", "model_version"},
    "AlertSignal": {"importance", "name", "role", "since", "test", "threshold", "value"},
    "AlertWindow": {"end", "events", "start"},
    "Annotations": {"action", "dashboard_url", "runbook_url", "summary"},
}  # fmt: skip


def test_the_contract_only_grew_by_optional_members():
    parts = json.loads(alert_schema())["$defs"]
    assert {name: set(parts[name]["required"]) for name in REQUIRED} == REQUIRED
    # The least that version 1 ever held is still an alert.
    plain = json.loads(encode_alert(opened()))
    for part, name in (
        (plain["data"]["annotations"], "Annotations"),
        (plain["data"]["signals"][0], "AlertSignal"),
    ):
        for extra in part.keys() - REQUIRED[name]:
            del part[extra]
    (signal,) = decode_alert(json.dumps(plain).encode()).data.signals
    assert (signal.change_point, signal.quantiles, signal.effect, signal.bins) == (None,) * 4


def test_the_documented_example_is_valid():
    text = (DOCS / "alerts.md").read_text()
    example = text.split("```json\n", 1)[1].split("```", 1)[0]
    alert = decode_alert(example.encode())
    assert alert.data.fingerprint == fingerprint("fraud", "3", "data_drift")
    assert alert.data.episode == episode_id(
        alert.data.fingerprint, parse_time(alert.data.starts_at)
    )
    assert alert.id == event_id(alert.data.episode, alert.data.revision)
    assert msgspec.json.decode(encode_alert(alert)) == msgspec.json.decode(example.encode())


def test_times():
    for ms, text in (
        (0, "1970-01-01T00:00:00.000Z"),
        (1_772_366_400_123, "2026-03-01T12:00:00.123Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ):
        assert format_time(ms) == text
        assert parse_time(text) == ms


def test_durations():
    cases = {0: "0 s", 999: "0 s", 10_000: "10 s", 1_200_000: "20 min", 3_660_000: "1 h 1 min",
             7_200_000: "2 h", 93_784_000: "1 d 2 h", 86_400_001: "1 d", 61_000: "1 min 1 s",
             86_460_000: "1 d"}  # fmt: skip
    assert {ms: duration(ms) for ms in cases} == cases


def test_sentences():
    def signal(name, **changes):
        return AlertSignal(name, "feature", "adwin", 0.2, 0.1, 1.0, "revision 1", **changes)

    signals = [signal("a"), signal("b", segment="region=eu"), signal("c"), signal("d")]
    assert sentence("m", "", "prediction_drift", signals[:1], 1) == (
        "m: Prediction drift in 'a' (ADWIN 0.2, threshold 0.1)."
    )
    assert sentence(
        "m", "v2", "system", signals[:2], 2, notes=["now critical"], action="scale"
    ) == (
        "m v2: System problem in 'a' (ADWIN 0.2, threshold 0.1) and 'b' (ADWIN 0.2, threshold "
        "0.1) in region=eu; now critical. Recommended action: look at the load of the serving "
        "system and scale it."
    )
    text = sentence("m", "1", "data_drift", signals, 40)
    late = AlertSignal("late_events", "system", "late_events", 0.021, 0.01, 1.0, "revision 1")
    assert "'late_events' (0.021, threshold 0.01)" in sentence("m", "1", "system", [late], 1)
    assert text.endswith("'c' (ADWIN 0.2, threshold 0.1) and 37 more signals.")
    assert action_for("system", "latency") == "scale"
    assert action_for("system", "late") == "check_pipeline"
    assert alert_name("prediction_drift") == "PredictionDrift"


def test_a_sentence_is_never_longer_than_a_breath():
    """What happened is cut only where nothing else can go; how it stands is told all the same."""

    def of(headline, *notes, **more):
        signal = AlertSignal("a", "error", "fairness", 0.5, 0.1, 1.0, "revision 1",
                             headline=headline)  # fmt: skip
        return sentence("credit", "7", "fairness", [signal], 8, since_ms=0, notes=notes, **more)

    assert of("x" * 80, "still firing after 2 d") == (
        f"credit v7: Unequal outcomes: {'x' * 80} and 7 more signals since 1970-01-01 00:00 UTC; "
        "still firing after 2 d."
    )
    kept = f"credit v7: Unequal outcomes: {'x' * 140} since 1970-01-01 00:00 UTC."
    assert of("x" * 140, "its change has at least doubled", "'a' joined") == kept
    cut = of("x" * 300, "now critical, before warning", "still firing after 2 d", "'a' now leads")
    assert len(cut) == 200
    assert cut.endswith("x… since 1970-01-01 00:00 UTC; now critical, before warning.")
    resolved = of("", "resolved after 2 d", was="x" * 300)
    assert len(resolved) == 200
    assert resolved.endswith("x… since 1970-01-01 00:00 UTC; resolved after 2 d.")


def test_a_name_is_not_read_as_of_what_is_told_of_another():
    def signal(name, headline):
        return AlertSignal(name, "label", "psi", 0.2, 0.1, 1.0, "revision 1", headline=headline)

    first = signal("label", "'no' is 60 % of 'label' (usually 44 %)")
    others = [signal(name, "x" * 150) for name in ("score", "margin")]
    text = sentence("m", "1", "prediction_drift", [first, *others], 4)
    assert text.startswith(
        "m v1: Prediction drift: 'no' is 60 % of 'label' (usually 44 %), also 'score', 'margin' "
        "and 1 more signal"
    )
