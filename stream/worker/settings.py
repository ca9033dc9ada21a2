"""What a worker needs to know, as plain values: the one thing that `app` makes of the config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stream.alerts.silences import Silence
from stream.contracts.errors import SettingError
from stream.contracts.topic_names import TopicNames
from stream.decode.formats.contract import SourceOptions
from stream.plans.privacy import CategoryHash

__all__ = ["STAGES", "WorkerSettings"]

#: What `--stage` takes. All workers are in one group whatever they run (docs/adr/0011).
STAGES: Final = ("all", "summarise", "join", "monitor")


@dataclass(frozen=True)
class WorkerSettings:
    """Settings of one worker. Times in seconds.

    Attributes
    ----------
    kafka : mapping
        Connection settings with librdkafka's names.
    data_dir : str
        Scratch space of Faust, one for each worker; "" for a temporary directory.
    metrics_address : str
        host:port of /metrics, /healthz and /readyz; "" for none.
    metrics_tls : pair of str, optional
        Files of a certificate and its key: the page is served with TLS.
    hashing : CategoryHash, optional
        The key of hashed categories.
    formats : mapping of topic to SourceOptions
        Of topics whose records are not native.
    dead_letter_values : bool
        Whether dead letters hold the original bytes.
    idle_after_s : float
        A partition that is caught up and silent for this long no longer holds panes back.
    idle_timeout_s : float
        Subjects to which nothing happens for so long, or up to twice that, are evicted.
    sources_interval_s : float
        How often it is looked whether topics were made again or have grown.
    max_ready_lag : int
        Records behind from which /readyz says no.
    max_ahead_ms : int
        An event this much later than its own record is refused.
    max_series : int
        Series on /metrics at most.
    environment : str
        Told on /metrics.
    silences : sequence of Silence
        Shown on the page; it is `notify` that keeps them.
    """

    kafka: Mapping[str, object] = field(repr=False)  # a password may be in it
    group: str = "driftstream"
    stage: str = "all"
    topics: TopicNames = field(default_factory=TopicNames)
    data_dir: str = ""
    metrics_address: str = ""
    metrics_tls: tuple[str, str] | None = None
    hashing: CategoryHash | None = None
    formats: Mapping[str, SourceOptions] = field(default_factory=dict)
    dead_letter_values: bool = True
    idle_after_s: float = 30.0
    snapshot_interval_s: float = 10.0
    session_timeout_s: float = 6.0
    idle_timeout_s: float = 600.0
    sources_interval_s: float = 60.0
    max_ready_lag: int = 1_000_000
    max_ahead_ms: int = 60_000
    max_series: int = 10_000
    environment: str = ""
    silences: Sequence[Silence] = ()

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise SettingError(f"--stage must be one of {', '.join(STAGES)}; got {self.stage!r}.")
        if self.data_dir and not Path(self.data_dir).expanduser().parent.is_dir():
            raise SettingError(
                f"worker.data_dir {self.data_dir} is in a directory that does not exist. "
                "Make it, or leave data_dir out for a temporary one."
            )
        times = "idle_after_s", "snapshot_interval_s", "session_timeout_s", "idle_timeout_s"
        for name in times:
            if not (value := getattr(self, name)) > 0:
                raise SettingError(f"worker.{name[:-2]} must be > 0; got {value}.")
