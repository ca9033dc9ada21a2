"""Names that nobody shall read: hashed categories, dropped signals, and what every output shows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detectors import Reference, fit_reference
from stream.config.load import ConfigError, load_config
from stream.decode.hashed import code_table
from stream.decode.native import NativeDecoder
from stream.decode.record import FileRecord
from stream.plans.plan import Plan, PlanBook
from stream.plans.privacy import CategoryHash, HashKeyError, apply_privacy, hashed_with
from stream.replay import Replay
from tests.stream.commands.test_cli_files import run

KEY = "correct horse battery staple"
HASHING = CategoryHash(KEY)
#: Names that must not be found anywhere once they are hashed or dropped.
PEOPLE = tuple(f"{name}@planted.example" for name in ("ann", "bob", "cid", "dora", "eve"))
UNSEEN = "mallory@planted.example"
BASE_MS = 1_767_225_600_000


def columns(n: int, people: tuple[str, ...] = PEOPLE, seed: int = 0) -> dict[str, list[object]]:
    rng = np.random.default_rng(seed)
    return {
        "amount": list(rng.normal(50, 10, n)),
        "email": list(rng.choice(people, n)),
        "plan": list(rng.choice(["free", "paid"], n)),
    }


def reference(n: int = 3_000) -> Reference:
    return fit_reference(columns(n), model="crm", times_ms=BASE_MS + np.arange(n) * 1_000)


def event(row: dict[str, object], second: int) -> bytes:
    document = {"timestamp": BASE_MS + second * 1_000, "model": {"name": "crm", "version": "1"}}
    return json.dumps({**document, "features": row}).encode()


def rows(table: dict[str, list[object]]) -> list[dict[str, object]]:
    return [dict(zip(table, values)) for values in zip(*table.values())]


def test_a_hash_is_of_its_key() -> None:
    other = CategoryHash("another key of some length")
    assert HASHING.name("ann") == CategoryHash(KEY).name("ann")
    assert HASHING.name("ann") != HASHING.name("bob")
    assert HASHING.name("ann") != other.name("ann")
    assert HASHING.id != other.id
    assert KEY not in repr(HASHING)
    assert HASHING.name("\ud800")  # what json makes of a lone surrogate
    with pytest.raises(HashKeyError, match=r"at least 16 characters; got 5"):
        CategoryHash("short")


def test_the_same_counts_under_other_names() -> None:
    plain = reference()
    hashed = apply_privacy(plain, (), ("email",), HASHING)
    assert all(name.encode() not in hashed.to_json() for name in PEOPLE)
    assert b"free" in hashed.to_json()
    by_name = {signal.name: signal for signal in hashed.signals}
    assert hashed_with(by_name["email"].binning) == HASHING.id
    assert hashed_with(by_name["plan"].binning) is None
    assert apply_privacy(hashed, (), ("email",), HASHING).hash == hashed.hash  # once is enough

    books = [PlanBook(), PlanBook()]
    books[0].add(Plan(model="crm", reference=plain))
    books[1].add(Plan(model="crm", reference=hashed))
    events = rows(columns(500, (*PEOPLE, UNSEEN), seed=1))
    events += [{"email": wrong} for wrong in (None, 7, True, 1.5, ["x"], "", "\u00e9")]
    records = [FileRecord(i, 0, event(row, i)) for i, row in enumerate(events)]
    found = [
        NativeDecoder(book, max_ahead_ms=2**62, hashing=HASHING).decode(records) for book in books
    ]
    for one, two in zip(found[0].groups, found[1].groups, strict=True):
        np.testing.assert_array_equal(one.codes, two.codes)
        np.testing.assert_array_equal(one.numeric, two.numeric)


def test_the_key_must_be_the_one_of_the_names() -> None:
    hashed = apply_privacy(reference(), (), ("email",), HASHING)
    binning = next(s.binning for s in hashed.signals if s.name == "email")
    with pytest.raises(
        HashKeyError, match=rf"hashed with key {HASHING.id}, and this process has none"
    ):
        code_table("email", binning)
    other = CategoryHash("another key of some length")
    with pytest.raises(HashKeyError, match=f"this process has key {other.id}"):
        code_table("email", binning, other)
    with pytest.raises(HashKeyError, match=f"is hashed with key {HASHING.id}; this key is"):
        apply_privacy(hashed, (), ("email",), other)


def test_remembered_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.decode.values.REMEMBERED", 100)
    hashed = apply_privacy(reference(), (), ("email",), HASHING)
    binning = next(s.binning for s in hashed.signals if s.name == "email")
    table = code_table("email", binning, HASHING)
    for i in range(1_000):
        assert table[f"u{i}"] == binning.unseen
        assert len(table) <= 103
    assert {table[name] for name in PEOPLE} == set(range(5))
    assert table[None] == binning.missing


@pytest.mark.parametrize(
    ("drop", "hashed", "words"),
    [
        (("emial",), (), "'emial' cannot be dropped: it is neither in the reference nor"),
        ((), ("emial",), "'emial' cannot be hashed: it is not in the reference"),
        ((), ("amount",), "'amount' cannot be hashed: it is numeric"),
        (("amount", "email", "plan"), (), "every signal is dropped"),
    ],
)
def test_rules_that_cannot_hold_are_errors(
    drop: tuple[str, ...], hashed: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        apply_privacy(reference(), drop, hashed, HASHING)


def config(folder: Path, rule: str, more: str = 'hash_key = "${KEY}"') -> Path:
    (folder / "crm.json").write_bytes(reference().to_json())
    path = folder / "config.toml"
    path.write_text(
        f'[kafka]\nbootstrap_servers = "b:1"\n[privacy]\n{more}\n[[models]]\nname = "crm"\n'
        f'reference = "crm.json"\n[models.signals.email]\nprivacy = "{rule}"\n'
    )
    return path


@pytest.mark.parametrize("rule", ["drop", "hash"])
def test_the_config_rules_what_is_published(tmp_path: Path, rule: str) -> None:
    read = load_config(config(tmp_path, rule), {"KEY": KEY})
    assert KEY not in repr(read)
    [plan] = read.plans()
    published = plan.encode(0)
    assert all(name.encode() not in published for name in PEOPLE)
    assert ("email" in {signal.name for signal in plan.monitored}) == (rule == "hash")


def test_what_is_dropped_is_not_learned(tmp_path: Path) -> None:
    path = config(tmp_path, "drop")
    path.write_text(path.read_text().replace('reference = "crm.json"\n', ""))
    with pytest.raises(ConfigError, match=r"signals only drops\. Without a reference, name"):
        load_config(path, {"KEY": KEY}).plans()
    path.write_text(path.read_text() + "[models.signals.amount]\n")
    [plan] = load_config(path, {"KEY": KEY}).plans()
    assert b"email" not in plan.encode(0)


def test_a_key_is_needed_and_may_be_in_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'email' is to be hashed, and there is no key"):
        load_config(config(tmp_path, "hash", "")).plans()
    with pytest.raises(ConfigError, match=r"privacy\.hash_key cannot be used: .* got 5") as caught:
        load_config(config(tmp_path, "hash"), {"KEY": "sh0rt"})
    assert "sh0rt" not in str(caught.value)
    (tmp_path / "key").write_text(KEY + "\n")
    read = load_config(config(tmp_path, "hash", 'hash_key_file = "key"'))
    assert read.hashing is not None
    assert read.hashing.id == HASHING.id


def test_fit_and_replay_with_hashed_and_dropped_columns(tmp_path: Path) -> None:
    """Drift of a hashed signal is found and told; no planted name is in any file or word."""
    table = {
        "ts": [f"2026-01-01T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in range(4_000)]
    }
    for name, people in (("before", PEOPLE), ("after", (*PEOPLE[:2], UNSEEN))):
        whole = {
            **table,
            **columns(4_000, people),
            "note": [f"planted.example/{i}" for i in range(4_000)],
        }
        whole["note"] = [
            note if i % 50 else "planted.example" for i, note in enumerate(whole["note"])
        ]
        lines = [",".join(whole), *(",".join(map(str, row)) for row in zip(*whole.values()))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    key = tmp_path / "key"
    key.write_text(KEY)
    fitted = run(
        "fit",
        tmp_path / "before.csv",
        "--model",
        "crm",
        "--timestamp",
        "ts",
        "--hash",
        "email",
        "--drop",
        "note",
        "--hash-key-file",
        key,
        "-o",
        tmp_path / "crm.json",
    )
    assert fitted.exit_code == 0, fitted.output
    outputs = [tmp_path / name for name in ("alerts.jsonl", "windows.jsonl", "report.html")]
    options = [x for pair in zip(("--alerts", "--metrics", "--report"), outputs) for x in pair]
    command = ("replay", tmp_path / "after.csv", "--reference", tmp_path / "crm.json", *options)
    replayed = run(*command, "--hash-key-file", key)
    assert replayed.exit_code == 0, replayed.output
    assert "'email'" in replayed.stdout
    said = fitted.output + replayed.output + (tmp_path / "crm.json").read_text()
    said += "".join(path.read_text() for path in outputs)
    assert f"#{HASHING.id}:" in said
    assert "planted.example" not in said
    without = run(*command)
    assert without.exit_code == 1
    assert f"hashed with key {HASHING.id}, and this process has none" in without.output


def test_unseen_names_and_raw_values_are_nowhere(tmp_path: Path) -> None:
    """Not public: an unseen category has no name in an alert, and no number is an event's own."""
    book = PlanBook()
    book.add(Plan(model="crm", reference=reference(), pane_ms=10_000))
    unseen = columns(4_000, (UNSEEN,), seed=3)
    amounts = unseen["amount"]
    records = [FileRecord(i, 0, event(row, i)) for i, row in enumerate(rows(unseen))]
    refused: list[str] = []
    alerts = list(Replay(book, on_reject=lambda _, r: refused.append(r.error)).run(records))
    said = "".join(map(str, alerts)) + "".join(refused)
    assert "email" in said
    assert UNSEEN not in said
    assert not any(repr(amount) in said for amount in amounts)
