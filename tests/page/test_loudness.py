"""What is loudest counts tests without a window too: e-detectors, ADWIN, single days."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from stream.page.page_model import page_model_of
from stream.page.signal import signal_state
from stream.report.loudness import NEAR, Heard, evidence_ratios, loudest, loudest_of_all
from stream.report.loudness_history import LoudnessHistory
from stream.stage2.detection import Detection
from stream.stage2.shared_tables import SharedTables
from tests.page.test_page import state_after
from tests.stream.harness import make_events
from tests.stream.metrics.test_metrics import FileState


def detection_of(state: FileState) -> Detection:
    (held,) = state.replay.monitor.subjects.values()
    assert held.detection is not None
    return held.detection


@pytest.fixture(scope="module")
def slow() -> FileState:
    """Its windows take more events than come, so that only tests of every pane see the drift."""
    return state_after(
        make_events(3, 3_000, drift_at=2_000), window_events=100_000, window_min_events=50_000
    )


@pytest.fixture(scope="module")
def quiet() -> FileState:
    return state_after(make_events(5, 3_000))


def test_drift_that_no_window_has_seen_is_shown(slow: FileState) -> None:
    detection = detection_of(slow)
    assert not detection.windows.last, "no window is full"
    said = page_model_of(slow, "", "", 0)
    detail, (model,) = said.detail, said.models
    assert detail is not None
    first = detail.signals[0]
    assert (first.name, first.bars, first.missing) == ("x", None, None)
    assert first.test in ("adwin", "edetector")
    assert first.ratio > 1
    assert first.ratio == pytest.approx(first.value / first.threshold)
    assert (model.signal, model.worst) == ("x", first.ratio)
    page = signal_state(slow, "fraud", "1", "x", 0)
    assert page.signal == first
    assert page.events == 0


def test_evidence_is_the_detectors_own(slow: FileState) -> None:
    detection = detection_of(slow)
    bank = detection.sequential.edetector
    state = bank.ranks.state[0]
    assert SharedTables.of(detection.plan).edetector_on.all()
    ratios = evidence_ratios(detection)
    assert (ratios >= 0).all()
    for index, ratio in enumerate(ratios.tolist()):
        evidence = float(bank.evidence[index])
        assert ratio == pytest.approx(max(0.0, evidence / math.log(bank.threshold)))
    assert np.isfinite(state).all()


def test_what_is_quiet_is_told_by_its_windows(quiet: FileState) -> None:
    detection = detection_of(quiet)
    assert (evidence_ratios(detection) < NEAR).all()
    found = loudest(detection)
    assert len(found) == 4
    assert all(loud.row >= 0 for loud in found.values())
    assert all(loud.ratio < 1 for loud in found.values())


def test_what_an_open_episode_tells_counts_until_it_ends(quiet: FileState) -> None:
    detection = detection_of(quiet)
    heard = [Heard("z", "adwin", 0.3, 0.1), Heard("gone", "adwin", 9.0, 0.1)]
    assert "z" not in (detection.plan.monitored[next(iter(loudest(detection)))].name, "gone")
    index, loud = next(iter(loudest(detection, heard).items()))
    assert detection.plan.monitored[index].name == "z"
    assert (loud.test, loud.row) == ("adwin", -1)
    assert loud.ratio == pytest.approx(3.0)
    assert loudest_of_all(detection, heard) == ("z", loud.ratio)


@pytest.mark.parametrize("which", ["slow", "quiet"])
def test_the_loudest_of_all_is_the_first(which: str, request: pytest.FixtureRequest) -> None:
    detection = detection_of(request.getfixturevalue(which))
    index, loud = next(iter(loudest(detection).items()))
    assert loudest_of_all(detection) == (
        detection.plan.monitored[index].name,
        pytest.approx(loud.ratio),
    )


def test_a_history_has_what_an_episode_tells_while_it_is_open(slow: FileState) -> None:
    first = slow.first
    assert first is not None
    signal = msgspec.structs.replace(
        first.data.signals[0], name="x", segment="", test="adwin", value=0.4, threshold=0.1
    )

    def at(hour: int, status: str, *, segment: str = "", name: str = "x") -> msgspec.Struct:
        said = msgspec.structs.replace(signal, segment=segment, name=name)
        data = msgspec.structs.replace(first.data, status=status, signals=[said])
        return msgspec.structs.replace(first, data=data, time=f"1970-01-01T{hour:02d}:00:00.000Z")

    hour = 3_600_000
    history = LoudnessHistory(("x", "z"))
    quiet = np.array([0.2, 0.3])
    history.window(1 * hour, quiet)
    history.tell(at(2, "firing", segment="region=eu"))  # type: ignore[arg-type]
    history.window(2 * hour, quiet)
    history.tell(at(2, "firing"))  # type: ignore[arg-type]
    history.window(3 * hour, quiet)
    history.tell(at(4, "resolved"))  # type: ignore[arg-type]
    history.window(4 * hour, quiet)
    history.window(5 * hour, quiet)
    assert [value for _, value in history.of("x")] == pytest.approx([0.2, 4.0, 4.0, 4.0, 0.2])
    assert [value for _, value in history.of("z")] == [0.3] * 5
    assert history.of("y") == ()
    assert history.loudest_first()[0][0] == "x"
