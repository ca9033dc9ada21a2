"""Connection settings: librdkafka's names in, what each client library calls them out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from stream.contracts.errors import SettingError

# librdkafka name -> kafka-python name. Dots and underscores are the same to us, because TOML keys
# read better with underscores.
_NAMES = {
    "bootstrap.servers": "bootstrap_servers",
    "client.id": "client_id",
    "security.protocol": "security_protocol",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "sasl.kerberos.service.name": "sasl_kerberos_service_name",
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
    "ssl.crl.location": "ssl_crlfile",
    "ssl.cipher.suites": "ssl_ciphers",
    "ssl.endpoint.identification.algorithm": "ssl_check_hostname",
}
_BY_UNDERSCORE = {name.replace(".", "_"): name for name in _NAMES}
#: The keys of `[kafka]`, as TOML reads them best.
KEYS = tuple(_BY_UNDERSCORE)
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


def client_options(kafka: Mapping[str, object]) -> dict[str, Any]:
    """Translate `[kafka]` of the config (librdkafka names) to arguments of kafka-python.

    Raises
    ------
    SettingError
        For an unknown key (the nearest known one is named), a missing `bootstrap_servers`, an
        unknown security protocol, and keys that it lacks or would ignore.
    """
    options: dict[str, Any] = {}
    for key, value in kafka.items():
        name = _BY_UNDERSCORE.get(key.replace(".", "_"))
        if name is None:
            near = difflib.get_close_matches(key.replace(".", "_"), _BY_UNDERSCORE, 1, 0.6)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(_BY_UNDERSCORE)}."
            raise SettingError(f"kafka.{key} is not a known connection setting. {hint}")
        options[_NAMES[name]] = value
    servers = options.get("bootstrap_servers")
    if not servers:
        raise SettingError(
            "kafka.bootstrap_servers is missing. Give the broker's address, for example "
            '"localhost:9092", or start one: driftstream broker start.'
        )
    if isinstance(servers, str):
        options["bootstrap_servers"] = [s.strip() for s in servers.split(",") if s.strip()]
    protocol = str(options.get("security_protocol", "PLAINTEXT")).upper()
    if protocol not in PROTOCOLS:
        raise SettingError(
            f"kafka.security_protocol must be one of {', '.join(PROTOCOLS)}; got "
            f"{options['security_protocol']!r}."  # a text of the environment hides itself
        )
    options["security_protocol"] = protocol
    _must_fit(protocol, kafka, options)
    if "ssl_check_hostname" in options:
        # librdkafka switches the host name check off with an empty algorithm or "none".
        options["ssl_check_hostname"] = options["ssl_check_hostname"] not in ("", "none", False)
    return options


def _must_fit(protocol: str, kafka: Mapping[str, object], options: Mapping[str, Any]) -> None:
    """A key that nothing would read is a connection less safe than its config looks."""
    for prefix, part in (("sasl", "SASL"), ("ssl", "SSL")):
        given = [key for key in kafka if key.replace(".", "_").startswith(f"{prefix}_")]
        used = protocol.startswith(part) if part == "SASL" else protocol.endswith(part)
        if given and not used:
            raise SettingError(
                f"kafka.{given[0]} is set, but with security_protocol {protocol} it is not used. "
                f"Set kafka.security_protocol (SASL_SSL, say), or remove the key."
            )
    if protocol.startswith("SASL"):
        mechanism = options.get("sasl_mechanism")
        if mechanism not in MECHANISMS:
            raise SettingError(
                f"kafka.sasl_mechanism must be one of {', '.join(MECHANISMS)}; got {mechanism!r}."
            )
        for key in ("username", "password"):
            if mechanism != "GSSAPI" and not options.get(f"sasl_plain_{key}"):
                raise SettingError(
                    f"kafka.sasl_{key} is missing or empty, and {mechanism} needs it. Give it as "
                    f'sasl_{key} = "${{VARIABLE}}" or in a file with sasl_{key}_file.'
                )
