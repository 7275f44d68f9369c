# asyncpg ships no type information.
# pyright: reportMissingTypeStubs=false
"""Translates errors of the drivers into problems. The only place in Python that knows SQLSTATEs."""

import json
import re
from collections.abc import Mapping

import asyncpg

from wallet_service.core.errors import (
    InternalError,
    Unavailable,
    WalletBusy,
    WalletError,
    error_of,
)
from wallet_service.platform.database.hosts import NoPrimaryError

REFUSED = "WL001"
"""A function refused the call: the message is the problem's code, the detail its facts as JSON."""

_BUSY = frozenset({"55P03", "40P01"})
"""A lock was not free in time, or there was a deadlock. Nothing was done."""
NOT_IN_CACHE = "PGRST202"
"""PostgREST does not know the function: it does not exist, or is newer than the schema that PostgREST has loaded."""
_CONFIGURATION: Mapping[str, str] = {
    # No such function, schema or table.
    **dict.fromkeys(
        ("42883", "3F000", "42P01", NOT_IN_CACHE),
        "The database lacks a function of this release: run wallet-service migrate",
    ),
    "42501": "The service's login may not call this function: run wallet-service migrate, check the key",
}
"""The detail of the problem, by SQLSTATE, where an operator has to act."""
_KEY_REFUSED = frozenset({401, 403})
_HINTS: Mapping[str | int, str] = {
    "PGRST106": "The API does not expose schema wallet_api: add it to the exposed schemas",
    **dict.fromkeys(_KEY_REFUSED, "The API refuses the service's key: check SUPABASE_SERVICE_ROLE_KEY"),
    **dict.fromkeys(
        (301, 302, 303, 307, 308, 404, 405), "There is no Supabase API there: check SUPABASE_URL"
    ),
}
"""The detail of the problem, by PostgREST's code or the HTTP status."""
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_MAY_HAVE_HAPPENED = frozenset({402, 408, 425, 499})
"""Statuses of a gateway that timed out, or does not serve the project at present."""
READ_ONLY = "25006"
"""The server accepts no writes: it is a standby, was the primary before a failover, or is set to read-only."""
_ENDS_THE_SESSION = frozenset({"FATAL", "PANIC"})
_SQLSTATE = re.compile("[0-9A-Z]{5}")

_UNAVAILABLE = frozenset(
    {
        "57014",  # query_canceled: a statement timeout, or the cancel request after ours
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P05",  # idle_session_timeout
        "3D000",  # no such database
    }
)
_UNAVAILABLE_CLASSES = frozenset(
    {
        "08",  # connection lost or not made
        "28",  # login refused
        "53",  # too many connections, out of memory, disk full
        "58",  # the server's own system calls
    }
)


def translate(error: Exception, *, connection_lost: bool = False) -> WalletError:
    """The problem to raise for an error of a driver; chain it with ``from``.

    It has nothing of the error's own text, in which PostgreSQL quotes values and rows.

    Args:
        error: raised by asyncpg or the Supabase driver.
        connection_lost: whether the connection is closed; if not, asyncpg was used wrongly.
    """
    if isinstance(error, asyncpg.PostgresError):
        refusal = _of_sqlstate(str(error.sqlstate), str(error.args[0]), error.detail)
        # The session has ended; a pooler reports that with the SQLSTATE of an internal error.
        ended = getattr(error, "severity_en", None) in _ENDS_THE_SESSION
        return Unavailable() if ended and isinstance(refusal, InternalError) else refusal
    if isinstance(error, RestError):
        return _of_rest(error)
    if isinstance(error, OSError | NoResultError | NotReplicatedError):  # also TimeoutError
        return Unavailable(
            _DETAILS_OF.get(type(error)), is_temporary=not isinstance(error, NotReplicatedError)
        )
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError) and connection_lost:
        return Unavailable()
    return InternalError()


def is_answer(error: Exception) -> bool:
    """Whether the error is the server's answer to a statement, after which its session can be used again."""
    if not isinstance(error, asyncpg.PostgresError) or error.sqlstate == READ_ONLY:
        return False
    return getattr(error, "severity_en", None) == "ERROR"


class NotReplicatedError(Exception):
    """The call was not sent: too many earlier ones wait for a standby to confirm them."""


class RestError(Exception):
    """A refusal of the REST API, or of a gateway before it.

    Attributes:
        status: the HTTP status.
        code: a SQLSTATE, or a code of PostgREST; None from a gateway.
        message: of PostgreSQL, PostgREST or a gateway; it may have values of rows.
        details: the DETAIL of an error of PostgreSQL; only that of our own refusals may be used.
    """

    def __init__(self, status: int, code: str | None, message: str, details: str | None) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details


class NoResultError(Exception):
    """The response has a status of success, but not the result of a function."""


_DETAILS_OF: Mapping[type[Exception], str] = {
    NoPrimaryError: "No server of the database accepts writes at present",
    NotReplicatedError: "The database's standby confirms no writes at present",
}


class PostgresFault(Exception):
    """An error of PostgreSQL for the log, without the DETAIL, which has values of rows."""


def loggable(error: Exception) -> Exception:
    """The cause to chain to a problem. The driver's own exception would print whole rows into the log."""
    if isinstance(error, RestError):
        return _fault(error, error.code or "", error.message)
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate)
        return _fault(f"{type(error).__name__}, SQLSTATE {state}", state, error.args[0])
    return error


def _fault(what: object, state: str, message: str) -> PostgresFault:
    # The message of a data exception quotes the value.
    return PostgresFault(f"{what}" if state.startswith("22") or not message else f"{what}: {message}")


def _of_rest(error: RestError) -> WalletError:
    """By the code of PostgreSQL or PostgREST if there is one, else by the HTTP status."""
    if error.code == NOT_IN_CACHE or (error.code is not None and _SQLSTATE.fullmatch(error.code)):
        return _of_sqlstate(error.code, error.message, error.details)
    if error.status == _TOO_MANY_REQUESTS:
        # A gateway may have passed the request on, and its answer may be to another attempt of its own.
        return Unavailable("The database's API accepts no more requests at present", is_temporary=False)
    hint = _HINTS.get(error.code or "") or _HINTS.get(error.status)
    if error.status in _KEY_REFUSED and not error.code and not error.message:
        # Not a check of the key, but a firewall, which may refuse one body. The other units are sent without it.
        return InternalError()
    if hint is not None:
        return Unavailable(hint, is_temporary=False)
    if error.status >= _SERVER_ERROR or error.status in _MAY_HAVE_HAPPENED:
        return Unavailable()
    return InternalError()


def _of_sqlstate(state: str, message: str, detail: str | None) -> WalletError:
    if state == REFUSED:
        return _of_refusal(message, detail or "{}")
    if state in _BUSY:
        return WalletBusy()
    if state in _CONFIGURATION:
        return Unavailable(_CONFIGURATION[state], is_temporary=False)
    if state == READ_ONLY:
        return Unavailable("The database accepts no writes at present: its server is read-only")
    if state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_CLASSES:
        return Unavailable()
    return InternalError()


def _of_refusal(code: str, facts: str) -> WalletError:
    try:
        return error_of(code, **json.loads(facts))
    except (ValueError, TypeError):  # not one of our refusals: its DETAIL may be a row
        return InternalError()
