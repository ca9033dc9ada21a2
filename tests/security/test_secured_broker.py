"""TLS, SASL and least privilege on a real broker: every program, by the command line."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.client.alert_log import read_alerts
from stream.client.records import publish, read_topic
from stream.devbroker.broker import free_port
from stream.kafka.access import AccessError
from stream.kafka.rights import check_rights
from stream.kafka.topics import topic_partitions
from stream.notify.source import run_notify
from stream.worker.settings import WorkerSettings
from stream.worker.worker import Worker
from tests.security.secured import (
    PASSWORD,
    WRONG,
    Secured,
    acls_of,
    documented_commands,
    grant,
    revoke,
)
from tests.stream.commands.test_cli_files import FIT, write_rows
from tests.stream.notify_tools import hook
from tests.warm_start import WarmProcess, run_warm

ROOT = Path(__file__).parents[2]
LIMIT_S = 180
pytestmark = [
    pytest.mark.broker,
    # kafka-python leaves the sockets of failed TLS handshakes to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
HOOK = '[[notify]]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n'
#: Secrets that nothing may ever print.
HOOK_SECRET, HOOK_TOKEN = "h00k-Secret-m3v", "h00k-Token-w8k"
SECRETS = (PASSWORD, WRONG, HOOK_SECRET, HOOK_TOKEN)


ENVIRONMENT = {**os.environ, "KAFKA_PASSWORD": PASSWORD, "HOOK_TOKEN": HOOK_TOKEN}


def driftstream(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command; no secret in what it says."""
    words = [str(argument) for argument in arguments]
    done = run_warm(words, env={**ENVIRONMENT, **variables}, timeout=LIMIT_S)
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)
    return done


def must(*arguments: object) -> str:
    done = driftstream(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextlib.contextmanager
def running(log: Path, *arguments: object) -> Iterator[WarmProcess]:
    """A program that stays: it is ended with SIGTERM and must end well."""
    process = WarmProcess([str(argument) for argument in arguments], log, env=ENVIRONMENT)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert not any(secret in log.read_text() for secret in SECRETS)


def wait_for(what: Callable[[], object], log: Path) -> None:
    end = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installation")
    write_rows(folder / "january.csv", 6000, start="2026-01-01T00:00:00")
    write_rows(folder / "changed.csv", 4000, start="2026-02-01T00:00:00", seed=2, shift=0.6)
    must("fit", folder / "january.csv", *FIT, "-o", folder / "fraud.json")
    return folder


def config(folder: Path, name: str, kafka: dict[str, object], more: str = "") -> Path:
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in kafka.items())
    path = folder / f"{name}.toml"
    path.write_text(
        f'[kafka]\n{lines}\n[worker]\nmetrics_address = ""\nidle_after = "10m"\n'
        f"[topics]\npartitions = 2\nprediction_partitions = 2\n"
        f'[[models]]\nname = "fraud"\nreference = "fraud.json"\npane = "1m"\n{more}'
    )
    return path


def as_user(secured: Secured, folder: Path, user: str, **changes: object) -> Path:
    """A user's config; the password comes from the environment, the authority from a file."""
    changes = {"sasl_password": "${KAFKA_PASSWORD}", **changes}
    name = f"{user}-{len(list(folder.glob('*.toml')))}"
    return config(folder, name, secured.kafka(user, **changes))


@pytest.fixture(scope="module")
def installed(secured: Secured, folder: Path) -> Path:
    """Topics and plans, made by the deployer."""
    deployer = as_user(secured, folder, "deployer")
    assert must("topics", "-c", deployer, "--create").count("created ") == 6
    assert "published, in force from the beginning" in must("plan", "publish", "-c", deployer)
    return deployer


def listening_ports(pid: int) -> set[int]:
    """TCP ports that a process listens on, as Linux says."""
    links = (os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir())
    mine = {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in mine}


def pages(port: int, ca: Path) -> str:
    trusting = ssl.create_default_context(cafile=str(ca))
    text = ""
    for path in ("metrics", "healthz", "readyz", "", "api/v1/state", "table", "router"):
        with contextlib.suppress(urllib.error.HTTPError):
            url = f"https://127.0.0.1:{port}/{path}"
            with urllib.request.urlopen(url, timeout=5, context=trusting) as answer:
                text += answer.read().decode()
    return text


def test_least_privilege_is_enough(secured: Secured, folder: Path, installed: Path) -> None:
    """Each program with its own user and only the documented rights, from events to a webhook.

    And no secret in anything that they write, serve or send to the wrong place.
    """
    assert "already there" in must("plan", "publish", "-c", installed)
    port = free_port()
    (folder / "hook-secret").write_text(f"{HOOK_SECRET}\n")
    with hook() as pager:
        pager.answers += [(500, {}), (429, {})]
        worker = as_user(secured, folder, "driftstream")
        text = worker.read_text()
        served = f'metrics_address = "127.0.0.1:{port}"\nmetrics_tls_cert = "server.crt"\n'
        served += 'metrics_tls_key = "server.key"'
        worker.write_text(text.replace('metrics_address = ""', served))
        for name in ("server.crt", "server.key"):
            shutil.copy(secured.ca.parent / name, folder / name)
        notifier = config(
            folder,
            "notifier",
            secured.kafka("notifier"),
            f'[[notify]]\ntype = "webhook"\nurl = "{pager.url}?key={HOOK_SECRET}"\n'
            'secret_file = "hook-secret"\ntoken = "${HOOK_TOKEN}"\n'
            f'[[notify]]\ntype = "slack"\nurl = "http://127.0.0.1:9/{HOOK_SECRET}"\n'
            f'[[notify]]\ntype = "alertmanager"\nurl = "https://{secured.address}/{HOOK_SECRET}"\n',
        )
        worker_log, notifier_log = folder / "worker.log", folder / "notifier.log"
        with (
            running(worker_log, "worker", "-v", "--no-publish", "-c", worker) as process,
            running(notifier_log, "notify", "-v", "-c", notifier),
        ):
            wait_for(lambda: "ready: " in worker_log.read_text(), worker_log)
            wait_for(lambda: "ready: " in notifier_log.read_text(), notifier_log)
            # One mechanism for the worker, the other for the producer.
            producer = as_user(secured, folder, "producer", sasl_mechanism="PLAIN")
            sent = must("produce", folder / "changed.csv", "-c", producer, "--model", "fraud")
            assert "4,000 events to" in sent
            wait_for(lambda: list(read_alerts(secured.super_user)), worker_log)
            wait_for(lambda: pager.taken, notifier_log)
            shown = pages(port, secured.ca)
            assert "driftstream_events_total" in shown
            # Nothing of Faust's web server, whose /table would serve state.
            assert listening_ports(process.pid) == {port}
        reader = as_user(secured, folder, "notifier")
        said = must("alerts", "-c", reader)
        assert "Data drift: " in said
        assert "'amount'" in said
    operator = as_user(secured, folder, "operator")
    episode = next(iter(read_alerts(secured.super_user))).data.episode
    assert episode[:8] in must("ack", episode, "-c", operator)
    rebased = must("plan", "rebase", "--model", "fraud", "--dry-run", "-c", installed)
    assert "would be rebased on" in rebased
    assert "fraud/3" in must("state", "list", "-c", operator)
    assert "frontier" in must("state", "show", "fraud", "-c", operator)
    assert "Workers rebuild from" in must("state", "reset", "--yes", "-c", operator)
    assert "were not committed" not in notifier_log.read_text()
    must("check", "-c", worker)

    said = notifier_log.read_text() + worker_log.read_text() + shown
    assert "slack" in said  # its failures were logged
    for topic in ("summaries", "state", "alerts", "plans", "dead-letter"):
        for record in read_topic(secured.super_user, f"driftstream.{topic}"):
            said += repr((record.key, record.value, record.headers))
    for body in (body for _, _, body in pager.requests):
        said += body.decode()
    assert len(said) > 50_000
    assert [secret for secret in SECRETS if secret in said] == []


def certified(secured: Secured, door: str) -> dict[str, object]:
    """`[kafka]` of the user driftstream at a door that wants a certificate."""
    if door == "certificate alone":
        return {
            "bootstrap_servers": secured.mutual,
            "security_protocol": "SSL",
            "ssl_ca_location": str(secured.ca),
            **secured.certificate,
        }
    return secured.kafka(
        "driftstream",
        bootstrap_servers=secured.certified,
        sasl_mechanism="SCRAM-SHA-256",
        sasl_password="${KAFKA_PASSWORD}",
        **secured.certificate,
    )


@pytest.mark.parametrize("door", ["certificate alone", "certificate and SCRAM-SHA-256"])
def test_client_certificates(secured: Secured, folder: Path, installed: Path, door: str) -> None:
    """Of both client libraries; and who comes without one is told so."""
    section = certified(secured, door)
    path = config(folder, door.replace(" ", "-"), section)
    log = folder / f"{path.stem}.log"
    with running(log, "worker", "-v", "--no-publish", "-c", path):
        wait_for(lambda: "ready: " in log.read_text(), log)
    must("check", "-c", path)
    must("state", "list", "-c", path)
    for key in secured.certificate:
        del section[key]
    without = config(folder, f"{path.stem}-without", section)
    for name in ("worker", "check", "state"):
        words = [name, *(["list"] if name == "state" else []), "-c", without]
        refused = driftstream(*words)
        assert refused.returncode == 1, name
        said = refused.stdout + refused.stderr
        assert "wants a certificate of the client" in said, (name, said)
        assert "kafka.ssl_certificate_location" in said, (name, said)


def cases(secured: Secured) -> dict[str, tuple[dict[str, object], tuple[str, ...]]]:
    """What is wrong with a connection, and what every program must say of it."""
    at, user = secured.address, "user 'driftstream'"
    password = ("was refused by SCRAM-SHA-512", "Check kafka.sasl_username", user, at)
    return {
        "wrong password": ({"sasl_password": WRONG}, password),
        "unknown user": ({"sasl_username": "nobody"}, ("user 'nobody' was refused", at)),
        "wrong password, PLAIN": (
            {"sasl_password": WRONG, "sasl_mechanism": "PLAIN"},
            ("was refused by PLAIN", "kafka.sasl_password", user, at),
        ),
        "wrong authority": (
            {"ssl_ca_location": str(secured.other_ca)},
            ("certificate is refused", "kafka.ssl_ca_location", str(secured.other_ca), at),
        ),
        "no authority": (
            {"ssl_ca_location": None},
            ("certificate is refused", "Name the file of the authority", at),
        ),
        "hostname mismatch": (
            {"bootstrap_servers": f"localhost:{secured.port}"},
            ("not valid for 'localhost'", "Use a name that is in the certificate"),
        ),
        "mechanism": (
            {"sasl_mechanism": "SCRAM-SHA-256"},
            ("SCRAM-SHA-256 is not offered", "kafka.sasl_mechanism", at),
        ),
        "SASL where there is none": (
            {
                "bootstrap_servers": secured.broker.bootstrap,
                "security_protocol": "SASL_PLAINTEXT",
                "ssl_ca_location": None,
            },
            ("asks for no user", "kafka.security_protocol", secured.broker.bootstrap),
        ),
    }


def commands(path: Path, folder: Path) -> dict[str, list[object]]:
    """A command for each client: aiokafka's worker, kafka-python's admin, producer, consumers."""
    return {
        "worker": ["worker", "--no-publish", "-c", path],
        "worker that publishes": ["worker", "-c", path],
        "admin": ["topics", "-c", path],
        "producer": ["produce", folder / "changed.csv", "-c", path, "--model", "fraud"],
        "alerts": ["alerts", "-c", path],
        "notify": ["notify", "-c", path],
        "check": ["check", "-c", path],
    }


WRONGS = (
    "wrong password", "unknown user", "wrong password, PLAIN", "wrong authority", "no authority",
    "hostname mismatch", "mechanism", "SASL where there is none",
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_refused_connection_is_said(
    secured: Secured, wrong: str, tell: Callable[[str], None]
) -> None:
    """By both client libraries, and at once: no client tries for half a minute."""
    changes, words = cases(secured)[wrong]
    section = secured.kafka("driftstream", **changes)
    asked: dict[str, Callable[[], object]] = {
        "worker": lambda: asyncio.run(Worker(WorkerSettings(section)).run()),
        "admin": lambda: topic_partitions(section, "predictions"),
        "producer": lambda: publish(section, "predictions", [(None, b"{}", ())]),
        "alerts": lambda: list(read_alerts(section)),
        "notify": lambda: run_notify(section, "driftstream.alerts", "g", [], threading.Event()),
    }
    for name, ask in asked.items():
        with pytest.raises(AccessError) as caught:
            ask()
        said = str(caught.value)
        assert all(word in said for word in words), (name, said)
        assert not any(secret in f"{said}{caught.value!r}" for secret in SECRETS)
    tell(f"{wrong}, {', '.join(asked)}: {said}")


def test_a_refused_password_by_every_command(
    secured: Secured, folder: Path, installed: Path
) -> None:
    _, words = cases(secured)["wrong password"]
    section = secured.kafka("driftstream", sasl_password=WRONG)
    path = config(folder, "wrong", section, HOOK)
    for name, command in commands(path, folder).items():
        done = driftstream(*command)
        said = done.stdout + done.stderr
        assert done.returncode == 1, (name, said)
        assert all(word in said for word in words), (name, said)
        assert "Traceback" not in said, (name, said)
    crash = driftstream("alerts", "-c", path, DRIFTSTREAM_TRACEBACK="1")
    assert "Traceback" in crash.stderr  # and no secret in it either


@pytest.mark.parametrize(("protocol", "other"), [("SASL_SSL", "without"), ("PLAINTEXT", "with")])
def test_the_wrong_listener_hangs_up(secured: Secured, protocol: str, other: str) -> None:
    """That might be an outage, so it is waited for; then both possibilities are said."""
    tls = protocol == "SASL_SSL"
    section: dict[str, object] = {"bootstrap_servers": secured.address}
    if tls:
        section = secured.kafka("driftstream", bootstrap_servers=secured.broker.bootstrap)
    with pytest.raises(ConnectionError, match=f"a listener {other} TLS hangs up on {protocol}"):
        check_rights(section, {}, timeout_s=1)
    gc.collect()


RIGHTS = {
    # command: (user, topic that is taken away, what must be said)
    "worker": ("driftstream", "driftstream.alerts", "topic driftstream.alerts"),
    "worker, events": ("driftstream", "predictions", "topic predictions"),
    "worker, plans": ("driftstream", "driftstream.plans", "topic driftstream.plans"),
    "check": ("driftstream", "driftstream.state", "topic driftstream.state"),
    "producer": ("producer", "predictions", "topic predictions"),
    "alerts": ("notifier", "driftstream.alerts", "topic driftstream.alerts"),
    "notify": ("notifier", "driftstream.alerts", "topic driftstream.alerts"),
    "publish": ("deployer", "driftstream.plans", "driftstream.plans"),
}


@pytest.mark.parametrize("case", RIGHTS)
def test_a_missing_right_is_said(
    secured: Secured, folder: Path, installed: Path, case: str
) -> None:
    user, topic, words = RIGHTS[case]
    path = config(folder, f"right-{list(RIGHTS).index(case)}", secured.kafka(user), HOOK)
    command = {**commands(path, folder), "publish": ["plan", "publish", "-c", path]}
    before = revoke(secured.super_user, user, topic)
    assert before
    try:
        done = driftstream(*command[case.split(",")[0]])
    finally:
        grant(secured.super_user, before)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert f"user '{user}' lacks" in said, said
    assert words in said, said
    assert "docs/security.md" in said, said
    assert "Traceback" not in said, said


def test_a_missing_right_on_the_group_is_said(
    secured: Secured, folder: Path, installed: Path
) -> None:
    """All topics, and not the group: found out when the worker joins it."""
    page = (ROOT / "docs" / "security.md").read_text()
    mine = [c for c in documented_commands(page) if "User:driftstream" in c and "--group" not in c]
    assert len(mine) == 5
    for command in mine:
        grant(secured.super_user, acls_of(command.replace("User:driftstream", "User:stranger")))
    path = as_user(secured, folder, "stranger")
    for asked in (["worker", "--no-publish", "-c", path], ["check", "-c", path]):
        done = driftstream(*asked)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "user 'stranger' lacks" in said, said
        assert "group driftstream" in said, said
        assert "docs/security.md" in said, said


def test_a_right_to_look_is_not_a_right_to_write(
    secured: Secured, folder: Path, installed: Path
) -> None:
    """The worker finds out before it reads anything, not at the first alert."""
    path = as_user(secured, folder, "notifier", client_id="x")
    done = driftstream("worker", "--no-publish", "-c", path)
    assert done.returncode == 1
    assert "lacks" in done.stderr


def test_the_metrics_page_is_not_for_the_network_unless_told(folder: Path) -> None:
    from stream.config.load import load_config

    path = config(folder, "defaults", {"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    text = path.read_text().replace('metrics_address = ""\n', "")
    path.write_text(text)
    assert load_config(path).worker.metrics_address.startswith("127.0.0.1:")
