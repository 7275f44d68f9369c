import asyncio
import json

import asyncpg
import pytest
from support.database_faults import FaultyDatabase
from support.ledger import balance, consume, move, new_wallet, status_or_code
from support.polling import wait_for_lock_waiters

from wallet_service.core.errors import Unavailable, ValidationFailed, WalletBusy
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.limits import Limits
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Posted
from wallet_service.ledger.problems import InsufficientFunds
from wallet_service.platform.database.gateway import Database, Json


async def test_one_operation_is_posted_or_raises(database: Database) -> None:
    wallet_id, ledger = await new_wallet(database), Ledger(database)
    operation = consume(wallet_id, "4")
    posted = await ledger.post_one(operation)
    assert (posted.transaction_id, posted.replayed, posted.dry_run) == (
        operation.transaction_id,
        False,
        False,
    )
    with pytest.raises(InsufficientFunds) as refused:
        await ledger.post_one(consume(wallet_id, "7"))
    assert refused.value.facts == {"wallet_id": wallet_id, "shortfall": "1.000000", "currency": "CREDIT"}
    assert await balance(database, wallet_id) == 6


async def test_a_dry_run_keeps_nothing(database: Database) -> None:
    wallet_id, ledger = await new_wallet(database), Ledger(database)
    assert (await ledger.post_one(consume(wallet_id), dry_run=True)).dry_run
    assert await balance(database, wallet_id) == 10


async def test_the_outcomes_of_a_unit_are_in_order(database: Database) -> None:
    wallet_id, ledger = await new_wallet(database), Ledger(database)
    alone = await ledger.post(Unit((consume(wallet_id, "6"), consume(wallet_id, "6"), consume(wallet_id))))
    assert [status_or_code(each) for each in alone] == ["posted", "insufficient_funds", "posted"]
    together = Unit((consume(wallet_id, "1"), consume(wallet_id, "9")), atomic=True)
    assert [status_or_code(each) for each in await ledger.post(together)] == [
        "batch_aborted",
        "insufficient_funds",
    ]
    assert await balance(database, wallet_id) == 3


@pytest.mark.parametrize("failures", [["before"], ["after"], ["after", "before", "after"]], ids="+".join)
@pytest.mark.parametrize("keyed", [True, False])
async def test_after_a_lost_connection_it_is_sent_again_and_posted_once(
    database: Database, failures: list[str], keyed: bool
) -> None:
    wallet_id, faulty = await new_wallet(database), FaultyDatabase(database, *failures)
    operation = consume(wallet_id, key=new_id() if keyed else None)
    posted = await Ledger(faulty).post_one(operation)
    # Whichever attempt did it: this caller posted, nobody before them.
    assert (posted.transaction_id, posted.replayed) == (operation.transaction_id, False)
    assert await balance(database, wallet_id) == 9
    assert [[unit["resent"] for unit in units] for units in faulty.sent] == [
        [False],
        *[[True]] * len(failures),
    ]
    assert len({json.dumps(unit["operations"]) for units in faulty.sent for unit in units}) == 1


async def test_a_line_that_stays_cut_is_unavailable(database: Database) -> None:
    wallet_id, faulty = await new_wallet(database), FaultyDatabase(database, *["before"] * 100)
    with pytest.raises(Unavailable):
        await Ledger(faulty).post_one(consume(wallet_id))
    assert 2 <= len(faulty.sent) <= 50
    assert await balance(database, wallet_id) == 10


async def test_a_late_first_attempt_can_t_post_after_its_caller_was_refused(database: Database) -> None:
    wallet_id, faulty = await new_wallet(database), FaultyDatabase(database, "before")
    operation = consume(wallet_id, "11")
    with pytest.raises(InsufficientFunds):
        await Ledger(faulty).post_one(operation)
    await Ledger(database).post_one(
        Operation(type="deposit", client_id="test", wallet_id=wallet_id, amount="5")
    )
    first = Unit((operation,)).document(resent=False)
    late = await database.call("post_transactions", units=Json.of([first]), wait_ms=0)
    assert json.loads(late)[0][0]["code"] == "transaction_superseded"
    assert await balance(database, wallet_id) == 15


async def test_a_wallet_that_is_held_too_long_is_busy(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallet_id, ledger = await new_wallet(database), Ledger(database, Limits(lock_wait_ms=50))
    async with superuser.transaction():
        await superuser.execute("select from wallet.wallets where wallet_id = $1 for update", wallet_id)
        with pytest.raises(WalletBusy) as busy:
            await ledger.post_one(consume(wallet_id))
        assert (busy.value.retryable, busy.value.retry_after_s) == (True, 1)
    assert await balance(database, wallet_id) == 10
    await Ledger(database).post_one(consume(wallet_id))


async def test_a_wallet_that_is_held_briefly_is_waited_for(
    database: Database, superuser: asyncpg.Connection
) -> None:
    wallet_id = await new_wallet(database)
    async with superuser.transaction():
        await superuser.execute("select from wallet.wallets where wallet_id = $1 for update", wallet_id)
        posting = asyncio.create_task(Ledger(database).post_one(consume(wallet_id)))
        await wait_for_lock_waiters(superuser, 1)
        assert not posting.done()
    assert isinstance(await posting, Posted)
    assert await balance(database, wallet_id) == 9


@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59.9999999Z"],
)
async def test_a_year_that_no_answer_can_write(database: Database, moment: str) -> None:
    wallet_id = await new_wallet(database)
    operation = move("deposit", wallet_id, effective_at=moment)
    with pytest.raises(ValidationFailed) as refused:
        await Ledger(database).post_one(operation)
    assert [error["pointer"] for error in refused.value.facts["errors"]] == ["/effective_at"]
    assert await balance(database, wallet_id) == 10
