"""`Monitor`: a service tells what its model was given and what it said, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

from stream.contracts.prediction_event import ModelId
from stream.publishing.batches import Roles
from stream.publishing.delivery import Delivery
from stream.publishing.errors import DroppedEventError, InvalidEventError
from stream.publishing.events import EventMaker
from stream.publishing.frames import batches, rows_of
from stream.publishing.intake import Intake
from stream.publishing.notices import Notices
from stream.publishing.outbox import POLICIES, Message, Outbox, WhenFull
from stream.publishing.process import at_end, follow_forks, not_at_end
from stream.publishing.stats import MonitorStats
from stream.publishing.values import Values
from stream.publishing.wrapped import WrappedModel
from stream.text.counted import counted

__all__ = ["Monitor"]

#: Kafka's own default limit is 1 MiB with everything around it.
_MAX_BYTES: Final = 1_000_000


class Monitor:
    """Publishes prediction events from a service, in the background.

    A call of `log` encodes the event, puts it into a bounded queue and returns; a thread sends.
    It does not wait for Kafka and does not raise, unless asked to. Safe in threads, in forked
    processes and in event loops. docs/how-to/publish.md says what happens when.

    Parameters
    ----------
    model, version : str
    bootstrap_servers : str, optional
        Or `kafka`: all connection settings, as in `[kafka]` of a config.
    topic : str
        That of the model's config.
    actuals_topic : str, optional
        Where `log_actual` sends; by default `topic`.
    max_events, max_bytes : int
        Of the queue, with what is on its way.
    when_full : {"drop_oldest", "drop_newest", "block"}
        What gives way where there is no room; "block" makes `log` wait.
    strict : bool
        Raise for events that are invalid or dropped, and from `close` if events are left.
    exit_timeout : float
        Seconds that the end of the process waits for what is queued.
    max_message_bytes : int
        Larger events are dropped.
    producer : mapping
        Settings of kafka-python's producer, over ours: `{"compression_type": "zstd"}`.

    Raises
    ------
    ValueError
        If there is no model, a bound is below 1, `when_full` another word, or the broker is given
        twice or not at all.

    Examples
    --------
    >>> with Monitor(model="fraud", version="3", bootstrap_servers="localhost:9092") as monitor:
    ...     monitor.log({"amount": 12.5, "country": "DE"}, "ok", score=0.93, prediction_id="3f0c")
    ...     monitor.log_actual("3f0c", "fraud")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str,
        version: str = "",
        *,
        bootstrap_servers: str | None = None,
        kafka: Mapping[str, object] | None = None,
        topic: str = "predictions",
        actuals_topic: str | None = None,
        max_events: int = 10_000,
        max_bytes: int = 32 * 1024 * 1024,
        when_full: WhenFull = "drop_oldest",
        strict: bool = False,
        exit_timeout: float = 5.0,
        max_message_bytes: int = _MAX_BYTES,
        producer: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(model, str) or not model:
            raise ValueError(f"model must be the model's name; got {model!r}.")
        if when_full not in POLICIES:
            raise ValueError(f"when_full must be one of {', '.join(POLICIES)}; got {when_full!r}.")
        if max_events < 1 or max_bytes < 1 or max_message_bytes < 1:
            raise ValueError("max_events, max_bytes and max_message_bytes must be at least 1.")
        if (kafka is None) == (bootstrap_servers is None):
            raise ValueError("give either bootstrap_servers or kafka={...}.")
        self.model = ModelId(model, str(version))
        self.topic, self.actuals_topic = topic, actuals_topic or topic
        self._kafka = dict(kafka or {"bootstrap_servers": bootstrap_servers})
        self._producer = {"max_request_size": max_message_bytes + 48_576, **(producer or {})}
        self._limits = (max_events, max_bytes, when_full)
        self._strict, self._exit_timeout = strict, exit_timeout
        self._max_message_bytes = max_message_bytes
        self._begin()
        follow_forks(self)

    def _begin(self) -> None:
        """Make all that a process has of its own; also after a fork."""
        self._notices = Notices(f"monitor of {self.model.name}")
        self._values = Values(self._notices)
        self._outbox = Outbox(*self._limits)
        self._intake = Intake(
            EventMaker(self.model, self._values),
            self._outbox,
            self._notices,
            self._start,
            max_message_bytes=self._max_message_bytes,
            strict=self._strict,
        )
        topics = tuple(dict.fromkeys((self.topic, self.actuals_topic)))
        self._delivery = Delivery(self._kafka, topics, self._outbox, self._notices, self._producer)

    # ---- events

    def log(
        self,
        features: Any = None,
        prediction: Any = None,
        *,
        score: Any = None,
        actual: Any = None,
        prediction_id: Any = None,
        timestamp: Any = None,
        latency_seconds: Any = None,
        segments: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
    ) -> bool:
        """Queue one prediction; whether it was queued.

        Parameters
        ----------
        features : mapping of name to value
            Or a row of a pandas frame, or a named tuple.
        prediction, score
            The class or number that was predicted, and its probability.
        actual
            The truth, if it is known already; else `log_actual` later, by `prediction_id`.
        prediction_id : str, optional
            What the event is known by if it comes twice, and to its late actual.
        timestamp : optional
            When it was predicted; by default now. Any form of docs/events.md#times.
        latency_seconds : float or timedelta, optional
            How long it took.
        segments : mapping, optional
            Values of the segments that the model's config names.
        tags : mapping, optional
            Carried and not read.

        Raises
        ------
        InvalidEventError, DroppedEventError
            If the monitor is strict.
        """
        message = self._intake.message(
            self.topic,
            features,
            prediction,
            score,
            actual,
            prediction_id,
            timestamp,
            latency_seconds,
            segments,
            tags,
        )
        return message is not None and self._intake.put(message)

    def log_actual(
        self,
        prediction_id: Any,
        actual: Any,
        *,
        prediction: Any = None,
        score: Any = None,
        prediction_timestamp: Any = None,
        timestamp: Any = None,
        segments: Mapping[str, Any] | None = None,
    ) -> bool:
        """Queue the truth about an earlier prediction; whether it was queued.

        Repeat what was predicted, and when: the truth is then compared with it. Without it only
        the truth's arrival is counted.

        Parameters
        ----------
        prediction_id : str or None
            That of the prediction.
        actual
            What turned out to be true.
        prediction, score, segments
            As they were given to `log`.
        prediction_timestamp
            When it was predicted; needed with a prediction or a score.
        timestamp : optional
            When the truth was known; by default now. By this time it is counted.

        Raises
        ------
        InvalidEventError, DroppedEventError
            If the monitor is strict.
        """
        if prediction_timestamp is None and not (prediction is None and score is None):
            self._intake.invalid(
                InvalidEventError(
                    "log_actual needs prediction_timestamp beside a prediction or score: when it "
                    "was made. Without it the prediction would be counted twice."
                )
            )
            return False
        message = self._intake.message(
            self.actuals_topic,
            None,
            prediction,
            score,
            actual,
            prediction_id,
            timestamp,
            segments=segments,
            actual_timestamp=timestamp,
            prediction_timestamp=prediction_timestamp,
        )
        return message is not None and self._intake.put(message)

    async def alog(self, features: Any = None, prediction: Any = None, **members: Any) -> bool:
        """As `log`; where `log` would wait for room, the event loop goes on meanwhile.

        Raises
        ------
        TypeError
            If there is a member that `log` does not take.
        """
        message = self._intake.message(
            self.topic, features, prediction, *(members.pop(name, None) for name in _MEMBERS)
        )
        if members:
            raise TypeError(f"alog() got unexpected arguments: {', '.join(members)}")
        if message is None:
            return False
        outcome = self._outbox.put(message, may_block=False)
        if outcome == "full":
            return await asyncio.to_thread(self._intake.put, message)
        return self._intake.after(outcome)

    def log_batch(
        self,
        frame: Any,
        *,
        prediction: Any = None,
        score: Any = None,
        actual: Any = None,
        prediction_id: Any = None,
        timestamp: Any = None,
        latency_seconds: Any = None,
        prediction_timestamp: Any = None,
        segments: Any = (),
        features: Any = None,
    ) -> int:
        """Queue all rows of a frame as batches of up to 1,000; how many events were queued.

        Parameters
        ----------
        frame : data frame
            Of pandas, polars or pyarrow, or a mapping of names to arrays.
        prediction, score, actual, prediction_id, timestamp, latency_seconds
            Each the name of a column, which then is no feature, or an array of its own.
        prediction_timestamp
            The same, of rows that bring the truth of an earlier prediction and repeat it.
        segments : sequence or mapping
            Names of columns, or arrays by name.
        features : sequence of str, optional
            By default all that are nothing else.

        Raises
        ------
        InvalidEventError, DroppedEventError
            If the monitor is strict.
        """
        roles = Roles(
            prediction,
            score,
            actual,
            prediction_id,
            timestamp,
            latency_seconds,
            prediction_timestamp,
            segments,
            features,
        )
        queued = 0
        try:
            for value, headers, rows in batches(
                frame, roles, self.model, self._values, self._max_message_bytes, self._intake.refuse
            ):
                queued += rows * self._intake.put(Message(self.topic, None, value, headers, rows))
        except DroppedEventError:
            raise  # of a strict monitor
        except Exception as error:
            self._intake.invalid(error, max(1, rows_of(frame)))
        return queued

    def wrap(self, model: Any, **options: Any) -> Any:
        """A model whose `predict` and `predict_proba` are logged; else as the model itself.

        Options are those of `WrappedModel`: `methods`, `feature_names`.
        """
        return WrappedModel(self, model, **options)

    # ---- the end, and how it goes

    def stats(self) -> MonitorStats:
        """What became of the events so far."""
        logged, sent, queued, dropped = self._outbox.counts()
        unserialisable = dict(self._values.unserialisable)
        return MonitorStats(logged, sent, queued, dropped, unserialisable, self._notices.last_error)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until the broker has all that was logged; whether it has."""
        return self._outbox.wait_empty(timeout)

    def close(self, timeout: float = 10.0) -> int:
        """Send what is queued, for so many seconds, and stop; how many events were not sent.

        Raises
        ------
        DroppedEventError
            If the monitor is strict and some were not.
        """
        left = self._delivery.close(timeout)
        not_at_end(self._at_exit)
        if left:
            why = self._notices.last_error or "see the log."
            words = f"closed with {counted(left, 'event')} unsent after {timeout:g} s: {why}"
            self._notices.warn("unsent", words)
            if self._strict:
                raise DroppedEventError("unsent_at_close", words)
        return left

    async def aclose(self, timeout: float = 10.0) -> int:
        """As `close`; the event loop goes on meanwhile."""
        return await asyncio.to_thread(self.close, timeout)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Monitor:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        version = f" {self.model.version}" if self.model.version else ""
        return f"<Monitor of {self.model.name}{version} to {self.topic}>"

    # ---- inside

    def _start(self) -> None:
        try:
            if self._delivery.start():
                at_end(self._at_exit)
        except RuntimeError as error:  # no threads any more: the interpreter ends
            self._notices.warn("no thread", f"the sender cannot be started: {error}.")

    def _begin_in_child(self) -> object:
        """Take a queue and a sender of this process; the parent sends what is its own."""
        inherited = self._delivery
        inherited.disown()
        not_at_end(self._at_exit)
        self._begin()
        return inherited

    def _at_exit(self) -> None:
        strict, self._strict = self._strict, False
        self.close(self._exit_timeout)
        self._strict = strict


_MEMBERS: Final = (
    "score", "actual", "prediction_id", "timestamp", "latency_seconds", "segments", "tags",
)  # fmt: skip
