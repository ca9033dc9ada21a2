"""The image and who runs it: not root, nothing to write to but /tmp, no rights to gain."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"] == "driftstream")


def instructions(name: str) -> list[str]:
    joined = re.sub(r"\\\n", " ", DOCKERFILE)
    return [
        line.split(maxsplit=1)[1] for line in joined.splitlines() if line.startswith(f"{name} ")
    ]


def test_the_image_runs_as_a_numbered_user() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert instructions("USER") == ["10001:10001"]
    after = last.partition("\nUSER ")[2]
    assert "\nRUN " not in after
    assert "\nCOPY " not in after
    assert instructions("ENTRYPOINT") == ['["sh", "/usr/local/bin/driftstream-entrypoint"]']


@pytest.mark.parametrize("name", OURS)
def test_services_of_ours_can_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [mount.partition(":")[0] for mount in service["tmpfs"]] == ["/tmp"]
    assert all(mount.endswith(":ro") for mount in service.get("volumes", []))
    assert "privileged" not in service


def test_everything_that_runs_our_image_is_looked_at() -> None:
    assert {"topics", "worker", "notify"} <= set(OURS)
    chart = (ROOT / "deploy/helm/driftstream/templates/_helpers.tpl").read_text()
    for words in (
        "runAsNonRoot: true",
        "readOnlyRootFilesystem: true",
        "drop: [ALL]",
        "allowPrivilegeEscalation: false",
        "{name: tmp, mountPath: /tmp}",
    ):
        assert words in chart


def test_the_entrypoint_brings_the_kernels(tmp_path: Path) -> None:
    kernels, cache, commands = (tmp_path / name for name in ("kernels", "cache", "bin"))
    (kernels / "sub").mkdir(parents=True)
    (kernels / "sub" / "k.nbi").write_text("kernel")
    commands.mkdir()
    driftstream = commands / "driftstream"
    driftstream.write_text('#!/bin/sh\necho "args: $*"\nexit 3\n')
    driftstream.chmod(0o755)
    env = {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "NUMBA_CACHE_DIR": str(cache),
        "DRIFTSTREAM_KERNELS": str(kernels),
    }
    for _ in range(2):  # a container that is started again finds them there
        done = subprocess.run(
            ["sh", ROOT / "deploy" / "entrypoint.sh", "worker", "-c", "a b"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (3, "args: worker -c a b\n"), done.stderr
        assert (cache / "sub" / "k.nbi").read_text() == "kernel"


def test_kernels_that_cannot_be_copied_hold_nothing_up(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    driftstream = commands / "driftstream"
    driftstream.write_text("#!/bin/sh\nexit 3\n")
    driftstream.chmod(0o755)
    env = {
        "PATH": f"{commands}:{os.environ['PATH']}",
        "NUMBA_CACHE_DIR": "/dev/null/cache",
        "DRIFTSTREAM_KERNELS": str(tmp_path),
    }
    done = subprocess.run(
        ["sh", ROOT / "deploy" / "entrypoint.sh"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "kernels not copied to /dev/null/cache: compiled anew" in done.stderr


def test_the_kernels_of_the_image_serve_any_cpu() -> None:
    """Set before they are compiled, and for whoever runs them."""
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert last.index("ENV NUMBA_CPU_NAME=generic") < last.index("detectors.warm_up()")


READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
if touch "$1/x" 2>/dev/null; then exit 77; fi
cd /
exec "$2" -P -c "
import sys; sys.path.insert(0, sys.argv[1])
import detectors, stream.cli
from detectors import ADWIN
found = ADWIN()
for x in [0.0] * 200 + [1.0] * 200: found.update(x)
print('works')
" "$1"
"""


def test_a_read_only_file_system_is_enough() -> None:
    """With a cache that can be written elsewhere; without one numba would not even import."""
    allowed = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if sys.platform != "linux" or allowed.returncode != 0:
        pytest.skip("mounting needs Linux, and rights that this user does not have")
    import tempfile

    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", str(ROOT), sys.executable],
            env={**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "works\n"), done.stderr
        assert any(Path(cache).rglob("*.nbi"))
