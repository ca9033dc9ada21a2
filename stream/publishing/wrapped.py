"""A model whose predictions are logged, for whoever calls it as before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from stream.publishing.errors import DroppedEventError, InvalidEventError
from stream.publishing.frames import rows_of

if TYPE_CHECKING:
    from stream.publishing.monitor import Monitor

__all__ = ["WrappedModel"]

_METHODS: Final = ("predict", "predict_proba")


class WrappedModel:
    """Stands for a model with `predict` or `predict_proba`, as scikit-learn has them.

    Every row of a call is an event: its features, what was said, and how long the call took.
    `predict` gives the label. `predict_proba` gives the score: of two classes the probability of
    the second; of more the label and the probability of the likeliest.

    Parameters
    ----------
    monitor : Monitor
    model : object
    methods : sequence of str
        Those that are logged. Who asks both about the same rows logs each twice: name one.
    feature_names : sequence of str, optional
        By default the columns of the frame, the model's `feature_names_in_`, or x0, x1, ...
    """

    def __init__(
        self,
        monitor: Monitor,
        model: Any,
        *,
        methods: Sequence[str] = _METHODS,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        unknown = [name for name in methods if name not in _METHODS or not hasattr(model, name)]
        if (unknown and tuple(methods) != _METHODS) or len(unknown) == len(methods):
            raise ValueError(
                f"methods must be of {', '.join(_METHODS)}, and the model must have them; "
                f"got {', '.join(map(repr, methods))} of {type(model).__name__}."
            )
        self._monitor, self._model = monitor, model
        self._methods = tuple(methods)
        self._names = None if feature_names is None else list(feature_names)
        self._called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._model, name)
        return self._logging(name, found) if name in self._methods else found

    def __repr__(self) -> str:
        return f"<{self._model!r} watched by {self._monitor!r}>"

    def _logging(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def logged(rows: Any, *args: Any, **named: Any) -> Any:
            began = time.perf_counter()
            said = call(rows, *args, **named)
            took = time.perf_counter() - began
            self._called.add(name)
            self._log(name, rows, said, took)
            return said

        return logged

    def _log(self, name: str, rows: Any, said: Any, took: float) -> None:
        """Log what the model was asked and said; its caller has the answer in any case."""
        monitor = self._monitor
        try:
            if len(self._called) > 1:
                monitor._notices.warn(
                    "both methods",
                    "predict and predict_proba of a wrapped model are both called, and each call "
                    "is logged. If it is for the same rows, name one: wrap(model, methods=[...]).",
                )
            frame = self._frame(rows)
            took_each = [took] * rows_of(frame)
            monitor.log_batch(frame, latency_seconds=took_each, **self._roles(name, said))
        except (InvalidEventError, DroppedEventError):
            raise  # of a strict monitor
        except Exception as error:
            monitor._intake.invalid(error, max(1, rows_of(rows)))

    def _roles(self, name: str, said: Any) -> dict[str, Any]:
        if name == "predict":
            return {"prediction": said}
        if said.shape[1] == 2:
            return {"score": said[:, 1]}
        likeliest = said.argmax(axis=1)
        classes = getattr(self._model, "classes_", None)
        label = likeliest if classes is None else classes[likeliest]
        return {"prediction": label, "score": said.max(axis=1)}

    def _frame(self, rows: Any) -> Any:
        """The rows with names."""
        if hasattr(rows, "columns") or hasattr(rows, "schema") or isinstance(rows, dict):
            return rows
        if hasattr(rows, "toarray"):
            rows = rows.toarray()
        if not hasattr(rows, "T"):
            rows = [list(row) for row in rows]
            columns: Any = list(zip(*rows))
        else:
            columns = rows.T
        names = self._names
        if names is None:
            names = list(getattr(self._model, "feature_names_in_", ()))
        if not names:
            names = [f"x{i}" for i in range(len(columns))]
        if len(names) != len(columns):
            raise ValueError(f"{len(columns)} columns and {len(names)} names of features.")
        return dict(zip(names, columns))
