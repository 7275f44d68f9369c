"""The SQL functions of labels."""

from collections.abc import Mapping
from typing import Any, Literal

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created

Kind = Literal["category", "payee", "tag"]


class LabelRepository:
    """Reads and changes labels of one kind. Who may see their book is decided before.

    Args:
        database: has them.
        kind: of the labels.
    """

    def __init__(self, database: Database, kind: Kind) -> None:
        self._database = database
        self.kind: Kind = kind

    async def create(
        self, label_id: str, client_id: str, key: str | None, request_hash: str, label: Mapping[str, Any]
    ) -> Created:
        """Create a label, once for each key.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
            LabelNotFound: the book has no such parent.
            LabelExists, LabelDepth: it can't be there.
        """
        answer = await self._database.repeat(
            "create_label",
            label_id=label_id,
            client_id=client_id,
            key=key,
            request_hash=request_hash,
            label=Json.of({**label, "kind": self.kind}),
            caller=caller_param(),
        )
        return Created.of(answer, "label")

    async def get(self, label_id: str) -> bytes:
        """A label as JSON.

        Raises:
            LabelNotFound: there is none of the kind.
        """
        return await self._database.read("get_label", label_id=label_id, kind=self.kind)

    async def page(
        self, book_id: str, filters: Mapping[str, Any], after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """A page of the labels of a book: JSON, and the id to continue after; None at the end."""
        answer = await self._database.read(
            "list_labels", book_id=book_id, kind=self.kind, **filters, after=after, limit=limit
        )
        items, _, following = answer.rpartition(b"\n")
        return items, following.decode() or None

    async def update(
        self, label_id: str, book_id: str, version: int | None, changes: Mapping[str, Any]
    ) -> bytes:
        """Apply a merge patch, if the label has this version (None: any), and return it.

        Raises:
            VersionMismatch: it has another one.
            LabelFixed, LabelMerged, LabelExists, LabelCycle, LabelDepth, LabelNotFound: it can't be changed so.
        """
        return await self._change("update_label", label_id, book_id, version, changes=Json.of(changes))

    async def delete(self, label_id: str, book_id: str, version: int | None) -> None:
        """Delete a label, if it has this version (None: any).

        Raises:
            LabelFixed, LabelInUse: it can't be deleted.
        """
        await self._change("delete_label", label_id, book_id, version)

    async def merge(self, label_id: str, book_id: str, version: int | None, into: str) -> bytes:
        """Merge a label into another one, and return it, as ``update``."""
        return await self._change("merge_label", label_id, book_id, version, into=into)

    async def unmerge(self, label_id: str, book_id: str, version: int | None) -> bytes:
        """Take a merge back, and return the label, as ``update``."""
        return await self._change("unmerge_label", label_id, book_id, version)

    async def _change(
        self, function: str, label_id: str, book_id: str, version: int | None, **params: Any
    ) -> bytes:
        return await self._database.call(
            function,
            label_id=label_id,
            book_id=book_id,
            kind=self.kind,
            version=version,
            **params,
            caller=caller_param(),
        )
