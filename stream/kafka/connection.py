"""Connection settings as aiokafka wants them, and a quieter log of its clients."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from stream.contracts.errors import SettingError
from stream.kafka.security import client_options

__all__ = ["RepeatFilter", "connection_arguments", "quieten"]

log = logging.getLogger(__name__)

_PLAIN: Final[tuple[str, ...]] = (
    "bootstrap_servers",
    "client_id",
    "security_protocol",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_kerberos_service_name",
)


def connection_arguments(kafka: Mapping[str, object]) -> dict[str, Any]:
    """Translate `[kafka]` of the config (librdkafka names) to arguments of aiokafka's clients.

    Raises
    ------
    SettingError
        For unknown settings, and for certificates that cannot be read.
    """
    options = client_options(kafka)
    arguments: dict[str, Any] = {name: options[name] for name in _PLAIN if name in options}
    if str(options["security_protocol"]).endswith("SSL"):
        arguments["ssl_context"] = _ssl_context(options)
    return arguments


def _ssl_context(options: Mapping[str, Any]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_cafile"))
        context.check_hostname = bool(options.get("ssl_check_hostname", True))
        if certificate := options.get("ssl_certfile"):
            context.load_cert_chain(
                certificate, options.get("ssl_keyfile"), options.get("ssl_password")
            )
        if revoked := options.get("ssl_crlfile"):
            context.load_verify_locations(revoked)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        if ciphers := options.get("ssl_ciphers"):
            context.set_ciphers(ciphers)
    except (OSError, ssl.SSLError) as error:
        raise SettingError(
            f"kafka.ssl_*: the certificates cannot be used: {error}. Check "
            "ssl_ca_location, ssl_certificate_location and ssl_key_location."
        ) from error
    return context


class RepeatFilter(logging.Filter):
    """Lets the same message through once in a while: a broker outage logs it many times a second.

    Parameters
    ----------
    every_s : float
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, every_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock = clock
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this record is to be logged."""
        now = self._clock()
        key = f"{record.name}:{record.msg}"
        if now - self._last.get(key, -self._every_s) < self._every_s:
            return False
        self._last[key] = now
        return True


def quieten(every_s: float = 10.0) -> None:
    """Rate-limit what the Kafka clients and Faust repeat, on the loggers that they use."""
    repeated = RepeatFilter(every_s)
    for name in ("aiokafka", "faust", "kafka", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in (
        "aiokafka",
        "aiokafka.producer.sender",
        "aiokafka.client",
        "aiokafka.conn",
        "aiokafka.cluster",
        "aiokafka.consumer.fetcher",
        "aiokafka.consumer.group_coordinator",
    ):
        logging.getLogger(name).addFilter(repeated)
