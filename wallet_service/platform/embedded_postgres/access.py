"""Whom the bundled server runs as, and how that one user reaches its files with no door opened to others."""

import contextlib
import errno
import os
import pwd
import shutil
import stat
import struct
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

SYSTEM_USER = "wallet-postgres"

READ, SEARCH = 4, 1

# POSIX ACLs as Linux keeps them: a version, then entries of tag, permissions, id (linux/posix_acl_xattr.h).
_ACL = "system.posix_acl_access"
_ACL_VERSION = struct.pack("<I", 2)
_ACL_ENTRY = struct.Struct("<HHI")
_OWNER, _USER, _GROUP_OWNER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NO_ID = 0xFFFFFFFF


class EmbeddedError(Exception):
    """The bundled server can't be started, reached or stopped; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Whom the server runs as."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether it is not the user of this process: only as root, as which PostgreSQL refuses to run."""
        return self.uid != os.geteuid()

    def popen_arguments(self) -> dict[str, Any]:
        """What makes ``subprocess`` start a program as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}


def server_user() -> ServerUser:
    """The user of this process, or as root the system user of the server, made when it is missing.

    Raises:
        EmbeddedError: the system user can't be made.
    """
    if os.geteuid() != 0:
        return ServerUser(os.geteuid(), os.getegid())
    entry = _system_user() or _make_system_user()
    return ServerUser(entry.pw_uid, entry.pw_gid)


def _system_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None


def _make_system_user() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and there is no useradd to make the user {SYSTEM_USER}: "
            "make it, start the service as another user, or set WALLET_DATABASE_URL"
        )
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # fixed words
    for _ in range(50):  # another process may be making the same user: useradd then fails at once
        if entry := _system_user():
            return entry
        time.sleep(0.1)
    raise EmbeddedError(f"The system user {SYSTEM_USER} can't be made: {made.stderr.strip()}")


def private_folder(folder: Path, user: ServerUser) -> None:
    """Make a folder that only this user (and root) may enter, or check that this one is such a folder.

    Raises:
        EmbeddedError: something else is at this path, or a folder of somebody else.
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


def let_enter(user: ServerUser, folder: Path) -> None:
    """Let the user pass through this folder and those above it, and do nothing else with them.

    Raises:
        EmbeddedError: a folder is closed and its file system keeps no access control lists.
    """
    if user.is_other:
        for step in reversed([folder, *folder.parents]):
            _let(user, step, SEARCH)


def let_read(user: ServerUser, tree: Path) -> None:
    """Let the user reach this folder, and read and run what is in it.

    Raises:
        EmbeddedError: as ``let_enter``.
    """
    if not user.is_other:
        return
    let_enter(user, tree)
    for folder, _, files in os.walk(tree):
        _let(user, Path(folder), READ | SEARCH)
        for name in files:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                _let(user, path, READ | (SEARCH if mode & stat.S_IXUSR else 0))


class _Entry(NamedTuple):
    tag: int
    permissions: int
    id: int


def _let(user: ServerUser, path: Path, permissions: int) -> None:
    try:
        with _opened(path) as handle:
            status = os.fstat(handle)
            entries = _entries(handle, status.st_mode)
            present = _permissions(entries, user, status)
            if present & permissions != permissions:
                _write(handle, _with(entries, user.uid, present | permissions))
    except OSError as error:
        if error.errno not in {errno.ENOTSUP, errno.EPERM, errno.EROFS, errno.EACCES}:
            raise
        raise EmbeddedError(
            f"{path} is closed to the user {SYSTEM_USER}, as whom PostgreSQL runs, and no entry for it can "
            f"be added to its access control list ({error.strerror}): use another place for the data or the "
            "installation, start the service as another user, or set WALLET_DATABASE_URL"
        ) from error


@contextlib.contextmanager
def _opened(path: Path) -> Generator[int, None, None]:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        yield handle
    finally:
        os.close(handle)


def _entries(handle: int, mode: int) -> list[_Entry]:
    try:
        kept = os.getxattr(handle, _ACL)
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.ENOTSUP}:
            raise
        bits = ((_OWNER, mode >> 6), (_GROUP_OWNER, mode >> 3), (_OTHER, mode))
        return [_Entry(tag, shifted & 7, _NO_ID) for tag, shifted in bits]
    return [_Entry(*fields) for fields in _ACL_ENTRY.iter_unpack(kept[len(_ACL_VERSION) :])]


def _permissions(entries: list[_Entry], user: ServerUser, status: os.stat_result) -> int:
    """What the user may do, by the order that POSIX gives: owner, named user, groups, others."""
    mask = next((entry.permissions for entry in entries if entry.tag == _MASK), 7)
    if status.st_uid == user.uid:
        return next(entry.permissions for entry in entries if entry.tag == _OWNER)
    for entry in entries:
        if entry.tag == _USER and entry.id == user.uid:
            return entry.permissions & mask
    groups = [
        entry.permissions & mask
        for entry in entries
        if (entry.tag == _GROUP_OWNER and status.st_gid == user.gid)
        or (entry.tag == _GROUP and entry.id == user.gid)
    ]
    return max(groups) if groups else next(entry.permissions for entry in entries if entry.tag == _OTHER)


def _with(entries: list[_Entry], uid: int, permissions: int) -> list[_Entry]:
    """The same entries and one more for this user; nobody else gains anything by the wider mask."""
    mask = next((entry.permissions for entry in entries if entry.tag == _MASK), 7)
    changed = [_Entry(_USER, permissions, uid)]
    changed += [
        _Entry(entry.tag, entry.permissions & mask, entry.id)
        for entry in entries
        if entry.tag in {_USER, _GROUP_OWNER, _GROUP} and (entry.tag, entry.id) != (_USER, uid)
    ]
    widest = 0
    for entry in changed:
        widest |= entry.permissions
    kept = [entry for entry in entries if entry.tag in {_OWNER, _OTHER}]
    return sorted([*kept, *changed, _Entry(_MASK, widest, _NO_ID)], key=lambda entry: (entry.tag, entry.id))


def _write(handle: int, entries: list[_Entry]) -> None:
    os.setxattr(handle, _ACL, _ACL_VERSION + b"".join(_ACL_ENTRY.pack(*entry) for entry in entries))
