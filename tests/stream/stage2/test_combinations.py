"""One combination of values is broken, while the whole and each value by itself are as ever."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import OutcomeOptions, Reference, fit_reference
from detectors.references.segments import Segment
from stream.contracts.alert_event import AlertEvent
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook
from stream.replay import Replay

START_S = 1_700_000_000
PAIR = ("sex", "age_band")
SINGLE = ("sex", "age_band")
COMBINATIONS = {
    f"sex={sex}, age_band={age}"
    for sex, age in (("F", "60+"), ("F", "-60"), ("M", "60+"), ("M", "-60"))
}
Rows = dict[str, np.ndarray]


def rows(seed: int, n: int, *, broken: str = "") -> Rows:
    """F and M, young and old, alike; `broken` is "x" or "said", by combination only.

    Where x is broken old women and young men have its upper half, and the others its lower one.
    Where what is said is broken old women and young men are missed more, and the others less.
    """
    rng = np.random.default_rng(seed)
    f, old = rng.random(n) < 0.5, rng.random(n) < 0.5
    apart = f == old
    x = rng.normal(size=n)
    if broken == "x":
        x = np.where(apart, np.abs(x), -np.abs(x))
    yes = rng.random(n) < 0.5
    recall = np.where(apart, 0.6, 1.0) if broken == "said" else 0.8
    return {
        "x": x,
        "sex": np.where(f, "F", "M"),
        "age_band": np.where(old, "60+", "-60"),
        "said": np.where(rng.random(n) < np.where(yes, recall, 0.2), "yes", "no"),
        "truth": np.where(yes, "yes", "no"),
    }


BEFORE = rows(1, 10_000)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit_reference(
        {name: column.tolist() for name, column in BEFORE.items()},
        model="m",
        roles={"said": "label", "truth": "actual"},
        times_ms=np.arange(len(BEFORE["x"])) * 1_000,
        outcome=OutcomeOptions(positive="yes", protected=("sex", "age_band", PAIR)),
    )


def first_alerts(reference: Reference, data: Rows, **settings: Any) -> dict[str, AlertEvent]:
    """The first alert of each kind of two quiet windows and then these rows."""
    parts = rows(2, 3_000), data
    columns = {name: np.concatenate([part[name] for part in parts]).tolist() for name in data}
    book = PlanBook()
    book.add(Plan(model="m", reference=reference, pane_ms=60_000, window_events=1_000, **settings))
    replay = Replay(book)
    events = (
        msgspec.json.encode(
            {
                "model": {"name": "m", "version": "1"},
                "timestamp": START_S + i,
                "features": {"x": x},
                "prediction": {"label": said},
                "actual": truth,
                "segments": {"sex": sex, "age_band": age},
            }
        )
        for i, (x, said, truth, sex, age) in enumerate(
            zip(*(columns[n] for n in ("x", "said", "truth", *PAIR)), strict=True)
        )
    )
    first: dict[str, AlertEvent] = {}
    for alert in replay.run(FileRecord(i, 0, value) for i, value in enumerate(events)):
        first.setdefault(alert.data.labels.kind, alert)
    return first


@pytest.mark.parametrize(
    ("segments", "broken", "finds"),
    [
        ((*SINGLE, PAIR), "x", True),
        ((PAIR,), "x", True),  # its members are read from events all the same
        (SINGLE, "x", False),  # each value is as ever
        ((*SINGLE, PAIR), "", False),
    ],
)
def test_drift_of_combinations_is_found_where_it_is(
    reference: Reference, segments: tuple[Segment, ...], broken: str, finds: bool
) -> None:
    first = first_alerts(reference, rows(3, 12_000, broken=broken), segments=segments)
    assert ("data_drift" in first) is finds
    if not finds:
        return
    alert = first["data_drift"]
    assert {signal.segment for signal in alert.data.signals if signal.name == "x"} <= COMBINATIONS
    assert re.search(
        r"mean of 'x' \S+ -> \S+ in sex=[FM], age_band=(60\+|-60)( and \d more segments?)? since",
        alert.data.annotations.summary,
    ), alert.data.annotations.summary


@pytest.mark.parametrize(
    ("protected", "broken", "finds"),
    [
        ((PAIR,), "said", True),
        ((*SINGLE, PAIR), "said", True),
        (SINGLE, "said", False),
        ((*SINGLE, PAIR), "", False),
    ],
)
def test_unequal_outcomes_of_combinations_are_found_and_named(
    reference: Reference, protected: tuple[Segment, ...], broken: str, finds: bool
) -> None:
    data = rows(3, 5_000, broken=broken)
    first = first_alerts(reference, data, segments=(*SINGLE, PAIR), protected=protected)
    assert ("fairness" in first) is finds
    if not finds:
        return
    alert = first["fairness"]
    assert {s.name for s in alert.data.signals if s.name.startswith("equal opportunity")} == {
        "equal opportunity by sex, age_band"
    }
    words = re.search(
        r"equal opportunity differs by ([\d.]+) points between (sex=\w, age_band=\S+) "
        r"\([\d.]+ %\) and (sex=\w, age_band=\S+) \([\d.]+ %\), usually",
        " ".join(s.headline or "" for s in alert.data.signals),
    )
    assert words is not None, alert.data.annotations.summary
    assert float(words[1]) > 20.0
    assert words[2] in {"sex=F, age_band=60+", "sex=M, age_band=-60"}
    assert words[3] in {"sex=F, age_band=-60", "sex=M, age_band=60+"}


def test_a_private_model_names_columns_and_no_value(reference: Reference) -> None:
    first = first_alerts(
        reference,
        rows(3, 12_000, broken="x"),
        segments=(PAIR,),
        protected=(PAIR,),
        private=True,
    )
    text = msgspec.json.encode(list(first.values())).decode()
    assert '"segment":"sex, age_band"' in text
    assert "in sex, age_band" in first["data_drift"].data.annotations.summary
    for value in ("sex=", "60+", "-60"):
        assert value not in text
