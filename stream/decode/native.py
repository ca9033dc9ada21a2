"""Records to columns: the native format (prediction event v1, JSON), its batches, and Arrow's.

One compiled decoder is tried on every record; whatever it refuses goes a slower way, which either
gives the same kind of event object or says why the record is refused:

1. another model: read the model's name, take that model's decoder, and stay with it (where models
   alternate, the `ModelCache` names the decoder to try);
2. a batch: the same signals as columns, as JSON or as Arrow IPC by the content type;
3. NaN literals, wrong types: `json`, and a look at each value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from stream.decode.columnar_batch import ColumnarBatch
from stream.decode.columns import Decoded, Reject
from stream.decode.envelope import ARROW, BATCH, decode_envelope, form_of
from stream.decode.grouping import EventGroup, finish
from stream.decode.model_cache import ModelCache
from stream.decode.plan_decoder import PlanDecoder, coerce_batch, make_plan_decoder, read_columns
from stream.decode.record import Record
from stream.decode.unknown_fields import count_unknown_fields
from stream.decode.values import (
    RefusedError,
    as_text,
    null_constants,
    parse_object,
    read_model,
)
from stream.plans.plan import PlanBook, Subject
from stream.plans.privacy import CategoryHash

__all__ = ["SAMPLE_EVERY", "NativeDecoder"]

#: One record in so many, by offset, is looked through for fields that nobody reads.
SAMPLE_EVERY: Final = 1024
# ValueError covers msgspec's own errors and text that is not UTF-8; a null value is a TypeError.
_FAILED: Final = (ValueError, TypeError, RecursionError)

_Timeline = list[tuple[int, PlanDecoder]]


class NativeDecoder:
    """Decodes native events for the plans of a book.

    Parameters
    ----------
    plans : PlanBook
        May grow between calls.
    max_bytes : int
        Larger records are refused as `too_large` without being read.
    max_ahead_ms : int
        An event later than its record's own timestamp by more than this is `too_far_ahead`. A
        record without a timestamp (negative) is taken at its word.
    max_batch_rows : int
        Longer batches are refused as `too_large`.
    hashing : CategoryHash, optional
        Needed where a reference knows categories by their hash only.
    labels : bool
        Whether to give events with an actual alone, too.
    """

    def __init__(
        self,
        plans: PlanBook,
        *,
        max_bytes: int = 1_048_576,
        max_ahead_ms: int = 60_000,
        max_batch_rows: int = 100_000,
        hashing: CategoryHash | None = None,
        labels: bool = False,
    ) -> None:
        self._plans = plans
        self._labels = labels
        self._hashing = hashing
        self._max_bytes = max_bytes
        self._max_ahead_ms = max_ahead_ms
        self._max_batch_rows = max_batch_rows
        self._timelines: dict[Subject, _Timeline] = {}  # by line: one for all versions of a plan
        self._tried: dict[Subject, int] = {}
        self._used: set[Subject] = set()
        self._models = ModelCache()
        self._generation = -1
        self._last: Subject | None = None

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Columns of every record that can be counted, and a reject for every other."""
        if self._generation != self._plans.generation:
            self._timelines.clear()
            self._tried.clear()
            self._models.clear()
            self._generation = self._plans.generation
            self._last = None
        groups: dict[Subject, EventGroup] = {}
        rejects: list[Reject] = []
        forms: dict[int, bytes] = {}
        self._read(records, groups, rejects, forms)

        def again(decoder: PlanDecoder, index: int) -> Any:
            return self._one(decoder, records[index].value or b"", None, forms.get(index, b""))

        decoded = finish(
            list(groups.values()),
            records,
            rejects,
            self._max_ahead_ms,
            again,
            labels=self._labels,
        )
        self._tried |= {line: group.tried for line, group in groups.items()}
        self._used |= groups.keys()
        if records:
            for record in records[-records[0].offset % SAMPLE_EVERY :: SAMPLE_EVERY]:
                if len(record.value or b"") <= self._max_bytes:
                    decoded.unknown_fields += count_unknown_fields(record.value, self._timeline)
        return decoded

    def release_idle(self) -> int:
        """Forget the decoders of plans without a record since the last call; how many.

        They are made again when one comes: it saves memory and decides nothing.
        """
        idle = self._timelines.keys() - self._used
        for line in idle:
            del self._timelines[line]
        self._used.clear()
        return len(idle)

    def _read(
        self,
        records: Sequence[Record],
        groups: dict[Subject, EventGroup],
        rejects: list[Reject],
        forms: dict[int, bytes],
    ) -> None:
        """Decode every record into the group of its plan; `forms` gets those of batches."""
        max_bytes, cache = self._max_bytes, self._models
        group = None if self._last is None else self._group_of(groups, self._last)
        decode, event, mark = _calls_of(group)
        for index, record in enumerate(records):
            value = record.value
            try:
                if len(value) > max_bytes or (record.headers and form_of(record)):  # type: ignore[arg-type]
                    raise TypeError
                if cache and (guess := cache.guess(value)) and guess is not self._last:  # type: ignore[arg-type]
                    group = self._group_of(groups, guess)
                    decode, event, mark = _calls_of(group)
                event(decode(value))  # type: ignore[arg-type]
                mark(index)
            except _FAILED:
                try:
                    used, found, form = self._read_slowly(record, groups, group)
                except RefusedError as refused:
                    rejects.append(Reject(index, refused.reason, refused.error[:200]))
                    continue
                if form:
                    used.batches.append((index, found))
                    forms[index] = form
                else:
                    used.events.append(found)
                    used.at.append(index)
                if used is not group:
                    if group is not None and not form:
                        cache.remember(value or b"", used.decoder.line)
                    group = used
                    decode, event, mark = _calls_of(group)

    def _read_slowly(
        self, record: Record, groups: dict[Subject, EventGroup], tried: EventGroup | None
    ) -> tuple[EventGroup, Any, bytes]:
        """Read what the decoder of `tried` did not: its group, its event or batch, and its form.

        Raises
        ------
        RefusedError
            If it cannot be counted.
        """
        value = record.value
        if not value:
            raise RefusedError("empty", "Expected an event, got a record without a value")
        if len(value) > self._max_bytes:
            raise RefusedError(
                "too_large", f"Expected at most {self._max_bytes} bytes, got {len(value)}"
            )
        form = form_of(record)
        if form == ARROW:
            return *self._read_arrow(value, groups), form
        document: dict[str, Any] | None = None
        refused_as = form
        # As it is, unless it was tried, and only then without NaN: looking for that takes longer.
        if form and (found := self._attempt(tried, value, form)) is not None:
            return *found, form
        if (cleaned := null_constants(value)) is not None:
            value = cleaned
            if (found := self._attempt(tried, value, form)) is not None:
                return *found, form
        try:
            envelope = decode_envelope(value)
            name, version = envelope.model.name, as_text(envelope.model.version) or ""
            is_batch = envelope.columns is not None and envelope.timestamp is None
        except _FAILED:
            document = parse_object(value)
            name, version = read_model(document)
            is_batch = document.get("columns") is not None and document.get("timestamp") is None
        form = form or (BATCH if is_batch else b"")
        group = self._group_for(groups, name, version)
        fast = document is None and not (group is tried and form == refused_as)
        return group, self._one(group.decoder, value, document, form, fast=fast), form

    def _read_arrow(
        self, value: bytes, groups: dict[Subject, EventGroup]
    ) -> tuple[EventGroup, ColumnarBatch]:
        # Late, because it loads pyarrow: workers whose topics hold none do without.
        from stream.decode.arrow import open_arrow, read_arrow

        batches = open_arrow(value, self._max_batch_rows)
        group = self._group_for(groups, batches.model, batches.version)
        batch = read_arrow(group.decoder, batches)
        batch.version = batches.version
        return group, batch

    def _one(
        self,
        decoder: PlanDecoder,
        value: bytes,
        document: dict[str, Any] | None,
        form: bytes,
        *,
        fast: bool = True,
    ) -> Any:
        """The event or batch of one record, by the fast way if it may be tried, else by values."""
        if form == ARROW:
            from stream.decode.arrow import open_arrow, read_arrow

            return read_arrow(decoder, open_arrow(value, self._max_batch_rows))
        if fast:
            try:
                return self._fast(decoder, value, form)
            except _FAILED:
                pass
        document = parse_object(value) if document is None else document
        if not form:
            return decoder.coerce(document)
        batch = read_columns(decoder, coerce_batch(decoder, document), self._max_batch_rows)
        batch.version = read_model(document)[1]
        return batch

    def _attempt(
        self, group: EventGroup | None, value: bytes, form: bytes
    ) -> tuple[EventGroup, Any] | None:
        """The group and the event or batch of the fast way; None if the fast way fails."""
        if group is not None:
            try:
                return group, self._fast(group.decoder, value, form)
            except _FAILED:
                pass
        return None

    def _fast(self, decoder: PlanDecoder, value: bytes, form: bytes) -> Any:
        """The event or batch if every value is of a right type, else one of `_FAILED`."""
        if not form:
            return decoder.decode(value)
        sent = decoder.decode_batch(value)
        batch = read_columns(decoder, sent.columns, self._max_batch_rows)
        batch.version = as_text(sent.model.version) or ""
        return batch

    def _group_for(self, groups: dict[Subject, EventGroup], name: str, version: str) -> EventGroup:
        """The group of a version's plans.

        Raises
        ------
        RefusedError
            If no plan is for it.
        """
        line = self._plans.line(name, version)
        if line is None:
            raise RefusedError("unknown_model", "No plan is for this model - at $.model")
        return self._group_of(groups, line)

    def _group_of(self, groups: dict[Subject, EventGroup], line: Subject) -> EventGroup:
        group = groups.get(line)
        if group is None:
            group = groups[line] = EventGroup(self._timeline_of(line), self._tried.get(line, 0))
        self._last = line
        return group

    def _timeline(self, name: str, version: str) -> _Timeline:
        """Decoders of a version's plans, newest first; empty if it has none."""
        line = self._plans.line(name, version)
        return [] if line is None else self._timeline_of(line)

    def _timeline_of(self, line: Subject) -> _Timeline:
        if line not in self._timelines:
            plans = self._plans.timeline(*line)
            own = self._plans.own_versions(line.model) - {line.version}
            # A plan that comes back is read by the same decoder.
            decoders = {p.hash: make_plan_decoder(line, p, self._hashing, own) for _, p in plans}
            self._timelines[line] = [(since, decoders[p.hash]) for since, p in reversed(plans)]
        return self._timelines[line]


def _calls_of(
    group: EventGroup | None,
) -> tuple[Callable[[bytes], Any], Callable[[Any], None], Callable[[int], None]]:
    """The three calls that each event of a group costs."""
    if group is None:
        return _refuse, _refuse, _refuse
    return group.decoder.decode, group.events.append, group.at.append


def _refuse(_: object) -> None:
    """Stand for a decoder before any model was seen."""
    raise TypeError
