"""A database in which checks call ``post_transactions`` as superuser and read every row."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self, TypeAlias

import asyncpg

from wallet_service.core.identifiers import new_id

Op: TypeAlias = dict[str, Any]
TABLES = ("wallets", "wallet_transactions", "idempotency", "tombstones", "checkpoints")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an operation.

    Attributes:
        raw: the transaction's JSON text as SQL wrote it.
        locked_wallet_id: of a busy one, the wallet that another session has locked.
        result: of an operation that a room decided.
    """

    status: str
    code: str | None
    facts: dict[str, Any]
    transaction: dict[str, Any]
    raw: str
    locked_wallet_id: str | None
    result: dict[str, Any] | None = None

    @property
    def status_or_code(self) -> str:
        """The status, or the code of the refusal."""
        return self.code or self.status


def op(
    kind: str, wallet_id: str | None = None, amount: Any = None, *, key: str | None = None, **members: Any
) -> Op:
    """An operation with a new transaction_id; members that are None are left out."""
    named = {
        "transaction_id": new_id(),
        "type": kind,
        "wallet_id": wallet_id,
        "amount": amount,
        "idempotency_key": key,
        "client_id": "tests",
    }
    return {name: value for name, value in (named | members).items() if value is not None}


def another_attempt(operation: Op) -> Op:
    """The same request in another attempt of its caller: same key, new transaction_id."""
    return operation | {"transaction_id": new_id()}


def transfer(source: str, target: str, amount: str, **members: Any) -> Op:
    return op("transfer", source, amount, to_wallet_id=target, **members)


def refund(original: Op | str, amount: str | None = None, **members: Any) -> Op:
    name = original if isinstance(original, str) else original["transaction_id"]
    return op("refund", None, amount, original_transaction_id=name, **members)


def unit(
    *operations: Op, atomic: bool = False, dry_run: bool = False, resent: bool = False, **order: int
) -> dict[str, Any]:
    """A unit; ``order``: its attempt and sending."""
    return {"operations": list(operations), "atomic": atomic, "dry_run": dry_run, "resent": resent} | order


def later(*operations: Op, attempt: int = 1, sending: int = 1, atomic: bool = False) -> dict[str, Any]:
    """A unit that was sent before, in its place in the order of attempts."""
    return unit(*operations, atomic=atomic, resent=True, attempt=attempt, sending=sending)


def read_outcomes(text: str) -> list[list[Outcome]]:
    """The outcomes of a call, by units; the lines of the text are its operations."""
    lines = [line for line in text.split("\n") if line.startswith("{")]
    units: list[list[dict[str, Any]]] = json.loads(text, parse_float=Decimal)
    numbered = iter(lines)
    return [[_outcome(next(numbered), outcome) for outcome in outcomes] for outcomes in units]


def _outcome(line: str, outcome: dict[str, Any]) -> Outcome:
    raw = line.partition('"transaction":')[2][:-1] if "transaction" in outcome else ""
    return Outcome(
        outcome["status"],
        outcome.get("code"),
        outcome.get("facts") or {},
        outcome.get("transaction") or {},
        raw,
        outcome["wallet_id"] if outcome["status"] == "busy" else None,
        outcome.get("result"),
    )


async def error_of(call: Awaitable[Any]) -> tuple[str | None, str] | None:
    """SQLSTATE and message of the exception that the call raises; None without one."""
    try:
        await call
    except asyncpg.PostgresError as error:
        return error.sqlstate, error.args[0]
    return None


class Kernel:
    """One database, seen as superuser."""

    def __init__(self, dsn: str, pool: asyncpg.Pool) -> None:
        self.dsn = dsn
        self.pool = pool

    @classmethod
    async def open(cls, dsn: str, connections: int = 8) -> Self:
        return cls(dsn, await asyncpg.create_pool(dsn, min_size=0, max_size=connections))

    async def close(self) -> None:
        await self.pool.close()

    async def call(self, units: Any, wait_ms: int = 2000, wait_for: str | None = None, on: Any = None) -> str:
        """The text that post_transactions returns."""
        answer: str = await (on or self.pool).fetchval(
            "select wallet_api.post_transactions($1, $2, $3)", json.dumps(units), wait_ms, wait_for
        )
        return answer

    async def post(
        self, *units: dict[str, Any], wait_ms: int = 2000, wait_for: str | None = None, on: Any = None
    ) -> list[list[Outcome]]:
        return read_outcomes(await self.call(units, wait_ms, wait_for, on))

    async def all(
        self,
        *operations: Op,
        wait_ms: int = 2000,
        wait_for: str | None = None,
        on: Any = None,
        **flags: bool,
    ) -> list[Outcome]:
        """The outcomes of operations that make one unit."""
        return (await self.post(unit(*operations, **flags), wait_ms=wait_ms, wait_for=wait_for, on=on))[0]

    async def one(self, operation: Op, *, wait_ms: int = 2000, on: Any = None, **flags: bool) -> Outcome:
        return (await self.all(operation, wait_ms=wait_ms, on=on, **flags))[0]

    async def wallet(
        self,
        balance: str = "0",
        currency: str = "USD",
        *,
        user: str | None = None,
        credit_limit: str = "0",
        locked: str = "0",
        status: str = "active",
        keeping: str = "operating",
    ) -> str:
        """A new wallet with its opening balance posted."""
        wallet_id = new_id()
        await self.pool.execute(
            """
            insert into wallet.wallets (wallet_id, user_id, name, wallet_type, currency, keeping, created_at, updated_at)
            values ($1::uuid, $2, $1::uuid::text, 'fiat', $3, $4, clock_timestamp(), clock_timestamp())
            """,
            wallet_id,
            user or f"user-{wallet_id}",
            currency,
            keeping,
        )
        if Decimal(balance):
            assert (await self.one(op("deposit", wallet_id, balance))).status == "posted"
        await self.pool.execute(
            "update wallet.wallets set credit_limit = $2, locked_balance = $3, status = $4 where wallet_id = $1",
            wallet_id,
            Decimal(credit_limit),
            Decimal(locked),
            status,
        )
        return wallet_id

    async def balance(self, wallet_id: str) -> Decimal:
        found: Decimal = await self.pool.fetchval(
            "select trim_scale(balance) from wallet.wallets where wallet_id = $1", wallet_id
        )
        return found

    async def value(self, query: str, *parameters: Any) -> Any:
        return await self.pool.fetchval(query, *parameters)

    async def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.pool.fetch(query, *parameters)]

    async def key_owner(self, key: str, client_id: str = "tests") -> str | None:
        """The transaction that spent the key."""
        return await self.value(
            "select transaction_id::text from wallet.idempotency where client_id = $1 and key = $2",
            client_id,
            key,
        )

    async def state(self) -> dict[str, list[str]]:
        """Every row of every table that a posting could change."""
        return {
            table: [
                row["line"]
                for row in await self.rows(f"select t::text as line from wallet.{table} t order by 1")
            ]
            for table in TABLES
        }

    @asynccontextmanager
    async def locking(self, *wallet_ids: str) -> AsyncIterator[None]:
        """Within, another session has these wallets locked."""
        async with self.pool.acquire() as other, other.transaction():
            await other.execute(
                "select from wallet.wallets where wallet_id = any ($1::uuid[]) order by wallet_id for update",
                list(wallet_ids),
            )
            yield

    async def waits_for_lock(self, call: "asyncio.Task[Any]", count: int = 1) -> None:
        """Return when this many sessions of the database wait for a lock. A call that ends before fails the check."""
        while (
            await self.value(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
            < count
        ):
            assert not call.done(), "it should have waited for a lock"
            await asyncio.sleep(0.005)


Check: TypeAlias = Callable[[Kernel], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Register a check that every correct kernel passes."""
    name: str = function.__name__  # type: ignore[attr-defined]  # checks are plain functions
    assert name not in CHECKS, f"two checks have the name {name}"
    CHECKS[name] = function
    return function
