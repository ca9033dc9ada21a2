"""Words that were renamed to the terms of the field do not come back."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Pattern of an identifier or a word -> the word in use now. One row a word.
RETIRED = {
    r"\b_?[Ll]essons?\b|\b(begin|finish)_lesson\b": "LearnedReference, learned_reference",
    r"\b[Tt]aught\b": "LearnedSignal, learned_signals",
    r"\b(Learning|Calibration)?Study\b|\bstudy_for\b": "Warmup, warmup_for",
    r"\b_?[Ss]hel(f|ves)\b": "EvictablePhase",
    r"\b[Ee]quipment\b": "SharedTables, shared_tables",
    r"\bChances\b": "BudgetSummary",
    r"\bput_away_after_m?s\b": "idle_timeout_ms, idle_timeout_s",
    r"\b(VectorRows|SketchRows|rows_for)\b": "VectorAccumulators, SketchAccumulators",
    r"\bRecentPanes\b": "PaneReader",
    r"\bplan\.counting\b": "plan.merge_rule",
    r"\b(Course|with_course)\b": "PlanPhase, LoudnessHistory, TrendLine",
    r"\bwatching_since_ms\b": "tested_since_ms",
    r"\b(OpenCompiled|OpenValues)\b": "SchemalessDecoder, SchemalessValues",
    r"\b(Placed|place_values)\b": "ValuesBySignal, sort_by_signal",
    r"\bModelHints\b": "ModelCache",
    r"\bdecode_head\b": "decode_envelope",
    r"\b(batch_block|arrow_block)\b": "read_columns, read_arrow",
    r"\bmake_reader\b": "make_plan_decoder",
    r"\bLane\b": "EventGroup",
    r"\bknock\b": "check_connection",
    r"\b(patiently|PatientPoll)\b": "retry_until_available, SkippingPoll",
    r"\b(find_unread|kafka\.look)\b": "find_unreadable_batch",
    r"\bbatch_fetch as bulk\b": "batch_fetch",
    r"\b(WorkerView|NotifyView|HealthView)\b": "WorkerStatus, NotifyStatus, HealthStatus",
    r"\b(WorkerState|NotifyState|IngestState)\b": "WorkerStatusProtocol, ...",
    r"\b(PageView|EpisodeView)\b": "PageSource, EpisodeSource",
    r"\bworker\.(reach|stopped)\b": "read_progress, partition_stop",
    r"\bfaust\.owner\b": "partition_listener",
    r"\b(notify\.(course|silencer|exchange|view)|Silencer)\b": "target_worker, silence_sync, ...",
    r"\bnotify\b.*\b(Bridge|Quiet|Tally|Course)\b": "Dispatcher, Suppression, DeliveryStats, ...",
    r"\bTargetState\b": "TargetStats",
    r"\b(Adwin|Cusum)\b": "ADWIN, CUSUM",
    r"\b(scarce_chi2|form_tail)\b|\bfolded_(moments|quantiles|chi)\b": "weighted_chi2_tail, ...",
    r"\bdetectors\.(laws|changes)\b": "null_distributions, distances, change_points",
    r"\bcounting\.(numerals|names|logbins|coarse|learned)\b": "json_floats, category_sketch, ...",
    r"\breferences\.(checked|production)\b|\bCheckedError\b": "json_reader, recalibrate",
    r"\bwindowed\.(slot_)?levels\b|\bLogBins\b": "coarsening, LogHistogramBins",
    r"\b(look_at_broker|look_at_skips|look_for_idle)\b": "check_broker, apply_skips, ...",
}
#: Words that name nothing, and the rooms whose names and comments are free of them.
VAGUE = re.compile(r"\b(told|said|held|anew)\b", re.IGNORECASE)
CLEAR_ROOMS = (
    "alerts", "capacity", "client", "commands", "config", "contracts", "decode", "demo",
    "devbroker", "http", "ingest", "kafka", "metrics", "process", "replay", "report", "runbooks",
    "sketches", "stage1", "text",
)  # fmt: skip


def _texts() -> list[tuple[str, str]]:
    """Every tracked text that may use our words, with its path."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    own = Path(__file__).relative_to(ROOT).as_posix()
    return [
        (path, (ROOT / path).read_text(encoding="utf-8"))
        for path in listed
        if path not in (own, "CHANGELOG.md") and not path.startswith("docs/adr/")
    ]


@pytest.fixture(scope="module")
def texts() -> list[tuple[str, str]]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    return _texts()


@pytest.mark.parametrize("pattern", RETIRED)
def test_a_retired_word_is_used_nowhere(texts: list[tuple[str, str]], pattern: str) -> None:
    used = [
        f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}"
        for path, text in texts
        for found in re.finditer(pattern, text)
    ]
    assert not used, f"the word is now {RETIRED[pattern]}: {used[:10]}"


def test_bounds_in_stream_are_called_max_and_min(texts: list[tuple[str, str]]) -> None:
    bound = re.compile(r"^_?(MOST|LEAST)(_\w+)?(?=:| =)", re.MULTILINE)
    found = [
        f"{path}: {named[0]}"
        for path, text in texts
        if path.startswith("stream/")
        for named in bound.finditer(text)
    ]
    assert not found


def _names_and_comments(source: str) -> list[tuple[int, str]]:
    """(line, text) of every name that is bound or read, of fields and of comments."""
    found = [
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.arg):
            found.append((node.lineno, node.arg))
        elif isinstance(node, ast.Attribute):
            found.append((node.lineno, node.attr))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append((node.lineno, node.name))
    return found


@pytest.mark.parametrize("room", CLEAR_ROOMS)
def test_a_name_says_what_it_is_of(room: str) -> None:
    vague = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted((ROOT / "stream" / room).rglob("*.py"))
        for line, text in _names_and_comments(path.read_text(encoding="utf-8"))
        if VAGUE.search(text)
    ]
    assert not vague
    assert _names_and_comments("told = 1  # what is said")[1:] == [(1, "told")]
