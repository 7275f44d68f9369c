"""What every correct kernel does with usage, one rule each; ``test_rates_mutants.py`` shows what each would catch."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from support.clock import SettableClock
from support.kernel.harness import Kernel, Outcome, op, refund, unit

from wallet_service.core.identifiers import new_id

NOON = datetime(2031, 6, 30, 12, tzinfo=UTC)
TIERS = [{"up_to": "100", "unit_price": "1"}, {"up_to": "200", "unit_price": "0.5"}, {"unit_price": "0.25"}]
GRADUATED = {"model": "graduated", "tiers": TIERS}
VOLUME = {"model": "volume", "tiers": TIERS}
FLAT = {"model": "per_unit", "unit_price": "1"}

Check: TypeAlias = Callable[[Kernel, SettableClock], Awaitable[None]]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    CHECKS[function.__name__] = function  # type: ignore[attr-defined]  # checks are plain functions
    return function


async def meter(kernel: Kernel, *prices: dict[str, Any], **members: Any) -> str:
    """A new meter with the dimension model, and a rate card of 30 days ago."""
    name = f"m{new_id()}"
    definition = {"meter": name, "dimensions": ["model"], "max_age_s": 30 * 86400}
    await kernel.value(
        "select wallet_api.create_meter($1, 't', null, '00', $2)", new_id(), json.dumps(definition)
    )
    moment = await kernel.value("select wallet.clock()")
    card = {
        "meter": name,
        "currency": "USD",
        "prices": list(prices),
        "effective_at": (moment - timedelta(days=30)).isoformat(),
    }
    await kernel.value(
        "select wallet_api.create_rate_card($1, 't', null, '00', $2)", new_id(), json.dumps(card | members)
    )
    return name


async def use(
    kernel: Kernel, wallet: str, name: str, quantity: str, *, event_id: str | None = None, **terms: Any
) -> Outcome:
    """Report an event."""
    given = {"event_id": event_id or new_id(), "meter": name, "quantity": quantity} | terms
    key = await kernel.value("select billing.build_usage_key('', $1)", given["event_id"])
    return await kernel.one(op("usage", wallet, key=key, terms=given))


def amount(outcome: Outcome) -> Decimal:
    assert outcome.result is not None, outcome
    return Decimal(outcome.result["amount"])


async def costs(kernel: Kernel, wallet: str, name: str, *quantities: str, **terms: Any) -> list[Decimal]:
    return [amount(await use(kernel, wallet, name, each, **terms)) for each in quantities]


async def faults(kernel: Kernel) -> list[str]:
    found: list[str] = []
    for name in ("verify_usage", "verify_usage_days", "verify_usage_counters"):
        page = json.loads(await kernel.value(f"select wallet_api.{name}()"))  # a name from above
        found += [each["check"] for each in page["faults"]]
    return found


@check
async def graduated_tiers_count_in_the_month_of_the_time_zone(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, name = await kernel.wallet("1000"), await meter(kernel, GRADUATED, time_zone="Asia/Tokyo")
    assert await costs(kernel, wallet, name, "60", "90", "60", "0") == [60, 65, Decimal("27.5"), 0]
    await clock.set(datetime(2031, 6, 30, 14, 59, 59, tzinfo=UTC))
    assert await costs(kernel, wallet, name, "1") == [Decimal("0.25")]
    await clock.set(datetime(2031, 6, 30, 15, tzinfo=UTC))
    assert await costs(kernel, wallet, name, "1") == [1], "a new month in Tokyo"
    assert await costs(kernel, wallet, name, "4", timestamp="2031-06-30T14:59:59Z") == [1], "a late event"
    other = await kernel.wallet("10")
    assert await costs(kernel, other, name, "1") == [1], "of each wallet"
    assert await faults(kernel) == []


@check
async def each_price_counts_by_itself(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("1000")
    name = await meter(kernel, {"dimensions": {"model": "a"}} | GRADUATED, GRADUATED | {"included": "10"})
    assert await costs(kernel, wallet, name, "100", dimensions={"model": "a"}) == [100]
    assert await costs(kernel, wallet, name, "100", dimensions={"model": "b"}) == [90]
    assert await costs(kernel, wallet, name, "20") == [15], "10 at 1, 10 at 0.5"
    assert await costs(kernel, wallet, name, "2", dimensions={"model": "a"}) == [1]


@check
async def events_of_one_call_count_by_themselves(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallets = [await kernel.wallet("1000") for _ in range(2)]
    name = await meter(kernel, {"dimensions": {"model": "a"}} | GRADUATED, GRADUATED)
    operations: list[Any] = []
    for place, model, quantity in ((0, "a", "100"), (0, "b", "100"), (1, "a", "100"), (0, "a", "2")):
        event_id = new_id()
        key = await kernel.value("select billing.build_usage_key('', $1)", event_id)
        terms = {"event_id": event_id, "meter": name, "quantity": quantity, "dimensions": {"model": model}}
        operations.append(op("usage", wallets[place], key=key, terms=terms))
    (outcomes,) = await kernel.post(unit(*operations))
    assert [amount(each) for each in outcomes] == [100, 100, 100, 1]
    assert await faults(kernel) == []


@check
async def what_was_counted_before_is_found_in_a_call(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    one, two = [await kernel.wallet("1000") for _ in range(2)]
    name = await meter(kernel, GRADUATED)
    assert await costs(kernel, one, name, "150") + await costs(kernel, two, name, "60") == [125, 60]
    july = datetime(2031, 7, 1, tzinfo=UTC)
    await clock.set(july)

    async def together(*uses: tuple[str, str, datetime]) -> list[Decimal]:
        operations: list[Any] = []
        for wallet, quantity, moment in uses:
            event_id = new_id()
            key = await kernel.value("select billing.build_usage_key('', $1)", event_id)
            terms = {"event_id": event_id, "meter": name, "quantity": quantity}
            operations.append(op("usage", wallet, key=key, terms=terms | {"timestamp": moment.isoformat()}))
        (outcomes,) = await kernel.post(unit(*operations))
        return [amount(each) for each in outcomes]

    june = [(one, "60", NOON), (two, "50", NOON)]
    found = await together((one, "100", july), *june, (one, "10", july), (two, "100", july))
    assert found == [100, Decimal("27.5"), 45, 5, 100]
    card = await kernel.value("select rate_card_id from billing.rate_cards where meter = $1", name)
    begin = july + timedelta(minutes=1)
    version = {"prices": [GRADUATED | {"tiers": [{"unit_price": "9"}]}], "effective_at": begin.isoformat()}
    await kernel.value(
        "select wallet_api.add_rate_version($1, $2, 't', null, '00', $3)", card, new_id(), json.dumps(version)
    )
    await clock.set(begin)
    found = await together((two, "60", begin), (two, "90", july), (two, "1", begin), (two, "1", july))
    assert found == [540, Decimal("32.5"), 9, Decimal("0.25")], "the versions count together"
    assert await faults(kernel) == []


@check
async def volume_tiers_have_the_price_that_is_reached(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("1000")
    tiers = [
        {"up_to": "100", "unit_price": "1", "flat_amount": "3"},
        {"unit_price": "0.5", "flat_amount": "7"},
    ]
    price = {"model": "volume", "tiers": tiers}
    name = await meter(kernel, price)
    assert await costs(kernel, wallet, name, "60", "40", "1", "1") == [63, 40, Decimal("7.5"), Decimal("0.5")]
    name = await meter(kernel, price, volume_pricing="difference")
    found = await costs(kernel, wallet, name, "60", "40", "1", "1")
    assert found == [63, 40, Decimal("-45.5"), Decimal("0.5")]
    assert await kernel.balance(wallet) == 1000 - 111 - 58
    assert await faults(kernel) == []


@check
async def packages_are_begun(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("1000")
    name = await meter(
        kernel, {"model": "package", "package_size": "10", "package_price": "3", "included": "5"}
    )
    assert await costs(kernel, wallet, name, "5", "0.1", "9.9", "0.1", "20") == [0, 3, 0, 3, 6]


@check
async def the_amount_is_rounded_once_half_away_from_zero(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet = await kernel.wallet("10")
    tiers = [{"up_to": "1", "unit_price": "0.004"}, {"unit_price": "0.001"}]
    name = await meter(kernel, {"model": "graduated", "tiers": tiers})
    assert await costs(kernel, wallet, name, "2", "4", "5", "10") == [
        Decimal("0.01"),
        0,
        Decimal("0.01"),
        Decimal("0.01"),
    ]
    entries = await kernel.value(
        "select count(*) from wallet.wallet_transactions where wallet_id = $1 and transaction_type = 'consume'",
        wallet,
    )
    assert entries == 3, "nothing is posted for 0"
    assert await faults(kernel) == []


@check
async def an_event_counts_once(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, name = await kernel.wallet("100"), await meter(kernel, FLAT)
    first = await use(kernel, wallet, name, "4", event_id="once")
    again = await use(kernel, wallet, name, "4", event_id="once")
    assert (again.status, again.result) == ("replayed", first.result)
    assert (await use(kernel, wallet, name, "5", event_id="once")).code == "idempotency_key_reused"
    other = await kernel.one(op("usage", wallet, terms={"event_id": "2", "meter": name, "quantity": "1"}))
    assert other.code == "validation_failed", "the key of an event is made of its id"
    free = await use(kernel, wallet, name, "0", event_id="free")
    assert (free.status, (await use(kernel, wallet, name, "0", event_id="free")).status) == (
        "posted",
        "replayed",
    )
    assert await kernel.balance(wallet) == 96


@check
async def what_is_refused_or_reverted_does_not_count(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, name = await kernel.wallet("100"), await meter(kernel, GRADUATED)
    assert (await use(kernel, wallet, name, "101")).code == "insufficient_funds"
    key = [await kernel.value("select billing.build_usage_key('', $1)", each) for each in ("a", "b")]
    events = [
        op("usage", wallet, key=each, terms={"event_id": event_id, "meter": name, "quantity": "60"})
        for each, event_id in zip(key, ("a", "b"), strict=True)
    ]
    (tried,) = await kernel.post(unit(*events, dry_run=True))
    assert [amount(each) for each in tried if each.result] == [60], "the second one can't be paid"
    (failed,) = await kernel.post(unit(*events, atomic=True))
    assert [each.code for each in failed] == ["batch_aborted", "insufficient_funds"]
    assert await costs(kernel, wallet, name, "100") == [100]
    assert await faults(kernel) == []


@check
async def a_version_prices_the_events_of_its_time(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON - timedelta(days=1))
    wallet, name = await kernel.wallet("1000"), await meter(kernel, VOLUME, volume_pricing="difference")
    card = await kernel.value("select rate_card_id from billing.rate_cards where meter = $1", name)
    begin = NOON.isoformat()
    cheap = {"prices": [VOLUME | {"tiers": [{"up_to": "150", "unit_price": "3"}, {"unit_price": "2"}]}]}
    await kernel.value(
        "select wallet_api.add_rate_version($1, $2, 't', null, '00', $3)",
        card,
        new_id(),
        json.dumps(cheap | {"effective_at": begin}),
    )
    assert await costs(kernel, wallet, name, "90") == [90]
    await clock.set(NOON)
    assert await costs(kernel, wallet, name, "10") == [30], "only what the version priced itself"
    assert await costs(kernel, wallet, name, "100") == [190], "10 at 1 less, 100 at 2"
    late = {"timestamp": (NOON - timedelta(microseconds=1)).isoformat()}
    assert await costs(kernel, wallet, name, "1", **late) == [Decimal("-67.25")], "91 at 0.25, of 90 at 1"
    assert await faults(kernel) == []


@check
async def moments_are_bounded(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, name = await kernel.wallet("100"), await meter(kernel, FLAT)
    tick, oldest, newest = timedelta(microseconds=1), NOON - timedelta(days=30), NOON + timedelta(minutes=5)
    for moment, wanted in ((oldest, 1), (newest, 1)):
        assert await costs(kernel, wallet, name, "1", timestamp=moment.isoformat()) == [wanted]
    for moment in (oldest - tick, newest + tick):
        refused = await use(kernel, wallet, name, "1", timestamp=moment.isoformat())
        assert refused.code == "timestamp_refused"
    card = await kernel.value("select rate_card_id from billing.rate_cards where meter = $1", name)
    await kernel.value("select wallet_api.end_rate_card($1)", card)
    assert (await use(kernel, wallet, name, "1")).code == "price_not_found", "from the end on"
    before = (NOON - tick).isoformat()
    assert await costs(kernel, wallet, name, "1", timestamp=before) == [1]


@check
async def grants_pay_as_for_a_consume(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, name = await kernel.wallet("5"), await meter(kernel, FLAT)
    for account in (f"revenue:usage:{name}", "revenue:usage:else"):
        terms = {"source": "promotion", "pays": [account]}
        assert (await kernel.one(op("grant", wallet, "4", terms=terms))).status == "posted"
    assert await costs(kernel, wallet, name, "5") == [5]
    used = await kernel.rows("select used from billing.grants where wallet_id = $1 order by grant_id", wallet)
    assert [each["used"] for each in used] == [4, 0]
    assert (await use(kernel, wallet, name, "5")).code == "grants_not_usable"


@check
async def what_is_given_back_is_not_granted_and_a_refund_counts_on(
    kernel: Kernel, clock: SettableClock
) -> None:
    await clock.set(NOON)
    wallet, name = await kernel.wallet(), await meter(kernel, VOLUME, volume_pricing="difference")
    terms = {"source": "promotion"}
    assert (await kernel.one(op("grant", wallet, "1000", terms=terms))).status == "posted"

    async def grant() -> list[Decimal]:
        (row,) = await kernel.rows("select remaining, used from billing.grants where wallet_id = $1", wallet)
        return [row["remaining"], row["used"], await kernel.balance(wallet)]

    first = await use(kernel, wallet, name, "100")
    assert (amount(first), await grant()) == (100, [900, 100, 900])
    assert await costs(kernel, wallet, name, "50") == [-25]
    assert await grant() == [900, 100, 925], "a credit beside the grant"
    assert first.result is not None
    assert (await kernel.one(refund(first.result["transaction_id"]))).status == "posted"
    assert await grant() == [1000, 0, 1025]
    assert await costs(kernel, wallet, name, "10") == [5], "in the tier of 160: a refund lowers no count"
    assert await faults(kernel) == []


@check
async def only_within_the_restriction_of_the_key(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, name = await kernel.wallet("100"), await meter(kernel, FLAT)

    async def tried(quantity: str, **restriction: Any) -> str:
        event_id = new_id()
        key = await kernel.value("select billing.build_usage_key('', $1)", event_id)
        terms = {"event_id": event_id, "meter": name, "quantity": quantity}
        caller = {"restriction": restriction}
        return (await kernel.one(op("usage", wallet, key=key, terms=terms, caller=caller))).status_or_code

    assert await tried("5", max_amount="5") == "posted"
    assert await tried("5.01", max_amount="5") == "forbidden"
    assert await tried("1", counter_accounts=["revenue:usage"]) == "forbidden"
    assert await tried("1", counter_accounts=["revenue:other:*", "revenue:usage:*"]) == "posted"
    assert await tried("1", counter_accounts=[f"revenue:usage:{name}"]) == "posted"


@check
async def verify_finds_what_is_wrong(kernel: Kernel, clock: SettableClock) -> None:
    await clock.set(NOON)
    wallet, name = await kernel.wallet("100"), await meter(kernel, FLAT)
    await costs(kernel, wallet, name, "5", "0")
    for table, change, found in (
        ("usage_days", "quantity = quantity + 1", "usage days"),
        ("usage_counters", "billed = billed + 1", "usage counters"),
        ("usage_events", "amount = 6 where amount = 5", "usage posted"),
        ("usage_events", "is_posted = true, amount = 1 where amount = 0", "usage posted"),
        ("usage_events", "quantity = 4 where quantity = 5", "usage rated"),
    ):
        connection = await kernel.pool.acquire()
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(f"update billing.{table} set {change}")  # a table from above
        checks = [
            each["check"]
            for walk in ("verify_usage", "verify_usage_days", "verify_usage_counters")
            for each in json.loads(await connection.fetchval(f"select wallet_api.{walk}()"))["faults"]
        ]
        await transaction.rollback()
        await kernel.pool.release(connection)
        assert found in checks, (table, change)
    assert await faults(kernel) == []
