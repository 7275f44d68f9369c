"""Who makes a call, for the records of what it changes.

A function of the database that changes something takes ``p_caller``, a JSON object with these members, those that are
unknown left out, and passes it to ``platform.record_change``. Repositories take it from ``current_caller()``.
"""

import os
import pwd
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCaller:
    """A caller as the audit trail names it.

    Attributes:
        actor: ``client:<name>``, ``user:<id>``, ``command:<name of the operating system's user>``, or ``job:<job id>``.
        on_behalf_of: the actor that it acts for: of a job its creator, of a key that is restricted to a user that user.
            Only what the service knows itself; what a client claims is not recorded.
        client_id: the owner of idempotency keys.
        address: from which the request comes, behind trusted proxies that of their client.
        session_id: of a user's token.
        user_agent: as the client sent it, cut after 200 characters.
        request_id: as in the log.
    """

    actor: str
    on_behalf_of: str | None = None
    client_id: str | None = None
    address: str | None = None
    session_id: str | None = None
    user_agent: str | None = None
    request_id: str | None = None

    def document(self) -> Mapping[str, str]:
        """The members that are known, for ``p_caller``."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in members.items() if value is not None}


SERVICE = RecordedCaller(actor="service")
"""The service itself, where no caller is known."""


def command_caller() -> RecordedCaller:
    """The user of the operating system that runs this process, for commands.

    It is that of the process, not the one of ``USER`` and ``LOGNAME``, which the user can set.
    """
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:  # in a container, a number without a name
        name = str(number)
    return RecordedCaller(actor=f"command:{name}")


_current: ContextVar[Callable[[], RecordedCaller] | None] = ContextVar("caller", default=None)


def current_caller() -> RecordedCaller:
    """The caller of this task; the service itself if none was set."""
    find = _current.get()
    return SERVICE if find is None else find()


def set_caller(find: Callable[[], RecordedCaller]) -> None:
    """Set the caller of this task and of those that it creates. ``find`` is called only where something changes."""
    _current.set(find)


@contextmanager
def acting_as(caller: RecordedCaller) -> Generator[None]:
    """Make this caller that of what runs inside."""
    token = _current.set(lambda: caller)
    try:
        yield
    finally:
        _current.reset(token)
