"""A real broker that trusts nobody: TLS, SCRAM-SHA-512 and PLAIN, and an authorizer.

Certificates are made by openssl for each run. The plain listener is the super user's, for the
test itself; what is under test uses the others: one with a user and a password, one that wants a
client's certificate and SCRAM-SHA-256 too, and one that takes the user from the certificate.
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

from stream.devbroker.broker import Broker, free_port, start
from stream.devbroker.runtime import find_runtime
from stream.kafka.admin import admin

HOST = "127.0.0.1"
#: Distinct enough to be searched for in everything that is printed.
PASSWORD = "pla1nted-Passw0rd-zx81"
WRONG = "wr0ng-Passw0rd-c64q"
USERS = ("driftstream", "deployer", "notifier", "producer", "operator", "stranger")


@dataclass(frozen=True)
class Secured:
    """The broker, its doors and its certificate authorities."""

    broker: Broker
    address: str
    port: int
    ca: Path
    other_ca: Path
    certified: str
    mutual: str

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
    def certificate(self) -> dict[str, object]:
        """The keys of `[kafka]` for the client certificate of the user driftstream."""
        files = {end: str(self.ca.parent / f"client.{end}") for end in ("crt", "key")}
        return {"ssl_certificate_location": files["crt"], "ssl_key_location": files["key"]}

    @property
    def super_user(self) -> dict[str, object]:
        return {"bootstrap_servers": self.broker.bootstrap}


def openssl(*words: object, cwd: Path) -> None:
    done = subprocess.run(
        ["openssl", *map(str, words)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def make_certificates(directory: Path) -> None:
    """Key and certificate of two authorities, ca and other, of the server and of a client."""
    directory.mkdir(parents=True, exist_ok=True)
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl(
            *("req", "-x509", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.pem"),
            *("-subj", f"/CN=driftstream test {name}", "-days", 2),
            cwd=directory,
        )
    # An address and no name: whoever comes by "localhost" finds a wrong host name.
    (directory / "san.ext").write_text(f"subjectAltName=IP:{HOST}\n")
    for name, subject in (("server", "broker"), ("client", "driftstream")):
        openssl(
            *("req", *new_key, "-keyout", f"{name}.key", "-out", f"{name}.csr"),
            *("-subj", f"/CN={subject}"),
            cwd=directory,
        )
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-out", f"{name}.crt", "-days", 2, "-extfile", "san.ext"),
            cwd=directory,
        )
    key, certificate = (directory / f"server.{end}" for end in ("key", "crt"))
    (directory / "server.pem").write_text(key.read_text() + certificate.read_text())


def start_secured(directory: Path, heap_mb: int = 256) -> Secured:
    """Start it; `stop()` the broker at the end."""
    assert shutil.which("openssl"), "no openssl"
    certificates = directory / "certificates"
    make_certificates(certificates)
    plain, secure, certified, mutual, controller = (free_port() for _ in range(5))
    module = "org.apache.kafka.common.security"
    users = " ".join(f'user_{name}="{PASSWORD}"' for name in USERS)
    doors = (
        f"PLAINTEXT://{HOST}:{plain},SASL_SSL://{HOST}:{secure},CERTIFIED://{HOST}:{certified},"
        f"MUTUAL://{HOST}:{mutual}"
    )
    properties = {
        "listeners": f"{doors},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": doors,
        "controller.quorum.voters": f"1@{HOST}:{controller}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,"
        "SASL_SSL:SASL_SSL,CERTIFIED:SASL_SSL,MUTUAL:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": certificates / "server.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": certificates / "ca.pem",
        "listener.name.certified.ssl.client.auth": "required",
        "listener.name.certified.sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "listener.name.certified.scram-sha-256.sasl.jaas.config": f"{module}.scram."
        "ScramLoginModule required;",
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{module}.scram."
        "ScramLoginModule required;",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{module}.plain.PlainLoginModule "
        f"required {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    broker = start(
        directory / "broker",
        port=plain,
        heap_mb=heap_mb,
        properties=properties,
        runtime=find_runtime(),
    )
    try:
        with admin({"bootstrap_servers": broker.bootstrap}) as client:
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                wanted = [UserScramCredentialUpsertion(u, mechanism, PASSWORD) for u in USERS]
                done = client.alter_user_scram_credentials(wanted)
                assert not any(done.values()), done
    except BaseException:
        broker.stop()
        raise
    return Secured(
        broker,
        f"{HOST}:{secure}",
        secure,
        certificates / "ca.pem",
        certificates / "other.pem",
        f"{HOST}:{certified}",
        f"{HOST}:{mutual}",
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
