"""What every correct kernel does with limits, one rule each; ``test_limits_mutants.py`` shows what each would catch."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from support.clock import SettableClock
from support.kernel.harness import Kernel, op, refund, transfer, unit

NOON = datetime(2031, 6, 2, 12, tzinfo=UTC)  # a Monday

Check: TypeAlias = Callable[[Kernel, SettableClock], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function  # type: ignore[attr-defined]  # checks are plain functions
    return function


async def limit(kernel: Kernel, wallet: str, *limits: dict[str, Any], user: str | None = None) -> Any:
    """Set limits, and return what readers see."""
    answer = await kernel.value(
        "select wallet_api.replace_limits($1, $2, null, $3)", wallet, user, json.dumps(limits)
    )
    return json.loads(answer)["limits"]


async def used(kernel: Kernel, wallet: str) -> list[Decimal]:
    answer = json.loads(await kernel.value("select wallet_api.get_limits($1)", wallet))
    return [Decimal(each["used"]) for each in answer["limits"]]


async def spend(kernel: Kernel, wallet: str, amount: str, **members: Any) -> str:
    return (await kernel.one(op("consume", wallet, amount, **members))).status_or_code


async def faults(kernel: Kernel) -> list[Any]:
    return json.loads(await kernel.value("select wallet_api.verify_limits()"))["faults"]


@check
async def a_period_counts_to_its_end(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await limit(kernel, wallet, {"period": "day", "amount": "10"}, {"period": "week", "amount": "15"})
    assert await spend(kernel, wallet, "4") == "posted"
    assert await spend(kernel, wallet, "6.01") == "limit_exceeded"
    assert await spend(kernel, wallet, "6") == "posted", "up to the limit itself"
    assert await spend(kernel, wallet, "0.01") == "limit_exceeded"
    midnight = NOON + timedelta(hours=12)
    await clock.set(midnight - timedelta(microseconds=1))
    assert await spend(kernel, wallet, "0.01") == "limit_exceeded"
    await clock.set(midnight)
    assert await spend(kernel, wallet, "5") == "posted"
    assert await spend(kernel, wallet, "0.01") == "limit_exceeded", "of the week"
    assert await used(kernel, wallet) == [5, 15]
    assert await faults(kernel) == []


@check
async def midnight_comes_when_the_time_zone_says(kernel: Kernel, clock: SettableClock) -> None:
    # In Havana the clocks are set back from 1:00 to 0:00: of two midnights the day begins at the first.
    first = datetime(2030, 11, 3, 4, tzinfo=UTC)
    await clock.set(first - timedelta(minutes=1))
    wallet = await kernel.wallet("100")
    await limit(kernel, wallet, {"period": "day", "amount": "10", "time_zone": "America/Havana"})
    assert await spend(kernel, wallet, "10") == "posted"
    await clock.set(first)
    assert await spend(kernel, wallet, "10") == "posted"
    await clock.set(first + timedelta(hours=24, minutes=59))
    assert await spend(kernel, wallet, "1") == "limit_exceeded", "this day has 25 hours"
    await clock.set(first + timedelta(hours=25))
    assert await spend(kernel, wallet, "1") == "posted"


@check
async def a_window_rolls_exactly(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON - timedelta(hours=1))
    wallet = await kernel.wallet("100")
    await clock.set(NOON)
    await limit(kernel, wallet, {"period": "rolling", "window_s": 60, "amount": "10"})
    assert await spend(kernel, wallet, "7") == "posted"
    await clock.set(NOON + timedelta(seconds=30))
    assert await spend(kernel, wallet, "3") == "posted"
    await clock.set(NOON + timedelta(seconds=60, microseconds=-1))
    refused = await kernel.one(op("consume", wallet, "1"))
    assert (refused.code, refused.facts["resets_at"]) == ("limit_exceeded", "2031-06-02T12:01:00.000000Z")
    refused = await kernel.one(op("consume", wallet, "8"))
    assert refused.facts["resets_at"] == "2031-06-02T12:01:30.000000Z", "when enough has fallen out"
    assert (await kernel.one(op("consume", wallet, "11"))).facts["resets_at"] is None
    await clock.set(NOON + timedelta(seconds=60))
    assert await spend(kernel, wallet, "8") == "limit_exceeded"
    assert await spend(kernel, wallet, "7") == "posted"
    assert await faults(kernel) == []


@check
async def what_is_spent_counts_and_nothing_else(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, other = await kernel.wallet("100"), await kernel.wallet()
    await limit(kernel, wallet, {"period": "day", "amount": "10"})
    deposit = op("deposit", wallet, "50")
    fee = {"wallet_id": wallet, "direction": "debit", "amount": "1", "counter_account": "revenue:fees"}
    spent = op("consume", wallet, "1")
    done = await kernel.all(
        deposit,
        refund(deposit),
        op("adjustment", wallet, "50", direction="debit", description="x"),
        spent,
        refund(spent),
        op("withdraw", wallet, "1"),
        op("fee", wallet, "1"),
        transfer(wallet, other, "1"),
        transfer(other, wallet, "0.5"),
        op("payment", entries=[fee, fee]),
    )
    assert [each.status_or_code for each in done] == ["posted"] * 10
    assert await used(kernel, wallet) == [6], "a refund gives nothing back"
    assert [each["used"] for each in await limit(kernel, wallet, {"period": "month", "amount": "10"})] == [
        "6.00"
    ]


@check
async def only_debits_against_the_account_count(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, other = await kernel.wallet("100"), await kernel.wallet()
    accounts = ("revenue:a_b", "revenue:a_b*", "wallets")
    await limit(
        kernel, wallet, *({"period": "day", "amount": "10", "counter_account": each} for each in accounts)
    )
    for account in ("revenue:a_b", "revenue:a_bc", "revenue:a-b", "revenue:A_b", "revenue:a"):
        assert await spend(kernel, wallet, "1", counter_account=account) == "posted"
    assert (await kernel.one(transfer(wallet, other, "3"))).status == "posted"
    assert await used(kernel, wallet) == [1, 2, 3]


@check
async def a_unit_that_is_reverted_does_not_count(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await limit(kernel, wallet, {"period": "day", "amount": "10"}, {"period": "transaction", "amount": "6"})
    units = await kernel.post(
        unit(op("consume", wallet, "6"), op("consume", wallet, "5"), atomic=True),
        unit(op("consume", wallet, "6"), dry_run=True),
        unit(op("consume", wallet, "6"), op("consume", wallet, "4"), op("consume", wallet, "1")),
    )
    assert [[each.status_or_code for each in outcomes] for outcomes in units] == [
        ["batch_aborted", "limit_exceeded"],
        ["dry_run"],
        ["posted", "posted", "limit_exceeded"],
    ]
    await limit(kernel, wallet, {"period": "transaction", "amount": "6"})
    assert await spend(kernel, wallet, "6.01") == "limit_exceeded"


@check
async def what_was_spent_before_counts(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON - timedelta(days=1))
    wallet = await kernel.wallet("100")
    assert await spend(kernel, wallet, "1") == "posted"
    await clock.set(NOON - timedelta(hours=12))
    assert await spend(kernel, wallet, "0.5") == "posted", "the moment at which the day begins"
    await clock.set(NOON)
    assert await spend(kernel, wallet, "2") == "posted"
    made = await limit(
        kernel,
        wallet,
        {"period": "day", "amount": "10"},
        {"period": "rolling", "window_s": 86400, "amount": "10"},
        {"period": "rolling", "window_s": 86401, "amount": "10"},
    )
    assert [each["used"] for each in made] == ["2.50", "2.50", "3.50"]


@check
async def many_entries_are_counted_by_checkpoints(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10000")
    window = {"period": "rolling", "window_s": 3600, "amount": "2600"}
    await limit(kernel, wallet, window, {"period": "month", "amount": "5000"})
    for minute in range(5):
        await clock.set(NOON + timedelta(minutes=minute))
        await kernel.all(
            *(op("consume", wallet, "1", counter_account=f"revenue:{minute}") for _ in range(500))
        )
    refused = await kernel.one(op("consume", wallet, "1600"))
    assert refused.facts["resets_at"] == "2031-06-02T13:02:00.000000Z", "1,500 fall out"
    assert [each["used"] for each in await limit(kernel, wallet, window)] == ["2500.00"]
    await clock.set(NOON + timedelta(minutes=62))
    assert await used(kernel, wallet) == [1000]
    assert await spend(kernel, wallet, "1600") == "posted"
    fresh = {"period": "rolling", "window_s": 3601, "amount": "1"}
    assert [each["used"] for each in await limit(kernel, wallet, window, fresh)] == ["2600.00", "3100.00"]
    assert await faults(kernel) == []


@check
async def each_side_has_a_set_of_its_own(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100", user="ann")
    await kernel.pool.execute("update wallet.wallets set marks = marks | 8 where wallet_id = $1", wallet)
    marks = "select marks from wallet.wallets where wallet_id = $1"
    await limit(kernel, wallet, {"period": "transaction", "amount": "8"})
    await limit(kernel, wallet, {"period": "transaction", "amount": "5"}, user="ann")
    assert await kernel.value(marks, wallet) == 12
    assert (await kernel.one(op("consume", wallet, "6"))).facts["set_by"] == "owner"
    assert [each["set_by"] for each in await limit(kernel, wallet, user="ann")] == ["operator"]
    assert await kernel.value(marks, wallet) == 12
    await limit(kernel, wallet)
    assert await kernel.value(marks, wallet) == 8
    assert await faults(kernel) == []


@check
async def a_clock_that_is_set_back_counts_from_the_ledger(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    assert await spend(kernel, wallet, "4") == "posted"
    await clock.set(NOON + timedelta(days=1))
    await limit(
        kernel,
        wallet,
        {"period": "day", "amount": "10"},
        {"period": "rolling", "window_s": 3600, "amount": "10"},
    )
    assert await used(kernel, wallet) == [0, 0]
    await clock.set(NOON + timedelta(minutes=1))
    assert await spend(kernel, wallet, "6") == "posted"
    assert await spend(kernel, wallet, "1") == "limit_exceeded"
    assert await used(kernel, wallet) == [10, 10]
    assert await faults(kernel) == []


@check
async def verify_finds_a_wrong_counter(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await limit(
        kernel,
        wallet,
        {"period": "day", "amount": "10"},
        {"period": "rolling", "window_s": 60, "amount": "10"},
    )
    assert await spend(kernel, wallet, "4") == "posted"
    for period in ("day", "rolling"):
        change = "update billing.spending_limits set used = used + $2 where wallet_id = $1 and period = $3"
        await kernel.pool.execute(change, wallet, Decimal(1), period)
        assert await faults(kernel) == [{"check": "limit counters", "wallet_id": wallet}]
        await kernel.pool.execute(change, wallet, Decimal(-1), period)
    await kernel.pool.execute("update wallet.wallets set marks = 0 where wallet_id = $1", wallet)
    assert await faults(kernel) == [{"check": "limit marks", "wallet_id": wallet}]


class Holds:
    """Places, captures, increases and voids holds; each call returns ``posted`` or the code of the refusal."""

    def __init__(self, kernel: Kernel, wallet: str) -> None:
        self.kernel, self.wallet = kernel, wallet

    async def _post(self, kind: str, amount: str | None, **members: Any) -> tuple[str, str, dict[str, Any]]:
        operation = op(kind, self.wallet, amount, **members)
        outcome = await self.kernel.one(operation)
        return outcome.status_or_code, operation["transaction_id"], outcome.facts

    async def place(self, amount: str, account: str = "revenue:usage") -> str:
        """The id of a new hold."""
        terms = {"expires_in_s": 3600}
        status, hold_id, _ = await self._post("hold", amount, counter_account=account, terms=terms)
        assert status == "posted"
        return hold_id

    async def refused(self, amount: str, account: str = "revenue:usage") -> dict[str, Any]:
        """The facts with which a limit refuses a hold."""
        terms = {"expires_in_s": 3600}
        status, _, facts = await self._post("hold", amount, counter_account=account, terms=terms)
        assert status == "limit_exceeded"
        return facts

    async def capture(self, hold_id: str, amount: str, **members: Any) -> str:
        terms = {"hold_id": hold_id, "overage": members.pop("overage", "refuse")}
        return (await self._post("hold_capture", amount, terms=terms, **members))[0]

    async def increase(self, hold_id: str, amount: str) -> str:
        return (await self._post("hold_increase", amount, terms={"hold_id": hold_id}))[0]

    async def void(self, hold_id: str) -> str:
        return (await self._post("hold_void", None, terms={"hold_id": hold_id}))[0]


@check
async def holds_count_once_and_captures_are_never_refused(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await limit(kernel, wallet, {"period": "day", "amount": "10"})
    holds = Holds(kernel, wallet)
    first = await holds.place("2")
    refused = await holds.refused("9")
    assert (refused["used"], refused["reserved"], refused["remaining"]) == ("0.00", "2.00", "8.00")
    second = await holds.place("8")
    assert await spend(kernel, wallet, "0.01") == "limit_exceeded", "all of it is kept"
    await limit(kernel, wallet, {"period": "day", "amount": "5"})
    assert await holds.capture(second, "6") == "posted", "it was kept before the limit was lowered"
    (seen,) = json.loads(await kernel.value("select wallet_api.get_limits($1)", wallet))["limits"]
    assert (seen["used"], seen["reserved"], seen["remaining"]) == ("6.00", "4.00", "0.00")
    await limit(kernel, wallet, {"period": "day", "amount": "10"})
    assert await holds.capture(second, "3", overage="take_available") == "limit_exceeded", "1 beyond its hold"
    assert await holds.void(first) == "posted"
    assert await holds.capture(second, "4", overage="take_available") == "posted"
    assert await spend(kernel, wallet, "0.01") == "limit_exceeded"
    assert await used(kernel, wallet) == [10]
    await clock.set(NOON + timedelta(days=1))
    await holds.place("10")
    await clock.set(NOON + timedelta(days=1, hours=1))
    assert await spend(kernel, wallet, "10") == "posted", "the hold has expired"
    assert await faults(kernel) == []


@check
async def holds_count_for_the_account_that_they_will_pay(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await limit(kernel, wallet, {"period": "day", "amount": "10", "counter_account": "revenue:usage:*"})
    holds = Holds(kernel, wallet)
    other = await holds.place("20")
    hold = await holds.place("6", "revenue:usage:gpt")
    assert (await holds.refused("5", "revenue:usage:tts"))["reserved"] == "6.00"
    assert await spend(kernel, wallet, "5", counter_account="revenue:usage:tts") == "limit_exceeded"
    assert await spend(kernel, wallet, "20") == "posted", "of another account"
    (seen,) = json.loads(await kernel.value("select wallet_api.get_limits($1)", wallet))["limits"]
    assert (seen["used"], seen["reserved"], seen["remaining"]) == ("0.00", "6.00", "4.00")
    assert await holds.capture(hold, "6") == "posted"
    assert await holds.capture(other, "5", counter_account="revenue:usage:gpt") == "limit_exceeded"
    assert await holds.capture(other, "4", counter_account="revenue:usage:gpt") == "posted"
    assert await used(kernel, wallet) == [10]
    # A call in which a hold is placed, captured and voided sees what each step left.
    await clock.set(NOON + timedelta(days=1))
    place = op("hold", wallet, "7", counter_account="revenue:usage:gpt", terms={"expires_in_s": 60})
    of_it = {"hold_id": place["transaction_id"]}
    outcomes = await kernel.all(
        place,
        op("grant", wallet, "1", terms={"source": "promotion"}),
        op("consume", wallet, "4", counter_account="revenue:usage:gpt"),
        op("hold_capture", wallet, "2", terms=of_it),
        op("hold_void", wallet, terms=of_it),
        op("consume", wallet, "8", counter_account="revenue:usage:gpt"),
        op("consume", wallet, "1", counter_account="revenue:usage:gpt"),
    )
    assert [each.status_or_code for each in outcomes] == [
        "posted",
        "posted",
        "limit_exceeded",
        "posted",
        "posted",
        "posted",
        "limit_exceeded",
    ]
    assert await faults(kernel) == []


@check
async def a_hold_fits_into_one_transaction(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("100")
    await limit(kernel, wallet, {"period": "transaction", "amount": "10"})
    holds = Holds(kernel, wallet)
    assert (await holds.refused("10.01"))["remaining"] == "10.00"
    hold = await holds.place("6")
    assert await holds.increase(hold, "5") == "limit_exceeded", "one capture could take 11"
    assert await holds.increase(hold, "4") == "posted"
    assert await holds.capture(hold, "10.01", overage="take_available") == "limit_exceeded"
    assert await holds.capture(hold, "9") == "posted"
    assert await holds.increase(hold, "9") == "posted", "what was captured is another transaction"
    assert await holds.capture(hold, "10") == "posted"
    assert await used(kernel, wallet) == [0]
