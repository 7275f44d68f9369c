"""Idempotency: one key, one effect, one response, on any connection and however often it is sent."""

import asyncio
from collections import Counter

from support.kernel.harness import Kernel, Op, Outcome, another_attempt, check, op, refund, transfer, unit
from wallet_service.core.identifiers import new_id


async def _at_once(kernel: Kernel, *operations: Op) -> list[Outcome]:
    """Each operation in a call and on a connection of its own."""
    return list(await asyncio.gather(*(kernel.one(operation) for operation in operations)))


@check
async def same_key_fifty_at_once(kernel: Kernel) -> None:
    wallet, key = await kernel.wallet("100"), new_id()
    first = op("consume", wallet, "7", key=key)
    outcomes = await _at_once(kernel, *(another_attempt(first) for _ in range(50)))
    assert Counter(outcome.status for outcome in outcomes) == {"posted": 1, "replayed": 49}
    assert len({outcome.raw for outcome in outcomes}) == 1
    assert await kernel.balance(wallet) == 93
    late = await kernel.one(another_attempt(first))
    assert (late.status, late.raw) == ("replayed", outcomes[0].raw)


@check
async def same_transaction_fifty_at_once(kernel: Kernel) -> None:
    """An operation that is sent again while its first attempt is under way is one posting, and each attempt gets it."""
    source, target = await kernel.wallet("100"), await kernel.wallet()
    sent = transfer(source, target, "7")
    answers = await asyncio.gather(*(kernel.call([unit(sent, resent=number > 0)]) for number in range(50)))
    assert len(set(answers)) == 1
    assert '"status":"posted"' in answers[0]
    assert (await kernel.balance(source), await kernel.balance(target)) == (93, 7)


@check
async def same_key_in_one_call(kernel: Kernel) -> None:
    wallet = await kernel.wallet("100")
    first = op("consume", wallet, "7", key=new_id())
    other = another_attempt(first) | {"amount": "8"}
    outcomes = await kernel.all(first, another_attempt(first), other, first, op("consume", wallet, "1"))
    assert [outcome.status_or_code for outcome in outcomes] == [
        *("posted", "replayed", "idempotency_key_reused", "posted", "posted"),
    ]
    assert outcomes[0].raw == outcomes[1].raw == outcomes[3].raw
    assert await kernel.balance(wallet) == 92
    assert await kernel.key_owner(first["idempotency_key"]) == first["transaction_id"]


@check
async def same_key_other_request(kernel: Kernel) -> None:
    wallet, other = await kernel.wallet("100"), await kernel.wallet("100")
    first = op("consume", wallet, "7", key=new_id(), reference="a", metadata={"n": 1})
    assert (await kernel.one(first)).status == "posted"
    before = await kernel.state()
    for changed in (
        {"amount": "7.01"},
        {"wallet_id": other},
        {"type": "withdraw"},
        {"reference": "b"},
        {"description": "a"},
        {"metadata": {"n": 2}},
        {"counter_account": "revenue:x"},
        {"effective_at": "2026-01-01T00:00:00Z"},
        {"type": "transfer", "to_wallet_id": other},
    ):
        outcome = await kernel.one(another_attempt(first) | changed)
        assert outcome.status_or_code == "idempotency_key_reused", changed
    assert await kernel.state() == before
    for same in ({"amount": "7.00"}, {"amount": 7}, {"metadata": {"n": 1}}):
        assert (await kernel.one(another_attempt(first) | same)).status == "replayed", same
    assert (await kernel.one(another_attempt(first) | {"client_id": "another"})).status == "posted"


@check
async def same_key_on_two_wallets(kernel: Kernel) -> None:
    """One is posted, the other refused, and no other operation of either call fails."""
    wallets = [await kernel.wallet("100") for _ in range(2)]
    for round_number in range(8):
        key = new_id()
        calls = [
            [op("consume", wallet, "1"), op("consume", wallet, "5", key=key), op("consume", wallet, "1")]
            for wallet in wallets
        ]
        outcomes = await asyncio.gather(*(kernel.all(*operations, wait_ms=2000) for operations in calls))
        assert Counter(found[1].status_or_code for found in outcomes) == {
            "posted": 1,
            "idempotency_key_reused": 1,
        }
        assert {found[place].status for found in outcomes for place in (0, 2)} == {"posted"}
        assert sum([await kernel.balance(wallet) for wallet in wallets]) == 200 - 9 * (round_number + 1)


@check
async def key_under_way_is_waited_for(kernel: Kernel) -> None:
    for commit, told in ((False, "posted"), (True, "replayed")):
        wallet = await kernel.wallet("100")
        first = op("consume", wallet, "7", key=new_id())
        async with kernel.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            assert (await kernel.one(another_attempt(first), on=connection)).status == "posted"
            other = asyncio.create_task(kernel.one(another_attempt(first)))
            await kernel.waits_for_lock(other)
            await (transaction.commit() if commit else transaction.rollback())
        assert (await other).status == told
        assert await kernel.balance(wallet) == 93


@check
async def refusals_do_not_spend_the_key(kernel: Kernel) -> None:
    wallet = await kernel.wallet("5")
    wanted = op("consume", wallet, "7", key=new_id())
    before = await kernel.state()
    assert (await kernel.one(wanted)).code == "insufficient_funds"
    assert (await kernel.one(another_attempt(wanted) | {"amount": "NaN"})).code == "amount_invalid"
    assert await kernel.state() == before
    await kernel.one(op("deposit", wallet, "5"))
    assert (await kernel.one(another_attempt(wanted))).status == "posted"
    assert (await kernel.one(another_attempt(wanted))).status == "replayed"


@check
async def claim_is_handed_over(kernel: Kernel) -> None:
    """The first operation with a key is refused, a later one of the same call posts and gets the key."""
    wallet, key = await kernel.wallet("5"), new_id()
    refused = op("consume", wallet, "7", key=key)
    posted = op("consume", wallet, "4", key=key)
    outcomes = await kernel.all(refused, posted, another_attempt(refused), another_attempt(posted))
    assert [outcome.status_or_code for outcome in outcomes] == [
        *("insufficient_funds", "posted", "idempotency_key_reused", "replayed"),
    ]
    assert await kernel.key_owner(key) == posted["transaction_id"]
    assert (await kernel.one(another_attempt(posted))).raw == outcomes[1].raw
    assert (await kernel.one(another_attempt(refused))).status_or_code == "idempotency_key_reused"


@check
async def dry_run_keeps_nothing(kernel: Kernel) -> None:
    wallet, other = await kernel.wallet("10"), await kernel.wallet()
    key = new_id()
    wanted = op("consume", wallet, "7", key=key)
    before = await kernel.state()
    outcomes = await kernel.all(wanted, another_attempt(wanted), transfer(wallet, other, "4"), dry_run=True)
    assert [outcome.status_or_code for outcome in outcomes] == ["dry_run", "dry_run", "insufficient_funds"]
    assert [outcome.transaction["dry_run"] for outcome in outcomes[:2]] == [True, True]
    assert outcomes[0].transaction["balance_after"] == "3.00"
    assert (await kernel.all(op("consume", wallet, "99"), dry_run=True, resent=True))[0].status == "refused"
    assert await kernel.state() == before
    assert (await kernel.one(wanted)).transaction["balance_before"] == "10.00"
    assert (await kernel.one(another_attempt(wanted), dry_run=True)).status == "dry_run"
    assert (
        await kernel.one(another_attempt(wanted) | {"amount": "1"}, dry_run=True)
    ).code == "idempotency_key_reused"


@check
async def dry_run_and_posting_in_one_call(kernel: Kernel) -> None:
    """In one call they have the same outcomes as one after the other."""
    wallet = await kernel.wallet("10")
    wanted = op("consume", wallet, "7", key=new_id())
    ((first,), (real,), (second,), (other,)) = await kernel.post(
        unit(another_attempt(wanted), dry_run=True),
        unit(wanted),
        unit(another_attempt(wanted), dry_run=True),
        unit(another_attempt(wanted) | {"amount": "1"}, dry_run=True),
    )
    assert (first.status_or_code, first.transaction["balance_before"]) == ("dry_run", "10.00")
    assert (real.status_or_code, real.transaction["balance_before"]) == ("posted", "10.00")
    assert (second.status_or_code, second.transaction) == ("dry_run", real.transaction | {"dry_run": True})
    assert other.status_or_code == "idempotency_key_reused"
    refused = op("consume", wallet, "70", key=new_id())
    outcomes = await kernel.post(
        unit(refused), unit(another_attempt(refused) | {"amount": "1"}, dry_run=True)
    )
    assert [found[0].status_or_code for found in outcomes] == ["insufficient_funds", "dry_run"]


@check
async def transaction_id_reused(kernel: Kernel) -> None:
    wallet = await kernel.wallet("100")
    first = op("consume", wallet, "7", key=new_id())
    posted = await kernel.one(first)
    before = await kernel.state()
    for resent in (False, True):
        other = first | {"idempotency_key": new_id()}
        outcome = await kernel.one(other, resent=resent)
        assert (outcome.status_or_code, outcome.facts) == (
            "idempotency_key_reused",
            {"transaction_id": first["transaction_id"]},
        )
    assert (await kernel.one(first | {"amount": "8"}, resent=True)).status_or_code == "idempotency_key_reused"
    assert await kernel.state() == before
    assert (await kernel.one(first, resent=True)).raw == posted.raw
    twin = op("consume", wallet, "1", key=new_id())
    outcomes = await kernel.all(
        twin,
        twin | {"idempotency_key": new_id()},
        twin | {"client_id": "another"},
        op("fee", wallet, "1"),
        resent=True,
    )
    assert [outcome.status_or_code for outcome in outcomes] == [
        *("posted", "idempotency_key_reused", "idempotency_key_reused", "posted"),
    ]
    assert (await kernel.one(twin, resent=True)).raw == outcomes[0].raw


@check
async def late_first_attempt(kernel: Kernel) -> None:
    """A refused second attempt prevents a late first attempt from posting."""
    wallet = await kernel.wallet("5")
    wanted = op("consume", wallet, "7", key=new_id())
    assert (await kernel.one(wanted, resent=True)).code == "insufficient_funds"
    await kernel.one(op("deposit", wallet, "95"))
    before = await kernel.state()
    assert before["tombstones"]
    late = await kernel.one(wanted)
    assert (late.code, late.facts) == ("transaction_superseded", {"transaction_id": wanted["transaction_id"]})
    assert (await kernel.one(wanted, resent=True)).code == "transaction_superseded"
    assert await kernel.state() == before
    assert (await kernel.one(another_attempt(wanted))).status == "posted"


@check
async def late_first_attempt_of_an_atomic_unit(kernel: Kernel) -> None:
    wallet = await kernel.wallet("5")
    operations = [op("deposit", wallet, "1"), op("consume", wallet, "7"), op("deposit", wallet, "1")]
    aborted = ["batch_aborted", "insufficient_funds", "batch_aborted"]
    assert [
        outcome.status_or_code for outcome in await kernel.all(*operations, atomic=True, resent=True)
    ] == aborted
    await kernel.one(op("deposit", wallet, "95"))
    before = await kernel.state()
    late = await kernel.all(*operations, atomic=True)
    assert [outcome.status_or_code for outcome in late] == [
        "transaction_superseded",
        "batch_aborted",
        "batch_aborted",
    ]
    assert [(await kernel.one(operation)).status_or_code for operation in operations] == [
        "transaction_superseded"
    ] * 3
    assert await kernel.state() == before


@check
async def sent_again_after_success(kernel: Kernel) -> None:
    source, target = await kernel.wallet("10"), await kernel.wallet()
    sent = [
        transfer(source, target, "7"),
        op("consume", source, "3", key=new_id()),
        op("consume", source, "3"),
    ]
    first = await kernel.call([unit(*sent)])
    await kernel.one(op("deposit", source, "1"))
    again_text = await kernel.call([unit(*sent, resent=True)])
    assert again_text.split("\n")[:-3] == first.split("\n")[:-3]
    told = [outcome.status_or_code for outcome in (await kernel.post(unit(*sent)))[0]]
    assert told == ["posted", "posted", "transaction_superseded"]
    assert (await kernel.balance(source), await kernel.balance(target)) == (1, 7)


@check
async def key_of_a_wallet(kernel: Kernel) -> None:
    wallet, key = await kernel.wallet("10"), new_id()
    posted = op("consume", wallet, "1", key=new_id())
    await kernel.one(posted)
    # Even with the hash of a posting it stays the key of a wallet.
    await kernel.pool.execute(
        """
        insert into wallet.idempotency (client_id, key, kind, transaction_id, request_hash, answer, created_at)
        select client_id, $1, 'wallet', transaction_id, request_hash, '{}', created_at
        from wallet.idempotency where client_id = 'tests' and key = $2
        """,
        key,
        posted["idempotency_key"],
    )
    before = await kernel.state()
    outcome, other_operation = await kernel.all(
        op("consume", wallet, "1", key=key), op("consume", wallet, "99")
    )
    assert (outcome.status_or_code, other_operation.status_or_code) == (
        "idempotency_key_reused",
        "insufficient_funds",
    )
    assert await kernel.state() == before
    await kernel.pool.execute("delete from wallet.idempotency where client_id = 'tests' and key = $1", key)


@check
async def replay_of_a_refund_without_amount(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    spent = op("consume", wallet, "4")
    await kernel.one(spent)
    back = refund(spent, key=new_id())
    first = await kernel.one(back)
    assert (first.status, first.transaction["amount"]) == ("posted", "4.00")
    assert (await kernel.one(another_attempt(back))).raw == first.raw
    assert (
        await kernel.one(another_attempt(back) | {"amount": "4"})
    ).status_or_code == "idempotency_key_reused"
