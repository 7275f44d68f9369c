"""The server's user and its private folders. Real files, real users."""

import os
from pathlib import Path

import pytest

from wallet_service.platform.embedded_postgres import access
from wallet_service.platform.embedded_postgres.access import (
    EmbeddedError,
    ServerUser,
    private_folder,
    server_user,
)

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as another user"),
]

SERVER = ServerUser(64001, 64001)


def test_root_without_useradd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SYSTEM_USER", "wallet-no-such-user")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(EmbeddedError, match="there is no useradd"):
        server_user()


def test_a_private_folder_is_created_and_closed_again(tmp_path: Path) -> None:
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
