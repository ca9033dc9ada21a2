"""`driftstream map`: what is understood of a sample, and the lines of config that say it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stream.commands.shared import IN_FILE, open_config, say
from stream.text.counted import counted

if TYPE_CHECKING:
    from stream.decode import SourceOptions
    from stream.decode.formats.guessing import Guess

__all__ = ["command"]

_MAX_BYTES: Final = 1 << 20
_SHOWN: Final = 20
_MAX_ROWS: Final = 60


@click.command("map")
@click.option(
    "--try",
    "sample",
    type=IN_FILE,
    required=True,
    help="A record of the topic as it is: JSON, or the first of JSON lines.",
)
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Try what its [[sources]] say, instead of guessing.",
)
@click.option("--topic", default="", help="Whose [[sources]]; needed if the config has several.")
@click.option("--model", default="", help="Name of the model, where the sample has none.")
def command(sample: Path, config_path: Path | None, topic: str, model: str) -> None:
    """Show what is understood of a sample record, and write the lines of config for it.

    Without a config the format is recognised, or a mapping is guessed by what members are called:
    look at it. The lines go to stdout, everything else to stderr.
    """
    from stream.config.sources import source_notes
    from stream.decode import SourceOptions
    from stream.decode.formats.guessing import guess_mapping
    from stream.decode.formats.registry import is_native, recognise

    value, document = _read(sample)
    if config_path is not None:
        source = _of_config(config_path, topic)
        for words in source_notes(source):
            say(f"warning: {words}")
        _try(value, document, source)
        return
    if is_native(document):
        say("it is a native event: nothing is needed in the config")
        _try(value, document, SourceOptions())
        return
    row = recognise(document) if isinstance(document, dict) else None
    if (inner := _own_data(document)) is not None:
        say("it looks like cloudevents, with JSON of your own in it")
    elif row is not None:
        say(f"it looks like {row.name}")
        _try(value, document, SourceOptions(row.name, model))
        name = f'\nmodel = "{model}"' if model else ""
        click.echo(f'[[sources]]\ntopic = "{topic or "predictions"}"\nformat = "{row.name}"{name}')
        return
    form = "mapping" if inner is None else "cloudevents"
    guess = guess_mapping(document if inner is None else inner)
    if model:
        guess.paths.pop("model", None)
    if not guess.paths.get("model") and not model:
        say("warning: no member is called as a model's name is. Give it: --model NAME")
        model = "NAME"
    if "timestamp" not in guess.paths:
        say(
            "warning: no member looks like a time. Without one that of the CloudEvent, else of the "
            "record, is taken"
        )
    if guess.star is None and not guess.features:
        say("warning: no object is called as features are. Name it in the config: features")
    click.echo(_lines(guess, topic or "predictions", form, model))
    options = SourceOptions(form, model, mapping=guess.mapped)
    _try(value, document, options)


def _read(sample: Path) -> tuple[bytes, Any]:
    """The first record of a file: all of it if that is JSON, else its first line."""
    text = sample.read_bytes()[:_MAX_BYTES]
    lines = [line for line in text.splitlines() if line.strip()]
    for part in (text, lines[0] if lines else b""):
        try:
            return part, json.loads(part)
        except (ValueError, RecursionError):
            continue
    raise click.ClickException(
        f"{sample}: neither it nor its first line is JSON of at most {_MAX_BYTES:,} bytes. "
        "Give one record, as it is on the topic."
    )


def _own_data(document: Any) -> dict[str, Any] | None:
    """What is in a CloudEvent, if that is an object that no format knows."""
    from stream.decode.formats.cloudevents import FORMAT
    from stream.decode.formats.registry import BY_EVENT_TYPE, is_native, recognise

    if not isinstance(document, dict) or recognise(document) is not FORMAT:
        return None
    data = document.get("data")
    known = is_native(data) or str(document["type"]) in BY_EVENT_TYPE
    return data if isinstance(data, dict) and not known and recognise(data) is None else None


def _of_config(path: Path, topic: str) -> SourceOptions:
    config = open_config(path)
    if not config.sources:
        raise click.UsageError(f"{path} has no [[sources]]. Leave -c out to get lines for it.")
    if not topic and len(config.sources) > 1:
        raise click.UsageError(f"{path} has several: {', '.join(config.sources)}. Choose: --topic.")
    found = next(iter(config.sources.values())) if not topic else config.sources.get(topic)
    if found is None:
        raise click.UsageError(f"{path} has no [[sources]] for the topic {topic!r}.")
    return found


def _try(value: bytes, document: Any, source: SourceOptions) -> None:
    """Read the sample as a worker would, and say what came of it."""
    from stream.decode.formats.trying import try_record

    tried = try_record(value, source, int(time.time() * 1000))
    if tried.events:
        _tell(tried.events[0])
    for reason, words in tried.refused:
        say(f"refused: {reason}: {words}")
    left = _left(document, source)
    if left:
        more = f", and {len(left) - _SHOWN:,} more" if len(left) > _SHOWN else ""
        say(f"not taken: {', '.join(left[:_SHOWN])}{more}")
    say(f"{counted(len(tried.events), 'event')} in this record; {tried.counted:,} would be counted")
    if not tried.counted:
        raise click.exceptions.Exit(1)


def _tell(event: dict[str, Any]) -> None:
    """What an event says, a line for each value."""
    rows = []
    for name, member in event.items():
        if isinstance(member, dict):
            rows += [(f"{name}.{key}", _shown(value)) for key, value in member.items()]
        else:
            rows.append((name, _shown(member)))
    for name, text in rows[:_MAX_ROWS]:
        say(f"  {name:<32} {text}")
    if len(rows) > _MAX_ROWS:
        say(f"  and {len(rows) - _MAX_ROWS:,} more")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _left(document: Any, source: SourceOptions) -> list[str]:
    from stream.decode.formats.guessing import untaken
    from stream.decode.formats.paths import path_text

    if source.mapping is None:
        return []
    if source.format == "cloudevents":
        document = document.get("data", {}) if isinstance(document, dict) else {}
    return [path_text(path) for path in untaken(document, source.mapping)]


def _lines(guess: Guess, topic: str, form: str, model: str) -> str:
    """The mapping as TOML."""
    from stream.decode.formats.paths import path_text

    lines = ["[[sources]]", f"topic = {_text(topic)}"]
    if form != "mapping":  # which a mapping is by default
        lines.append(f"format = {_text(form)}")
    if model:
        lines.append(f"model = {_text(model)}")
    lines += ["", "[sources.mapping]"]
    lines += [f"{key} = {_text(path_text(path))}" for key, path in guess.paths.items()]
    if "latency" in guess.paths and guess.latency_unit != "s":
        lines.append(f"latency_unit = {_text(guess.latency_unit)}")
    if guess.star is not None:
        lines.append(f"features = {_text('.'.join([path_text(guess.star), '*']).lstrip('.'))}")
    if guess.ignore:
        lines.append(f"ignore = [{', '.join(map(_text, guess.ignore))}]")
    return "\n".join(lines)


def _text(text: str) -> str:
    """A text as TOML writes it, which is as JSON does."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
