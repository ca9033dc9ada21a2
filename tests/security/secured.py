"""A real broker that trusts nobody: TLS, SCRAM-SHA-512 and PLAIN, and an authorizer.

Certificates are made by openssl for each run. The plain listener is the super user's, for the
test itself; what is under test uses the other one.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)

from stream.kafka.admin import admin
from stream.kafka.broker import Broker, free_port, start
from stream.kafka.runtime import find_runtime

HOST = "127.0.0.1"
#: Distinct enough to be searched for in everything that is printed.
PASSWORD = "pla1nted-Passw0rd-zx81"
WRONG = "wr0ng-Passw0rd-c64q"
USERS = ("driftstream", "deployer", "notifier", "producer", "operator", "stranger")


@dataclass(frozen=True)
class Secured:
    """The broker, its two doors and its certificate authorities."""

    broker: Broker
    address: str
    port: int
    ca: Path
    other_ca: Path

    def kafka(self, user: str, **changes: object) -> dict[str, object]:
        """`[kafka]` of a config for a user; a change to None takes a key out."""
        section: dict[str, object] = {
            "bootstrap_servers": self.address,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": user,
            "sasl_password": PASSWORD,
            "ssl_ca_location": str(self.ca),
            **changes,
        }
        return {key: value for key, value in section.items() if value is not None}

    @property
    def super_user(self) -> dict[str, object]:
        return {"bootstrap_servers": self.broker.bootstrap}


def openssl(*words: object, cwd: Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def make_certificates(directory: Path) -> None:
    """ca.pem, other.pem (of another authority) and server.pem (key and chain of 127.0.0.1)."""
    directory.mkdir(parents=True, exist_ok=True)
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl(
            *("req", "-x509", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.pem"),
            *("-subj", f"/CN=driftstream test {name}", "-days", 2),
            cwd=directory,
        )
    openssl(
        *("req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=broker"),
        cwd=directory,
    )
    # An address and no name: whoever comes by "localhost" finds a wrong host name.
    (directory / "san.ext").write_text(f"subjectAltName=IP:{HOST}\n")
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-out", "server.crt", "-days", 2, "-extfile", "san.ext"),
        cwd=directory,
    )
    key, certificate = (directory / f"server.{end}" for end in ("key", "crt"))
    (directory / "server.pem").write_text(key.read_text() + certificate.read_text())


def start_secured(directory: Path, heap_mb: int = 256) -> Secured:
    """Start it; `stop()` the broker at the end."""
    assert shutil.which("openssl"), "no openssl"
    certificates = directory / "certificates"
    make_certificates(certificates)
    plain, secure, controller = free_port(), free_port(), free_port()
    module = "org.apache.kafka.common.security"
    users = " ".join(f'user_{name}="{PASSWORD}"' for name in USERS)
    properties = {
        "listeners": f"PLAINTEXT://{HOST}:{plain},CONTROLLER://{HOST}:{controller},"
        f"SASL_SSL://{HOST}:{secure}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{plain},SASL_SSL://{HOST}:{secure}",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
        "SASL_SSL:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": certificates / "server.pem",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{module}.scram."
        "ScramLoginModule required;",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{module}.plain.PlainLoginModule "
        f"required {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    broker = start(
        directory / "broker", port=plain, heap_mb=heap_mb, properties=properties,
        runtime=find_runtime(),
    )  # fmt: skip
    try:
        with admin({"bootstrap_servers": broker.bootstrap}) as client:
            wanted = [UserScramCredentialUpsertion(u, "SCRAM-SHA-512", PASSWORD) for u in USERS]
            failed = {u: e for u, e in client.alter_user_scram_credentials(wanted).items() if e}
        assert not failed, failed
    except BaseException:
        broker.stop()
        raise
    return Secured(
        broker, f"{HOST}:{secure}", secure, certificates / "ca.pem", certificates / "other.pem"
    )


# ---- the commands of docs/security.md

_PARSER = argparse.ArgumentParser(exit_on_error=False)
_PARSER.add_argument("--add", action="store_true")
_PARSER.add_argument("--allow-principal")
_PARSER.add_argument("--resource-pattern-type", default="literal")
for _option in ("--operation", "--topic", "--group"):
    _PARSER.add_argument(_option, action="append", default=[])


def documented_commands(text: str) -> list[str]:
    """The kafka-acls.sh commands of a page, continuation lines joined."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line.strip() for line in joined.splitlines() if line.startswith("kafka-acls.sh ")]


def acls_of(command: str) -> list[ACL]:
    """What a kafka-acls.sh command grants."""
    words = shlex.split(command)
    said = _PARSER.parse_args([word for word in words[1:] if word != "$ADMIN"])
    pattern = ACLResourcePatternType[said.resource_pattern_type.upper()]
    resources = [(ResourceType.TOPIC, name) for name in said.topic]
    resources += [(ResourceType.GROUP, name) for name in said.group]
    return [
        ACL(
            principal=said.allow_principal,
            host="*",
            operation=ACLOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()],
            permission_type=ACLPermissionType.ALLOW,
            resource_pattern=ResourcePattern(kind, name, pattern),
        )
        for operation in said.operation
        for kind, name in resources
    ]


def grant(kafka: Mapping[str, object], acls: Iterable[ACL]) -> None:
    with admin(kafka) as client:
        done = client.create_acls(list(acls))
    assert not done["failed"], done["failed"]


def revoke(kafka: Mapping[str, object], principal: str, topic: str) -> list[ACL]:
    """Take every right of a principal on one topic away; what it was."""
    everything = ACLFilter(
        principal=f"User:{principal}",
        host="*",
        operation=ACLOperation.ANY,
        permission_type=ACLPermissionType.ANY,
        resource_pattern=ResourcePatternFilter(
            ResourceType.TOPIC, topic, ACLResourcePatternType.LITERAL
        ),
    )
    with admin(kafka) as client:
        deleted = client.delete_acls([everything])
    return [acl for _, matching, _ in deleted for acl in matching]
