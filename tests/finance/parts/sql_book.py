"""A book with its wallets and parts, called by SQL."""

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg
from support.kernel.harness import Kernel, Op, op

from wallet_service.core.identifiers import new_id

CALLER = json.dumps({"actor": "user:ada", "client_id": "tests"})

Row = dict[str, Any]


class SqlBook:
    """A book of one user. Functions of ``wallet_api`` are called as superuser; amounts of parts are signed."""

    def __init__(self, kernel: Kernel, user: str, book_id: str) -> None:
        self.kernel = kernel
        self.user = user
        self.book_id = book_id

    @classmethod
    async def create(
        cls, kernel: Kernel, *, time_zone: str = "Europe/Berlin", organization: str | None = None
    ) -> "SqlBook":
        user, book_id = f"user-{new_id()}", new_id()
        owner = {"user_id": user} if organization is None else {"organization_id": organization}
        book = owner | {
            "base_currency": "EUR",
            "time_zone": time_zone,
            "month_start_day": 1,
            "week_start": "monday",
            "year_start_month": 1,
        }
        await kernel.value(
            "select wallet_api.create_book($1, 'tests', $2, $3, $4, $5)",
            book_id,
            book_id,
            "00",
            json.dumps(book),
            CALLER,
        )
        return cls(kernel, user, book_id)

    async def wallet(
        self, currency: str = "EUR", *, keeping: str = "mirrored", organization: str | None = None
    ) -> str:
        wallet_id = await self.kernel.wallet("0", currency, user=self.user, keeping=keeping)
        if organization is not None:
            await self.kernel.pool.execute(
                "update wallet.wallets set organization_id = $2 where wallet_id = $1", wallet_id, organization
            )
        return wallet_id

    async def post(self, *operations: Op) -> list[Row]:
        """Posts each, and returns its transaction."""
        outcomes = await self.kernel.all(*operations, atomic=True)
        assert [outcome.status for outcome in outcomes] == ["posted"] * len(operations), outcomes
        return [outcome.transaction for outcome in outcomes]

    async def move(self, wallet_id: str, amount: str, day: str | None = None, **members: Any) -> Row:
        """A deposit or withdrawal of a mirrored wallet; ``day`` is that of Berlin, at noon."""
        kind = "withdraw" if amount.startswith("-") else "deposit"
        if day is not None:
            members["effective_at"] = f"{day}T11:00:00Z"
        return (await self.post(op(kind, wallet_id, amount.lstrip("-"), **members)))[0]

    async def call(self, function: str, *arguments: Any) -> Any:
        """A function of ``wallet_api``; dicts and lists are given as JSON."""
        places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
        given = [json.dumps(each) if isinstance(each, dict | list) else each for each in arguments]
        answer: str = await self.kernel.value(f"select wallet_api.{function}({places})", *given)
        if "\n" in answer:
            page, _, after = answer.partition("\n")
            return json.loads(page), after or None
        return json.loads(answer)

    async def refusal(self, function: str, *arguments: Any) -> tuple[str, dict[str, Any]]:
        """The code and the facts with which a call is refused."""
        try:
            answer = await self.call(function, *arguments)
        except asyncpg.PostgresError as error:
            assert error.sqlstate == "WL001", error
            return str(error), json.loads(error.detail or "{}")  # type: ignore[attr-defined]
        raise AssertionError(answer)

    async def catalogue(self, limit: int = 2000) -> Row:
        return await self.call("catalogue_book", self.book_id, limit)

    async def keys(self) -> dict[str, str]:
        """The system keys of the book's categories by their ids."""
        rows = await self.kernel.rows(
            "select label_id::text, coalesce(system_key, name) as key from finance.labels where book_id = $1",
            self.book_id,
        )
        return {row["label_id"]: row["key"] for row in rows}

    async def label(self, key: str) -> str:
        (found,) = [label_id for label_id, each in (await self.keys()).items() if each == key]
        return found

    async def new_label(self, kind: str, name: str, parent: str | None = None) -> str:
        label_id = new_id()
        label = {"book_id": self.book_id, "kind": kind, "name": name}
        if parent is not None:
            label["parent_id"] = await self.label(parent)
        await self.call("create_label", label_id, "tests", label_id, "00", label, CALLER)
        return label_id

    async def parts(self, wallet_id: str) -> list[tuple[int, int, str, Decimal, str]]:
        """All parts of a wallet: version, part, day, amount, system key (or name) of the category."""
        keys = await self.keys()
        rows = await self.kernel.rows(
            "select wallet_version, part, booked_on, amount, category_id::text from finance.parts"
            " where wallet_id = $1 order by wallet_version, part",
            wallet_id,
        )
        return [
            (
                row["wallet_version"],
                row["part"],
                row["booked_on"].isoformat(),
                row["amount"],
                keys[row["category_id"]],
            )
            for row in rows
        ]

    async def amounts(self, wallet_id: str, version: int) -> list[tuple[str, str]]:
        """The amounts and categories of the parts of an entry."""
        return [(str(each[3]), each[4]) for each in await self.parts(wallet_id) if each[0] == version]

    async def edit(self, wallet_id: str, version: int, change: Row, run_id: str | None = None) -> Row:
        return await self.call(
            "set_entry_parts", self.book_id, wallet_id, version, change, run_id or new_id(), CALLER
        )

    async def split(self, wallet_id: str, version: int, *parts: tuple[str, str]) -> Row:
        """Gives an entry these parts: amount, system key of the category."""
        named = [{"amount": amount, "category_id": await self.label(key)} for amount, key in parts]
        return await self.edit(wallet_id, version, {"parts": named})

    async def undo(self, run_id: str, limit: int = 1000) -> Row:
        return await self.call("undo_run", run_id, self.book_id, new_id(), limit, CALLER)

    async def verify(self) -> set[str]:
        """The checks that fail."""
        return await verify(self.kernel)


async def verify(kernel: Kernel, page: int = 7) -> set[str]:
    """The checks that fail in the whole database, walked in small pages."""
    found: set[str] = set()
    for walk in ("verify_parts", "verify_day_sums", "verify_catalogued"):
        place: Row = {}
        while True:
            size = {"p_days" if walk == "verify_day_sums" else "p_limit": page}
            named = {f"p_{name}": value for name, value in place.items()} | size
            wanted = ", ".join(f"{name} => {_literal(value)}" for name, value in named.items())
            answer = json.loads(await kernel.value(f"select wallet_api.{walk}({wanted})"))
            found |= {fault["check"] for fault in answer["faults"]}
            if answer["next"] is None:
                break
            place = answer["next"]
    return found


def _literal(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"'{value}'"


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")
