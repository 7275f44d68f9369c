"""Wallets that are named by their user and currency."""

import asyncio
from typing import Any

from support.kernel.harness import Kernel, Op, another_attempt, check, op
from wallet_service.core.identifiers import new_id


async def _wallets(kernel: Kernel) -> tuple[str, str, str]:
    """A new user with two wallets of 10; the second is the primary one."""
    user = f"user-{new_id()}"
    first, second = [await kernel.wallet("10", user=user) for _ in range(2)]
    await kernel.pool.execute(_MOVE, second)
    return user, first, second


_MOVE = """
    with released as (
      update wallet.wallets w set is_primary = false from wallet.wallets p
        where p.wallet_id = $1 and w.user_id = p.user_id and w.currency = p.currency and w.is_primary
        returning w.wallet_id)
    update wallet.wallets w set is_primary = true
      where w.wallet_id = $1 and (select count(*) from released) >= 0
"""


def of(user: str, kind: str = "consume", amount: Any = "1", currency: str = "USD", **members: Any) -> Op:
    """An operation on the wallet of this user."""
    return op(kind, None, amount, user_id=user, currency=currency, **members)


@check
async def owners_wallet_is_the_primary_one(kernel: Kernel) -> None:
    user = f"user-{new_id()}"
    closed = await kernel.wallet(user=user, status="closed")
    first, second = [await kernel.wallet("10", user=user) for _ in range(2)]
    assert closed < first < second
    found = [await kernel.one(of(user, kind)) for kind in ("consume", "deposit", "withdraw", "fee", "reward")]
    assert {outcome.transaction.get("wallet_id") for outcome in found} == {first}, "the oldest"
    await kernel.pool.execute(_MOVE, second)
    found = [await kernel.one(of(user, to_wallet_id=first, kind="transfer")), await kernel.one(of(user))]
    assert {outcome.transaction.get("wallet_id") for outcome in found} == {second}
    await kernel.pool.execute("update wallet.wallets set status = 'frozen' where wallet_id = $1", second)
    assert (await kernel.one(of(user))).status_or_code == "wallet_frozen"
    await kernel.pool.execute(
        "update wallet.wallets set status = 'closed', is_primary = false where wallet_id = $1", second
    )
    assert (await kernel.one(of(user))).transaction.get("wallet_id") == first


@check
async def owner_without_a_wallet(kernel: Kernel) -> None:
    user, first, second = await _wallets(kernel)
    other, third, _ = await _wallets(kernel)
    before = await kernel.state()
    for wanted in (of("user-none"), of(user, currency="EUR"), of("user-" + "x" * 600), of(user, currency="")):
        outcome = await kernel.one(wanted | {"idempotency_key": new_id()})
        assert (outcome.status_or_code, outcome.facts) == (
            "wallet_not_found",
            {"user_id": wanted["user_id"], "currency": wanted["currency"]},
        )
    strangers = of(other, acting_user_id=user)
    assert (await kernel.one(strangers)).facts == {"user_id": other, "currency": "USD"}
    assert await kernel.state() == before
    assert (await kernel.one(of(user, acting_user_id=user))).transaction.get("wallet_id") == second
    assert [await kernel.balance(each) for each in (first, second, third)] == [10, 9, 10]


@check
async def owner_without_a_wallet_is_refused_for_good(kernel: Kernel) -> None:
    """A late first attempt finds a tombstone, though the wallet is there by then."""
    user = f"user-{new_id()}"
    wanted = of(user, kind="deposit")
    assert (await kernel.one(wanted, resent=True)).status_or_code == "wallet_not_found"
    wallet = await kernel.wallet("10", user=user)
    assert (await kernel.one(wanted)).status_or_code == "transaction_superseded"
    assert (await kernel.one(another_attempt(wanted))).transaction.get("wallet_id") == wallet


@check
async def bad_owners(kernel: Kernel) -> None:
    user, first, _ = await _wallets(kernel)
    before = await kernel.state()
    good = of(user)
    # Without a user and a currency, both texts, and no wallet beside them, these are no members of an operation.
    odd: list[Op] = [good | {"user_id": value} for value in (7, None, True, [user], {})]
    odd += [good | {"currency": value} for value in (7, None)] + [good | {"wallet_id": first}]
    for wanted in odd:
        outcome = await kernel.one(wanted)
        assert outcome.status_or_code == "validation_failed", wanted
        assert outcome.facts["errors"][0]["pointer"] == "/user_id", wanted
    alone = [
        {name: value for name, value in good.items() if name != left} for left in ("user_id", "currency")
    ]
    refund = op("refund", original_transaction_id=new_id(), user_id=user, currency="USD")
    for wanted in (*alone, refund, good | {"by_owner": True}, op("consume", first, "1", by_owner=True)):
        assert (await kernel.one(wanted)).status_or_code == "validation_failed", wanted
    assert (await kernel.one(good | {"amount": "0"})).status_or_code == "amount_invalid"
    assert (await kernel.one(of("user-none", amount="0"))).status_or_code == "amount_invalid"
    assert (await kernel.one(good | {"transaction_id": "x"})).facts["errors"][0][
        "pointer"
    ] == "/transaction_id"
    assert await kernel.state() == before


@check
async def owners_key_is_the_wallets(kernel: Kernel) -> None:
    """The same request, whichever way it names the wallet and whichever wallet is primary by then."""
    user, first, second = await _wallets(kernel)
    key = new_id()
    posted = await kernel.one(of(user, key=key))
    assert (posted.status_or_code, posted.transaction.get("wallet_id")) == ("posted", second)
    await kernel.pool.execute(_MOVE, first)
    for same in (of(user, key=key), op("consume", second, "1", key=key)):
        outcome = await kernel.one(same)
        assert (outcome.status_or_code, outcome.raw) == ("replayed", posted.raw)
    dry = await kernel.one(of(user, key=key), dry_run=True)
    assert (dry.status_or_code, dry.transaction.get("wallet_id")) == ("dry_run", second)
    for other in (
        of(user, amount="2", key=key),
        op("consume", first, "1", key=key),
        of(user, key=key, reference="r"),
    ):
        assert (await kernel.one(other)).status_or_code == "idempotency_key_reused"
    await kernel.pool.execute("update wallet.wallets set status = 'closed' where wallet_id = $1", second)
    assert (await kernel.one(of(user, key=key))).raw == posted.raw
    assert (await kernel.one(of(user, key=key, client_id="another"))).transaction.get("wallet_id") == first
    # A key that was spent on another user's wallet finds none of this user's.
    other_user, *_ = await _wallets(kernel)
    assert (await kernel.one(of(other_user, key=key))).status_or_code == "idempotency_key_reused"


@check
async def owners_in_one_call(kernel: Kernel) -> None:
    user, first, second = await _wallets(kernel)
    key = new_id()
    same = of(user, key=key)
    outcomes = await kernel.all(
        same,
        another_attempt(same),
        op("consume", second, "1", key=key),
        of(user, amount="8"),
        of(user),
        of("none"),
    )
    assert [outcome.status_or_code for outcome in outcomes] == [
        *("posted", "replayed", "replayed", "posted", "posted", "wallet_not_found")
    ]
    assert await kernel.balance(second) == 0
    atomic = await kernel.all(op("consume", first, "1"), of("none"), atomic=True)
    assert [outcome.status_or_code for outcome in atomic] == ["batch_aborted", "wallet_not_found"]
    assert await kernel.balance(first) == 10


@check
async def owners_wallet_moves_while_it_is_waited_for(kernel: Kernel) -> None:
    """The wallet that is no longer primary is not debited."""
    for wait_for in (False, True):
        user, first, second = await _wallets(kernel)
        wanted = of(user, key=new_id())
        async with kernel.pool.acquire() as other:
            transaction = other.transaction()
            await transaction.start()
            await other.execute(_MOVE, first)
            task = asyncio.create_task(
                kernel.all(
                    wanted, op("consume", second, "2"), wait_ms=20_000, wait_for=second if wait_for else None
                )
            )
            await kernel.waits_for_lock(task)
            await transaction.commit()
        moved, direct = await task
        assert (moved.status_or_code, moved.locked_wallet_id, direct.status_or_code) == (
            "busy",
            None,
            "posted",
        )
        assert await kernel.key_owner(wanted["idempotency_key"]) is None
        assert (await kernel.one(wanted)).transaction.get("wallet_id") == first
        assert (await kernel.balance(first), await kernel.balance(second)) == (9, 8)


@check
async def owners_wallet_is_closed_while_it_is_waited_for(kernel: Kernel) -> None:
    user, first, second = await _wallets(kernel)
    async with kernel.pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(
            "update wallet.wallets set status = 'closed', is_primary = false where wallet_id = $1", second
        )
        task = asyncio.create_task(kernel.one(of(user), wait_ms=20_000))
        await kernel.waits_for_lock(task)
        await transaction.commit()
    assert (await task).status_or_code == "busy"
    assert (await kernel.one(of(user))).transaction.get("wallet_id") == first


@check
async def owners_locked_wallet_is_busy(kernel: Kernel) -> None:
    user, _, second = await _wallets(kernel)
    async with kernel.locking(second):
        outcome = await kernel.one(of(user), wait_ms=0)
    assert (outcome.status_or_code, outcome.locked_wallet_id) == ("busy", second)
