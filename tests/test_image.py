"""The Dockerfile's steps, done in a clean folder by this machine's Python: as an engine would."""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from support.dockerfile import Instruction, instructions, stage
from support.service import serving

ROOT = Path(__file__).parent.parent
MOST_BYTES = 200_000_000
STEP_S = 280


@dataclass(frozen=True)
class Image:
    """A folder in place of the container's root."""

    root: Path

    def inside(self, text: str) -> str:
        """The same with the container's folders in this one."""
        return re.sub(r"(?<![\w/.])/(opt|build|data)\b", rf"{self.root}/\1", text)

    def run(self, instruction: Instruction, folder: Path) -> None:
        words = self.inside(instruction.rest).replace("--no-cache-dir", "")
        environment = {
            "PATH": f"{self.root}/python:{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", "/"),
        }
        done = subprocess.run(
            ["sh", "-c", words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_S,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"

    def copy(self, instruction: Instruction, folder: Path) -> None:
        """COPY from the context, of which .dockerignore has taken away most."""
        *sources, target = instruction.rest.split()
        for source in sources:
            assert in_context(source), source
            destination = folder / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, destination, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                destination = destination / Path(source).name if target.endswith("/") else destination
                destination.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, destination)


def in_context(source: str) -> bool:
    """Whether .dockerignore lets it through."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    return any(
        source == name or source.startswith(f"{name}/") or fnmatch.fnmatch(source, name) for name in kept
    )


@pytest.fixture(scope="module")
def image() -> Generator[Image, None, None]:
    """The stage ``build``, done."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        made = Image(Path(folder))
        made.root.chmod(0o755)  # the bundled server runs as another user
        (made.root / "opt").mkdir()
        (made.root / "python").mkdir()
        (made.root / "python" / "python").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        workdir = made.root
        for step in stage("build"):
            if step.name == "WORKDIR":
                workdir = Path(made.inside(step.rest))
                workdir.mkdir()
            elif step.name == "COPY":
                made.copy(step, workdir)
            elif step.name == "RUN":
                made.run(step, workdir)
        yield made


def size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.wheel
@pytest.mark.timeout(600)  # it fetches every package
@pytest.mark.slow
def test_what_the_image_adds_is_small_and_serves(image: Image) -> None:
    home = image.root / "opt" / "wallet-service"
    assert size(home) < MOST_BYTES
    assert not list(home.rglob("pip"))
    # The traces' exporter is in it, and starts with nothing but the command of the image.
    exporter = [home / "bin" / "python", "-c", "import opentelemetry.exporter.otlp.proto.http"]
    subprocess.run(exporter, check=True, cwd=image.root)
    command = next(
        step.rest for step in instructions() if step.name == "CMD" and "wallet-service" in step.rest
    )
    assert command == '["wallet-service", "serve"]'
    data = image.root / "data"
    data.mkdir()
    with serving(data, command=[str(home / "bin" / "wallet-service")], PYTHONPATH="") as service:
        assert httpx.get(f"{service.url}/health/ready").status_code == 200
        imported = subprocess.run(
            [home / "bin" / "python", "-c", "import wallet_service; print(wallet_service.__file__)"],
            cwd=data,
            capture_output=True,
            text=True,
            check=True,
        )
        assert Path(imported.stdout.strip()).is_relative_to(home)


@pytest.mark.wheel
@pytest.mark.timeout(600)  # it fetches every package
@pytest.mark.slow
def test_the_stand_ins_start_from_their_stage(image: Image) -> None:
    folder = image.root / "build"
    for step in stage("upstreams"):
        if step.name == "COPY":
            image.copy(step, folder)
    started = subprocess.Popen(
        [image.root / "opt" / "build" / "bin" / "python", "tests/support/stand_in.py", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        assert '"url"' in started.stdout.readline()
    finally:
        started.terminate()
        assert started.wait(20) == 0
        started.stdout.close()
