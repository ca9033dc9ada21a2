"""driftstream's public names: what a notebook, a service or a job may lean on.

>>> from driftstream import ADWIN
>>> detector = ADWIN()
>>> detector.update(0.3).drift_detected
False

Each name is imported when it is first used, so `import driftstream` costs next to nothing.
docs/library.md has examples.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from driftstream._neighbours import what_is_in_the_way

if TYPE_CHECKING:
    from detectors import ADWIN, CUSUM, InvalidReferenceError, PageHinkley, Reference, Seasons
    from detectors.distances.divergences import (
        chi2,
        g,
        hellinger,
        js,
        kl,
        ks,
        psi,
        total_variation,
        wasserstein,
    )
    from driftstream.comparing import compare
    from driftstream.comparison import ColumnResult, ColumnTest, Comparison
    from driftstream.fitting import fit_reference
    from driftstream.replaying import Episode, OutcomeMetric, ReplayResult, replay
    from stream import __version__
    from stream.client.alert_log import latest_alerts, read_alerts
    from stream.client.records import DeliveryError, producer, publish
    from stream.config.toml_table import ConfigError
    from stream.contracts.alert_event import AlertError, AlertEvent, decode_alert
    from stream.contracts.errors import DriftstreamError, NotFoundError, SettingError
    from stream.contracts.prediction_event import (
        ARROW_CONTENT_TYPE,
        BATCH_CONTENT_TYPE,
        EVENT_CONTENT_TYPE,
        Actual,
        BatchColumns,
        ModelId,
        Prediction,
        PredictionBatch,
        PredictionEvent,
        encode_batch,
        encode_event,
    )
    from stream.files.files import DataError
    from stream.kafka.access import AccessError
    from stream.kafka.topics import TopicError
    from stream.kafka.unreadable_batch import UnreadableError
    from stream.plans.plan import PlanError
    from stream.publishing import (
        DroppedEventError,
        InvalidEventError,
        Monitor,
        MonitorMiddleware,
        MonitorStats,
    )

__all__ = [
    "ADWIN",
    "ARROW_CONTENT_TYPE",
    "BATCH_CONTENT_TYPE",
    "CUSUM",
    "EVENT_CONTENT_TYPE",
    "AccessError",
    "Actual",
    "AlertError",
    "AlertEvent",
    "BatchColumns",
    "ColumnResult",
    "ColumnTest",
    "Comparison",
    "ConfigError",
    "DataError",
    "DeliveryError",
    "DriftstreamError",
    "DroppedEventError",
    "Episode",
    "InvalidEventError",
    "InvalidReferenceError",
    "ModelId",
    "Monitor",
    "MonitorMiddleware",
    "MonitorStats",
    "NotFoundError",
    "OutcomeMetric",
    "PageHinkley",
    "PlanError",
    "Prediction",
    "PredictionBatch",
    "PredictionEvent",
    "Reference",
    "ReplayResult",
    "Seasons",
    "SettingError",
    "TopicError",
    "UnreadableError",
    "__version__",
    "chi2",
    "compare",
    "decode_alert",
    "encode_batch",
    "encode_event",
    "fit_reference",
    "g",
    "hellinger",
    "js",
    "kl",
    "ks",
    "latest_alerts",
    "producer",
    "psi",
    "publish",
    "read_alerts",
    "replay",
    "total_variation",
    "wasserstein",
]

_DISTANCES: Final = (
    "chi2", "g", "hellinger", "js", "kl", "ks", "psi", "total_variation", "wasserstein",
)  # fmt: skip
_EVENTS: Final = (
    "ARROW_CONTENT_TYPE", "Actual", "BATCH_CONTENT_TYPE", "BatchColumns", "EVENT_CONTENT_TYPE",
    "ModelId", "Prediction", "PredictionBatch", "PredictionEvent", "encode_batch", "encode_event",
)  # fmt: skip
_PUBLISHING: Final = (
    "DroppedEventError", "InvalidEventError", "Monitor", "MonitorMiddleware", "MonitorStats",
)  # fmt: skip
_REPLAYING: Final = ("Episode", "OutcomeMetric", "ReplayResult", "replay")
_DETECTORS: Final = (
    "ADWIN", "CUSUM", "InvalidReferenceError", "PageHinkley", "Reference", "Seasons",
)  # fmt: skip
#: Public name -> (module, name there).
_HOME: Final = {
    **{name: ("detectors.distances.divergences", name) for name in _DISTANCES},
    **{name: ("detectors", name) for name in _DETECTORS},
    "compare": ("driftstream.comparing", "compare"),
    "fit_reference": ("driftstream.fitting", "fit_reference"),
    **{
        name: ("driftstream.comparison", name)
        for name in ("ColumnResult", "ColumnTest", "Comparison")
    },
    **{name: ("driftstream.replaying", name) for name in _REPLAYING},
    **{name: ("stream.contracts.prediction_event", name) for name in _EVENTS},
    **{name: ("stream.client.records", name) for name in ("DeliveryError", "producer", "publish")},
    **{name: ("stream.client.alert_log", name) for name in ("latest_alerts", "read_alerts")},
    **{name: ("stream.publishing", name) for name in _PUBLISHING},
    **{
        name: ("stream.contracts.alert_event", name)
        for name in ("AlertError", "AlertEvent", "decode_alert")
    },
    **{
        name: ("stream.contracts.errors", name)
        for name in ("DriftstreamError", "NotFoundError", "SettingError")
    },
    "AccessError": ("stream.kafka.access", "AccessError"),
    "ConfigError": ("stream.config.toml_table", "ConfigError"),
    "DataError": ("stream.files.files", "DataError"),
    "PlanError": ("stream.plans.plan", "PlanError"),
    "TopicError": ("stream.kafka.topics", "TopicError"),
    "UnreadableError": ("stream.kafka.unreadable_batch", "UnreadableError"),
    "__version__": ("stream", "__version__"),
}


if _words := what_is_in_the_way():
    if os.path.basename((sys.argv or [""])[0]).partition(".")[0] == "driftstream":  # the command
        sys.exit(f"driftstream: {_words}")
    raise ImportError(_words)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOME[name]
    try:
        value = globals()[name] = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        from stream.process.extras import missing_words

        if words := missing_words(error, f"{__name__}.{name}"):
            raise ImportError(words, name=error.name) from error
        raise
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
