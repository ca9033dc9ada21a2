"""Other distributions have packages `detectors` and `stream`: who meets one is told which it is."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from driftstream._neighbours import OURS, what_is_in_the_way
from tests.driftstream.conftest import ROOT, install, make_environment


def test_our_packages_begin_as_they_are_looked_for() -> None:
    for name, beginning in OURS.items():
        assert (ROOT / name / "__init__.py").read_text().startswith(beginning)
    assert what_is_in_the_way() == ""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return make_environment(tmp_path / "environment")


def other_wheel(folder: Path, package: str) -> Path:
    """A wheel of a distribution that has a package of this name."""
    path = folder / f"other_{package}-0.1.11-py3-none-any.whl"
    about = f"other_{package}-0.1.11.dist-info"
    files = {
        f"{package}/__init__.py": "name = 'another'\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: other-{package}\nVersion: 0.1.11\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def run(environment: Path, *words: str, folder: Path | None = None) -> tuple[int, str]:
    done = subprocess.run(
        [environment / "bin" / words[0], *words[1:]],
        cwd=folder or environment,
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("package", ["detectors", "stream"])
def test_a_distribution_that_replaced_our_files_is_named(
    environment: Path, wheel: Path, tmp_path: Path, package: str
) -> None:
    install(environment, wheel)
    assert run(environment, "python", "-c", "import driftstream") == (0, "")
    install(environment, other_wheel(tmp_path, package))
    (replaced,) = environment.glob(f"lib/*/site-packages/{package}/__init__.py")
    assert replaced.read_text() == "name = 'another'\n"

    code, words = run(environment, "python", "-c", "import driftstream")
    assert code == 1
    last = words.splitlines()[-1]
    assert last.startswith(f"ImportError: '{package}' is {replaced}, which is not driftstream's")
    assert f"but of other-{package} 0.1.11" in last
    assert f"pip uninstall other-{package}." in last
    assert f"pip install --force-reinstall --no-deps file://{wheel}" in last

    code, words = run(environment, "driftstream", "--help")
    assert code == 1
    assert words.startswith(f"driftstream: '{package}' is {replaced}")
    assert len(words.splitlines()) == 1

    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            environment / "bin" / "python",
            "uninstall",
            "--quiet",
            "--yes",
            f"other-{package}",
        ],
        check=True,
        capture_output=True,
    )
    code, words = run(environment, "driftstream", "--help")
    assert code == 1
    assert f"{replaced} is not there: driftstream is not whole. Install it again" in words


def test_one_that_was_there_before_does_no_harm(
    environment: Path, wheel: Path, tmp_path: Path
) -> None:
    install(environment, other_wheel(tmp_path, "detectors"))
    install(environment, wheel)
    assert run(environment, "python", "-c", "import driftstream") == (0, "")


def test_a_file_of_the_users_own_is_named(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "stream.py").write_text("print('mine')\n")
    code, words = run(bare, "python", "-c", "import driftstream", folder=tmp_path)
    assert code == 1
    assert (
        f"'stream' is {tmp_path / 'stream.py'}, which is not driftstream's; no installed" in words
    )
    assert "rename it, or start Python where it is not" in words
    assert run(bare, "python", "-P", "-c", "import driftstream", folder=tmp_path)[0] == 0


def test_a_module_made_by_hand_is_no_package_of_ours() -> None:
    code = (
        "import sys, types; sys.modules['stream'] = types.ModuleType('stream'); import driftstream"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "'stream' is <stream>, which is not driftstream's" in done.stderr
