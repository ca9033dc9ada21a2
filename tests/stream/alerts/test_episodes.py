"""The life of an episode: opens, is revised, resolves; and its laws."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import ChangePoint
from stream.alerts.episodes import Episodes, Finding
from stream.alerts.lasting import Size
from stream.alerts.patience import Rest, looks_after, reminder_ms
from stream.alerts.sizes import on_one_scale
from stream.contracts.alert_event import (
    AlertBins,
    AlertChangePoint,
    AlertContext,
    AlertQuantiles,
    decode_alert,
    encode_alert,
    is_reminder,
)
from stream.contracts.roles import ROLES
from stream.plans.plan import Subject

PANE = 10_000
DAY = 86_400_000
T0 = 1_772_366_400_000
CONTEXT = AlertContext()


def finding(signal: str = "a", **changes: Any) -> Finding:
    of_kind = [role.name for role in ROLES.values() if role.kind == changes.get("kind")]
    fields: dict[str, Any] = {
        "kind": "data_drift",
        "signal": signal,
        "role": (of_kind or ["feature"])[0],
        "test": "psi",
        "value": 0.3,
        "threshold": 0.1,
        "severity": "critical",
        "start_ms": T0 - 600_000,
        "end_ms": T0,
        "events": 1000,
        "p_value": 1e-9,
        "importance": 0.5,
        "effect": 0.3,
        "change": "mean 4.1 -> 2.7",
        "bins": AlertBins((0.5, 0.5), (0.25, 0.75), (1.0,)),
    } | changes
    return Finding(**fields)


class Line:
    """One subject's episodes, driven a window at a time."""

    def __init__(self, context: AlertContext = CONTEXT) -> None:
        self.episodes = Episodes(Subject("fraud", "3"))
        self.context = context
        self.now = T0

    def window(self, *findings: Finding, closed: bool = True, segments: Any = None):
        self.now += PANE
        return self.episodes.step(self.now, findings, closed, self.context, segments)

    def half(self, *findings: Finding, unlike: tuple[str, ...] = ()):
        """A pane with which the window of the whole stream is half full."""
        self.now += PANE
        return self.episodes.step(self.now, findings, False, self.context, None, unlike=unlike)


def said(alerts):
    return [(a.data.status, a.data.severity, a.data.revision) for a in alerts]


def test_what_is_over_is_told_as_it_was_when_it_was_worst():
    mild = finding(effect=0.1, severity="warning", headline="mean of 'a' 4.1 -> 3.9")
    worst = finding("b", effect=0.9, headline="6 % of 'b' is missing (usually 0 %)")
    fading = finding(effect=0.1, headline="4 to 5 is 6.3 % of 'a' (usually 4.7 %)")
    private = AlertContext(private=True)
    for context in (CONTEXT, private):
        line = Line(context)
        assert "mean of 'a'" in line.window(mild)[0].data.annotations.summary or context is private
        line.window(mild, worst)
        assert line.window(fading) == []
        line.episodes = Episodes.load(Subject("fraud", "3"), line.episodes.dump())
        ends = [alert for _ in range(9) for alert in line.window()]
        summary = ends[-1].data.annotations.summary
        assert ends[-1].data.status == "resolved"
        assert "4 to 5" not in summary
        if context is private:
            assert "missing" not in summary
            continue
        assert summary.startswith("fraud v3: Data drift: 6 % of 'b' is missing (usually 0 %); ")
        assert "; resolved after " in summary


def test_opens_once_and_resolves_after_two_clean_windows():
    line = Line()
    (opened,) = line.window(finding())
    assert said([opened]) == [("firing", "critical", 1)]
    assert opened.data.joined == ["a"]
    assert line.window(finding(value=0.4)) == []
    assert line.window() == []
    assert line.episodes.active == {"data_drift": "critical"}
    (resolved,) = line.window()
    assert said([resolved]) == [("resolved", "critical", 2)]
    assert resolved.data.episode == opened.data.episode
    assert resolved.data.starts_at == opened.data.starts_at == opened.time
    assert resolved.data.ends_at == resolved.time
    assert resolved.data.left == ["a"]
    assert resolved.data.annotations.summary == (
        "fraud v3: Data drift in 'a' (PSI 0.4, threshold 0.1; mean 4.1 -> 2.7); resolved after "
        "30 s."
    )
    assert line.episodes.active == {}
    assert line.window() == []
    (again,) = line.window(finding())
    assert again.data.revision == 1
    assert again.data.fingerprint == opened.data.fingerprint
    assert again.data.episode != opened.data.episode


def test_panes_that_close_no_window_resolve_nothing():
    line = Line()
    line.window(finding(), closed=False)
    assert [line.window(closed=False) for _ in range(50)] == [[]] * 50
    assert line.window() == []  # the window that the finding was in
    assert line.window() == []
    assert said(line.window()) == [("resolved", "critical", 2)]


def test_what_is_quiet_for_two_halves_of_windows_resolves():
    line = Line()
    line.window(finding(), closed=False)  # between two looks
    assert line.half() == []  # the look that the finding came before
    assert line.window() == []
    assert said(line.half()) == [("resolved", "critical", 2)]


def test_what_a_look_still_finds_stays_and_what_a_test_finds_does_too():
    line = Line()
    line.window(finding("a"), finding("b"))
    left = []
    for _ in range(5):
        assert line.half(unlike=("a", "c")) == []
        left += [name for alert in line.window() for name in alert.data.left]
    assert left == ["b"]
    for _ in range(5):
        assert line.half(finding("a")) == []
        assert line.window() == []
    (resolved,) = line.half()
    assert (resolved.data.status, resolved.data.left) == ("resolved", ["a"])  # c never joined


def test_what_comes_and_goes_is_soon_one_episode():
    line = Line()
    opened, ended = [], []
    for window in range(200):
        for alert in line.window(*[finding()] * (window % 6 == 0)):
            (ended if alert.data.status == "resolved" else opened).append(window)
    # It waits 2, 4, then 8 clean windows, which no longer come between findings.
    assert [w for w in opened if w in (0, 6, 12)] == [0, 6, 12]
    assert ended == [2, 10]


@pytest.mark.parametrize(
    ("quiet_ms", "looks", "then"),
    [(0, 2, 4), (40, 2, 4), (41, 2, 2), (40, 8, 16), (40, 9, 16), (40, 16, 16), (41, 16, 2)],
)
def test_soon_is_within_four_times_as_long_as_the_last_one_lasted(quiet_ms, looks, then):
    assert looks_after(Rest(ended_ms=1_000, lasted_ms=10, looks=looks), 1_000 + quiet_ms) == then


def test_after_a_long_quiet_an_episode_ends_as_the_first_did():
    line = Line()
    lasted = []
    for quiet in (0, 1, 1, 1, 1, 400, 1, 2_000):
        for _ in range(quiet):
            line.window()
        line.window(finding())
        clean = 0
        while line.episodes.active:
            line.window()
            clean += 1
        lasted.append(clean)
    assert lasted == [2, 4, 8, 16, 16, 2, 4, 2]


def test_a_new_reference_starts_with_the_least_patience():
    line = Line()
    for _ in range(3):
        line.window(finding())
        while line.episodes.active:
            line.window()
    line.window(finding())
    line.episodes.resolve(line.now, CONTEXT)
    line.window(finding())
    line.window()
    (resolved,) = line.window()
    assert resolved.data.status == "resolved"


def test_a_look_says_nothing_of_segments_or_of_the_pipeline():
    line = Line()
    line.window(
        finding(segment="region=eu"),
        finding("late_share", kind="system", severity="info"),
        segments=["region=eu"],
    )
    for _ in range(5):
        assert line.half() == []
    assert set(line.episodes.active) == {"data_drift", "system"}


def test_a_clean_window_between_drifted_ones_changes_nothing():
    line = Line()
    line.window(finding())
    for _ in range(5):
        assert line.window() == []
        assert line.window(finding()) == []


def test_kinds_are_episodes_of_their_own():
    line = Line()
    alerts = line.window(finding(), finding("score", kind="prediction_drift", role="score"))
    assert [a.subject for a in alerts] == ["fraud/3/data_drift", "fraud/3/prediction_drift"]
    assert len({a.data.fingerprint for a in alerts}) == len({a.id for a in alerts}) == 2
    assert line.window(finding()) == []
    (resolved,) = line.window(finding())
    assert resolved.data.labels.kind == "prediction_drift"


def test_signals_join_and_leave():
    line = Line()
    line.window(finding("a"))
    (joined,) = line.window(finding("a"), finding("b", severity="info"))
    assert (joined.data.revision, joined.data.joined, joined.data.left) == (2, ["b"], [])
    assert [(s.name, s.since) for s in joined.data.signals] == [
        ("a", "revision 1"),
        ("b", "revision 2"),
    ]
    assert "; 'b' joined. Recommended action" in joined.data.annotations.summary
    assert line.window(finding("a")) == []
    (left,) = line.window(finding("a"))
    assert (left.data.status, left.data.revision, left.data.left) == ("firing", 3, ["b"])
    assert [s.name for s in left.data.signals] == ["a"]


def test_signals_found_pane_after_pane_are_told_once_a_window():
    line = Line()
    assert len(line.window(finding("a", severity="warning"), closed=False)) == 1
    for name in "bcdef":
        assert line.window(finding(name, severity="warning"), closed=False) == []
    (worse,) = line.window(finding("g", severity="critical"), closed=False)
    assert worse.data.severity == "critical"
    assert sorted(worse.data.joined) == ["b", "c", "d", "e", "f", "g"]
    assert line.window(finding("h", severity="warning"), closed=False) == []
    (told,) = line.window(finding("a", severity="warning"))
    assert told.data.joined == ["h"]


def test_several_tests_of_a_signal_are_one_entry_with_the_strongest():
    line = Line()
    psi, adwin = finding(effect=0.3), finding(test="adwin_x", severity="warning", effect=0.9)
    (alert,) = line.window(adwin, psi)
    assert [(s.name, s.test) for s in alert.data.signals] == [("a", "psi")]


def test_severity_rises_at_once_and_falls_after_eight_lower_windows():
    line = Line()
    line.window(finding(severity="warning"))
    (raised,) = line.window(finding(severity="critical"))
    assert said([raised]) == [("firing", "critical", 2)]
    assert "now critical, before warning" in raised.data.annotations.summary
    for _ in range(7):
        assert line.window(finding(severity="warning")) == []
    assert line.window(finding(severity="critical")) == []  # they have to be in a row
    for _ in range(3):
        assert line.window(finding(severity="info")) == []
    for _ in range(4):
        assert line.window(finding(severity="warning")) == []
    (fallen,) = line.window(finding(severity="info"))
    assert said([fallen]) == [("firing", "warning", 3)]  # the highest of the eight


def test_an_effect_that_hovers_at_a_step_keeps_its_severity():
    rng = np.random.default_rng(0)
    line = Line()
    told = []
    for _ in range(60):
        level = "critical" if rng.random() < 0.5 else "warning"
        told += said(line.window(finding(severity=level)))
    assert len({severity for _, severity, _ in told}) <= 2
    assert [severity for _, severity, _ in told].count("critical") <= 1


def test_ranks_by_severity_then_importance_times_effect():
    line = Line()
    (alert,) = line.window(
        finding("small", severity="warning", effect=9.0),
        finding("much", importance=0.2, effect=0.9),
        finding("matters", importance=0.9, effect=0.9),
        finding("also", importance=0.9, effect=0.9),
    )
    assert [s.name for s in alert.data.signals] == ["also", "matters", "much", "small"]


def test_a_clear_change_of_the_lead_is_told_once():
    line = Line()
    line.window(finding("a", effect=0.30), finding("b", effect=0.29))
    assert line.window(finding("a", effect=0.30), finding("b", effect=0.40)) == []
    (alert,) = line.window(finding("a", effect=0.30), finding("b", effect=0.60))
    assert "'b' now leads" in alert.data.annotations.summary
    assert line.window(finding("a", effect=0.65), finding("b", effect=0.60)) == []


def test_a_change_of_direction_is_told_when_it_lasts():
    line = Line()
    line.window(finding(direction=1))
    for direction in (0, -1, 1, -1, 0, 1, -1):
        assert line.window(finding(direction=direction)) == []
    (alert,) = line.window(finding(direction=-1))
    assert "'a' changed direction" in alert.data.annotations.summary
    assert alert.data.news == ["direction"]
    assert line.window(finding(direction=-1)) == []


def test_only_what_was_told_can_turn_round():
    line = Line()
    line.window(finding(test="missing_rate", moves="missing_rate", direction=1))
    rng = np.random.default_rng(3)
    for way in rng.choice([-1, 1], 40).tolist():  # a mean that jitters beside it
        assert line.window(finding(moves="mean", direction=way)) == []
        assert line.window(finding(test="missing_rate", moves="missing_rate", direction=1)) == []
    assert line.window(finding(test="missing_rate", moves="missing_rate", direction=-1)) == []
    (turned,) = line.window(finding(test="missing_rate", moves="missing_rate", direction=-1))
    assert turned.data.news == ["direction"]
    (joined,) = line.window(finding(moves="mean", direction=1), finding("b"))
    assert joined.data.news == ["joined"]  # and from now on it is the mean that is told
    for _ in range(2):
        told = line.window(finding(moves="mean", direction=-1), finding("b"))
    assert told[0].data.news == ["direction"]


def test_a_change_that_doubled_is_told_when_it_lasts():
    line = Line()
    line.window(finding(effect=0.3))
    for effect in (0.59, 0.61, 0.5, 0.9, 0.3):
        assert line.window(finding(effect=effect)) == []
    assert line.window(finding(effect=0.75)) == []
    (grown,) = line.window(finding(effect=0.7))
    assert grown.data.news == ["grown"]
    assert not is_reminder(grown, None)
    assert "; its change has at least doubled." in grown.data.annotations.summary
    for effect in (0.3, 1.3, 1.3, 1.39, 1.5):  # that it doubled is told once
        assert line.window(finding(effect=effect)) == []
    (again,) = line.window(finding(effect=1.5))
    assert again.data.news == ["grown"]


def test_a_rate_has_doubled_when_its_share_has():
    def missing(share: float) -> Finding:
        return finding(test="missing_rate", value=share, effect=on_one_scale("missing_rate", share))

    line = Line()
    line.window(missing(0.13))
    assert [line.window(missing(0.25)), line.window(missing(0.25))] == [[], []]
    assert line.window(missing(0.53)) == []
    (grown,) = line.window(missing(0.53))
    assert grown.data.news == ["grown"]


def test_what_grows_again_after_it_had_fallen_for_long_is_told_again():
    line = Line()
    line.window(finding(effect=0.8))
    for _ in range(7):
        assert line.window(finding(effect=0.3)) == []
    assert line.window(finding(effect=0.8)) == []
    for _ in range(8):
        assert line.window(finding(effect=0.3)) == []
    assert line.window(finding(effect=0.8)) == []
    assert line.window(finding(effect=0.8))[0].data.news == ["grown"]


def test_small_changes_and_reminders_do_not_grow():
    line = Line()
    line.window(finding(effect=0.01, severity="info"))
    for _ in range(20):
        assert line.window(finding(effect=0.09, severity="info")) == []
    line = Line()
    line.window(finding(effect=0.3))
    for day in range(1, 5):  # a slow rise that reminders tell of piece by piece still doubles
        line.now += DAY
        told = line.window(finding(effect=0.3 + 0.08 * day))
        assert [alert.data.news for alert in told] == ([[]] if day in (1, 2, 4) else [])
    assert line.window(finding(effect=0.65))[0].data.news == ["grown"]


@given(st.lists(st.sampled_from([0.0, 0.04, 0.1, 0.2, 0.3, 0.6, 0.7, 1.5, 3.0]), max_size=80))
@settings(max_examples=300, deadline=None)
def test_sizes_as_a_naive_twin_tells_them(effects):
    size, told = Size(), 0.3
    size.note_published(0.3)
    large: list[float] = []
    small: list[float] = []
    for effect in effects:
        large = [*large, effect] if effect >= 2.0 * max(told, 0.05) else []
        small = [*small, effect] if 2.0 * effect < told else []
        size.see(effect, 2.0)
        assert size.grown == (len(large) == 2)
        if len(large) == 2:
            size.note_published(effect)
            told, large = min(large), []
        if len(small) == 8:
            told, small = max(small), []
        assert size.published == told


def test_asks_once_whether_the_reference_is_the_right_one():
    line = Line()
    (opened,) = line.window(finding("a", severity="warning"), closed=False)
    assert not opened.data.signals[0].from_start
    early = [finding("a", severity="warning", from_start=True), finding("b", severity="warning")]
    (asked,) = line.window(*early)
    words = "'a' is different from the reference from the start: is it the right reference?"
    assert asked.data.news == ["joined", "from_start"]
    assert words in asked.data.annotations.summary
    assert {s.name: s.from_start for s in asked.data.signals} == {"a": True, "b": False}
    assert line.window(*early) == []
    (worse,) = line.window(finding("a", severity="critical"), finding("b"))
    assert worse.data.news == ["severity"]
    assert {s.name: s.from_start for s in worse.data.signals} == {"a": True, "b": False}
    assert "from the start" not in worse.data.annotations.summary
    assert decode_alert(encode_alert(worse)) == worse
    (other,) = line.window(finding("a"), finding("b", from_start=True), finding("c"))
    assert other.data.news == ["joined", "from_start"]
    assert "'b' is different from the reference from the start" in other.data.annotations.summary


def test_the_sentence_says_since_when_the_episode_is():
    line = Line()
    seen = finding(note="mean rank above the reference's", events=312)
    (opened,) = line.window(seen)
    assert "in 312 events since 2026-03-01 11:50: mean 4.1 -> 2.7" in opened.data.signals[0].change
    assert " since 2026-03-01 12:00" not in opened.data.annotations.summary
    line.now += 3 * DAY
    late = finding(
        note="mean rank above the reference's", start_ms=line.now - 600_000, end_ms=line.now
    )
    (again,) = line.window(late)
    assert again.data.signals[0].change == (
        "mean rank above the reference's; in 1,000 events up to 2026-03-04 12:00: mean 4.1 -> 2.7"
    )
    assert again.data.annotations.summary.startswith(
        "fraud v3: Data drift in 'a' (PSI 0.3, threshold 0.1; mean rank above the reference's; in "
        "1,000 events up to 2026-03-04 12:00: mean 4.1 -> 2.7) since 2026-03-01 12:00 UTC; still "
        "firing after 3 d."
    )


def test_a_reminder_of_what_is_over_does_not_call_it_the_newest_events():
    line = Line()
    line.window(finding(note="mean rank above the reference's", events=148))
    for days in (1, 2, 4, 8, 16):  # a slow stream: no half of a window is full in all this time
        line.now = T0 + days * DAY
        (reminder,) = line.window(closed=False)
        assert "in 148 events up to 2026-03-01 12:00" in reminder.data.annotations.summary
    ends = [alert for _ in range(4) for alert in line.window()]
    (resolved,) = ends
    assert "in 148 events up to 2026-03-01 12:00" in resolved.data.annotations.summary
    assert "; resolved after 16 d" in resolved.data.annotations.summary


def test_reminders_thin_out():
    line = Line()
    line.window(finding())
    opened, told = line.now, []
    while line.now < opened + 40 * DAY:
        line.now += DAY - PANE  # as panes of a day do
        for alert in line.window(finding(), closed=False):
            assert alert.data.news == []
            told.append((line.now - opened) // DAY)
    assert told == [1, 2, 4, 8, 16, 24, 32, 40]
    assert "still firing after 40 d" in alert.data.annotations.summary
    assert alert.data.joined == alert.data.left == []
    assert [is_reminder(alert, None), said([alert])] == [False, [("firing", "critical", 9)]]


def test_news_are_reminder_enough_for_half_a_day():
    line = Line()
    line.window(finding())
    opened = line.now
    line.now = opened + 3 * DAY + 2 * DAY // 3 - PANE
    assert line.window(finding("a"), finding("b"))[0].data.news == ["joined"]
    line.now = opened + 4 * DAY
    assert line.window(finding("a"), finding("b")) == []
    line.now = opened + 8 * DAY
    (again,) = line.window(finding("a"), finding("b"))
    assert again.data.news == []
    before = line.window(finding("a"), finding("b"), finding("c"))[0]
    assert not is_reminder(before, again)
    assert is_reminder(again, before)


@given(st.integers(0, 10**10), st.integers(0, 10**9))
def test_reminders_are_on_their_days_and_half_a_day_after_the_last_revision(opened, passed):
    days = [1, 2, 4, *range(8, 8 * 4_000, 8)]
    due = reminder_ms(opened, opened + passed)
    naive = next(opened + d * DAY for d in days if d * DAY >= passed + DAY // 2)
    assert due == naive


def test_segments_leave_with_their_own_windows():
    line = Line()
    line.window(finding("a", segment="region=eu"), segments=["region=eu"], closed=False)
    for _ in range(10):
        assert line.window(segments=[]) == []
        assert line.window(segments=["region=us"]) == []
    assert line.window(segments=["region=eu"]) == []
    assert said(line.window(segments=["region=eu"], closed=False)) == [("resolved", "critical", 2)]


def test_a_segment_that_fell_silent_does_not_hold_an_episode_open():
    line = Line()
    line.window(finding("a", segment="region=eu"), segments=["region=eu"])
    line.now = T0 + 7 * DAY - PANE
    assert said(line.window(segments=[])) == [("firing", "critical", 2)], "only a reminder"
    assert said(line.window(segments=[])) == [("resolved", "critical", 3)], "a week is over"


def test_segments_are_told_apart():
    line = Line()
    (alert,) = line.window(finding("a"), finding("a", segment="region=eu"))
    assert alert.data.joined == ["a", "a (region=eu)"]
    assert [s.segment for s in alert.data.signals] == ["", "region=eu"]


def test_an_alert_is_bounded():
    line = Line()
    many = [finding(f"f{i:03}", effect=1.0 - i / 1000) for i in range(300)]
    (alert,) = line.window(*many)
    assert [s.name for s in alert.data.signals] == [f"f{i:03}" for i in range(20)]
    assert [s.bins is not None for s in alert.data.signals] == [True] * 5 + [False] * 15
    assert len(alert.data.joined) == 20
    assert len(encode_alert(alert)) < 10_000
    assert len(msgspec.msgpack.encode(line.episodes.dump())) < 60_000
    assert line.window(*many) == []
    decode_alert(encode_alert(alert))


def test_private_models_show_no_value():
    line = Line(AlertContext(private=True))
    bins = AlertBins((0.5, 0.5), (0.1, 0.9), labels=("secret", "other"))
    (alert,) = line.window(
        finding(
            "a",
            change="secret gained",
            bins=bins,
            segment="customer=secret",
            quantiles=AlertQuantiles((0.5,), (1.0,), (2.0,)),
        ),
        finding("b", change="secret gained"),
    )
    for published in (alert, *line.window(), *line.window()):
        value = encode_alert(published)
        assert b"secret" not in value
        assert b"edges" not in value
        assert b"labels" not in value.replace(b'"labels":{"alertname"', b"")
    assert alert.data.signals[0].segment == "customer"
    assert alert.data.signals[0].bins == AlertBins((0.5, 0.5), (0.1, 0.9))
    assert alert.data.signals[0].quantiles is None


def test_what_moved_and_since_when():
    line = Line()
    quantiles = AlertQuantiles((0.05, 0.5, 0.95), (1.0, 4.0, 9.0), (1.0, 2.5, 8.0))
    first = ChangePoint(T0 - 40_000, T0 - 60_000, T0 - 30_000, 0.95)
    later = ChangePoint(T0, T0 - 300_000, T0 + 90_000, 0.95)
    (opened,) = line.window(finding(change_point=first, quantiles=quantiles))
    (signal,) = opened.data.signals
    assert signal.quantiles == quantiles
    assert signal.change_point == AlertChangePoint(
        "2026-03-01T11:59:20.000Z", "2026-03-01T11:59:00.000Z", "2026-03-01T11:59:30.000Z", 0.95
    )
    # The past blurs as panes are merged: what was estimated at first stays.
    (revised,) = line.window(finding(change_point=later), finding("b", change_point=later))
    a, b = revised.data.signals
    assert a.change_point == signal.change_point
    assert b.change_point.estimate == "2026-03-01T12:00:00.000Z"
    assert decode_alert(encode_alert(opened)) == opened


@pytest.mark.parametrize(
    ("later", "taken"),
    [
        pytest.param((-20_000, -20_000, -10_000), True, id="within"),
        pytest.param((-20_000, -90_000, -10_000), False, id="reaches back further"),
        pytest.param((10_000, 10_000, 20_000), False, id="after it"),
        pytest.param((-60_000, -60_000, 0), False, id="no narrower"),
    ],
)
def test_a_change_known_of_a_window_alone_is_told_more_closely_once_it_is_known(later, taken):
    """A window says that the change came within it; a test of panes, when."""
    line = Line()
    window = ChangePoint(T0 - 60_000, T0 - 60_000, T0)
    closer = ChangePoint(*(T0 + offset for offset in later))
    (opened,) = line.window(finding(change_point=window))
    (revised,) = line.window(finding(change_point=closer), finding("b"))
    (was,), (now, _) = opened.data.signals, revised.data.signals
    assert was.change_point.estimate == "2026-03-01T11:59:00.000Z"
    assert (now.change_point.estimate == "2026-03-01T11:59:40.000Z") == taken
    assert (now.change_point == was.change_point) != taken


def test_a_change_that_turns_out_to_be_gradual():
    """It is a step until it has grown for long enough; then it stays a ramp, from its beginning."""
    line = Line()
    step = ChangePoint(T0, T0 - 60_000, T0 + 30_000, 0.95)
    ramp = ChangePoint(T0 - 90_000, T0 - 300_000, T0, 0.95, "ramp")
    later = ChangePoint(T0 - 40_000, T0 - 300_000, T0, 0.95, "ramp")
    (opened,) = line.window(finding(change_point=step, change="mean 1 -> 2"))
    (grown,) = line.window(finding(change_point=ramp, change="mean 1 -> 3"), finding("b"))
    (again,) = line.window(finding(change_point=later), finding("b"), finding("c"))
    assert "gradually" not in opened.data.annotations.summary
    assert b'"shape"' not in encode_alert(opened)
    a = next(s for s in grown.data.signals if s.name == "a")
    assert a.change == "mean 1 -> 3; gradually since about 2026-03-01 11:58"
    assert a.change in grown.data.annotations.summary
    assert a.change_point == AlertChangePoint(
        "2026-03-01T11:58:30.000Z",
        "2026-03-01T11:55:00.000Z",
        "2026-03-01T12:00:00.000Z",
        0.95,
        "ramp",
    )
    assert decode_alert(encode_alert(grown)) == grown
    assert next(s for s in again.data.signals if s.name == "a").change_point == a.change_point
    line.episodes = Episodes.load(line.episodes._subject, line.episodes.dump())
    (kept,) = line.window(finding(change_point=step), finding("b"), finding("c"), finding("d"))
    assert next(s for s in kept.data.signals if s.name == "a").change_point == a.change_point


def test_an_episode_of_before_label_drift_gives_way_to_one():
    """A snapshot of before has the kind that a moved actual had then."""
    line = Line()
    (old,) = line.window(finding("truth", kind="concept_drift", role="actual"))
    assert decode_alert(encode_alert(old)) == old
    line.episodes = Episodes.load(line.episodes._subject, line.episodes.dump())
    alerts = [a for _ in range(4) for a in line.window(finding("truth", kind="label_drift"))]
    assert line.episodes.active == {"label_drift": "critical"}
    told = [(a.data.labels.kind, a.data.status, a.data.annotations.action) for a in alerts]
    assert told[0] == ("label_drift", "firing", "investigate_actuals")
    assert ("concept_drift", "resolved", "retrain") in told


def test_rebase_resolves_everything():
    line = Line()
    line.window(finding(), finding("score", kind="prediction_drift"))
    alerts = line.episodes.resolve(line.now + PANE, CONTEXT)
    assert said(alerts) == [("resolved", "critical", 2)] * 2
    assert "rebased after 10 s" in alerts[0].data.annotations.summary
    assert line.episodes.active == {}


findings = st.builds(
    lambda signal, segment, kind, severity, test, effect, direction, early: finding(
        signal,
        segment=segment,
        kind=kind,
        severity=severity,
        test=test,
        effect=effect,
        direction=direction,
        moves=test,
        from_start=early,
    ),
    st.sampled_from("abc"),
    st.sampled_from(["", "", "r=x"]),
    st.sampled_from(["data_drift", "prediction_drift"]),
    st.sampled_from(["info", "warning", "critical"]),
    st.sampled_from(["psi", "adwin_x"]),
    st.floats(0, 3),
    st.sampled_from([-1, 0, 1]),
    st.booleans(),
)
steps = st.lists(
    st.tuples(
        st.lists(findings, max_size=3),
        st.booleans(),
        st.none() | st.just([]) | st.just(["r=x"]),
        st.sampled_from([PANE, PANE, PANE, DAY // 2]),
    ),
    max_size=25,
)


@given(steps, st.sets(st.integers(0, 25)), st.randoms())
@settings(max_examples=200, deadline=None)
def test_neither_a_restart_nor_the_order_of_findings_changes_a_byte(script, restarts, random):
    straight, other = Episodes(Subject("m", "1")), Episodes(Subject("m", "1"))
    now = T0
    for i, (found, closed, segments, passed) in enumerate(script):
        now += passed
        if i in restarts:
            state = msgspec.msgpack.decode(msgspec.msgpack.encode(other.dump()))
            other = Episodes.load(Subject("m", "1"), state)
        shuffled = list(found)
        random.shuffle(shuffled)
        one = straight.step(now, found, closed, CONTEXT, segments)
        two = other.step(now, shuffled, closed, CONTEXT, segments)
        assert [encode_alert(a) for a in one] == [encode_alert(a) for a in two]
        assert straight.dump() == other.dump()
        assert straight.active == other.active


@given(steps)
@settings(max_examples=200, deadline=None)
def test_what_consumers_may_rely_on(script):
    episodes = Episodes(Subject("m", "1"))
    last: dict[str, Any] = {}
    previous: dict[str, Any] = {}
    ids = set()
    now = T0
    for found, closed, segments, passed in script:
        now += passed
        for alert in episodes.step(now, found, closed, CONTEXT, segments):
            data = alert.data
            assert decode_alert(encode_alert(alert)) == alert
            assert alert.id not in ids
            ids.add(alert.id)
            before = last.get(data.fingerprint)
            if before is None or before.status == "resolved":
                assert (data.revision, data.status) == (1, "firing")
            else:
                assert data.episode == before.episode
                assert data.revision == before.revision + 1
            assert data.signals
            assert ("opened" in data.news) == (data.revision == 1)
            assert ("resolved" in data.news) == (data.status == "resolved")
            if not data.news:
                assert data.joined == data.left == []
                assert is_reminder(alert, None if before is None else previous[data.fingerprint])
                assert "still firing" in data.annotations.summary
            previous[data.fingerprint] = alert
            assert (data.ends_at == "0001-01-01T00:00:00Z") == (data.status == "firing")
            last[data.fingerprint] = data
        firing = {data.labels.kind: data for data in last.values() if data.status == "firing"}
        assert episodes.active == {kind: data.severity for kind, data in firing.items()}
