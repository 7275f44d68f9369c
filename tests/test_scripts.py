"""What the scripts prepare, and what they start then."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.stand_in import DEVELOPMENT_PORTS

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A virtual environment with our packages, which says what pip was asked for, and neither installs nor serves."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(
        f"""#!/bin/sh
case "$*" in
  "-m pip install "*) echo "pip $*" >&2 ;;
  "-m pip --version" | "-m wallet_service "*) ;;
  *) exec "{sys.executable}" "$@" ;;
esac
"""
    )
    python.chmod(0o755)
    return tmp_path


def asked(folder: Path, **settings: str) -> list[str]:
    """The list that a command of the service has installed first, if any."""
    done = subprocess.run(
        [ROOT / "scripts" / "wallet-service", "version"],
        env={"PATH": os.environ["PATH"], "WALLET_VENV": str(folder), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Path(line.split()[-1]).stem for line in done.stderr.splitlines() if line.startswith("pip ")]


def test_who_exports_traces_gets_what_that_needs(folder: Path) -> None:
    assert asked(folder) == ["runtime"]
    assert asked(folder, WALLET_TRACING="off") == []
    assert asked(folder, WALLET_TRACING="true") == ["image"]
    assert asked(folder, WALLET_TRACING="1") == []
    assert asked(folder, WALLET_TRACING="") == []  # which has everything of runtime
    stamp = folder / ".stamp-image"
    stamp.write_text(stamp.read_text().replace(" ", " 0"))  # of other requirements
    assert asked(folder) == ["runtime"]


def test_the_stand_ins_answer(folder: Path) -> None:
    """By the line of docs/operations.md, but on a free port: those of development may be taken."""
    page = (ROOT / "docs" / "operations.md").read_text()
    assert "\n```sh\nscripts/stand-ins\n```\n" in page
    assert f"({', '.join(map(str, DEVELOPMENT_PORTS))}; others as arguments)" in page
    started = subprocess.Popen(
        ["scripts/stand-ins", "0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "WALLET_VENV": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        said = next(line for line in started.stdout if line.startswith("{"))
        url = json.loads(said)["url"]
        assert httpx.get(f"{url}/api/v1/accounts/ada").json()["user_id"] == "ada"
        assert httpx.get(f"{url}/api/v1/accounts/unknown-1").status_code == 404
    finally:
        started.terminate()
        assert started.wait(20) == 0
        started.stdout.close()
