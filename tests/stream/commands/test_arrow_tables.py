"""Tables of columns in Arrow files, streams and Feather are read as the same table in Parquet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from detectors import Reference
from stream.cli import cli

N = 2_000


def table(shift: float = 0.0) -> Any:
    rng = np.random.default_rng(3)
    times = np.datetime64("2026-01-01") + np.arange(N) * np.timedelta64(60_000, "ms")
    countries = pa.array(rng.choice(["DE", "FR", "US"], N))
    amounts = rng.normal(size=N) + shift
    return pa.table(
        {
            "ts": times.astype("datetime64[ms]"),
            "amount": pa.array(amounts, mask=rng.random(N) < 0.05),
            "small": pa.array(amounts.astype(np.float32)),
            "count": pa.array(rng.integers(0, 9_000, N)),
            "country": countries,
            "coded": countries.dictionary_encode(),
            "large": countries.cast(pa.large_string()),
            "yes": pa.array(rng.random(N) < 0.3),
        }
    )


def write_file(whole: Any, path: Path) -> None:
    with pa.ipc.new_file(path, whole.schema) as file:
        file.write_table(whole, max_chunksize=300)


def write_stream(whole: Any, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, whole.schema) as stream:
        stream.write_table(whole, max_chunksize=300)


WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "file.arrow": write_file,
    "file.ipc": write_file,
    "stream.arrows": write_stream,
    "stream.arrow": write_stream,
    "table.feather": pyarrow.feather.write_feather,
}


def run(*words: object) -> Any:
    return CliRunner().invoke(cli, [str(word) for word in words])


def fitted(path: Path) -> Reference:
    out = path.with_suffix(".json")
    done = run("fit", path, "--model", "m", "--timestamp", "ts", "-o", out)
    assert done.exit_code == 0, done.output
    return Reference.from_json(out.read_bytes())


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_reference_and_the_same_episodes(name: str, tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "table.parquet")
    pq.write_table(table(0.5), tmp_path / "later.parquet")
    WRITERS[name](table(), tmp_path / name)
    later = tmp_path / f"later-{name}"
    WRITERS[name](table(0.5), later)
    reference = fitted(tmp_path / name)
    expected = fitted(tmp_path / "table.parquet")
    assert reference.hash == expected.hash
    assert len(reference.signals) == 7
    kept = tmp_path / "reference.json"
    kept.write_bytes(reference.to_json())
    told = [
        run("replay", path, "--reference", kept).stdout
        for path in (later, tmp_path / "later.parquet")
    ]
    assert "Data drift: mean of 'amount'" in told[0]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"ts,amount\n2026-01-01,5\n", 1, "is no Arrow IPC file or stream"),
        (b"ARROW1\0\0broken off", 1, "is no Arrow IPC file or stream"),
        (b"", 2, "the file is empty"),
    ],
)
def test_what_is_none_is_said(content: bytes, code: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    path.write_bytes(content)
    done = run("fit", path, "--model", "m", "-o", tmp_path / "o.json")
    assert done.exit_code == code
    assert words in done.stderr
    assert "Traceback" not in done.output
