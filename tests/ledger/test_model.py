"""Random work against an oracle: the kernel answers and leaves what a plain Python ledger does, in calls of any size."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.event_order import number as number_events
from support.kernel.harness import Kernel, Op, Outcome, unit
from support.model import Account, Decision, Leg, Model
from support.soak import search

from wallet_service.core.identifiers import new_id

KINDS = ("deposit", "reward", "withdraw", "consume", "fee", "transfer", "transfer", "refund", "refund")
KINDS += ("adjustment", "payment", "payment", "exchange")
AMOUNTS = ("1", "1.00", "2.5", "7", "0.01", "12", "30", "60", "0.001", "0", "NaN", "99999999999999999999")
WALLETS = (
    {"balance": "50"},
    {"balance": "20", "credit_limit": "10"},
    {"balance": "5", "locked": "4.5"},
    {"balance": "40", "status": "frozen"},
    {"balance": "0", "status": "closed"},
    {"balance": "30", "currency": "JPY"},
    {"balance": "0", "keeping": "mirrored"},
    {"balance": "7", "keeping": "mirrored"},
)
UNKNOWN = len(WALLETS)


@dataclass(frozen=True)
class Wish:
    """An operation without names; places are those of earlier operations, counted from the first call."""

    kind: str
    source: int
    target: int
    amount: str | None
    key: int | None
    of: int
    repeats: int | None
    acting: int | None


wallet_numbers = st.integers(0, 2) | st.integers(6, 7) | st.integers(0, UNKNOWN)
wishes = st.builds(
    Wish,
    kind=st.sampled_from(KINDS),
    source=wallet_numbers,
    target=wallet_numbers,
    amount=st.sampled_from(AMOUNTS) | st.none(),
    key=st.none() | st.integers(0, 3),
    of=st.integers(0, 40),
    repeats=st.none() | st.none() | st.integers(0, 40),
    acting=st.none() | st.none() | st.none() | st.integers(0, 1),
)
order = st.just({"resent": False}) | st.fixed_dictionaries(
    {"resent": st.just(value=True)}, optional={"attempt": st.integers(1, 3), "sending": st.integers(1, 3)}
)
flags = st.builds(
    lambda own, place: own | place,
    st.fixed_dictionaries({"atomic": st.booleans(), "dry_run": st.sampled_from([False, False, True])}),
    order,
)
units = st.tuples(st.lists(wishes, min_size=1, max_size=7), flags)
calls = st.lists(st.lists(units, min_size=1, max_size=4), min_size=1, max_size=3)
Calls = list[list[tuple[list[Wish], dict[str, Any]]]]


@dataclass
class World:
    """Wallets of one run, the oracle's view of them, and the names that wishes get in it."""

    kernel: Kernel
    model: Model
    wallets: list[str]
    keys: list[str] = field(default_factory=lambda: [new_id() for _ in range(4)])
    sent: list[Op] = field(default_factory=list)

    @classmethod
    async def make(cls, kernel: Kernel) -> "World":
        wallets, model = [], Model()
        for number, properties in enumerate(WALLETS):
            user = f"user-{number % 2}-{new_id()}"
            wallet_id = await kernel.wallet(user=user, **properties)
            currency = properties.get("currency", "USD")
            model.accounts[wallet_id] = Account(
                user,
                currency,
                {"USD": 2, "JPY": 0}[currency],
                Decimal(properties["balance"]),
                Decimal(properties.get("locked", "0")),
                Decimal(properties.get("credit_limit", "0")),
                properties.get("status", "active"),
                version=1 if Decimal(properties["balance"]) else 0,
                keeping=properties.get("keeping", "operating"),
            )
            wallets.append(wallet_id)
        return cls(kernel, model, [*wallets, new_id()])

    def name(self, wish: Wish, repeatable: list[Op]) -> Op:
        """The operation; one that repeats an operation of an earlier call is that operation, sent again."""
        if wish.repeats is not None and repeatable:
            return repeatable.pop(wish.repeats % len(repeatable))
        named: dict[str, Any] = {
            "transaction_id": new_id(),
            "client_id": "tests",
            "type": wish.kind,
            "amount": wish.amount,
        }
        if wish.key is not None:
            named["idempotency_key"] = self.keys[wish.key]
        if wish.acting is not None:
            named["acting_user_id"] = self.model.accounts[self.wallets[wish.acting]].user_id
        if wish.kind == "refund":
            original = self.sent[wish.of % len(self.sent)]["transaction_id"] if self.sent else new_id()
            return named | {"original_transaction_id": original}
        amount = wish.amount or "1"
        if wish.kind == "adjustment":
            del named["amount"]
            return named | {"wallet_id": self.wallets[wish.source], "balance": amount, "description": "count"}
        if wish.kind in ("payment", "exchange"):
            del named["amount"]
            return named | {"entries": self.entries(wish, amount)}
        named["wallet_id"] = self.wallets[wish.source]
        return named | ({"to_wallet_id": self.wallets[wish.target]} if wish.kind == "transfer" else {})

    def entries(self, wish: Wish, amount: str) -> list[dict[str, str]]:
        """From one wallet to another, with a fee; or, for an exchange, each against an account."""
        source, target = self.wallets[wish.source], self.wallets[wish.target]
        kept = "mirrored:" if self.is_mirrored(source) else ""
        of_target = "mirrored:" if self.is_mirrored(target) else ""
        if wish.kind == "exchange":
            between = f"{kept}fx:A-B", f"{of_target}fx:A-B"
        else:
            between = f"wallet:{target}", f"wallet:{source}"
        return [
            {"wallet_id": source, "direction": "debit", "amount": amount, "counter_account": between[0]},
            {"wallet_id": target, "direction": "credit", "amount": amount, "counter_account": between[1]},
            {
                "wallet_id": source,
                "direction": "debit",
                "amount": "1",
                "counter_account": f"{kept or 'revenue:'}fees",
            },
        ]

    def is_mirrored(self, wallet_id: str) -> bool:
        account = self.model.accounts.get(wallet_id)
        return account is not None and account.keeping == "mirrored"

    def name_all(
        self, wanted: list[tuple[list[Wish], dict[str, Any]]]
    ) -> list[tuple[list[Op], dict[str, Any]]]:
        named: list[tuple[list[Op], dict[str, Any]]] = []
        for operations, flags_of_unit in wanted:
            # Once in a unit, which is one attempt. Units of several attempts can be in one call.
            known = list({operation["transaction_id"]: operation for operation in self.sent}.values())
            named.append(([], flags_of_unit))
            for wish in operations:
                operation = self.name(wish, known)
                named[-1][0].append(operation)
                self.sent.append(operation)
        return named

    async def check_state(self) -> None:
        rows = await self.kernel.rows(
            """
            select wallet_id::text, trim_scale(balance) as balance, last_entry
            from wallet.wallets where wallet_id = any ($1)
            """,
            self.wallets,
        )
        assert {row["wallet_id"]: (row["balance"], row["last_entry"]) for row in rows} == {
            wallet_id: (account.balance, account.version)
            for wallet_id, account in self.model.accounts.items()
        }
        for key in self.keys:
            owner = self.model.keys.get(("tests", key))
            assert await self.kernel.key_owner(key) == (owner and owner[0])
        named = [operation["transaction_id"] for operation in self.sent]
        tombstones = await self.kernel.rows(
            """
            select transaction_id::text, attempt, sending from wallet.tombstones where transaction_id = any ($1)
            """,
            named,
        )
        assert {
            each["transaction_id"]: (each["attempt"], each["sending"]) for each in tombstones
        } == self.model.superseded
        await self.check_events()

    async def check_events(self) -> None:
        """Each entry, those of the opening balances included, has one event, in the order of its wallet's versions."""
        while await number_events(self.kernel.pool):
            pass
        events = await self.kernel.rows(
            "select wallet_id::text, array_agg(wallet_version order by number) as versions from delivery.events"
            " where wallet_id = any ($1) and wallet_version is not null group by wallet_id",
            self.wallets,
        )
        assert {each["wallet_id"]: each["versions"] for each in events} == {
            wallet_id: list(range(1, account.version + 1))
            for wallet_id, account in self.model.accounts.items()
            if account.version
        }


def _seen(outcome: Outcome) -> Decision:
    """The outcome as the oracle would tell it; another user's wallet hides its balance and version."""
    legs = outcome.transaction.get("legs") or ([outcome.transaction] if outcome.transaction else [])
    return Decision(
        outcome.status_or_code,
        tuple(
            Leg(
                leg["wallet_id"],
                Decimal(leg["amount"]) * (1 if leg["direction"] == "credit" else -1),
                Decimal(leg["balance_after"]) if leg["balance_after"] is not None else Decimal("NaN"),
                leg["wallet_version"] or 0,
            )
            for leg in legs
        ),
    )


def _agree(outcome: Outcome, expected: Decision, operation: Op) -> None:
    seen = _seen(outcome)
    hidden = [leg.balance_after.is_nan() for leg in seen.legs]
    shown = Decision(seen.status, tuple(leg for leg, hide in zip(seen.legs, hidden, strict=True) if not hide))
    assert len(hidden) == len(expected.legs), (operation, seen, expected)
    legs = expected.legs
    kept = Decision(expected.status, tuple(leg for leg, hide in zip(legs, hidden, strict=True) if not hide))
    assert shown == kept, (operation, seen, expected)
    assert all(hide is False for hide in hidden) or "acting_user_id" in operation


async def _run(world: World, wanted: Calls, *, together: bool) -> None:
    for call in wanted:
        named = world.name_all(call)
        expected = [world.model.post(operations, **of_unit) for operations, of_unit in named]
        sent = [unit(*operations, **of_unit) for operations, of_unit in named]
        if together:
            found = await world.kernel.post(*sent)
        else:
            found = [(await world.kernel.post(one))[0] for one in sent]
        for (operations, _), outcomes, answers in zip(named, found, expected, strict=True):
            for operation, outcome, answer in zip(operations, outcomes, answers, strict=True):
                _agree(outcome, answer, operation)
        await world.check_state()


@pytest.fixture(scope="module")
async def kernel(any_postgres_dsn: str) -> AsyncIterator[Kernel]:
    opened = await Kernel.open(any_postgres_dsn)
    yield opened
    await opened.close()


@pytest.mark.soak
@search(40)
@given(wanted=calls)
async def test_kernel_is_the_model(kernel: Kernel, wanted: Calls) -> None:
    """A call with many units answers and leaves what the same units do one by one, and both what the model says."""
    await _run(await World.make(kernel), wanted, together=True)
    await _run(await World.make(kernel), wanted, together=False)
