"""Access of the server's user: what it needs, and nothing for others. Real files, read by real processes."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from wallet_service.platform.embedded_postgres.access import (
    EmbeddedError,
    ServerUser,
    let_enter,
    let_read,
    private_folder,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives access to another user")

SERVER = ServerUser(64001, 64001)
FRIEND = ServerUser(64002, 64002)
STRANGER = ServerUser(64003, 64003)


def can(user: ServerUser, *test: str | Path) -> bool:
    command = ["test", *map(str, test)]
    return subprocess.run(command, **user.popen_arguments(), check=False).returncode == 0


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    (folder / "tree" / "bin").mkdir(parents=True, mode=0o700)
    for name, mode in {"program": 0o700, "library": 0o600}.items():
        (folder / "tree" / "bin" / name).write_text("")
        (folder / "tree" / "bin" / name).chmod(mode)
    (folder / "secret").write_text("")
    (folder / "secret").chmod(0o600)
    (folder / "tree").chmod(0o700)
    return folder


def test_entering_is_not_reading(closed: Path) -> None:
    assert not can(SERVER, "-x", closed)
    let_enter(SERVER, closed)
    assert can(SERVER, "-x", closed)
    assert not can(SERVER, "-r", closed)
    assert not can(SERVER, "-r", closed / "secret")
    assert not can(STRANGER, "-x", closed)


def test_a_tree_is_read_and_run_by_one_user(closed: Path) -> None:
    let_read(SERVER, closed / "tree")
    let_enter(STRANGER, closed)
    binaries = closed / "tree" / "bin"
    assert can(SERVER, "-x", binaries / "program")
    assert can(SERVER, "-r", binaries / "library")
    assert not can(SERVER, "-x", binaries / "library")
    assert not can(SERVER, "-w", binaries / "program")
    assert not can(SERVER, "-r", closed / "secret")
    assert not can(STRANGER, "-r", binaries / "program")


def test_entries_of_others_stay_as_they_are(closed: Path) -> None:
    let_read(FRIEND, closed / "tree")
    let_enter(SERVER, closed)
    let_read(SERVER, closed / "tree")
    assert can(FRIEND, "-r", closed / "tree" / "bin" / "library")
    closed.chmod(0o700)  # narrows the mask: every entry loses effect
    assert not can(FRIEND, "-x", closed)
    let_enter(SERVER, closed)
    assert can(SERVER, "-x", closed)
    assert not can(FRIEND, "-x", closed)


def test_what_a_group_may_do_is_not_widened(closed: Path) -> None:
    os.chown(closed, 0, STRANGER.gid)
    let_enter(SERVER, closed)
    assert can(SERVER, "-x", closed)
    assert not can(STRANGER, "-x", closed)


def test_an_open_folder_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    for above in (tmp_path, *tmp_path.parents):
        let_enter(SERVER, above)
    let_enter(SERVER, folder)
    with pytest.raises(OSError, match="No data available"):
        os.getxattr(folder, "system.posix_acl_access")


def test_what_the_user_had_by_other_rights_it_keeps(tmp_path: Path) -> None:
    folder = tmp_path / "listed"
    folder.mkdir()
    folder.chmod(0o704)
    let_enter(SERVER, folder)
    assert can(SERVER, "-x", folder)
    assert can(SERVER, "-r", folder)


def test_a_file_system_without_access_control_lists(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "setxattr", refuse)  # no such file system can be mounted everywhere
    with pytest.raises(EmbeddedError, match=f"closed to the user .*{os.strerror(errno.ENOTSUP)}") as refused:
        let_enter(SERVER, closed)
    assert str(closed.parents[0]) in str(refused.value)


def test_a_private_folder_is_made_and_closed_again(tmp_path: Path) -> None:
    folder = tmp_path / "socket"
    private_folder(folder, SERVER)
    folder.chmod(0o777)
    private_folder(folder, SERVER)
    status = folder.stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (SERVER.uid, 0o700)


@pytest.mark.parametrize("plant", ["file", "symlink"])
def test_something_else_in_a_private_folders_place(plant: str, tmp_path: Path) -> None:
    folder = tmp_path / "socket"
    if plant == "file":
        folder.write_text("")
    else:
        folder.symlink_to(tmp_path)
    with pytest.raises(EmbeddedError, match=str(folder)):
        private_folder(folder, SERVER)
