"""Atomic units and dry runs: their effects, and that nothing stays of one that is rolled back."""

from decimal import Decimal

from support.kernel.harness import Kernel, another_attempt, check, op, refund, transfer, unit
from wallet_service.core.identifiers import new_id


@check
async def first_refusal_aborts(kernel: Kernel) -> None:
    wallet, other = await kernel.wallet("10"), await kernel.wallet()
    before = await kernel.state()
    outcomes = await kernel.all(
        transfer(wallet, other, "6"),
        op("consume", wallet, "5"),
        op("deposit", wallet, "NaN"),
        op("deposit", wallet, "1"),
        atomic=True,
    )
    assert [outcome.status_or_code for outcome in outcomes] == [
        *("batch_aborted", "insufficient_funds", "batch_aborted", "batch_aborted"),
    ]
    assert [outcome.facts.get("index") for outcome in outcomes] == [1, None, 1, 1]
    assert outcomes[1].facts["shortfall"] == "1.00"
    assert await kernel.state() == before
    outcomes = await kernel.all(transfer(wallet, other, "6"), op("consume", wallet, "4"), atomic=True)
    assert [outcome.status_or_code for outcome in outcomes] == ["posted", "posted"]
    assert (await kernel.balance(wallet), await kernel.balance(other)) == (0, 6)


@check
async def later_units_see_what_was_before(kernel: Kernel) -> None:
    """A unit that fails, or is a dry run, restores balances, versions, keys and refunds."""
    wallet, other, key = await kernel.wallet("10"), await kernel.wallet(), new_id()
    keyed, spent = op("consume", wallet, "2", key=key), op("consume", wallet, "4")
    await kernel.one(spent)
    for flags in ({"atomic": True}, {"dry_run": True}, {"atomic": True, "dry_run": True}):
        failing = [
            transfer(wallet, other, "3"),
            another_attempt(keyed),
            refund(spent, "3.9"),
            op("consume", wallet, "99"),
        ]
        first, (outcome,), (back,) = await kernel.post(
            unit(*failing, **flags), unit(op("deposit", other, "1")), unit(refund(spent, "0.01"))
        )
        assert first[-1].status_or_code == "insufficient_funds"
        assert outcome.status_or_code == "posted"
        assert back.status_or_code == "posted"
        version = await kernel.value("select last_entry from wallet.wallets where wallet_id = $1", other)
        assert outcome.transaction["wallet_version"] == version
        assert await kernel.key_owner(key) is None
    assert (await kernel.balance(wallet), await kernel.balance(other)) == (Decimal("6.03"), 3)
    ((aborted, _), (posted,)) = await kernel.post(
        unit(another_attempt(keyed), op("consume", wallet, "99"), atomic=True), unit(keyed)
    )
    assert (aborted.status_or_code, posted.status_or_code) == ("batch_aborted", "posted")
    assert await kernel.key_owner(key) == keyed["transaction_id"]


@check
async def dry_unit_between_two(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    (first,), dry, (last,) = await kernel.post(
        unit(op("consume", wallet, "3")),
        unit(
            op("consume", wallet, "5"), op("consume", wallet, "5"), op("consume", wallet, "2"), dry_run=True
        ),
        unit(op("consume", wallet, "7")),
    )
    assert [outcome.status_or_code for outcome in dry] == ["dry_run", "insufficient_funds", "dry_run"]
    assert [dry[0].transaction["balance_before"], dry[2].transaction["balance_after"]] == ["7.00", "0.00"]
    assert (first.status_or_code, last.status_or_code, last.transaction["wallet_version"]) == (
        "posted",
        "posted",
        3,
    )
    assert await kernel.balance(wallet) == 0


@check
async def atomic_with_replays(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    old = op("consume", wallet, "2", key=new_id())
    first = await kernel.one(old)
    replayed, posted = await kernel.all(another_attempt(old), op("consume", wallet, "1"), atomic=True)
    assert (replayed.status_or_code, replayed.raw, posted.status_or_code) == ("replayed", first.raw, "posted")
    before = await kernel.state()
    outcomes = await kernel.all(another_attempt(old), op("consume", wallet, "99"), atomic=True)
    assert [outcome.status_or_code for outcome in outcomes] == ["batch_aborted", "insufficient_funds"]
    reused = await kernel.all(op("deposit", wallet, "1"), another_attempt(old) | {"amount": "3"}, atomic=True)
    assert [outcome.status_or_code for outcome in reused] == ["batch_aborted", "idempotency_key_reused"]
    assert await kernel.state() == before
    new = op("consume", wallet, "1", key=new_id())
    twice = await kernel.all(new, another_attempt(new), atomic=True)
    assert ([outcome.status_or_code for outcome in twice], twice[1].raw) == (
        ["posted", "replayed"],
        twice[0].raw,
    )


@check
async def units_stand_alone(kernel: Kernel) -> None:
    wallet = await kernel.wallet("10")
    outcomes = await kernel.post(
        unit(op("consume", wallet, "99"), op("consume", wallet, "1"), atomic=True),
        unit(op("consume", wallet, "99"), op("consume", wallet, "1")),
        unit(op("consume", wallet, "1"), op("consume", wallet, "1"), atomic=True),
    )
    assert [[outcome.status_or_code for outcome in found] for found in outcomes] == [
        ["insufficient_funds", "batch_aborted"],
        ["insufficient_funds", "posted"],
        ["posted", "posted"],
    ]
    assert await kernel.balance(wallet) == 7
