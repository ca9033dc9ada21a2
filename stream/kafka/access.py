"""Whether a broker accepts our connection, and the reason in words where it refuses.

The client libraries retry when TLS or the password is refused, and then report that no broker could
be reached. One connection of our own, made before theirs, gets the refusal itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Mapping
from typing import Any, Final

from stream.contracts.errors import DriftstreamError
from stream.kafka.security import client_options

__all__ = ["AccessError", "check_connection", "explain", "unreachable"]

#: Kafka's error codes, the same in both client libraries.
_REFUSED: Final = 58
_WRONG_MECHANISM: Final = 33
_NO_SASL_HERE: Final = 34
_NO_RIGHT: Final = {29: "topic", 30: "group", 31: "cluster", 53: "transactional id"}
#: OpenSSL's reasons why a certificate was not believed.
_EXPIRED: Final = (9, 10)
_OTHER_NAME: Final = (62, 64)
#: Before a user is known, every broker answers this request: ApiVersions of version 0.
_API_VERSIONS: Final = bytes.fromhex("0000000a 0012 0000 00000001 ffff")
_DOCS: Final = "docs/security.md has the rights that each program needs and the commands for them"


class AccessError(DriftstreamError, ConnectionError):
    """A broker refuses the connection or a right; the message says why and what to change."""


def check_connection(kafka: Mapping[str, object], *, timeout_s: float = 5.0) -> None:
    """Open one connection as the clients will, and close it.

    Returns also when nobody answers: a broker that is away may come back, and waiting for it is
    the clients' business. Not to be called inside a running event loop.

    Raises
    ------
    AccessError
        If TLS, the mechanism or the credentials are refused, by every server that answers.
    SettingError
        If the settings or the certificates cannot be used.
    """
    options = client_options(kafka)
    if options["security_protocol"] == "PLAINTEXT":
        return  # nothing that can be refused
    asyncio.run(_check_connection(kafka, options["bootstrap_servers"], timeout_s))


async def _check_connection(
    kafka: Mapping[str, object], servers: list[str], timeout_s: float
) -> None:
    from aiokafka.conn import create_conn

    from stream.kafka.connection import connection_arguments

    arguments = connection_arguments(kafka)
    del arguments["bootstrap_servers"]
    refusal: Exception | None = None
    log = logging.getLogger("aiokafka")
    before, log.level = log.level, logging.CRITICAL  # the refusal is put in words below
    try:
        for server in servers:
            name, _, digits = server.rpartition(":") if ":" in server else (server, "", "9092")
            host, port = name.strip("[]"), int(digits)
            words, connected = None, False
            try:
                connection = await create_conn(
                    host, port, request_timeout_ms=int(timeout_s * 1000), **arguments
                )
                connection.close()
                connected = True
            except Exception as error:
                words = _refusal(error, server, kafka)
            context = arguments.get("ssl_context")
            talked = connected and "sasl_mechanism" in arguments
            # TLS 1.3 connects before the server checks the client's certificate and refuses it.
            if words is None and context is not None and not talked:
                words = await _late_refusal(host, port, context, timeout_s, server, kafka)
            if words is not None:
                refusal = refusal or AccessError(words)
            elif connected:
                return
    finally:
        log.level = before
    if refusal is not None:
        raise refusal from None


async def _late_refusal(
    host: str,
    port: int,
    context: ssl.SSLContext,
    timeout_s: float,
    server: str,
    kafka: Mapping[str, object],
) -> str | None:
    """A refusal that comes with the first answer; None if there is an answer, or nobody."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                writer.write(_API_VERSIONS)
                await reader.readexactly(4)
            finally:
                writer.transport.abort()  # no TLS goodbye: the loop ends here
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except Exception as error:
        return _refusal(error, server, kafka)
    return None


def _refusal(error: Exception, server: str, kafka: Mapping[str, object]) -> str | None:
    """What a definite refusal means; None if it may have been an outage."""
    options = client_options(kafka)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error, server, options)
    if isinstance(error, ssl.SSLError) and "CERTIFICATE" in (error.reason or ""):
        return (
            f"Kafka at {server}: this listener wants a certificate of the client, and one that it "
            f"trusts ({error.reason}). Name its files in kafka.ssl_certificate_location and "
            "ssl_key_location."
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"Kafka at {server}: no TLS there ({error.reason}). Check kafka.security_protocol, "
            f"{options['security_protocol']} now, and that the port is that of the TLS listener."
        )
    code = getattr(error, "errno", None)
    if code == _REFUSED:
        answer = _words_of(error).rstrip(".")
        return (
            f"Kafka at {server}: user {options.get('sasl_plain_username')!r} was refused by "
            f"{options.get('sasl_mechanism')}: {answer}. Check kafka.sasl_username, "
            "kafka.sasl_password (or sasl_password_file), and that the broker knows this user "
            "for this mechanism."
        )
    if code == _WRONG_MECHANISM:
        return (
            f"Kafka at {server}: SASL mechanism {options.get('sasl_mechanism')} is not offered "
            "there. Set kafka.sasl_mechanism to one of the broker's sasl.enabled.mechanisms."
        )
    if code == _NO_SASL_HERE:
        return (
            f"Kafka at {server}: this listener asks for no user. Set kafka.security_protocol to "
            "PLAINTEXT or SSL, or name the port of the listener with SASL."
        )
    return None


def _distrust(error: ssl.SSLCertVerificationError, server: str, options: Mapping[str, Any]) -> str:
    refused = f"Kafka at {server}: the broker's certificate is refused: {error.verify_message}. "
    if error.verify_code in _OTHER_NAME:
        return refused + (
            "Use a name that is in the certificate in kafka.bootstrap_servers. "
            '(ssl_endpoint_identification_algorithm = "none" would trust any name.)'
        )
    if error.verify_code in _EXPIRED:
        return refused + "Renew it, or set this machine's clock right."
    trusted = options.get("ssl_cafile")
    place = f"kafka.ssl_ca_location, {trusted} now" if trusted else "kafka.ssl_ca_location"
    return refused + f"Name the file of the authority that signed it in {place}."


def explain(error: BaseException, kafka: Mapping[str, object]) -> AccessError | None:
    """Say what right is missing, if that is what an error of a Kafka client is about."""
    code = getattr(error, "errno", None)
    what = _NO_RIGHT.get(code) if isinstance(code, int) else None
    if what is None or isinstance(error, OSError):
        return None
    options = client_options(kafka)
    user = options.get("sasl_plain_username")
    who = f"user {user!r}" if user else "this client"
    names = _words_of(error)
    named = f" {names}" if names and what != "cluster" else ""
    hint = " (a producer needs WRITE on a topic)" if what == "cluster" else ""
    servers = ", ".join(options["bootstrap_servers"])
    return AccessError(
        f"Kafka at {servers}: {who} lacks a right on {what}{named}{hint}. Grant it: {_DOCS}."
    )


def unreachable(error: BaseException, kafka: Mapping[str, object]) -> ConnectionError:
    """An error of a Kafka client in words of ours."""
    if (known := explain(error, kafka)) is not None:
        return known
    options = client_options(kafka)
    servers = ", ".join(options["bootstrap_servers"])
    protocol = str(options["security_protocol"])
    other = "without TLS" if protocol.endswith("SSL") else "with TLS"
    return ConnectionError(
        f"Kafka at {servers}: {str(error).rstrip('.')}. Check kafka.bootstrap_servers and the "
        f"security keys: a listener {other} hangs up on {protocol}."
    )


def _words_of(error: BaseException) -> str:
    """An error's arguments, without the library's number and name in front."""
    found: list[str] = []
    for argument in error.args:
        found += (
            sorted(map(str, argument)) if isinstance(argument, set | frozenset) else [str(argument)]
        )
    return ", ".join(found) or type(error).__name__
