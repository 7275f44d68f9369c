"""The SQL functions of rules."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created


class RuleRepository:
    """Reads and changes rules. Who may see their book is decided before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, rule_id: str, client_id: str, key: str | None, request_hash: str, rule: Mapping[str, Any]
    ) -> Created:
        """Create a rule, once for each key.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
            LabelNotFound, WalletNotFound: it names what the book does not have.
            RuleLimit: the book has as many as it may have.
        """
        answer = await self._database.repeat(
            "create_rule",
            rule_id=rule_id,
            client_id=client_id,
            key=key,
            request_hash=request_hash,
            rule=Json.of(rule),
            caller=caller_param(),
        )
        return Created.of(answer, "rule")

    async def get(self, rule_id: str) -> bytes:
        """A rule as JSON.

        Raises:
            RuleNotFound: there is none.
        """
        return await self._database.read("get_rule", rule_id=rule_id)

    async def page(
        self, book_id: str, active: bool | None, after: int | None, limit: int
    ) -> tuple[bytes, int | None]:
        """A page of the rules of a book in their order: JSON, and the place to continue after; None at the end."""
        answer = await self._database.read(
            "list_rules", book_id=book_id, active=active, after=after, limit=limit
        )
        items, _, following = answer.rpartition(b"\n")
        return items, int(following) if following else None

    async def replace(
        self, rule_id: str, book_id: str, version: int | None, rule: Mapping[str, Any]
    ) -> bytes:
        """Replace a rule, if it has this version (None: any), and return it.

        Raises:
            VersionMismatch: it has another one.
            RuleNotFound, LabelNotFound, WalletNotFound: it, or what it names, is not of the book.
        """
        return await self._database.call(
            "replace_rule",
            rule_id=rule_id,
            book_id=book_id,
            version=version,
            rule=Json.of(rule),
            caller=caller_param(),
        )

    async def delete(self, rule_id: str, book_id: str, version: int | None) -> None:
        """Delete a rule, if it has this version (None: any).

        Raises:
            VersionMismatch, RuleNotFound: as ``replace``.
        """
        await self._database.call(
            "delete_rule", rule_id=rule_id, book_id=book_id, version=version, caller=caller_param()
        )

    async def order(self, book_id: str, rule_ids: Sequence[str]) -> bytes:
        """Put the rules of a book into this order, and return it.

        Raises:
            RulesChanged: these are not all rules of the book, each once.
        """
        return await self._database.repeat(
            "order_rules", book_id=book_id, rule_ids=Json.of(list(rule_ids)), caller=caller_param()
        )

    async def check(self, book_id: str, rule: Mapping[str, Any], under: Sequence[str]) -> Mapping[str, Any]:
        """The labels that stand for others, for a rule that is only tried.

        Raises:
            LabelNotFound, WalletNotFound: it names what the book does not have.
        """
        answer = await self._database.read(
            "read_rule_links", book_id=book_id, rule=Json.of(rule), under=Json.of(list(under))
        )
        return json.loads(answer)


class RuledEntries:
    """Reads entries for rules, and writes what these make of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rules(self, book_id: str, rule_ids: Sequence[str] | None) -> Mapping[str, Any]:
        """The list of rules of a book: these, or the active ones.

        Raises:
            RuleNotFound: the book has one of them not.
        """
        ids = None if rule_ids is None else Json.of(list(rule_ids))
        return json.loads(await self._database.read("read_rule_list", book_id=book_id, rule_ids=ids))

    async def due(self, book_id: str, known: int | None, limit: int) -> Mapping[str, Any]:
        """Entries to which rules were not applied yet, with the rules where they are not of the version ``known``."""
        return json.loads(
            await self._database.read("read_due_entries", book_id=book_id, known=known, limit=limit)
        )

    async def due_books(self, after: str | None, limit: int) -> tuple[Sequence[str], str | None]:
        """Books with entries that are due, and the id to continue after; None at the end."""
        found = json.loads(await self._database.read("list_due_books", after=after, limit=limit))
        return found["books"], found["next"]

    async def page(
        self, book_id: str, selection: Mapping[str, Any], after: Mapping[str, Any] | None, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], Mapping[str, Any] | None]:
        """A page of entries with their parts, by day, and the place to continue after; None at the end.

        Args:
            book_id: of the book.
            selection: ``wallet_id``, ``from`` and ``to`` (days, half open), each None for any.
            after: the place of the page before.
            limit: the most entries.
        """
        found = json.loads(
            await self._database.read(
                "read_rule_entries",
                book_id=book_id,
                wallet_id=selection["wallet_id"],
                **{"from": selection["from"]},
                to=selection["to"],
                newest=False,
                after=None if after is None else Json.of(after),
                limit=limit,
            )
        )
        return found["entries"], found["next"]

    async def newest(self, book_id: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """The newest entries of a book, oldest first."""
        found = await self._database.read(
            "read_rule_entries",
            book_id=book_id,
            wallet_id=None,
            **{"from": None},
            to=None,
            newest=True,
            after=None,
            limit=limit,
        )
        return json.loads(found)["entries"]

    async def write(
        self,
        book_id: str,
        known: int,
        entries: Sequence[Mapping[str, Any]],
        progress: Sequence[Mapping[str, Any]] | None,
        run_id: str,
    ) -> bool:
        """Write entries that rules changed, and how far rules are applied; False if what was read has changed since.

        Raises:
            WalletBusy: another session has the book locked for too long.
            LabelNotFound: a label of a rule was deleted.
        """
        answer = await self._database.call(
            "write_ruled_parts",
            book_id=book_id,
            known=known,
            entries=Json.of(list(entries)),
            progress=None if progress is None else Json.of(list(progress)),
            run_id=run_id,
            caller=caller_param(),
        )
        return json.loads(answer)["written"] is not None
