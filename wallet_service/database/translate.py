# asyncpg ships no type information.
# pyright: reportMissingTypeStubs=false
"""What went wrong in Postgres, in the service's terms. The one place where SQLSTATEs are known to Python."""

import json

import asyncpg

from wallet_service.errors import InternalError, Unavailable, WalletBusy, WalletError, error_of

REFUSED = "WL001"
"""A function refused: the message is the code of the refusal, the detail its facts as JSON."""

_BUSY = frozenset({"55P03", "40P01"})
"""A lock that was not to be had in time, or only by ending somebody else's wait: nothing was done."""
_NOT_MIGRATED = frozenset({"42883", "3F000", "42P01"})
"""No such function, schema or table."""

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
    """The refusal to raise for what asyncpg raised; chain it with ``from``.

    Nothing of the error's own text gets into it: Postgres names values and rows there.

    Args:
        error: what asyncpg raised.
        connection_lost: whether the connection is closed; tells a lost one from a wrong use.
    """
    if isinstance(error, asyncpg.PostgresError):
        return _of_sqlstate(error)
    if isinstance(error, OSError):  # also TimeoutError
        return Unavailable()
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError) and connection_lost:
        return Unavailable()
    return InternalError()


class PostgresFault(Exception):
    """What Postgres said, for the log: without the DETAIL, which holds values of rows."""


def loggable(error: Exception) -> Exception:
    """The cause to chain to a refusal: asyncpg's own exception prints whole rows into a log."""
    if not isinstance(error, asyncpg.PostgresError):
        return error
    # A data exception quotes the value that it could not read.
    message = "" if str(error.sqlstate).startswith("22") else f": {error.args[0]}"
    return PostgresFault(f"{type(error).__name__}, SQLSTATE {error.sqlstate}{message}")


def _of_sqlstate(error: asyncpg.PostgresError) -> WalletError:
    state = str(error.sqlstate)
    if state == REFUSED:
        return error_of(str(error.args[0]), **json.loads(error.detail or "{}"))
    if state in _BUSY:
        return WalletBusy()
    if state in _NOT_MIGRATED:
        return Unavailable("The database lacks a function of this release: run wallet-service migrate")
    if state in _UNAVAILABLE or state[:2] in _UNAVAILABLE_CLASSES:
        return Unavailable()
    return InternalError()
