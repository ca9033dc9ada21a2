"""A broker starts without kept classes where Java cannot keep them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from stream.devbroker.class_archive import keep_classes
from stream.devbroker.runtime import KafkaRuntime


def java(directory: Path, script: str) -> Path:
    executable = directory / "java"
    executable.write_text(f"#!/bin/sh\necho once >> {directory}/asked\n{script}\n")
    executable.chmod(executable.stat().st_mode | stat.S_IXUSR)
    return executable


def asked(directory: Path) -> int:
    file = directory / "asked"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.mark.parametrize("script", ["exit 1", "echo no such class >&2; exit 3"])
def test_classes_that_cannot_be_kept_are_a_warning(
    script: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    archive = kept / "kafka-java-17.jsa"
    runtime = KafkaRuntime(java(tmp_path, script), f"{tmp_path}/*", "maven", "", archive)
    keep_classes(runtime)
    assert "not kept for a faster start" in caplog.text
    assert not archive.exists()
    assert [path.name for path in kept.iterdir()] == ["kafka-java-17.lock"]
    first = asked(tmp_path)
    keep_classes(runtime)
    assert asked(tmp_path) == 2 * first > 0  # it may go better


def test_classes_that_are_kept_ask_for_no_java(tmp_path: Path) -> None:
    archive = tmp_path / "kafka-java-17.jsa"
    archive.write_bytes(b"")
    keep_classes(KafkaRuntime(java(tmp_path, "exit 1"), f"{tmp_path}/*", "maven", "", archive))
    keep_classes(KafkaRuntime(java(tmp_path, "exit 1"), f"{tmp_path}/*", "apache", ""))
    assert asked(tmp_path) == 0
