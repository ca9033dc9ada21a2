"""One event from the arguments of `Monitor.log`, as the bytes of a message."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any, Final

import msgspec
from msgspec import structs

from stream.contracts.prediction_event import (
    EVENT_CONTENT_TYPE,
    Actual,
    ModelId,
    Prediction,
    PredictionEvent,
)
from stream.publishing.errors import InvalidEventError
from stream.publishing.values import PLAIN, Values, repaired

__all__ = ["HEADERS", "EventMaker", "encode"]

HEADERS: Final = [("content-type", EVENT_CONTENT_TYPE.encode())]
#: A decimal keeps its digits: 3.00 is the number 3, not a text.
encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class EventMaker:
    """Makes events of one model.

    Parameters
    ----------
    model : ModelId
    values : Values
        Converts what JSON cannot hold.
    """

    def __init__(self, model: ModelId, values: Values) -> None:
        self.model, self.values = model, values

    def event(
        self,
        features: Any,
        prediction: Any,
        score: Any,
        actual: Any,
        identity: str | None,
        timestamp: Any,
        latency_seconds: Any = None,
        segments: Any = None,
        tags: Any = None,
        actual_timestamp: Any = None,
        prediction_timestamp: Any = None,
    ) -> bytes:
        """The value of a message.

        Raises
        ------
        InvalidEventError
            If nothing of it could be counted, or a member is of a type that cannot be meant.
        """
        values = self.values
        known = None
        if actual is not None:
            since = None if actual_timestamp is None else values.time(actual_timestamp)
            known = Actual(values.plain(actual), since)
        said = None
        if prediction is not None or score is not None:
            said = Prediction(
                prediction if type(prediction) in PLAIN else values.plain(prediction),
                score if type(score) in PLAIN else values.number(score, "score"),
            )
        if features is None and said is None and known is None:
            raise InvalidEventError(
                "an event needs features, a prediction, a score or an actual; got none of them."
            )
        event = PredictionEvent(
            self.model,
            time() if timestamp is None else values.time(timestamp),
            identity,
            self._plain(features, "features"),
            said,
            known,
            self._plain(segments, "segments"),
            None if latency_seconds is None else values.number(latency_seconds, "latency_seconds"),
            self._plain(tags, "tags"),
            None if prediction_timestamp is None else values.time(prediction_timestamp),
        )
        try:
            return encode(event)
        except (TypeError, ValueError, RecursionError):
            return self._encode_slowly(event)

    def _encode_slowly(self, event: PredictionEvent) -> bytes:
        """Encode an event with names that are no texts, or texts that UTF-8 cannot hold."""
        try:
            members = {
                name: repaired(self.values.mapping(member, name))
                for name in ("features", "segments", "tags")
                if (member := getattr(event, name)) is not None
            }
            for name in ("prediction", "actual"):
                said = getattr(event, name)
                if said is not None:
                    members[name] = structs.replace(said, label=repaired(said.label))
            return encode(structs.replace(event, **members))
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidEventError(f"the event cannot be written as JSON: {error}.") from error

    def _plain(self, members: Any, what: str) -> Mapping[str, Any] | None:
        if members is None or (
            type(members) is dict and PLAIN.issuperset(map(type, members.values()))
        ):
            return members
        return self.values.mapping(members, what)
