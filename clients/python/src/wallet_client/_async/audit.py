"""The audit trail: who changed what, and who read another person's data."""

from typing import TYPE_CHECKING

from wallet_client._async.pages import AsyncPages
from wallet_client._async.runner import AsyncRunner
from wallet_client._call import PAGE_SIZE, Call, Moment, get_call, moment
from wallet_client._responses import audit_entries_of

if TYPE_CHECKING:
    from wallet_client.models import AuditEntry, Page


class AsyncAuditResource:
    """``client.audit``: needs the permission ``audit:read``. The service records each read of it."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    def list(
        self,
        *,
        actor: str | None = None,
        client_id: str | None = None,
        action: str | None = None,
        object_id: str | None = None,
        user_id: str | None = None,
        request_id: str | None = None,
        from_: Moment | None = None,
        to: Moment | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "AsyncPages[AuditEntry]":
        """The entries that match all filters, newest first.

        Args:
            actor: who made the change or read, such as ``client:backoffice``, ``user:ada`` or ``command:root``.
            client_id: the client that called.
            action: the type of the change or read, such as ``wallet.updated`` or ``wallet.read``.
            object_id: what was changed or read, such as the id of a wallet or key.
            user_id: whose data it is.
            request_id: of the request, as in ``X-Request-Id``.
            from_: entries of this moment or later, with a time zone.
            to: entries before this moment, with a time zone.
            page_size: items per request, 1 to 100.

        Raises:
            TypeError, ValueError: an argument can't be sent.
        """
        filters = {
            "actor": actor,
            "client_id": client_id,
            "action": action,
            "object_id": object_id,
            "user_id": user_id,
            "request_id": request_id,
            "from": moment(from_, "from_"),
            "to": moment(to, "to"),
        }

        def page_after(cursor: str | None) -> "Call[Page[AuditEntry]]":
            query = filters | {"limit": page_size, "cursor": cursor}
            return get_call("list_audit_entries", "/audit", audit_entries_of, query)

        return AsyncPages(self._runner, page_after)
