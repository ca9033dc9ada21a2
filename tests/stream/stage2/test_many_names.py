"""Names without a bin of their own, through both stages: merged exactly, found, told, hidden."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors import CategoricalBinning, Reference, fit_reference
from detectors.counting.category_sketch import name_hash
from detectors.fitting.rebase import rebased
from stream.contracts.alert_event import format_time
from stream.decode.hashed import code_table
from stream.plans.plan import Learn, LearningPlan, Plan, PlanBook, Subject
from stream.plans.privacy import CategoryHash, apply_privacy
from tests.stream.harness import START_S, run_stages

MERCHANTS = [f"shop {i}" for i in range(1_000)]
HOT = "shop 777"
HASHING = CategoryHash("correct horse battery staple")


def merchants(seed: int, n: int) -> list[str]:
    return random.Random(seed).choices(MERCHANTS, k=n)


def reference() -> Reference:
    return fit_reference({"shop": merchants(0, 10_000)}, model="m")


def plans_of(fitted: Reference) -> PlanBook:
    book = PlanBook()
    book.add(Plan(model="m", reference=fitted, window_events=1_000, window_min_events=300))
    return book


def events(names: list[Any]) -> list[bytes]:
    return [
        msgspec.json.encode(
            {
                "model": {"name": "m", "version": "1"},
                "timestamp": START_S + i,
                "features": {"shop": name},
            }
        )
        for i, name in enumerate(names)
    ]


def stream(hot: str, share: float, n: int = 6_000, at: int = 3_000) -> list[bytes]:
    names = merchants(1, n)
    rng = random.Random(2)
    return events([hot if i >= at and rng.random() < share else x for i, x in enumerate(names)])


#: What looks at the share of each bin of names: in windows, and pane by pane.
OF_ONE_NAME = {"name_share", "edetector"}


def kind_of(alert: Any) -> str:
    return str(alert["data"]["labels"]["kind"])


@pytest.fixture(scope="module")
def fitted() -> Reference:
    return reference()


def found(plans: PlanBook, values: list[bytes], partitions: int = 1, **how: Any) -> list[Any]:
    return run_stages(plans, values, partitions=partitions, seed=3, **how)[0]


def test_nothing_is_found_where_nothing_happens(fitted: Reference) -> None:
    assert found(plans_of(fitted), events(merchants(1, 8_000))) == []


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_one_of_a_thousand_that_takes_over_is_found_and_told(
    fitted: Reference, share: float
) -> None:
    alerts = found(plans_of(fitted), stream(HOT, share))
    assert {kind_of(alert) for alert in alerts} == {"data_drift"}
    first = alerts[0]["data"]
    assert first["signals"][0]["test"] in OF_ONE_NAME
    change = first["signals"][0]["change"]
    assert f"'{HOT}'" in change
    assert "one group of rare names is" in first["annotations"]["summary"]
    binning = fitted.signals[0].binning
    assert isinstance(binning, CategoricalBinning)
    here = [name for name, b in binning.code.items() if b == binning.code[HOT]]
    assert f"one of {len(here)} names that have no bin of their own ('{min(here)}'," in change


def test_a_name_never_seen_is_unseen_and_no_second_story(fitted: Reference) -> None:
    alerts = found(plans_of(fitted), stream("shop of nobody", 0.2))
    said = {kind_of(alert): alert["data"]["annotations"]["summary"] for alert in alerts}
    assert said.keys() == {"data_quality"}
    assert "% of 'shop' was never seen before (usually 0" in said["data_quality"]


@pytest.mark.parametrize("partitions", [3, 8])
def test_tails_merge_to_the_same_bits(fitted: Reference, partitions: int) -> None:
    values = stream(HOT, 0.1, 3_000, 1_000)
    one, dealt = (
        run_stages(plans_of(fitted), values, partitions=p, seed=p, snapshot_every=0.01 * (p > 1))
        for p in (1, partitions)
    )
    assert one[0] == dealt[0] != []
    subjects = [next(iter(run[1].subjects.values())) for run in (one, dealt)]
    windows = [s.detection.windows.last[""].counts.tolist() for s in subjects]  # type: ignore[union-attr]
    assert windows[0] == windows[1]


def test_a_take_over_of_one_segment_is_told_of_it(fitted: Reference) -> None:
    book = PlanBook()
    book.add(
        Plan(
            model="m",
            reference=fitted,
            window_events=1_000,
            window_min_events=300,
            segments=("region",),
            window_max_age_ms=10_000_000,
        )
    )
    rng = random.Random(4)
    values = []
    for i, name in enumerate(merchants(1, 12_000)):
        region = rng.choice(("eu", "us", "us", "us"))
        hot = region == "eu" and i > 5_000 and rng.random() < 0.2
        values.append(
            msgspec.json.encode(
                {
                    "model": {"name": "m", "version": "1"},
                    "timestamp": START_S + i,
                    "features": {"shop": HOT if hot else name},
                    "segments": {"region": region},
                }
            )
        )
    told = [s for alert in found(book, values) for s in alert["data"]["signals"]]
    assert {s["test"] for s in told} <= OF_ONE_NAME
    assert "region=eu" in {s.get("segment", "") for s in told}
    assert "region=us" not in {s.get("segment", "") for s in told}


def test_a_rebased_reference_takes_the_tail_of_its_time(fitted: Reference) -> None:
    """A new name that took over is then normal, and its end is a change."""
    plan = Plan(model="m", reference=fitted)
    layout, binning = plan.layout, fitted.signals[0].binning
    assert isinstance(binning, CategoricalBinning)
    rng = random.Random(8)
    rows = []
    for batch in range(20):
        names = ["brand new" if rng.random() < 0.2 else x for x in merchants(20 + batch, 500)]
        counts = np.zeros(layout.width, np.int64)
        counts[0] = len(names)
        np.add.at(counts[layout.slice(0)], [binning.bin(name) for name in names], 1)
        rows.append(counts)
    fresh = rebased(fitted, fitted.signals, np.array(rows), first_ms=0, last_ms=10_000_000)
    assert fresh.signals[0].counts[binning.new].sum() > 1_800
    assert found(plans_of(fresh), stream("brand new", 0.2, 4_000, 0)) == []
    gone = found(plans_of(fresh), events(merchants(1, 4_000)))
    assert gone[0]["data"]["signals"][0]["test"] == "name_share"
    assert "of one bin in the tail" in gone[0]["data"]["signals"][0]["change"]


def learning() -> PlanBook:
    book = PlanBook()
    book.add(
        LearningPlan(
            model="m",
            learn=Learn(warm_up=10_000),
            window_events=1_000,
            window_min_events=300,
            pane_ms=20_000,
        )
    )
    return book


def test_a_learned_reference_knows_the_share_of_each_tail_bin() -> None:
    """Though a sketch holds a sample of the names: found and silent as with a fitted one."""
    names = merchants(5, 14_000)
    rng = random.Random(6)
    hot = [HOT if i >= 12_500 and rng.random() < 0.2 else x for i, x in enumerate(names)]
    alerts, monitor = run_stages(learning(), events(hot), partitions=1, seed=0)
    held = monitor.subjects[Subject("m", "1")]
    reference = held.detection.plan.reference  # type: ignore[union-attr]
    binning = reference.signals[0].binning
    assert isinstance(binning, CategoricalBinning)
    assert binning.tail == 64
    assert 0 < len(binning.others) < 1_000
    learned = reference.signals[0].counts
    own = set(binning.categories)
    for place in range(64):
        here = sum(name not in own and name_hash(name) % 64 == place for name in names[:10_000])
        assert learned[binning.other + place] == here
    first = alerts[0]["data"]
    assert first["signals"][0]["test"] in OF_ONE_NAME
    assert first["startsAt"] >= format_time((START_S + 12_500) * 1_000)
    assert Reference.from_json(reference.to_json()).hash == reference.hash
    again, _ = run_stages(learning(), events(hot), partitions=3, seed=1, snapshot_every=0.003)
    assert again == alerts
    # Counted over as a fitted one, what it does not know is not all new.
    table = code_table("shop", binning)
    missed = [name for name in MERCHANTS if name not in binning.code]
    assert all(table[name] < binning.unseen for name in missed)


def test_a_table_places_what_it_has_never_met(
    fitted: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it has to forget; numbers and true are their texts."""
    monkeypatch.setattr("stream.decode.values.REMEMBERED", 10)
    binning = fitted.signals[0].binning
    assert isinstance(binning, CategoricalBinning)
    table = code_table("shop", binning)
    size = len(table)
    for i in range(100):
        for name in (f"new {i}", i, i / 7, i % 2 == 0):
            text = {True: "true", False: "false"}[name] if isinstance(name, bool) else None
            text = text or (name if isinstance(name, str) else None)
            if text is not None:
                assert table[name] == binning.unseen + name_hash(text) % 64
            else:
                assert table[name] in binning.new
        assert len(table) <= size + 10
    assert [table[name] for name in MERCHANTS[:50]] == [binning.bin(n) for n in MERCHANTS[:50]]
    assert (table[None], table["shop 1"]) == (binning.missing, binning.bin("shop 1"))


def test_hashed_names_have_the_same_bins_in_an_order_that_only_the_key_tells(
    fitted: Reference,
) -> None:
    hashed = apply_privacy(fitted, (), ("shop",), HASHING)
    again = Reference.from_json(hashed.to_json())
    assert again.hash == hashed.hash
    assert not any(name.encode() in hashed.to_json() for name in (HOT, "shop 12"))
    plain, secret = fitted.signals[0], again.signals[0]
    assert isinstance(plain.binning, CategoricalBinning)
    assert isinstance(secret.binning, CategoricalBinning)
    one, two = (code_table("shop", binning, HASHING) for binning in (plain.binning, secret.binning))
    moved = {}
    for name in (*MERCHANTS, *(f"new {i}" for i in range(300))):
        assert moved.setdefault(one[name], two[name]) == two[name]
    assert len(set(moved.values())) == len(moved)
    for b, to in moved.items():
        assert plain.counts[b] == secret.counts[to]
        assert plain.calibration.groups[b] == secret.calibration.groups[to]
    tail = [(b, to) for b, to in moved.items() if b >= plain.binning.other]
    assert sum(b == to for b, to in tail) < 12


def test_a_reference_of_before_reads_and_counts_as_before() -> None:
    """Its names beyond the categories share one bin, and so do the unseen ones."""
    binning = CategoricalBinning(("a", "b"), ("c", "d"))
    assert (binning.other, binning.unseen, binning.missing, binning.n_bins) == (2, 3, 4, 6)
    assert [binning.bin(name) for name in "abcde"] == [0, 1, 2, 2, 3]
    assert np.array_equal(binning.new, [3])
