"""The config file: what it says, and what every mistake answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.load import ConfigError, load_config
from stream.contracts.plan_settings import Limit
from stream.plans.plan import DeclaredSignal, Learn, LearningPlan, SignalOptions

GOOD = """
[kafka]
bootstrap_servers = "localhost:9092"
[worker]
environment = "prod"
[[models]]
name = "fraud"
reference = "references/fraud.json"
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_defaults_and_relative_paths(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), {})
    model = config.models[0]
    assert model.reference == tmp_path / "references" / "fraud.json"
    assert not model.settings.keys() & {"pane_ms", "cycle_ms", "window_max_age_ms"}
    assert (model.settings["lateness_ms"], model.settings["window_events"]) == (5_000, 1_000)
    assert (model.version, model.topic) == ("*", "predictions")
    assert config.worker.environment == "prod"
    assert config.worker.metrics_address == "127.0.0.1:9464"
    assert config.worker.idle_after_ms == 30_000
    assert config.topics.alerts == "driftstream.alerts"
    assert config.model("fraud") is model


def test_a_prefix_stands_before_what_is_not_named(tmp_path: Path) -> None:
    topics = '[topics]\nprefix = "team-a."\nalerts = "alerts"\n'
    config = load_config(write(tmp_path, GOOD + topics), {})
    assert config.topics.summaries == "team-a.driftstream.summaries"
    assert config.topics.dead_letter == "team-a.driftstream.dead-letter"
    assert config.topics.alerts == "alerts"
    assert config.worker.group == "team-a.driftstream"
    assert config.models[0].topic == "predictions"
    named = GOOD.replace("[worker]", '[worker]\ngroup = "mine"') + topics
    assert load_config(write(tmp_path, named), {}).worker.group == "mine"
    wrong = GOOD + '[topics]\nprefix = "team a/"\n'
    with pytest.raises(ConfigError, match=r"topics\.prefix may have letters, .* got 'team a/'"):
        load_config(write(tmp_path, wrong), {})


def test_every_key_is_read(tmp_path: Path) -> None:
    config = load_config(
        write(
            tmp_path,
            """
[kafka]
bootstrap_servers = "a:1,b:2"
security_protocol = "SASL_SSL"
sasl_mechanism = "PLAIN"
sasl_username = "me"
sasl_password = "pw"
[worker]
metrics_address = ""
group = "g"
data_dir = "d"
idle_after = "5m"
snapshot_interval = "1s"
session_timeout = "9s"
max_ahead = "2m"
max_ready_lag = 7
max_series = 500
dashboard_url = "https://dash"
runbook_base_url = "https://run"
[topics]
alerts = "a"
partitions = 2
prediction_partitions = 8
replication = 3
[[models]]
name = "fraud"
version = "3"
topic = "t"
format = "native"
reference = "r.json"
segments = ["region", "channel", ["region", "channel"]]
false_alarms_per_week = 0.5
pane = "1h"
lateness = "1.5m"
cycle = "7d"
calibrate = "14d"
window = { events = 5000, max_age = "7d", min_events = 400 }
private = true
protected = ["region", ["region", "channel"]]
fairness = { difference = 0.05, ratio = 0.9 }
outcome = { labels = "fraud-labels", wait = "14d", absent_means = "ok" }
[models.signals.amount]
importance = 0.4
tests = ["psi", "adwin"]
public = true
[models.signals.noise]
monitor = false
""",
        ),
        {},
    )
    model = config.models[0]
    assert model.settings == {
        "version": "3",
        "topic": "t",
        "format": "native",
        "segments": ("region", "channel", ("region", "channel")),
        "false_alarms_per_week": 0.5,
        "pane_ms": 3_600_000,
        "lateness_ms": 90_000,
        "cycle_ms": 604_800_000,
        "calibrate_ms": 1_209_600_000,
        "private": True,
        "no_data_after_ms": 0,
        "stale_after_ms": 0,
        "retire_after_ms": 60 * 86_400_000,
        "window_events": 5_000,
        "window_max_age_ms": 604_800_000,
        "window_min_events": 400,
        "limits": (),
        "protected": ("region", ("region", "channel")),
        "fairness_difference": 0.05,
        "fairness_ratio": 0.9,
        "outcome_labels": "fraud-labels",
        "outcome_wait_ms": 1_209_600_000,
        "outcome_absent_means": "ok",
    }
    amount = SignalOptions(importance=0.4, tests=("psi", "adwin"), public=True)
    assert model.signals["amount"].options == amount
    assert model.signals["noise"].options == SignalOptions(monitor=False)
    assert config.worker.session_timeout_ms == 9_000
    assert config.worker.max_series == 500
    wanted = {topic.name: topic for topic in config.wanted_topics()}
    assert {"fraud-labels", "driftstream.pairs", "driftstream.pairs-state"} <= wanted.keys()
    assert wanted["driftstream.pairs"].config["retention.ms"] == str(16 * 86_400_000)
    assert wanted["driftstream.pairs-state"].as_many_as == "driftstream.pairs"
    assert (config.topics.alerts, config.topics.prediction_partitions) == ("a", 8)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'reference = "references/fraud.json"',
            'reference = "r.json"\nwindow = { events = 10 }',
            "config.toml: models[0].window.events must be >= 100; got 10. "
            "Raise it, or set min_events.",
        ),
        (
            'name = "fraud"',
            'nmae = "fraud"',
            "models[0].nmae is not a known key. Did you mean name?",
        ),
        ("[worker]", "[wroker]", "config.toml: wroker is not a known key. Did you mean worker?"),
        (
            'environment = "prod"',
            'metrics_adress = ""',
            "worker.metrics_adress is not a known key. Did you mean metrics_address?",
        ),
        (
            'reference = "references/fraud.json"',
            "",
            "models[0].reference is missing. Make one from training data, driftstream fit",
        ),
        (
            'reference = "references/fraud.json"',
            "",
            'Or let one be learned from the stream: signals = "auto".',
        ),
        (
            'reference = "references/fraud.json"',
            'signals = "all"',
            "models[0].signals must be \"auto\" or a table of signals; got 'all'.",
        ),
        (
            'reference = "references/fraud.json"',
            'reference = "r.json"\nsignals = "auto"',
            'models[0].signals = "auto" is for a model without a reference. Remove one of both.',
        ),
        (
            'reference = "references/fraud.json"',
            'signals = "auto"\nwarm_up = 10',
            "models[0].warm_up must be >= 1000; got 10. Raise it: a reference learned from fewer",
        ),
        (
            'reference = "references/fraud.json"',
            'reference = "r.json"\nwarm_up = 5000',
            "models[0].warm_up is for a model without a reference. Remove one of both.",
        ),
        (
            'reference = "references/fraud.json"',
            'reference = "r.json"\nsignals.x.kind = "numeric"',
            "models[0].signals.x.kind is what the reference says. Remove it here, or fit again.",
        ),
        (
            'reference = "references/fraud.json"',
            'signals.x.kind = "number"',
            "models[0].signals.x.kind must be one of numeric, categorical, auto; got 'number'.",
        ),
        (
            'reference = "references/fraud.json"',
            'signals.x.role = "target"',
            "models[0].signals.x.role must be one of feature, label, score, actual, latency;",
        ),
        (
            'name = "fraud"',
            'name = "fraud"\npane = "10"',
            'must be a duration with a unit, as in "10s"',
        ),
        ('name = "fraud"', 'name = "fraud"\npane = 10', "models[0].pane must be a duration"),
        (
            'name = "fraud"',
            'name = "fraud"\nformat = "avro"',
            "models[0].format must be native; got 'avro'.",
        ),
        (
            'name = "fraud"',
            'name = "fraud"\nfalse_alarms_per_week = 0',
            "models[0].false_alarms_per_week must be > 0 and finite; got 0.",
        ),
        (
            'name = "fraud"',
            'name = "fraud"\nsegments = "region"',
            'must be a list such as ["a", ["b", "c"]]',
        ),
        (
            'name = "fraud"',
            'name = "fraud"\nsegments = ["a", ["b", 3]]',
            "models[0].segments[1][1] must be a text, in a list such as",
        ),
        (
            'name = "fraud"',
            'name = "fraud"\nsegments = [{}]',
            "models[0].segments[0] must be a text, in a list such as",
        ),
        (
            'name = "fraud"',
            'name = "fraud"\nprotected = [["a", "b"], ["a", "b"]]',
            "models[0].protected[1] repeats ['a', 'b']. Name it once.",
        ),
        (
            'name = "fraud"',
            "name = 3",
            "models[0].name must be a text in quotes; got a whole number.",
        ),
        ("localhost:9092", "${KAFKA}", "needs the environment variable KAFKA, which is not set"),
        (
            'bootstrap_servers = "localhost:9092"',
            'bootstrap_server = "x"',
            "kafka.bootstrap_server is not a known connection setting. "
            "Did you mean bootstrap_servers?",
        ),
        (
            'environment = "prod"',
            'metrics_address = "9464"',
            'worker.metrics_address must be "host:port"',
        ),
        ("[[models]]", "[models]", "models must be an array of tables, [[models]]; got a table."),
        ("[kafka]", "[kafka", "not TOML"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, GOOD.replace(old, new)), {})
    assert message in str(caught.value)
    assert str(caught.value).startswith(("config.toml: ", str(tmp_path)))


def test_signal_mistakes_name_their_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"models\[0\]\.signals\.amount\.test is not a known key"):
        load_config(write(tmp_path, GOOD + "[models.signals.amount]\ntest = []\n"), {})
    with pytest.raises(ConfigError, match=r"signals\.amount\.tests\[0\] must be one of adwin"):
        load_config(write(tmp_path, GOOD + '[models.signals.amount]\ntests = ["PSI"]\n'), {})


LIMIT = GOOD + '[[models.limits]]\nmetric = "accuracy"\nat_least = 0.9\n'


def test_limits_are_tables_of_a_model(tmp_path: Path) -> None:
    more = '[[models.limits]]\nmetric = "p95"\nsignal = "took"\nat_most = 1\nseverity = "info"\n'
    found = load_config(write(tmp_path, LIMIT + more), {}).models[0].settings["limits"]
    assert found == (
        Limit(metric="accuracy", at_least=0.9),
        Limit(metric="p95", signal="took", at_most=1.0, severity="info"),
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("at_least = 0.9", "", "needs at_least or at_most, and not both. Give one."),
        (
            "at_least = 0.9",
            "at_least = 0.9\nat_most = 1",
            "needs at_least or at_most, and not both.",
        ),
        ("at_least = 0.9", "least = 0.9", "least is not a known key. Did you mean at_least?"),
        ("at_least = 0.9", 'at_least = "90 %"', "at_least must be a number; got a text."),
        ('metric = "accuracy"', "", "metric is missing. Add it."),
        (
            "at_least = 0.9",
            'at_most = 1\nseverity = "high"',
            "severity must be one of info, warning",
        ),
        (
            "at_least = 0.9",
            "at_most = 1\nfalse_positive_cost = -1",
            "false_positive_cost must be >= 0",
        ),
    ],
)
def test_mistakes_of_limits_name_their_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, LIMIT.replace(old, new)), {})
    assert str(caught.value).startswith("config.toml: models[0].limits[0]")
    assert message in str(caught.value)


def test_limits_need_a_reference(tmp_path: Path) -> None:
    text = LIMIT.replace('reference = "references/fraud.json"', 'signals = "auto"')
    config = load_config(write(tmp_path, text), {})
    with pytest.raises(ConfigError, match="limits are of what a reference says is counted"):
        config.plan(config.models[0])


def test_two_models_of_one_name(tmp_path: Path) -> None:
    again = GOOD + '[[models]]\nname = "fraud"\nreference = "b.json"\n'
    with pytest.raises(ConfigError, match=r"models\[1\] and models\[0\] both are fraud"):
        load_config(write(tmp_path, again), {})


def test_no_models_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are no models"):
        load_config(write(tmp_path, GOOD.split("[[models]]")[0]), {})
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "absent.toml", {})


def test_secrets_are_used_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hunter2\n")
    text = GOOD.replace(
        'bootstrap_servers = "localhost:9092"',
        'bootstrap_servers = "x:1"\nsecurity_protocol = "SASL_SSL"\nsasl_mechanism = "PLAIN"\n'
        'sasl_username = "${WHO}"\nsasl_password_file = "pw"',
    )
    config = load_config(write(tmp_path, text), {"WHO": "alice"})
    assert config.kafka["sasl_password"] == "hunter2"
    assert config.kafka["sasl_username"] == "alice"
    assert "hunter2" not in repr(config)
    assert "alice" not in repr(config)

    wrong = text.replace('environment = "prod"', 'metrics_address = "${WHO}"')
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, wrong), {"WHO": "s3cret"})
    assert "s3cret" not in str(caught.value)

    with pytest.raises(ConfigError, match=r"kafka\.sasl_password_file cannot be read: No such"):
        load_config(write(tmp_path, text.replace('"pw"', '"nowhere"')), {"WHO": "alice"})


def test_a_reference_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD), {})
    with pytest.raises(ConfigError, match="driftstream fit DATA --model fraud"):
        config.plans()


LEARN = """
[kafka]
bootstrap_servers = "localhost:9092"
[[models]]
name = "fraud"
segments = ["region"]
cycle = "1h"
calibrate = "2h"
"""


def test_a_model_without_a_reference_learns_it(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, LEARN + 'signals = "auto"\n'), {})
    (plan,) = config.plans()
    assert isinstance(plan, LearningPlan)
    assert plan.learn == Learn(10_000, {})
    assert (plan.segments, plan.cycle_ms, plan.calibrate_ms) == (("region",), 3_600_000, 7_200_000)


@pytest.mark.parametrize(
    ("segments", "words"),
    [
        ('[["region"]]', "must be of two or three different names; got ['region']"),
        ('[["a", "b"], ["b", "a"]]', "got ['b', 'a'] beside ['a', 'b']"),
        ('["a"]\nprotected = [["a", "b"]]', "got ['a', 'b']. Add it to them"),
    ],
)
def test_combinations_that_cannot_be_are_refused_in_words(
    tmp_path: Path, segments: str, words: str
) -> None:
    text = GOOD.replace(
        'reference = "references/fraud.json"', f'signals = "auto"\nsegments = {segments}'
    )
    with pytest.raises(ConfigError) as caught:
        list(load_config(write(tmp_path, text), {}).plans())
    assert str(caught.value).startswith("config.toml: models[0]")
    assert words in str(caught.value)


def test_declared_signals_have_kind_role_and_options(tmp_path: Path) -> None:
    declared = """
warm_up = 2000
[models.signals.amount]
kind = "numeric"
importance = 0.4
[models.signals.risk]
role = "score"
[models.signals.secret]
privacy = "drop"
"""
    (plan,) = load_config(write(tmp_path, LEARN + declared), {}).plans()
    assert isinstance(plan, LearningPlan)
    assert plan.learn == Learn(
        2_000, {"amount": DeclaredSignal("numeric"), "risk": DeclaredSignal("auto", "score")}
    )
    assert plan.options("amount").importance == 0.4


def test_categories_under_a_hash_cannot_be_learned(tmp_path: Path) -> None:
    text = LEARN + '[models.signals.city]\nprivacy = "hash"\n'
    with pytest.raises(ConfigError, match=r"signals\.city\.privacy needs a reference"):
        load_config(write(tmp_path, text), {}).plans()


def test_two_signals_of_one_place_are_an_error_of_the_config(tmp_path: Path) -> None:
    text = LEARN + 'signals.a.role = "score"\nsignals.b.role = "score"\n'
    with pytest.raises(ConfigError, match=r"models\[0\]: plan fraud: .* both are prediction"):
        load_config(write(tmp_path, text), {}).plans()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f'pane = "{"1" * 400}h"', r"models\[0\]\.pane must be a duration with a unit"),
        ('pane = "999999999999999d"', r"models\[0\]\.pane must be at most 36500 d"),
        (f"false_alarms_per_week = {'1' * 400}", r"false_alarms_per_week must be at most"),
        ("false_alarms_per_week = inf", r"false_alarms_per_week must be at most"),
        ("false_alarms_per_week = nan", r"false_alarms_per_week must be > 0 and finite"),
        (f"window = {{ events = {'1' * 400} }}", r"window\.events must be at most"),
        ("pane = " + "[" * 5_000, "not TOML"),
        ("pane = " + "1" * 5_000, "not TOML"),
    ],
)
def test_numbers_beyond_all_reason(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(write(tmp_path, GOOD + line + "\n"), {})


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [("x" * 50_000 + " = 1", "is not a known key. Known: "), (f'pane = "{"z" * 50_000}"', '"10s"')],
)
def test_words_of_a_very_long_key_or_value_stay_readable(
    wrong: str, remedy: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as told:
        load_config(write(tmp_path, GOOD + wrong), {})
    words = str(told.value)
    assert words.startswith("config.toml: models[0].")
    assert "…" in words
    assert remedy in words
    assert len(words) < 3_000


def test_a_key_that_was_renamed_is_an_error_that_gives_its_name_now(tmp_path: Path) -> None:
    old = GOOD.replace("[worker]\n", '[worker]\nput_away_after = "5m"\n')
    words = r"worker\.put_away_after is not a known key\. It is called idle_timeout now\."
    with pytest.raises(ConfigError, match=words):
        load_config(write(tmp_path, old), {})
    now = old.replace("put_away_after", "idle_timeout")
    assert load_config(write(tmp_path, now), {}).worker.idle_timeout_ms == 300_000
