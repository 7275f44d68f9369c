"""The embedded server's data folder: lock, passwords, cluster, socket. Blocking: call it in a thread.

As root, the server runs as another user, and a folder above the data may be closed to this user. Its programs are
therefore started inside their folder, which they call ``/proc/self/cwd``: no folder above has to be opened.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from wallet_service.platform.embedded_postgres.access import (
    EmbeddedError,
    ServerUser,
    private_folder,
    server_user,
)
from wallet_service.platform.embedded_postgres.installation import programs_for

SUPERUSER = "postgres"
SERVICE_LOGIN = "wallet_app"
PORT = 5432  # of the socket's name; nothing listens on TCP

_SOCKET_PATH_BYTES = 100  # a socket's path has at most 103 bytes on macOS, 107 on Linux
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
_LOG_BYTES = 10_000_000
_FOLDER_SETTING = "wallet.data_dir"
"""A setting that the server only carries: in the list of processes, it names the server's data folder."""


class EmbeddedInUse(EmbeddedError):
    """Another process has this data folder."""

    def __init__(self, data_dir: Path, owner_pid: int | None) -> None:
        owner = f"process {owner_pid}" if owner_pid else "another process"
        super().__init__(f"The data folder {data_dir} is in use by {owner}")
        self.data_dir = data_dir
        self.owner_pid = owner_pid


class DataFolder:
    """One data folder: ``pg`` (the cluster), ``secrets.json``, ``owner.lock``, ``postgres.log``.

    Attributes:
        path: the folder.
        passwords: by database user.
        socket_dir: the folder of the server's socket: ``pg/socket`` when its path is short and plain enough.
        first_start: whether ``prepare`` created the cluster.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.passwords: dict[str, str] = {}
        self.socket_dir = Path()
        self.first_start = False
        self._user = ServerUser(os.geteuid(), os.getegid())
        self._programs = Path()
        self._lock: int | None = None

    @property
    def cluster(self) -> Path:
        """The folder that PostgreSQL calls its data directory."""
        return self.path / "pg"

    def claim(self) -> None:
        """Lock the folder for this process, before anything in it is changed.

        Raises:
            EmbeddedInUse: another process has the lock.
        """
        if self._lock is None:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path = self.path.resolve()
            self._lock = self._locked()

    def prepare(self) -> None:
        """Lock the folder and create what is missing in it.

        Raises:
            EmbeddedInUse: another process has the lock.
            EmbeddedError: the folder can't be used.
        """
        self.claim()
        self._user = server_user()
        self._programs = programs_for(self._user)
        self._load_passwords()
        self.first_start = not self.cluster.exists()
        if self.first_start:
            self._create_cluster()
        elif (owner := self.cluster.stat().st_uid) != self._user.uid:
            raise EmbeddedError(
                f"{self.cluster} belongs to the user with uid {owner}, and the server would run as uid "
                f"{self._user.uid}: start the service as the user that created the data or, where this is a copy "
                f"without its owners (cp -a keeps them): chown -R {self._user.uid}:{self._user.gid} {self.cluster}"
            )
        self._create_socket_dir()
        self._rotate_log()

    def release(self) -> None:
        """Release the lock. The server must have stopped."""
        if self._lock is not None:
            if self.socket_dir.is_absolute() and self.socket_dir.parent != self.cluster:
                with contextlib.suppress(OSError):  # an empty folder left in /tmp does no harm
                    self.socket_dir.rmdir()
            os.close(self._lock)
            self._lock = None

    def read_running(self) -> None:
        """Read the passwords and the socket folder of the server that another process runs on this folder."""
        self.passwords = json.loads((self.path / "secrets.json").read_text())
        self.socket_dir = Path(json.loads((self.path / "owner.lock").read_text())["socket_dir"])

    def spawn(self, settings: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start the server with these settings, as its own user; it writes its messages to ``postgres.log``."""
        command = [str(self._programs / "postgres"), "-D", self._name_for_the_server(self.cluster)]
        is_inside = self.socket_dir.parent == self.cluster
        for name, value in {
            _FOLDER_SETTING: str(self.path),
            **settings,
            "port": str(PORT),
            "unix_socket_directories": self.socket_dir.name if is_inside else str(self.socket_dir),
        }.items():
            command += ["-c", f"{name}={value}"]
        handle = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen[bytes](
                command,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=handle,
                **self._popen_arguments(self.cluster),
            )
        finally:
            os.close(handle)

    def log_tail(self) -> str:
        """The last lines of the server's log, joined to one line."""
        return " / ".join(self._log.read_text(errors="replace").splitlines()[-5:])

    def leftover_pid(self) -> int | None:
        """The process id of the server that still runs on this folder after its service was killed."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        return pid if self.is_server(pid) else None

    def is_server(self, pid: int) -> bool:
        """Whether this process is the server of this folder, and not another process with a reused id."""
        try:
            if Path("/proc/self").exists():
                line = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            else:
                command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
                shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words
                line = shown.stdout
        except (FileNotFoundError, ProcessLookupError):
            return False
        return "/postgres -D " in line and f" {_FOLDER_SETTING}={self.path} " in line

    def clear_claims(self) -> None:
        """Remove the process id of a dead server from its files: another process may have the same id now.

        The pid file stays: the server finds by it whether processes of the dead server still use its shared
        memory. It gets the id of this process, the parent, which the server knows not to be another server.
        """
        for claim in self.socket_dir.glob(".s.PGSQL.*"):
            claim.unlink()
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(self.cluster / "postmaster.pid", os.O_RDWR | os.O_NOFOLLOW)
            with os.fdopen(handle, "r+") as file:
                lines = file.read().splitlines(keepends=True)
                file.seek(0)
                file.truncate()
                file.writelines([f"{os.getpid()}\n", *lines[1:]])

    @property
    def _log(self) -> Path:
        return self.path / "postgres.log"

    def _name_for_the_server(self, folder: Path) -> str:
        """The name by which a program of the server, started inside this folder, can open it."""
        return "/proc/self/cwd" if self._user.is_other else str(folder)

    def _popen_arguments(self, folder: Path) -> dict[str, Any]:
        """How the server's programs start: as its user, inside this folder, without our environment and Ctrl-C."""
        return {
            "cwd": folder,
            "env": {"LC_ALL": "C", "PATH": os.defpath},
            "start_new_session": True,
            **self._user.popen_arguments(),
        }

    def _locked(self) -> int:
        path = self.path / "owner.lock"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            owner: int | None = None
            with contextlib.suppress(ValueError, KeyError):  # the owner is writing it at this moment
                owner = int(json.loads(path.read_text())["pid"])
            raise EmbeddedInUse(self.path, owner) from None
        return handle

    def _load_passwords(self) -> None:
        path = self.path / "secrets.json"
        if path.exists():
            self.passwords = json.loads(path.read_text())
            return
        if self.cluster.exists():
            raise EmbeddedError(f"{path} is gone, and with it the passwords of the server in {self.cluster}")
        self.passwords = {user: secrets.token_hex(32) for user in (SUPERUSER, SERVICE_LOGIN)}
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(self.passwords, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync(self.path)

    def _create_cluster(self) -> None:
        """Create the cluster under another name and rename it when it is complete: a kill leaves no incomplete one.

        Each attempt has its own name: the initdb of a killed service may still be writing.
        """
        for old in self.path.glob("pg.part-*"):
            shutil.rmtree(old, ignore_errors=True)
        part = self.path / f"pg.part-{secrets.token_hex(4)}"
        private_folder(part, self._user)
        command = [str(self._programs / "initdb"), f"--pgdata={self._name_for_the_server(part)}"]
        command += [
            f"--username={SUPERUSER}",
            "--pwfile=/dev/stdin",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        command += ["--data-checksums", "--locale-provider=builtin", "--locale=C.UTF-8"]
        # A file without a name, which belongs to the server's user: initdb opens it a second time, as /dev/stdin.
        with tempfile.TemporaryFile("w+", dir=self.path) as password:
            os.fchown(password.fileno(), self._user.uid, self._user.gid)
            password.write(self.passwords[SUPERUSER])
            password.seek(0)
            done = subprocess.run(  # noqa: PLW1510, S603  # the exit status is read below; our own program and paths
                command,
                stdin=password,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                **self._popen_arguments(part),
            )
        if done.returncode:
            raise EmbeddedError(f"The data folder {self.cluster} can't be created: {done.stdout.strip()}")
        part.rename(self.cluster)
        _sync(self.path)

    def _create_socket_dir(self) -> None:
        name = f"wallet-{self._user.uid}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
        choices = [self.cluster / "socket"]
        if not self._user.is_other and runtime.is_absolute() and runtime.is_dir():
            choices.append(runtime / name)
        fitting = [choice for choice in choices if _fits_a_socket(choice)]
        folder = fitting[0] if fitting else Path("/tmp", name)  # noqa: S108  # private_folder checks its owner
        private_folder(folder, self._user)
        self.socket_dir = folder
        if self._lock is not None:
            os.truncate(self._lock, 0)
            owner = {"pid": os.getpid(), "socket_dir": str(self.socket_dir)}
            os.pwrite(self._lock, json.dumps(owner).encode(), 0)

    def _rotate_log(self) -> None:
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))


def _fits_a_socket(folder: Path) -> bool:
    """Whether the path of a socket in it is short enough, and has no character that separates hosts in a URL."""
    path = str(folder / f".s.PGSQL.{PORT}.lock")
    return len(path) <= _SOCKET_PATH_BYTES and _PLAIN_PATH.fullmatch(path) is not None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
