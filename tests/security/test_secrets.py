"""Secrets come from the environment or a file, and no object or error shows them."""

from __future__ import annotations

import ast
import shutil
import socket
import ssl
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path

import pytest

from stream.commands.worker import worker_settings
from stream.config.load import ConfigError, load_config
from stream.http.server import PLAIN, Page, PageServer
from tests.security.secured import make_certificates

ROOT = Path(__file__).parents[2]
PLANTED = "pl4nted-xq7"
CONFIG = """
[kafka]
bootstrap_servers = "b:9093"
security_protocol = "SASL_SSL"
sasl_mechanism = "SCRAM-SHA-512"
sasl_username = "driftstream"
sasl_password = "${SECRET}"
ssl_key_password_file = "secret"
[[models]]
name = "fraud"
reference = "fraud.json"
[[notify]]
type = "webhook"
url = "https://pager.example/${SECRET}"
secret_file = "secret"
token = "${SECRET}"
[[notify]]
type = "slack"
url_file = "url"
"""


def load(folder: Path, text: str = CONFIG) -> object:
    (folder / "secret").write_text(f"{PLANTED}\n")
    (folder / "url").write_text(f"https://hooks.example/{PLANTED}\n")
    path = folder / "config.toml"
    path.write_text(text)
    return load_config(path, {"SECRET": PLANTED})


def test_nothing_that_holds_a_secret_shows_it(tmp_path: Path) -> None:
    config = load(tmp_path)
    settings = worker_settings(config)  # type: ignore[arg-type]
    assert settings.kafka["sasl_password"] == PLANTED
    assert settings.kafka["ssl_key_password"] == PLANTED
    for thing in (config, settings, config.kafka, *config.notify):  # type: ignore[attr-defined]
        assert PLANTED not in repr(thing)
        assert PLANTED not in str(thing)
        assert PLANTED not in f"{thing}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sasl_password =", "sasl_pasword ="),
        ("sasl_password =", "sasl_mechanisms ="),
        ('"SCRAM-SHA-512"', '"${SECRET}"'),
        ('"SASL_SSL"', '"${SECRET}"'),
        ('bootstrap_servers = "b:9093"', 'bootstrap_servers = ["${SECRET}"]'),
        ('type = "slack"', 'type = "${SECRET}"'),
        ('"https://pager.example/${SECRET}"', '"${SECRET}"'),
        ('token = "${SECRET}"', 'timeout = "${SECRET}"'),
        ('name = "fraud"', 'name = "fraud"\npane = "${SECRET}"'),
        ('name = "fraud"', 'name = "fraud"\ncycle = "${SECRET}"'),
        ("[[models]]", '[worker]\nmetrics_address = "${SECRET}"\n[[models]]'),
        ("[[models]]", '[topics]\npartitions = "${SECRET}"\n[[models]]'),
        ('reference = "fraud.json"', 'reference = "fraud.json"\nsegments = "${SECRET}"'),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, old: str, new: str) -> None:
    assert old in CONFIG
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, CONFIG.replace(old, new, 1))
    assert PLANTED not in str(caught.value)
    assert "config.toml: " in str(caught.value)


def test_nothing_can_execute_what_it_reads() -> None:
    """No pickle and its kin, no eval: neither topics nor files are code."""
    modules = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml"}
    calls = {"eval", "exec", "compile", "__import__"}
    for package in ("detectors", "stream"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                assert not {name.split(".")[0] for name in names} & modules, path
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in calls, f"{path}:{node.lineno}"
                if isinstance(node, ast.keyword):
                    assert node.arg not in ("allow_pickle", "shell"), f"{path}: {node.arg}"


# ---- TLS of the metrics page


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("metrics")
    make_certificates(folder)
    return folder


def test_the_metrics_page_over_tls(certificates: Path) -> None:
    pages = {"/metrics": lambda _: Page(HTTPStatus.OK, PLAIN, b"driftstream_up 1\n")}
    tls = (str(certificates / "server.crt"), str(certificates / "server.key"))
    server = PageServer("127.0.0.1:0", pages, tls)
    trusting = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    suspicious = ssl.create_default_context(cafile=str(certificates / "other.pem"))
    try:
        address = f"127.0.0.1:{server.port}/metrics"
        with socket.create_connection(("127.0.0.1", server.port)):  # says nothing, blocks nobody
            with urllib.request.urlopen(
                f"https://{address}", timeout=5, context=trusting
            ) as answer:
                assert answer.read() == b"driftstream_up 1\n"
            with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
                urllib.request.urlopen(f"https://{address}", timeout=5, context=suspicious)
            with pytest.raises((urllib.error.URLError, OSError)):
                urllib.request.urlopen(f"http://{address}", timeout=5)
    finally:
        server.close()


def test_a_certificate_that_cannot_be_used_is_said(certificates: Path, tmp_path: Path) -> None:
    for certificate, key in (("absent", "server.key"), ("ca.pem", "server.key")):
        files = (str(certificates / certificate), str(certificates / key))
        with pytest.raises(OSError, match=r"worker\.metrics_tls_cert .* cannot be used"):
            PageServer("127.0.0.1:0", {}, files)
    with pytest.raises(ConfigError, match=r"metrics_tls_cert and metrics_tls_key go together"):
        load(tmp_path, CONFIG.replace("[[models]]", '[worker]\nmetrics_tls_key = "k"\n[[models]]'))
    both = '[worker]\nmetrics_tls_key = "k"\nmetrics_tls_cert = "c"\n[[models]]'
    settings = worker_settings(load(tmp_path, CONFIG.replace("[[models]]", both, 1)))  # type: ignore[arg-type]
    assert settings.metrics_tls == (str(tmp_path / "c"), str(tmp_path / "k"))
