"""Records reads of other persons' data by callers with the rights of the operator.

The record is a call of its own, made after the read succeeded and before its response is sent. So reads stay functions
that change nothing, and those of other callers cost nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from wallet_service.core.room import RecordedRead, Room
from wallet_service.platform.changes.metrics import ReadMetrics
from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database

EVERY_OBJECT = "*"
"""The object of a read that is about all."""

_PERSONS = ("wallet_id", "transaction_id", "user_id")
"""Members of a path that say whose data are read."""


def read_concerns(request: Request, *, wallet_id: str | None = None, user_id: str | None = None) -> None:
    """Name the wallet or the user whose data a read returns, for routes whose path names something else, such as a grant.

    Args:
        request: the read.
        wallet_id: the wallet.
        user_id: or the user.
    """
    request.state.read_concerns = {
        name: value for name, value in (("wallet_id", wallet_id), ("user_id", user_id)) if value is not None
    }


class ReadRecorder:
    """Records the reads that rooms declare.

    Args:
        database: has the audit trail.
        rooms: declare the reads, by the names of their routes.
        metrics: counts them.
    """

    def __init__(self, database: Database, rooms: Iterable[Room], metrics: ReadMetrics | None = None) -> None:
        self._database = database
        self._metrics = metrics or ReadMetrics()
        self.reads: Mapping[str, RecordedRead] = {
            name: read for room in rooms for name, read in room.recorded_reads.items()
        }

    def due(self, route: str, scope: Scope) -> RecordedRead | None:
        """The read that a request is, if it is one of those that are recorded.

        Args:
            route: the name of the route.
            scope: of the request, whose caller is authenticated.
        """
        read = self.reads.get(route)
        return read if read and (read.by_all or scope["state"]["principal"].is_operator) else None

    async def record(self, read: RecordedRead, scope: Scope) -> None:
        """Record a read that succeeded.

        Args:
            read: as ``due`` returned it.
            scope: of the request.

        Raises:
            Unavailable: it can't be recorded now.
        """
        params: Mapping[str, Any] = scope["path_params"]
        found = {name: str(params[name]) for name in _PERSONS if name in params}
        found |= scope["state"].get("read_concerns", {})
        *_, object_id = None, *map(str, params.values())  # the last: what lies deepest
        await record_read(self._database, read.action, object_id=object_id, **found)
        self._metrics.recorded(read.action)


async def record_read(
    database: Database,
    action: str,
    *,
    object_id: str | None = None,
    wallet_id: str | None = None,
    transaction_id: str | None = None,
    user_id: str | None = None,
) -> None:
    """Record that the current caller read data of others.

    Args:
        database: has the audit trail.
        action: of the object and ``read``: ``wallet.read``.
        object_id: what was read, if it is not one of the next.
        wallet_id: the wallet that was read, or whose data it was.
        transaction_id: or the transaction.
        user_id: or the user whose data were read; without any of them, it was about all.

    Raises:
        Unavailable: it can't be recorded now.
    """
    await database.repeat(
        "record_privileged_read",
        action=action,
        object_id=object_id or wallet_id or transaction_id or user_id or EVERY_OBJECT,
        wallet_id=wallet_id,
        transaction_id=transaction_id,
        user_id=user_id,
        caller=caller_param(),
    )
