"""Settings declared as types: one field is a key of the config, a bound and a line of the docs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from stream.config.declared import keys_of, read_declared
from stream.config.toml_table import ConfigError, Table
from stream.contracts.declared import settings_of


class Oven(msgspec.Struct, frozen=True, kw_only=True):
    """Every kind of setting."""

    name: Annotated[str, Meta(min_length=1, description="Its name.")]
    heat: Annotated[int, Meta(ge=50, description="How hot.", extra={"advice": "Heat it."})] = 180
    share: Annotated[float, Meta(gt=0, description="Of what.")] = 1.0
    open: Annotated[bool, Meta(description="Whether it is.")] = False
    rest_ms: Annotated[int, Meta(ge=1_000, description="Between two.")] = 90_000
    alarm_ms: Annotated[int, Meta(ge=0, description="After so long. Default: never.")] = 0
    mode: Annotated[Literal["top", "grill"], Meta(description="What glows.")] = "top"
    trays: Annotated[tuple[str, ...], Meta(description="What is in it.")] = ()
    door: Annotated[str, Meta(description="Where.", extra={"address": True})] = ""
    book: Annotated[str, Meta(description="Recipes.", extra={"path": True})] = ""
    size: Annotated[int, Meta(ge=1, description="How big.", extra={"by_reference": True})] = 3
    baked: int = 0


SETTINGS = settings_of(Oven)


def read(**values: object) -> dict[str, object]:
    return read_declared(Table(values, "oven", "c.toml", keys_of(SETTINGS)), SETTINGS, Path("/etc"))


def test_what_is_not_said_is_the_default_or_left_out() -> None:
    assert Oven(**read(name="a")) == Oven(name="a")  # type: ignore[arg-type]
    assert read(name="a").keys() == {s.field for s in SETTINGS} - {"size", "baked"}


def test_what_is_said_is_read_by_its_kind() -> None:
    found = read(
        name="a",
        heat=60,
        share=2,
        open=True,
        rest="2m",
        alarm="1h",
        mode="grill",
        trays=["x"],
        door="h:80",
        book="r.txt",
        size=4,
    )
    assert found == {
        "name": "a",
        "heat": 60,
        "share": 2.0,
        "open": True,
        "rest_ms": 120_000,
        "alarm_ms": 3_600_000,
        "mode": "grill",
        "trays": ("x",),
        "door": "h:80",
        "book": "/etc/r.txt",
        "size": 4,
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "name is missing"),
        ({"name": ""}, "name must not be empty"),
        ({"heat": 49}, r"heat must be >= 50; got 49\. Heat it\."),
        ({"share": 0}, "share must be > 0"),
        ({"open": 1}, "open must be true or false"),
        ({"rest": "10ms"}, "rest must be >= 1000 ms; got 10 ms"),
        ({"alarm": "0s"}, "alarm must be longer than 0"),
        ({"mode": "side"}, "mode must be one of top, grill; got 'side'"),
        ({"trays": "x"}, "trays must be a list"),
        ({"door": "80"}, "door must be .host:port."),
        ({"rest_ms": 5}, r"rest_ms is not a known key\. Did you mean rest\?"),
        ({"baked": 1}, "baked is not a known key"),
    ],
)
def test_a_mistake_is_said_with_its_place(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=rf"c\.toml: oven\.{words}"):
        read(**({"name": "a"} if values else {}) | values)


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("heat", 49, "must be >= 50; got 49. Heat it."),
        ("share", float("nan"), "must be > 0 and finite; got nan."),
        ("rest_ms", 999, "must be >= 1000 ms; got 999 ms. Raise it."),
        ("name", "", "must not be empty. Give it a value, or leave the key out."),
        ("mode", "side", "must be one of top, grill; got 'side'."),
        ("heat", 50, ""),
        ("baked", -5, ""),
    ],
)
def test_a_value_from_elsewhere_is_held_to_the_same_bounds(
    field: str, value: object, fault: str
) -> None:
    (setting,) = (s for s in SETTINGS if s.field == field)
    assert setting.fault(value) == fault
