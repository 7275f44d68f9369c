"""Idempotency: one key, one effect, one response, on any connection and however often it is sent."""

import asyncio
from collections import Counter

from support.kernel.harness import (
    Kernel,
    Op,
    Outcome,
    another_attempt,
    check,
    later,
    op,
    refund,
    transfer,
    unit,
)
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
async def same_keys_and_ids_among_many_in_one_call(kernel: Kernel) -> None:
    """So many that keys and ids share slots of the tables in which they are looked up. Keys of two clients always do."""
    wallet, count = await kernel.wallet("1000"), 150
    first = [op("consume", wallet, "1", key=new_id()) for _ in range(count)]
    others = [another_attempt(each) | {"client_id": "another client"} for each in first]
    outcomes = await kernel.all(*first, *others, *(another_attempt(each) for each in first))
    statuses = [outcome.status_or_code for outcome in outcomes]
    assert statuses == ["posted"] * count * 2 + ["replayed"] * count
    assert [outcome.raw for outcome in outcomes[:count]] == [outcome.raw for outcome in outcomes[-count:]]
    assert await kernel.balance(wallet) == 1000 - 2 * count

    named = [op("consume", wallet, "1", key=new_id()) for _ in range(count)]
    outcomes = await kernel.all(*named, *(each | {"idempotency_key": new_id()} for each in named))
    statuses = [outcome.status_or_code for outcome in outcomes]
    assert statuses == ["posted"] * count + ["idempotency_key_reused"] * count


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
    for same in (
        {"amount": "7.00"},
        {"amount": 7},
        {"metadata": {"n": 1.0}},
        {"counter_account": "revenue:usage"},
        {"wallet_id": wallet.upper()},
    ):
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
async def a_later_attempt_is_decided_again(kernel: Kernel) -> None:
    """Also where the response to a refusal was lost. Only what was sent before the refusal stays refused."""
    wallet = await kernel.wallet("5")
    wanted = op("consume", wallet, "7", key=new_id())

    async def sent(attempt: int, sending: int) -> str:
        return (await kernel.post(later(wanted, attempt=attempt, sending=sending)))[0][0].status_or_code

    assert [await sent(1, 2), await sent(1, 3)] == ["insufficient_funds"] * 2
    assert [await sent(2, 1), await sent(2, 2)] == ["insufficient_funds"] * 2
    await kernel.one(op("deposit", wallet, "95"))
    before = await kernel.state()
    first = (await kernel.one(wanted)).status_or_code
    assert [first, await sent(1, 9), await sent(2, 1), await sent(2, 2)] == ["transaction_superseded"] * 4
    assert await kernel.state() == before
    # A new call with the same key is not bound, and neither is a later attempt.
    assert (await kernel.one(another_attempt(wanted), dry_run=True)).status == "dry_run"
    assert await sent(3, 1) == "posted"
    assert [await sent(3, 2), await sent(4, 1)] == ["posted", "replayed"]
    assert (await kernel.one(wanted)).status == "posted"
    assert not await kernel.value(
        "select count(*) from wallet.tombstones where transaction_id = $1", wanted["transaction_id"]
    )
    assert await kernel.balance(wallet) == 93


@check
async def a_later_attempt_of_an_atomic_unit_is_decided_again(kernel: Kernel) -> None:
    wallet, other = await kernel.wallet("5"), await kernel.wallet()
    operations = [op("deposit", wallet, "1"), transfer(wallet, other, "7"), op("deposit", wallet, "1")]
    codes = ["batch_aborted", "insufficient_funds", "batch_aborted"]
    for attempt in (2, 3):
        (outcomes,) = await kernel.post(later(*operations, attempt=attempt, atomic=True))
        assert [outcome.status_or_code for outcome in outcomes] == codes
    await kernel.one(op("deposit", wallet, "95"))
    for late in (unit(*operations, atomic=True), later(*operations, attempt=3, atomic=True)):
        (outcomes,) = await kernel.post(late)
        assert outcomes[0].status_or_code == "transaction_superseded"
    (outcomes,) = await kernel.post(later(*operations, attempt=4, atomic=True))
    assert [outcome.status for outcome in outcomes] == ["posted"] * 3
    assert await kernel.balance(wallet) == 95


@check
async def attempts_in_one_call(kernel: Kernel) -> None:
    """A late attempt in the call in which a later one is refused."""
    wallet = await kernel.wallet("5")
    wanted, other = [op("consume", wallet, "7", key=new_id()) for _ in range(2)]
    told = await kernel.post(
        later(wanted, attempt=2),
        unit(op("deposit", wallet, "20")),
        unit(wanted),
        later(wanted, attempt=2),
        unit(another_attempt(wanted)),
        unit(other),
        later(other, attempt=2),
    )
    assert [outcome.status_or_code for (outcome,) in told] == [
        *("insufficient_funds", "posted", "transaction_superseded", "transaction_superseded"),
        *("posted", "posted", "replayed"),
    ]
    assert await kernel.balance(wallet) == 11
    raised = op("consume", wallet, "20", key=new_id())
    told = await kernel.post(
        later(raised, attempt=2), unit(op("deposit", wallet, "20")), later(raised, attempt=3), unit(raised)
    )
    assert [outcome.status_or_code for (outcome,) in told] == [
        *("insufficient_funds", "posted", "posted", "posted"),
    ]
    assert await kernel.balance(wallet) == 11
    # The late attempt fails its atomic unit.
    wanted = op("consume", wallet, "50", key=new_id())
    told = await kernel.post(
        later(wanted, attempt=2),
        unit(op("deposit", wallet, "90")),
        unit(op("deposit", wallet, "1"), wanted, op("deposit", wallet, "1"), atomic=True),
    )
    assert [outcome.status_or_code for outcomes in told for outcome in outcomes] == [
        *("insufficient_funds", "posted", "batch_aborted", "transaction_superseded", "batch_aborted"),
    ]
    assert await kernel.balance(wallet) == 101
    # What is in the ledger is not overtaken by a unit that was refused for another operation.
    posted, poor = op("deposit", wallet, "1", key=new_id()), op("consume", wallet, "999")
    assert (await kernel.one(posted)).status == "posted"
    told = await kernel.post(later(poor, posted, attempt=2, atomic=True), unit(posted))
    assert [outcome.status_or_code for outcomes in told for outcome in outcomes] == [
        *("insufficient_funds", "batch_aborted", "posted"),
    ]


@check
async def busy_keeps_the_tombstone(kernel: Kernel) -> None:
    wallet = await kernel.wallet("5")
    wanted = op("consume", wallet, "7", key=new_id())
    assert (await kernel.post(later(wanted, attempt=2)))[0][0].code == "insufficient_funds"
    async with kernel.locking(wallet):
        assert (await kernel.post(later(wanted, attempt=3), wait_ms=0))[0][0].status == "busy"
    await kernel.one(op("deposit", wallet, "95"))
    assert (await kernel.one(wanted)).code == "transaction_superseded"


@check
async def a_request_made_of_its_own_response(kernel: Kernel) -> None:
    """What a response shows in place of members that were left out is what these stand for."""
    wallet, other = await kernel.wallet("100"), await kernel.wallet("100")
    spent, moved = op("consume", wallet, "7"), transfer(wallet, other, "6")
    await kernel.all(spent, moved, refund(spent, "2"))
    details = {"reference": "r", "description": "d", "metadata": {"a": {"b": None}}}
    for first in (
        *(op(kind, wallet, "1.5") for kind in ("deposit", "withdraw", "consume", "reward", "fee")),
        op(
            "consume",
            wallet,
            "1",
            effective_at="2026-01-02T00:00:00Z",
            counter_account="revenue:x",
            **details,
        ),
        transfer(wallet, other, "3", **details),
        refund(spent),
        refund(moved, "2", **details),
    ):
        first |= {"idempotency_key": new_id()}
        posted = await kernel.one(first)
        names = {"amount", "reference", "description", "metadata", "effective_at", "counter_account"}
        made = another_attempt(first) | {
            name: posted.transaction[name]
            for name in names - ({"counter_account"} if first["type"] in ("transfer", "refund") else set())
        }
        made["amount"] = str(made["amount"])
        again = await kernel.one(made)
        assert (again.status_or_code, again.raw) == ("replayed", posted.raw), first
        told = await kernel.all(op("fee", wallet, "1"), another_attempt(first), made)
        assert [outcome.status for outcome in told] == ["posted", "replayed", "replayed"]
        for changed in ({"effective_at": "2026-01-01T00:00:00Z"}, {"metadata": {"a": 1}}, {"reference": "s"}):
            assert (await kernel.one(made | changed)).status_or_code == "idempotency_key_reused", changed
    first = op("deposit", wallet, "1", key=new_id(), effective_at="2026-01-01T00:00:00Z")
    await kernel.one(first)
    del first["effective_at"]
    assert (await kernel.one(another_attempt(first))).status_or_code == "idempotency_key_reused"


@check
async def the_same_request_written_otherwise_in_one_call(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    first = op("consume", wallet, "1", key=new_id())
    told = await kernel.all(
        first,
        another_attempt(first) | {"metadata": {}, "counter_account": "revenue:usage"},
        another_attempt(first) | {"counter_account": "revenue:fees"},
    )
    assert [outcome.status_or_code for outcome in told] == ["posted", "replayed", "idempotency_key_reused"]


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
    rest = op("consume", wallet, "6")
    parts = [refund(rest, amount, key=key) for amount, key in (("1", new_id()), ("5", "rest"), ("5", "rest"))]
    del parts[2]["amount"]
    told = [outcome.status for outcome in await kernel.all(rest, *parts)]
    assert told == ["posted", "posted", "posted", "replayed"]  # in one call
    for amount, told in (("4", "replayed"), ("3", "idempotency_key_reused")):
        assert (await kernel.one(another_attempt(back) | {"amount": amount})).status_or_code == told
    other = op("consume", wallet, "5")
    part = refund(other, "2", key=new_id())
    assert [outcome.status for outcome in await kernel.all(other, part)] == ["posted"] * 2
    del part["amount"]
    assert (await kernel.one(another_attempt(part))).status_or_code == "idempotency_key_reused"
