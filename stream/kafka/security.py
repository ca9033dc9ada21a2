"""Connection settings: librdkafka's names in, what each client library calls them out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

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
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


def client_options(kafka: Mapping[str, object]) -> dict[str, Any]:
    """Translate `[kafka]` of the config (librdkafka names) to arguments of kafka-python.

    Raises
    ------
    ValueError
        For an unknown key (the nearest known one is named), a missing `bootstrap_servers` and an
        unknown security protocol.
    """
    options: dict[str, Any] = {}
    for key, value in kafka.items():
        name = _BY_UNDERSCORE.get(key.replace(".", "_"))
        if name is None:
            near = difflib.get_close_matches(key.replace(".", "_"), _BY_UNDERSCORE, 1, 0.6)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(_BY_UNDERSCORE)}."
            raise ValueError(f"kafka.{key} is not a known connection setting. {hint}")
        options[_NAMES[name]] = value
    servers = options.get("bootstrap_servers")
    if not servers:
        raise ValueError(
            "kafka.bootstrap_servers is missing. Give the broker's address, for example "
            '"localhost:9092", or start one: driftstream broker start.'
        )
    if isinstance(servers, str):
        options["bootstrap_servers"] = [s.strip() for s in servers.split(",") if s.strip()]
    protocol = str(options.get("security_protocol", "PLAINTEXT")).upper()
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"kafka.security_protocol must be one of {', '.join(PROTOCOLS)}; got {protocol!r}."
        )
    options["security_protocol"] = protocol
    if "ssl_check_hostname" in options:
        # librdkafka switches the host name check off with an empty algorithm or "none".
        options["ssl_check_hostname"] = options["ssl_check_hostname"] not in ("", "none", False)
    return options
