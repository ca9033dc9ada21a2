"""What those keys of the config mean that are not declared in the code with their meaning."""

# ruff: noqa: E501 - text of the pages, as it is written there

from __future__ import annotations

__all__ = ["ALL_TABLES", "FILES", "TABLES", "WORDS"]

#: A config with every table; the files beside it.
ALL_TABLES = """\
[kafka]                                    # librdkafka's names
bootstrap_servers = "localhost:9092"
security_protocol = "PLAINTEXT"

[worker]
metrics_address = "127.0.0.1:9464"

[topics]
partitions = 4

[privacy]
hash_key_file = "secrets/hash-key"

[[models]]
name = "fraud"
reference = "fraud.json"
segments = ["region", ["region", "channel"]]
protected = ["region"]
pane = "1m"
cycle = "24h"
calibrate = "7d"
no_data_after = "1h"
stale_after = "2d"

[models.window]
events = 1000
max_age = "24h"

[models.fairness]
difference = 0.1

[models.outcome]
wait = "14d"

[models.signals.EXAMPLE]                   # the name of a signal
importance = 0.4

[[models.limits]]
metric = "accuracy"
at_least = 0.9

[[models.limits]]
metric = "p95"
signal = "latency"
at_most = 0.25
severity = "warning"

[[models]]
name = "new-model"
warm_up = 10000
signals = "auto"                           # no reference: learned from the stream

[[sources]]
topic = "predictions"

[sources.mapping]
model = "model.name"
version = "model.release"
id = "request_id"
timestamp = "at"
prediction = "response.label"
score = "response.p"
actual = "truth"
prediction_timestamp = "predicted_at"
latency = "took_ms"
features = "request.*"

[sources.outputs]
label = "predict"
score = "proba"

[[notify]]
type = "webhook"
url = "https://pager.example/hook"
secret_file = "secrets/pager"
token_file = "secrets/token"
template_file = "pager.json"
ca_file = "pager-ca.pem"

[[notify]]
type = "webhook"
name = "signed"
url = "https://pager.example/hook"
secret = "s3cret"

[[notify]]
type = "slack"
url_file = "secrets/slack-url"

[[notify]]
type = "slack"
name = "slack-bot"
channel = "#models"
token_file = "secrets/token"

[[silences]]
start = "2026-03-01T22:00:00Z"
end = "2026-03-02T04:00:00Z"

[[silences]]
weekly = "Sat 22:00 - Sun 04:00"
timezone = "Europe/Berlin"
"""

FILES = {
    "secrets/hash-key": "0123456789abcdef0123456789abcdef",
    "secrets/pager": "a secret",
    "secrets/token": "token",
    "secrets/slack-url": "https://hooks.example/T0/B0/x",
    "pager.json": '{"text": "$summary"}',
    "pager-ca.pem": """\
-----BEGIN CERTIFICATE-----
MIIBezCCASGgAwIBAgIUDh5NF7Ox/rIHAajQMg4AVrDWMPgwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHZXhhbXBsZTAgFw0yNjExMjcyMzE3MDNaGA8yMTI2MTEwMzIz
MTcwM1owEjEQMA4GA1UEAwwHZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABOY+P0jCdC3MFNhGQhFZtGOrrEr0Wd/znxCtx0ZuuWEfl5BMg4yKvUY5iSiT
yxXsdRceXMOOuZ+RHAJNR6PY3oOjUzBRMB0GA1UdDgQWBBR+ISwPzNFuljWg5saS
I0oBEdaCizAfBgNVHSMEGDAWgBR+ISwPzNFuljWg5saSI0oBEdaCizAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIGQmb6YE2dY/uMiAThJjlH5Il+w1
ks01qxjjZ+upbdrjAiEAqoKzh9Uo0O1NNQgdliLsnSy7hKFlmFsXuY+ndP1g5Iw=
-----END CERTIFICATE-----
""",
}

#: path -> (title, words)
TABLES = {
    "kafka": (
        "[kafka]",
        "The connection, with librdkafka's names and dots or underscores: [security](../security.md) has examples. "
        "Any of them with `_file` behind it reads its value from a file, as `sasl_password_file`.",
    ),
    "worker": ("[worker]", "How workers run. None of it changes what is found."),
    "topics": ("[topics]", "Names of driftstream's own topics, and how they are created."),
    "privacy": ("[privacy]", 'For signals with `privacy = "hash"`: [security](../security.md).'),
    "models": (
        "[[models]]",
        "One for each model, or for each version that has a reference of its own.",
    ),
    "models.window": ("[models.window]", "How much is tested together."),
    "models.fairness": (
        "[models.fairness]",
        "From where two values of a protected column are too far apart: [fairness](../fairness.md).",
    ),
    "models.outcome": (
        "[models.outcome]",
        "Of labels that come later, by id: [outcomes](../outcomes.md#labels-that-come-later-by-id).",
    ),
    "models.signals.NAME": ("[models.signals.NAME]", "Settings of one signal."),
    "models.limits": (
        "[[models.limits]]",
        "What a metric may be at least, or at most: [limits](../limits.md).",
    ),
    "sources": (
        "[[sources]]",
        "In which format the records of a topic are, where it is not the native one and their headers do not say it: [how-to](../how-to/README.md#what-you-have). The same in all workers.",
    ),
    "sources.outputs": ("[sources.outputs]", "Which outputs of a model server are what."),
    "sources.mapping": (
        "[sources.mapping]",
        "Where in a record things are, as paths: [mapping](../how-to/mapping.md). `features` may be a table of names and paths, and so is `segments`.",
    ),
    "notify": ("[[notify]]", "Where `driftstream notify` delivers: [notify](../notify.md)."),
    "ingest": ("[ingest]", "Events over HTTP: [ingest](../how-to/ingest.md)."),
    "silences": ("[[silences]]", "When notifications are held back: [notify](../notify.md)."),
}

WORDS = {
    "kafka.bootstrap_servers": "Needed: brokers to ask first, `host:port`, several with commas. Name more than one where there are more.",
    "kafka.client_id": "Under which brokers log and limit this client.",
    "kafka.security_protocol": "`PLAINTEXT` (default), `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.",
    "kafka.sasl_mechanism": "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `GSSAPI`.",
    "kafka.sasl_mechanisms": "The same, as librdkafka also calls it.",
    "kafka.sasl_username": "For all mechanisms but GSSAPI.",
    "kafka.sasl_password": "Better in a file: `sasl_password_file`.",
    "kafka.sasl_kerberos_service_name": "For GSSAPI: the brokers' service.",
    "kafka.ssl_ca_location": "Authorities that signed the brokers' certificates, a PEM file; default: those of the system.",
    "kafka.ssl_certificate_location": "Our own certificate, where brokers want one.",
    "kafka.ssl_key_location": "Its key.",
    "kafka.ssl_key_password": "What that key is encrypted with; better in a file: `ssl_key_password_file`.",
    "kafka.ssl_crl_location": "Certificates that were revoked.",
    "kafka.ssl_cipher_suites": "Ciphers that may be used, as OpenSSL names them.",
    "kafka.ssl_endpoint_identification_algorithm": '`"none"` switches the check of the brokers\' names off: do not.',
    "privacy.hash_key": "Key of the hash; better in a file.",
    "privacy.hash_key_file": "File of that key, the same for all workers and `fit`.",
    "models.name": "As events name it.",
    "models.reference": "Made by `driftstream fit`. Without one, `signals` must be given.",
    "sources.topic": "Whose records: the topic of a model.",
    "sources.format": "How they are written. With a mapping it is `mapping`, unless it is an envelope.",
    "sources.model": "Model of all that are not native events, whatever they say.",
    "sources.version": "Its version.",
    "sources.columns": "Names of the features, where they come as arrays.",
    "sources.outputs.label": "Name of the output that is the label.",
    "sources.outputs.score": "Name of the output that is the score.",
    "sources.mapping.model": "The model's name.",
    "sources.mapping.version": "Its version.",
    "sources.mapping.id": "`prediction_id`.",
    "sources.mapping.timestamp": "Event time; without it that of the CloudEvent or of the record.",
    "sources.mapping.prediction": "The label, or a bare prediction.",
    "sources.mapping.score": "The score.",
    "sources.mapping.actual": "What turned out to be true.",
    "sources.mapping.prediction_timestamp": "When the prediction was made that the record brings the truth of.",
    "sources.mapping.latency": "How long it took.",
    "sources.mapping.latency_unit": "Its unit.",
    "sources.mapping.features": "An object with `.*` behind it, whose members are the features; or a table of them.",
    "sources.mapping.ignore": "Members of that object that are no features.",
    "notify.type": "What is at the other end.",
    "notify.name": "Its progress is stored under this name; default: the type.",
    "notify.url": "Of the Alertmanager without `/api/v2`, or of the hook.",
    "notify.url_file": "The same from a file.",
    "notify.secret": "Key that a webhook's requests are signed with.",
    "notify.secret_file": "The same from a file.",
    "notify.token": "Sent as `Authorization: Bearer`.",
    "notify.token_file": "The same from a file.",
    "notify.models": "Only alerts of these; default: all.",
    "notify.min_severity": "Only episodes that were ever so severe.",
    "notify.channel": "Of Slack, where a bot with that token writes: episodes of one model at one time are a thread.",
    "notify.revisions": "Of each episode what is told: that it opened, became worse and ended, or all.",
    "notify.template_file": "Body of a webhook's requests.",
    "notify.ca_file": "PEM file of the only authorities to trust; default: the system's.",
    "silences.start": "From this time on.",
    "silences.end": "Until this time.",
    "silences.weekly": "Or every week, as in `Sat 22:00 - Sun 04:00`.",
    "silences.timezone": "Of `weekly`.",
    "silences.models": "Only of these; default: all.",
    "silences.kinds": "Only of these kinds; default: all.",
    "silences.max_severity": "What is more severe is told all the same.",
    "silences.reason": "For people.",
}
