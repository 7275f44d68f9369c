# asyncpg ships no type information.
# pyright: reportMissingTypeStubs=false
"""What went wrong in Postgres, in the service's terms. The one place where SQLSTATEs are known to Python."""

import json
import re
from collections.abc import Mapping

import asyncpg

from wallet_service.core.errors import (
    InternalError,
    Overloaded,
    Unavailable,
    WalletBusy,
    WalletError,
    error_of,
)

REFUSED = "WL001"
"""A function refused: the message is the code of the refusal, the detail its facts as JSON."""

_BUSY = frozenset({"55P03", "40P01"})
"""A lock that was not to be had in time, or only by ending somebody else's wait: nothing was done."""
NOT_IN_CACHE = "PGRST202"
"""PostgREST has not seen such a function: there is none, or it is newer than what PostgREST has read."""
_NOT_MIGRATED = frozenset({"42883", "3F000", "42P01", NOT_IN_CACHE})
"""No such function, schema or table."""
_FORBIDDEN = "42501"
_KEY_REFUSED = frozenset({401, 403})
_HINTS: Mapping[str | int, str] = {
    "PGRST106": "The API does not expose schema wallet_api: add it to the exposed schemas",
    **dict.fromkeys(_KEY_REFUSED, "The API refuses the service's key: check SUPABASE_SERVICE_ROLE_KEY"),
    **dict.fromkeys(
        (301, 302, 303, 307, 308, 404, 405), "There is no Supabase API there: check SUPABASE_URL"
    ),
}
"""What to look at, by PostgREST's code or the status of HTTP."""
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_MAY_HAVE_HAPPENED = frozenset({402, 408, 425, 499})
"""Said by a gateway of itself: that it gave up, or is closed to the project for now."""
_ENDS_THE_SESSION = frozenset({"FATAL", "PANIC"})
_SQLSTATE = re.compile("[0-9A-Z]{5}")

_UNAVAILABLE = frozenset(
    {
        "57014",  # query_canceled: a statement timeout, or the cancel request after ours
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
        "57P05",  # idle_session_timeout
        "25006",  # read_only_sql_transaction: a former primary after a failover
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
    """The refusal to raise for what a driver met; chain it with ``from``.

    Nothing of the error's own text gets into it: Postgres names values and rows there.

    Args:
        error: what asyncpg, or the driver of Supabase, raised.
        connection_lost: whether the connection is closed; tells a lost one from a wrong use.
    """
    if isinstance(error, asyncpg.PostgresError):
        refusal = _of_sqlstate(str(error.sqlstate), str(error.args[0]), error.detail)
        # The session is over; a pooler says so under the state of an internal error.
        ended = getattr(error, "severity_en", None) in _ENDS_THE_SESSION
        return Unavailable() if ended and isinstance(refusal, InternalError) else refusal
    if isinstance(error, RestError):
        return _of_rest(error)
    if isinstance(error, OSError | NoAnswerError):  # also TimeoutError
        return Unavailable()
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError) and connection_lost:
        return Unavailable()
    return InternalError()


class RestError(Exception):
    """A refusal of a REST API, or of what stands before it.

    Attributes:
        status: of HTTP.
        code: a SQLSTATE, or a code of PostgREST's own; None from a gateway.
        message: what Postgres, PostgREST or a gateway says; values of rows may be in it.
        details: the DETAIL of an error in Postgres: only our own refusals' may be looked at.
    """

    def __init__(self, status: int, code: str | None, message: str, details: str | None) -> None:
        super().__init__(f"HTTP {status}, code {code}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details


class NoAnswerError(Exception):
    """Success was claimed, and what came is not the answer of a function."""


class PostgresFault(Exception):
    """What Postgres said, for the log: without the DETAIL, which holds values of rows."""


def loggable(error: Exception) -> Exception:
    """The cause to chain to a refusal: a driver's own exception prints whole rows into a log."""
    if isinstance(error, RestError):
        return _fault(error, error.code or "", error.message)
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate)
        return _fault(f"{type(error).__name__}, SQLSTATE {state}", state, error.args[0])
    return error


def _fault(what: object, state: str, message: str) -> PostgresFault:
    # A data exception quotes the value that it could not read.
    return PostgresFault(f"{what}" if state.startswith("22") or not message else f"{what}: {message}")


def _of_rest(error: RestError) -> WalletError:
    """By the code where Postgres or PostgREST gave one, else by the status that a gateway gave."""
    if error.code == NOT_IN_CACHE or (error.code is not None and _SQLSTATE.fullmatch(error.code)):
        return _of_sqlstate(error.code, error.message, error.details)
    if error.status == _TOO_MANY_REQUESTS:
        return Overloaded("The database's API takes no more requests now")
    hint = _HINTS.get(error.code or "") or _HINTS.get(error.status)
    if error.status in _KEY_REFUSED and not error.code and not error.message:
        # Not from who checks keys: a firewall, which may dislike one body. The other units go without it.
        return InternalError()
    if hint is not None:
        return Unavailable(hint, passing=False)
    if error.status >= _SERVER_ERROR or error.status in _MAY_HAVE_HAPPENED:
        return Unavailable()
    return InternalError()


def _of_sqlstate(state: str, message: str, detail: str | None) -> WalletError:
    if state == REFUSED:
        return _of_refusal(message, detail or "{}")
    if state in _BUSY:
        return WalletBusy()
    if state in _NOT_MIGRATED:
        return Unavailable(
            "The database lacks a function of this release: run wallet-service migrate", passing=False
        )
    if state == _FORBIDDEN:
        return Unavailable(
            "The service's login may not call this function: run wallet-service migrate, check the key",
            passing=False,
        )
    if state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_CLASSES:
        return Unavailable()
    return InternalError()


def _of_refusal(code: str, facts: str) -> WalletError:
    try:
        return error_of(code, **json.loads(facts))
    except (ValueError, TypeError):  # not ours, whatever its state: its DETAIL may be a row
        return InternalError()
