"""What is due on wallets takes effect without anybody using them; one that can't be settled stops no other."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from conftest import TestDatabase
from support.api import Api, posted
from support.clock import SettableClock

from wallet_service.ledger import jobs

START = datetime(2031, 5, 1, tzinfo=UTC)

BREAK = """
create function billing.refuse_test() returns trigger language plpgsql as
  $$ begin raise exception 'broken' using errcode = 'XX001'; end $$;
create trigger refuse_test before update on billing.grants for each row
  when (new.wallet_id = '{wallet}') execute function billing.refuse_test();
"""


class Context:
    """What the job needs of its context."""

    def __init__(self, api: Api) -> None:
        self.state = SimpleNamespace(database=api.app.state.database)
        self.done = 0

    def progress(self, done: int, *, note: str) -> None:
        del note
        self.done = done


@pytest.fixture
async def superuser(timed_postgres: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(timed_postgres.dsn)
    yield connection
    await connection.close()


async def granted(api: Api, clock: SettableClock) -> list[str]:
    """Wallets, on each of which a grant expires after an hour."""
    await clock.set(START)
    wallets: list[str] = []
    for _ in range(5):
        wallet = (await api.admin.wallet(currency="CREDIT"))["wallet_id"]
        grant: dict[str, Any] = {"amount": "20", "source": "promotion", "expires_in_s": 3600}
        answer = await api.admin.post(f"/wallets/{wallet}/grants", grant)
        assert answer.status_code == 201, answer.text
        wallets.append(wallet)
    return wallets


async def balances(superuser: asyncpg.Connection, wallets: list[str]) -> list[int]:
    """As the table has them: a read would settle."""
    rows = await superuser.fetch(
        "select trunc(balance)::integer as balance from unnest($1::uuid[]) with ordinality u (id, place)"
        " join wallet.wallets w on w.wallet_id = u.id order by u.place",
        wallets,
    )
    return [row["balance"] for row in rows]


async def test_a_wallet_that_can_not_be_settled_stops_no_other(
    timed_api: Api, clock: SettableClock, superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_WALLETS_A_CALL", 2)
    wallets = await granted(timed_api, clock)
    await superuser.execute(BREAK.format(wallet=wallets[1]))
    await clock.advance(timedelta(hours=2))
    context = Context(timed_api)
    with pytest.raises(jobs.NotSettled, match="1 wallets"):
        await jobs.settle_due_wallets(context)  # type: ignore[arg-type]  # what it uses of it
    assert context.done == 4
    assert await balances(superuser, wallets) == [0, 20, 0, 0, 0]
    # Once it can be settled, the next run does it, and nothing else.
    await superuser.execute("drop trigger refuse_test on billing.grants; drop function billing.refuse_test()")
    context = Context(timed_api)
    await jobs.settle_due_wallets(context)  # type: ignore[arg-type]  # what it uses of it
    assert context.done == 1
    assert await balances(superuser, wallets) == [0, 0, 0, 0, 0]
    assert posted(await timed_api.admin.move("deposit", wallets[1], "1"))["balance_after"] == "1.000000"
