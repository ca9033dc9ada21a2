"""What each key of the config means. Everything else about it is read from the code."""

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
segments = ["region"]
pane = "1m"
cycle = "24h"
calibrate = "7d"
no_data_after = "1h"
stale_after = "2d"

[models.window]
events = 1000
max_age = "24h"

[models.signals.EXAMPLE]                   # the name of a signal
importance = 0.4

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
    "models.signals.NAME": ("[models.signals.NAME]", "Settings of one signal."),
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
    "worker.metrics_address": 'Where `/`, `/metrics`, `/healthz` and `/readyz` are served, `host:port`; `""` for nowhere.',
    "worker.metrics_tls_cert": "Certificate to serve them with TLS; needs `metrics_tls_key`.",
    "worker.metrics_tls_key": "Its key.",
    "worker.dead_letter_values": "Whether refused records go to the dead-letter topic with their bytes, or only with reason and place.",
    "worker.group": "Consumer group; after `topics.prefix`, if there is one and no group is given. Workers of one group share the work.",
    "worker.environment": "Named in the alerts' `source`.",
    "worker.data_dir": "Scratch space; default is a temporary folder. Nothing there outlives a worker.",
    "worker.idle_timeout": "Subjects (a model's version, or a value of a segment) to which nothing happens for so long, or up to twice that, are evicted to a third of the memory; their next event brings them back as they were. Those with an open episode stay, so that its evidence can be looked at.",
    "worker.idle_after": "A partition that is caught up and silent for so long no longer holds the others back.",
    "worker.snapshot_interval": "How often state is written.",
    "worker.session_timeout": "After so long without a heartbeat a worker's partitions go to others.",
    "worker.max_ahead": "An event so much later than its own record is refused.",
    "worker.max_ready_lag": "Records behind from which `/readyz` says no.",
    "worker.max_series": "Series of signals on the metrics page; the rest is folded into `__other__`.",
    "worker.dashboard_url": "Put into alerts.",
    "worker.runbook_base_url": "Address of the runbooks, put into alerts; `{kind}` in it stands for the kind. Without it the worker's page links to its own, and notifications name `driftstream runbook KIND`.",
    "topics.prefix": "Before the names of driftstream's own topics, and of the consumer group, that are not given: so that several installations share a Kafka.",
    "topics.summaries": "Counts between the stages.",
    "topics.plans": "Plans with their references.",
    "topics.alerts": "Alert events and acknowledgements.",
    "topics.dead_letter": "Refused records.",
    "topics.state": "Snapshots of stage 2.",
    "topics.partitions": "Of the summaries and state topics, where they are created. Bounds the workers of stage 2.",
    "topics.prediction_partitions": "Of the models' topics, where they are created.",
    "topics.replication": "Copies of topics that are created; -1 for the broker's default. With 3 or more they get `min.insync.replicas = 2`.",
    "privacy.hash_key": "Key of the hash; better in a file.",
    "privacy.hash_key_file": "File of that key, the same for all workers and `fit`.",
    "models.name": "As events name it.",
    "models.reference": "Made by `driftstream fit`. Without one, `signals` must be given.",
    "models.warm_up": "Events that a reference is learned from, where there is none.",
    "models.version": "Version that this is for; `*` for each that has no entry of its own.",
    "models.topic": "Where its events are.",
    "models.format": "Always `native`: how the records of a topic are written is in `[[sources]]`.",
    "models.segments": "Segments of events to watch apart; default: the reference's.",
    "models.false_alarms_per_week": "The one knob: false alarms a week over all its signals and segments.",
    "models.pane": "Interval of event time that is counted together. Default: what suits the rate of the reference, as `fit` shows it; 10s without one.",
    "models.lateness": "How long after a pane's end its events may still come.",
    "models.cycle": "Length of its season; windows are then whole cycles, which finds small changes late: for days and weeks fit with `--slots auto` instead. 24h and 7d say nothing more where the reference has slots. Default: the reference's.",
    "models.calibrate": "Measure dependence in production for so long before anything is tested: [learn](../learn.md).",
    "models.no_data_after": "A model that was there and is silent for so long opens a `system` episode. Default: never.",
    "models.retire_after": 'A version that has had no events for so long, in event time, is forgotten: what fires resolves as "retired", and if it comes back it begins anew. Not the version without a name, and none with a plan of its own.',
    "models.stale_after": "If more than a tenth of the events are older than that when they are sent, a `system` episode opens. Default: never.",
    "models.private": "Publish shapes only: no categories, edges, values of segments, means.",
    "models.window.events": "A window closes with so many.",
    "models.window.max_age": "Or after so much event time. Default: twice what its events take at the rate of the reference, at least a day; 24h without one.",
    "models.window.min_events": "With fewer than so many it is not tested.",
    "models.signals.NAME.importance": "Weight in the ranking; default: equal shares.",
    "models.signals.NAME.tests": "Tests to make; default: chosen by kind.",
    "models.signals.NAME.monitor": "Whether it is watched at all.",
    "models.signals.NAME.public": "Whether names of categories that the reference lacks may be told.",
    "models.signals.NAME.privacy": "`drop` its values, or `hash` its categories with `[privacy]`, before anything is counted.",
    "models.signals.NAME.kind": "Only without a reference: what to take it for.",
    "models.signals.NAME.role": "Only without a reference: what it is to the model.",
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
    "sources.mapping.latency": "How long it took.",
    "sources.mapping.latency_unit": "Its unit.",
    "sources.mapping.features": "An object with `.*` behind it, whose members are the features; or a table of them.",
    "sources.mapping.ignore": "Members of that object that are no features.",
    "ingest.address": "Where `driftstream ingest` listens, `host:port`.",
    "ingest.tokens_file": "Who may send: a token of at least 16 characters a line. Without it: everybody.",
    "ingest.max_body_bytes": "A larger request is answered with 413.",
    "ingest.max_queued_bytes": "Of all requests that wait for the broker; beyond it 429.",
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
    "notify.timeout": "Of one whole exchange, from the look-up of the name to the answer.",
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
