"""Which format a record is in, and the columns of records in any.

What is native goes to the native decoder as it is, and pays nothing. A record in another format
becomes native events first, which take its place, so that all rules of events hold for it.

The format is that of the record's content type, else that of its CloudEvent's type, else the
topic's, else native.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
import numpy as np

from stream.decode.columns import Decoded, Reject
from stream.decode.envelope import ARROW, ForeignError, form_of, kind_of
from stream.decode.formats import cloudevents
from stream.decode.formats.contract import (
    Envelope,
    Message,
    OptionsError,
    SourceOptions,
    Translate,
    parse_any,
)
from stream.decode.formats.registry import BY_CONTENT_TYPE, BY_EVENT_TYPE, BY_NAME, recognise
from stream.decode.native import NativeDecoder
from stream.decode.record import Record
from stream.decode.values import RefusedError

__all__ = ["FormatDecoder"]


class _Event(msgspec.Struct, gc=False):
    """A native event in the place of the record that it came in."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class FormatDecoder:
    """Decodes the records of a topic, whatever formats they are in.

    Parameters
    ----------
    native : NativeDecoder
        May be shared by several topics.
    options : SourceOptions
        What the config says of the topic.
    max_bytes, max_rows : int
        Larger records, and records of more events, are refused as `too_large`.
    """

    def __init__(
        self,
        native: NativeDecoder,
        options: SourceOptions | None = None,
        *,
        max_bytes: int = 1_048_576,
        max_rows: int = 100_000,
    ) -> None:
        self._native = native
        self._options = options or SourceOptions()
        self._max_bytes, self._max_rows = max_bytes, max_rows
        self._made: dict[str, Translate] = {}
        named = self._options.format
        self._always = named != "native"
        #: The format of what is in no other, and of what is in an envelope of no known type.
        self._default = "mapping" if self._options.mapping is not None else named
        #: What reads records without headers; made at once, so that wrong settings show.
        self._plain: Translate | None = None
        if self._default not in ("native", *cloudevents.ENVELOPES):
            made = self._translation(self._default)
            self._plain = None if named in cloudevents.ENVELOPES else made

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Columns of every record that can be counted, and a reject for every other."""
        if self._always:
            return self._translated(records)
        try:
            decoded = self._native.decode(records)
        except ForeignError:
            decoded = self._translated(records)
        if decoded.rejects:
            decoded.rejects = [_advised(each, records[each.index]) for each in decoded.rejects]
        return decoded

    def release_idle(self) -> int:
        """As the native decoder does."""
        return self._native.release_idle()

    def native_messages(self, record: Record) -> list[bytes]:
        """The values of the native events and batches that a record becomes; itself if it is one.

        Raises
        ------
        RefusedError
        """
        return [event.value or b"" for event in self._events(record)]

    def _translated(self, records: Sequence[Record]) -> Decoded:
        found: list[Any] = []
        index_of: list[int] = []
        refused: list[Reject] = []
        max_bytes, plain = self._max_bytes, self._plain
        for index, record in enumerate(records):
            value = record.value
            try:
                if plain is None or record.headers or not value or len(value) > max_bytes:
                    events = self._events(record)
                else:
                    messages = plain(value, Envelope(record.timestamp))
                    if len(messages) == 1 and not messages[0][1]:
                        found.append(
                            _Event(
                                record.offset,
                                record.timestamp,
                                record.timestamp_type,
                                record.key,
                                messages[0][0],
                            )
                        )
                        index_of.append(index)
                        continue
                    events = self._in_place_of(record, messages)
            except RefusedError as error:
                refused.append(Reject(index, error.reason, error.error[:200]))
                continue
            found += events
            index_of += [index] * len(events)
        decoded = self._native.decode(found)
        at = np.array(index_of, np.int64)
        if decoded.record.size:
            decoded.record = at[decoded.record]
        decoded.rejects = sorted(
            [*refused, *_by_record(decoded.rejects, index_of)], key=lambda reject: reject.index
        )
        return decoded

    def _events(self, record: Record) -> list[Any]:
        """The native events that a record becomes; without headers but that of a native form."""
        value, headers = record.value, record.headers or ()
        if not value:
            raise RefusedError("empty", "Expected an event, got a record without a value")
        if len(value) > self._max_bytes:
            error = f"Expected at most {self._max_bytes} bytes, got {len(value)}"
            raise RefusedError("too_large", error)
        envelope = cloudevents.from_headers(headers, record.timestamp)
        kind = kind_of(headers)
        if not envelope.type and self._is_native(kind):
            return self._in_place_of(record, ((value, kind),))
        return self._in_place_of(record, self._messages(value, kind, envelope))

    def _in_place_of(self, record: Record, messages: Sequence[Message]) -> list[Any]:
        if len(messages) > self._max_rows:
            error = f"Expected at most {self._max_rows} rows, got {len(messages)}"
            raise RefusedError("too_large", error)
        stamp, by = record.timestamp, record.timestamp_type
        return [
            _Event(
                record.offset,
                stamp,
                by,
                record.key,
                value,
                (("content-type", kind),) if kind.startswith(_NATIVE) else (),
            )
            for value, kind in messages
        ]

    def _is_native(self, kind: bytes) -> bool:
        return kind not in BY_CONTENT_TYPE and (not self._always or kind.startswith(_NATIVE))

    def _messages(self, value: bytes, kind: bytes, envelope: Envelope) -> Sequence[Message]:
        row = BY_CONTENT_TYPE.get(kind)
        name = row.name if row is not None else self._options.format
        if name == cloudevents.FORMAT.name and not envelope.type:
            return self._inner(*cloudevents.open_structured(value, envelope))
        if name == cloudevents.BATCH_FORMAT.name and not envelope.type:
            messages: list[Message] = []
            for data, inner, known in cloudevents.open_batch(value, envelope):
                messages += self._inner(data, inner, known)
            return messages
        return self._inner(value, kind, envelope)

    def _inner(self, value: bytes, kind: bytes, envelope: Envelope) -> Sequence[Message]:
        """What is in an envelope, or in none."""
        row = BY_CONTENT_TYPE.get(kind) or BY_EVENT_TYPE.get(envelope.type)
        name = self._default if row is None or row.name in cloudevents.ENVELOPES else row.name
        if kind.startswith(_NATIVE) or name in ("native", *cloudevents.ENVELOPES):
            return ((value, kind),)
        try:
            translate = self._translation(name)
        except OptionsError as error:  # the record names a format that its topic is not set for
            words = f"Cannot be read as {name}, which it names: sources.{error}"
            raise RefusedError("wrong_type", words) from None
        return translate(value, envelope)

    def _translation(self, name: str) -> Translate:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = BY_NAME[name].make(replace(self._options, format=name))
        return made


#: Content types of the native forms begin so; Arrow's is native too.
_NATIVE: Final = (b"application/vnd.driftstream.prediction.", ARROW)


def _advised(reject: Reject, record: Record) -> Reject:
    """A refusal that says which format the record looks like, where nothing names any."""
    if reject.reason not in ("missing_field", "wrong_type"):
        return reject
    try:
        form_of(record)
        row = recognise(parse_any(record.value or b""))
    except (ForeignError, RefusedError):  # read as it says already, or no JSON object
        return reject
    if row is None:
        return reject
    advice = f"; it looks like {row.name}: name its format in [[sources]]"
    return replace(reject, error=reject.error[: 200 - len(advice)] + advice)


def _by_record(rejects: list[Reject], index_of: list[int]) -> Iterator[Reject]:
    """One reject for each record and reason, however many of its events are refused for it.

    The others of its events are counted, which the error says.
    """
    first: dict[tuple[Any, ...], Reject] = {}
    many: dict[tuple[Any, ...], int] = {}
    events = Counter(index_of) if rejects else Counter()
    for reject in rejects:
        index, who = index_of[reject.index], reject.ahead
        key = (index, reject.reason, None if who is None else (who.model, who.version))
        n = 1 if who is None else who.events
        many[key] = many.get(key, 0) + n
        first.setdefault(key, reject)
    for key, reject in first.items():
        index, n = key[0], many[key]
        who = None if reject.ahead is None else reject.ahead._replace(events=n)
        error = reject.error
        if events[index] > 1:
            error = f"{n} of {events[index]} events, the first: {error}"[:200]
        yield Reject(index, reject.reason, error, who)
