"""The user that runs the bundled server, and private folders for it.

PostgreSQL refuses to run as root. As root, the service starts it as the system user ``wallet-postgres``.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wallet_service.core.errors import ReportedError

SYSTEM_USER = "wallet-postgres"


class EmbeddedError(ReportedError):
    """The bundled server can't be started, reached or stopped; the message has the reason and a remedy."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user that runs the server."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether it is not the user of this process: only when this process runs as root."""
        return self.uid != os.geteuid()

    def popen_arguments(self) -> dict[str, Any]:
        """Arguments of ``subprocess`` that start a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}


def server_user() -> ServerUser:
    """The user of this process; as root, the server's system user, created when it is missing.

    Raises:
        EmbeddedError: the system user can't be created.
    """
    if os.geteuid() != 0:
        return ServerUser(os.geteuid(), os.getegid())
    entry = _system_user() or _create_system_user()
    return ServerUser(entry.pw_uid, entry.pw_gid)


def _system_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None


def _create_system_user() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and there is no useradd to create the user {SYSTEM_USER}: "
            "create it, start the service as another user, or set WALLET_DATABASE_URL"
        )
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words
    for _ in range(50):  # useradd fails at once while another process creates the same user
        if entry := _system_user():
            return entry
        time.sleep(0.1)
    raise EmbeddedError(f"The system user {SYSTEM_USER} can't be created: {done.stderr.strip()}")


def private_folder(folder: Path, user: ServerUser) -> None:
    """Create a folder that only this user and root may enter, or check that the existing one is such a folder.

    Raises:
        EmbeddedError: the path is not a folder, or the folder belongs to another user.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise EmbeddedError(f"{folder} should be a folder of this service: {error.strerror}") from error
    try:
        owner = os.fstat(handle).st_uid
        if owner not in {user.uid, os.geteuid()}:
            raise EmbeddedError(f"{folder} belongs to another user (uid {owner})")
        if owner != user.uid:
            os.fchown(handle, user.uid, user.gid)
        os.fchmod(handle, 0o700)
    finally:
        os.close(handle)
