"""Kafka's classes, kept as Java has parsed and checked them, for it to map at its start.

With them a broker is there with half of the CPU: 2.4 s instead of 5.0, formatting included, by Java
17. A broker that does nothing else makes the file, once for a user's jars and Java.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from stream.devbroker.config import BrokerError, broker_properties, new_nodes
from stream.devbroker.kafka_process import (
    START_TIMEOUT_S,
    end_process,
    new_cluster_id,
    prepare,
    run,
    wait_ready,
)
from stream.devbroker.runtime import KafkaRuntime, locked

__all__ = ["keep_classes"]

log = logging.getLogger(__name__)

#: Writing the file is the last that the process does.
_WRITTEN_TIMEOUT_S = 120.0


def keep_classes(runtime: KafkaRuntime) -> None:
    """Make the archive that the runtime names, unless it has one or its Java knows none."""
    archive = runtime.class_archive
    if archive is None or archive.is_file():
        return
    with locked(archive.with_suffix(".lock")):
        if archive.is_file():  # another process was faster
            return
        with tempfile.TemporaryDirectory(prefix=f"{archive.stem}.", dir=archive.parent) as place:
            made = Path(place) / archive.name
            try:
                _run_for_classes(Path(place), runtime, made)
            except BrokerError as error:  # it starts more slowly without, and is asked again
                log.warning("Kafka's classes are not kept for a faster start: %s", error)
                return
            made.touch()  # a Java that wrote none is not asked again, and passes over an empty one
            for former in archive.parent.glob(f"{Path(runtime.classpath).parent.name}-java-*.jsa"):
                former.unlink()
            # The rename makes the file appear whole or not at all.
            made.rename(archive)


def _run_for_classes(directory: Path, runtime: KafkaRuntime, archive: Path) -> None:
    (node,) = new_nodes(1)
    settings = broker_properties(directory, node, [node], {})
    prepare(directory, settings, runtime, new_cluster_id())
    options = [f"-XX:ArchiveClassesAtExit={archive}"]
    process = run(directory, node, 256, runtime, light=True, options=options)
    wait_ready(process, directory, node, START_TIMEOUT_S)
    end_process(process, _WRITTEN_TIMEOUT_S)
