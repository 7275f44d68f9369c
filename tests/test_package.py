"""The wheel: built, installed and started away from the clone."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent
READY = re.compile(r"ready on (http://127\.0\.0\.1:\d+)")


@pytest.fixture
def tmp_path() -> Generator[Path, None, None]:
    """A folder of its own: another run of pytest closes those above pytest's own, also to the server."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True, check=False, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed command, in an environment that has our dependencies and not the clone."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = Path(subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    installed = subprocess.run(
        [*install, "--disable-pip-version-check", str(wheel)], capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return folder / "bin" / "wallet-service"


@pytest.mark.wheel
def test_every_sql_file_is_in_the_wheel(wheel: Path) -> None:
    in_clone = {str(path.relative_to(ROOT)) for path in (ROOT / "wallet_service").rglob("*.sql")}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name for name in archive.namelist() if name.endswith(".sql")}
        licences = [name for name in archive.namelist() if name.endswith("/LICENSE")]
    assert len(in_clone) > 1
    assert in_wheel == in_clone
    assert licences


@pytest.mark.wheel
def test_the_installed_command_serves_from_another_folder(command: Path, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("WALLET_", "PYTHON"))},
        "WALLET_PORT": "0",
        "WALLET_DATA_DIR": str(tmp_path / "data"),
    }
    source = [str(command.parent / "python"), "-c", "import wallet_service; print(wallet_service.__file__)"]
    imported = subprocess.run(
        source, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(imported.stdout.strip()).is_relative_to(command.parent.parent)
    with subprocess.Popen(
        [str(command), "serve"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as service:
        assert service.stdout is not None
        printed = ""
        try:
            for line in service.stdout:
                printed += line
                if line.startswith("Ctrl-C"):
                    break
            found = READY.search(printed)
            assert found is not None, printed
            assert httpx.get(f"{found[1]}/health/ready").status_code == 200
        finally:
            service.send_signal(signal.SIGINT)
            rest, _ = service.communicate(timeout=60)
        assert service.returncode == 0, printed + rest
