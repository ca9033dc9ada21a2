"""A topic that the config says nothing of: what its records name."""

from __future__ import annotations

from stream.decode import SourceOptions
from tests.stream.decode_tools import event
from tests.stream.formats.test_cloudevents import headers
from tests.stream.formats.test_inference import V1_NAMED
from tests.stream.formats.tools import by_worker, rec

GOOD = event()


def test_a_header_that_names_a_format_without_its_settings_refuses_one_record() -> None:
    stray = rec({"a": 1}, ("content-type", b"application/vnd.driftstream.mapping"))
    _, ((offset, reason, error),), events = by_worker([rec(GOOD), stray, rec(GOOD)])
    assert (offset, reason, events) == (1, "wrong_type", 2)
    assert "sources.mapping is missing. Add [sources.mapping]" in error
    logged = headers(ce_type="org.kubeflow.serving.inference.request",
                     ce_inferenceservicename="fraud")  # fmt: skip
    unusable = SourceOptions(columns=("",))
    _, ((offset, _, error),), events = by_worker([rec(GOOD), rec(V1_NAMED, *logged)], unusable)
    assert (offset, events) == (1, 1)
    assert "sources.columns names a column with an empty text" in error
    assert by_worker([rec(V1_NAMED, *logged)])[1:] == ([], 3)
