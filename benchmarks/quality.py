"""`python -m benchmarks.quality`: driftstream beside its peers, at equal false alarms.

`--quick` is a look of two minutes that leaves the tables alone; `--only TEXT ...` takes
contestants whose name contains one of the texts, and `--merge` puts them into the last results;
`--jobs N` processes; `--delays TEXT ...` measures only the changes whose names contain one of the
texts, at the last run's settings, and puts them into its results; `--weeks` measures only the
living streams, those with seasons and memories (`--only` for some contestants); `--tables` writes
the tables of the last run anew; `--resume` goes on with a run that was broken off. Data sets are
found by `DRIFTSTREAM_DATA`; without it their parts are skipped, and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.comparison import ours, peers, real, tables, tcpd, weeks
from benchmarks.comparison.contestant import Contestant
from benchmarks.comparison.delays import measure_delay
from benchmarks.comparison.rates import match, measure_rate
from benchmarks.comparison.streams import CHANGES, NULLS
from benchmarks.comparison.week_tables import week_tables
from benchmarks.plots.__main__ import draw_all

RESULT = figures.HERE / "results" / "quality.json"
#: What a whole run has so far, till it is through.
PART = RESULT.with_suffix(".part.json")
WEEKS = figures.HERE / "results" / "weeks.json"
PAGE = figures.HERE / "QUALITY.md"
FRONT = figures.HERE.parent / "README.md"
MATCH_SEED, NULL_SEED, DELAY_SEED = 31, 32, 33


@dataclass(frozen=True)
class Effort:
    """Seconds of the parts of one contestant."""

    match: float = 8.0
    null: float = 4.0
    ours: float = 30.0  # instead of `null`, for our own: the promise is in few alarms
    dependent: float = 1.5
    cell: float = 0.6
    least: int = 3
    runs: int = 200
    real: float = 4.0


QUICK = Effort(match=0.4, null=0.2, ours=0.2, dependent=0.1, cell=0.02, least=1, runs=9, real=0.1)


def everybody(of: str | None = None) -> tuple[list[Contestant], dict[str, str]]:
    """Ours, then the peers that are installed; of the library of one contestant if it is named."""
    found, missing = peers.contestants(of)
    return [*ours.contestants(), *found], missing


def evaluate(name: str, effort: Effort, streams: real.RealStreams | None) -> dict[str, Any]:
    """One contestant on everything that it can take."""
    warnings.simplefilter("ignore")
    contestant = next(c for c in everybody(name)[0] if c.name == name)
    start = time.perf_counter()
    nulls = [null for null, (kind, _) in NULLS.items() if kind in contestant.kinds]
    main = nulls[0]
    settings: dict[str, float | None] = {"default": contestant.default}
    settings |= {str(t): s for t, s in match(contestant, main, effort.match, MATCH_SEED).items()}
    rates: dict[str, Any] = {}
    delays: dict[str, Any] = {}
    null_seconds = effort.ours if name.startswith("driftstream") else effort.null
    for label, setting in settings.items():
        if label != "default" and setting == contestant.default:
            rates[label], delays[label] = rates["default"], delays["default"]
            continue
        rates[label] = {
            null: measure_rate(
                contestant,
                setting,
                null,
                null_seconds if null == main else effort.dependent,
                NULL_SEED,
            ).as_dict()
            for null in (nulls if label == "default" else [main])
        }
        delays[label] = {
            change.name: measure_delay(
                contestant,
                setting,
                change,
                effort.cell,
                effort.runs,
                DELAY_SEED,
                effort.least,
            )
            for change in CHANGES.values()
            # a setting matched on one kind of stream says nothing about another
            if change.kind in contestant.kinds
            and (label == "default" or contestant.promised or change.kind == NULLS[main][0])
        }
    result = {
        "note": contestant.note, "main_null": main, "settings": settings, "nulls": rates,
        "delays": delays,
    }  # fmt: skip
    if streams is not None:
        result |= _on_real_streams(contestant, effort, streams)
    result["seconds"] = time.perf_counter() - start
    return result


def delays_again(name: str, held: dict[str, Any], texts: list[str], effort: Effort) -> None:
    """Measure some changes of a contestant anew, in place."""
    warnings.simplefilter("ignore")
    contestant = next(c for c in everybody(name)[0] if c.name == name)
    kind = NULLS[held["main_null"]][0]
    for change in CHANGES.values():
        if change.kind not in contestant.kinds or not any(t in change.name for t in texts):
            continue
        for label, setting in held["settings"].items():
            if label == "default" or contestant.promised or change.kind == kind:
                held["delays"][label][change.name] = measure_delay(
                    contestant,
                    setting,
                    change,
                    effort.cell,
                    effort.runs,
                    DELAY_SEED,
                    effort.least,
                )


def _on_real_streams(
    contestant: Contestant, effort: Effort, streams: real.RealStreams
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    parts: dict[str, Callable[[], dict[str, Any]]] = {}
    if "number" in contestant.kinds:
        parts["insects"] = lambda: real.insects_features(streams.data, contestant, effort.real)
        parts["nab"] = lambda: real.measure_nab(streams.nab, contestant)
    if "binary" in contestant.kinds:
        parts["errors"] = lambda: real.measure_errors(streams.errors, contestant)
    for part, measure in parts.items():
        try:
            found[part] = measure()
        except Exception as error:  # a detector that refuses real values is worth a line
            found["refused"] = found.get("refused", {}) | {part: f"{error}"[:120]}
    return found


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Evaluate all that were asked for."""
    named = os.environ.get("DRIFTSTREAM_DATA")
    data = Path(named) if named else None
    if data is None or not data.is_dir():
        print(f"DRIFTSTREAM_DATA={named}: no such folder, so the real streams are skipped.")
        data = None
    effort = QUICK if options.quick else Effort()
    streams = None if data is None else real.RealStreams.load(data)
    found, missing = everybody()
    if options.quick:
        found = [c for c in found if "too slow" not in c.note]
    texts = [text.lower() for text in options.only or [""]]
    chosen = [c.name for c in found if any(text in c.name.lower() for text in texts)]
    part = options.partial or (PART if not options.quick else None)
    evaluated: dict[str, Any] = {}
    if options.resume and part is not None and part.exists():
        evaluated = json.loads(part.read_text())
    # A process a contestant: a library's threads and memory do not touch the next one's figures.
    with ProcessPoolExecutor(
        options.jobs,
        mp_context=get_context("spawn"),
        max_tasks_per_child=None if options.quick else 1,
    ) as pool:
        waiting = {
            name: pool.submit(evaluate, name, effort, streams)
            for name in chosen
            if name not in evaluated
        }
        for name, future in waiting.items():
            try:
                evaluated[name] = future.result()
                print(f"{name}: {evaluated[name]['seconds']:.0f} s", flush=True)
                if part is not None:
                    part.write_text(json.dumps(evaluated))
            except Exception as error:
                missing[name] = f"{type(error).__name__}: {str(error)[:200]}"
                print(f"{name}: failed, {missing[name]}", flush=True)
    scored = []
    if data is not None and (options.merge or not options.only):
        scored = tcpd.measure(data, found)
    if options.partial is None:
        PART.unlink(missing_ok=True)
    return {"about": _about(), "contestants": evaluated, "missing": missing, "tcpd": scored}


def _about() -> dict[str, Any]:
    about = figures.about()
    about["versions"] |= peers.versions()
    return about


def week_of(name: str, stream: str, quick: bool) -> dict[str, Any]:
    """One watcher on one living stream."""
    found = weeks.watchers([] if name in weeks.WITHOUT_LIBRARY else everybody(name)[0])
    watcher = next(w for w in found if w.name == name)
    return weeks.measure(watcher, weeks.QUICK_PAINS if quick else weeks.Pains(), stream)


def run_weeks(options: argparse.Namespace) -> dict[str, Any]:
    """Living streams: each is stored at once, in place of the last run's."""
    texts = [text.lower() for text in options.only or [""]]
    found = weeks.watchers(everybody()[0])
    about = _about()
    held: dict[str, Any] = {}
    if not options.quick and WEEKS.exists():
        last = json.loads(WEEKS.read_text())
        held = last["contestants"]
        if options.resume:
            about["made"] = last["about"]["made"]
    held = {w.name: held.get(w.name, {"streams": {}, "measured": {}}) for w in found}
    result = {"about": about, "contestants": held}
    mark = [about["made"], about["commit"]]
    todo = [
        (w.name, stream)
        for w in found
        if any(text in w.name.lower() for text in texts)
        for stream in weeks.streams_of(w)
        if held[w.name]["measured"].get(stream, [""])[0] != about["made"]
    ]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(week_of, *each, options.quick): each for each in todo}
        for future in as_completed(waiting):
            name, stream = waiting[future]
            held[name]["streams"][stream] = future.result()
            held[name]["measured"][stream] = mark
            print(f"{name}, {stream}", flush=True)
            if not options.quick:
                WEEKS.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _sudden(options: argparse.Namespace, whole: bool) -> dict[str, str]:
    """Streams with one change, and real ones: measure what was asked for, store it, make tables."""
    if options.tables or options.delays:
        result = json.loads(RESULT.read_text())
        for name, held in result["contestants"].items() if options.delays else ():
            delays_again(name, held, options.delays, Effort())
            print(name, flush=True)
            RESULT.write_text(json.dumps(result, indent=1) + "\n")
    else:
        result = run(options)
        if options.merge:
            last = json.loads(RESULT.read_text())
            result["contestants"] = last["contestants"] | result["contestants"]
        out = options.out or (RESULT if whole or options.merge else None)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(json.dumps(result, indent=1) + "\n")
    return {"machine": figures.machine_line(result), **tables.all_tables(result)}


def main(arguments: list[str] | None = None) -> int:
    """Run, write the JSON, write the tables of a whole run into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="TEXT")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--partial", type=Path, help="also write what is done so far to here")
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("--delays", nargs="+", metavar="TEXT")
    parser.add_argument("--weeks", action="store_true")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    whole = not options.quick and not options.only
    made: dict[str, str] = {}
    if options.tables or not options.weeks:
        made |= _sudden(options, whole)
    if options.tables or options.weeks or (whole and not options.delays and not options.merge):
        result = json.loads(WEEKS.read_text()) if options.tables else run_weeks(options)
        made |= {"weeks-machine": figures.machine_line(result), **week_tables(result)}
    into_page = options.tables or options.merge or options.delays or (whole and options.out is None)
    if into_page or (options.weeks and not options.quick):
        for name, text in made.items():
            figures.into_readme(name, text, PAGE)
        draw_all()
        figures.into_readme("headline", tables.headline(json.loads(RESULT.read_text())), FRONT)
    else:
        print("\n\n".join(f"{name}\n{text}" for name, text in made.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
