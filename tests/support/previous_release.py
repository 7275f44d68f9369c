"""The code of the newest release, from the history of the clone."""

import re
import subprocess
import sys
import tarfile
import venv
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[2]
_DATED = re.compile(r"^## (\d+\.\d+\.\d+) \(\d{4}-\d{2}-\d{2}\)$", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """A release: its version, its commit, the folder of its code, and an interpreter that runs it."""

    version: str
    commit: str
    folder: Path
    python: Path


class NoHistoryError(Exception):
    """The clone lacks the commit of the release."""


def newest_version() -> str:
    """The newest dated version of the changelog."""
    found = _DATED.search((ROOT / "CHANGELOG.md").read_text())
    assert found is not None, "CHANGELOG.md has no release with a date"
    return found[1]


@cache
def newest_release() -> Release:
    """The newest release. Its environment is created once and kept in the virtual environment.

    Raises:
        NoHistoryError: the commit is not in the history, as in a shallow clone.
    """
    version = newest_version()
    found = _git("log", "--format=%H", "-1", f"--grep=^release: {re.escape(version)}$").decode().strip()
    if not found:
        raise NoHistoryError(f"the history has no commit 'release: {version}'")
    folder = Path(sys.prefix) / "releases" / found
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            with tarfile.open(fileobj=BytesIO(_git("archive", found))) as archive:
                archive.extractall(folder, filter="data")
            _make_environment(folder)
            (folder / "complete").touch()
    own = folder / "venv" / "bin" / "python"
    return Release(version, found, folder, own if own.exists() else Path(sys.executable))


def _make_environment(folder: Path) -> None:
    """Create an environment, where the release needs other packages than this code."""
    required = (folder / "requirements" / "runtime.txt").read_text()
    if required == (ROOT / "requirements" / "runtime.txt").read_text():
        return
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--require-hashes",
        "--no-compile",
    ]
    subprocess.run([*install, "-r", str(folder / "requirements" / "runtime.txt")], check=True)


def _git(*arguments: str) -> bytes:
    try:
        result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoHistoryError("this is no clone with a history") from error
    return result.stdout
