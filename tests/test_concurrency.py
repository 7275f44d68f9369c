"""Many requests at once, over HTTP: they have effects as if each had come alone."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest
from support.api import Api, Client, new_user, open_api, posted, problem
from support.database_location import DatabaseLocation
from support.polling import wait_for_lock_waiters

from wallet_service.core.identifiers import new_id
from wallet_service.ledger import locked_wallets

MANY = 50


pytestmark = pytest.mark.parametrize(
    ("driver", "api"),
    [
        ("postgres", 1),
        ("postgres", 2),
        ("postgres", 50),
        # Batches are made above the driver.
        pytest.param("supabase", 2, marks=pytest.mark.supabase),
    ],
    indirect=True,
)


@pytest.fixture(scope="module")
async def api(request: pytest.FixtureRequest, database_location: DatabaseLocation) -> AsyncIterator[Api]:
    """The application with batches of so many operations, at most."""
    async with open_api(database_location, commit_batch_operations=request.param) as opened:
        yield opened


async def at_once(requests: Iterable[Coroutine[Any, Any, httpx.Response]]) -> list[httpx.Response]:
    return await asyncio.gather(*requests)


def codes(answers: Iterable[httpx.Response]) -> Counter[str]:
    """How many answered what: the status of a success, the code of a refusal."""
    return Counter(
        str(answer.status_code) if answer.is_success else answer.json()["code"] for answer in answers
    )


async def history(caller: Client, wallet_id: str) -> list[dict[str, Any]]:
    """All ledger rows of a wallet, oldest first."""
    rows: list[dict[str, Any]] = []
    page = (await caller.get(f"/wallets/{wallet_id}/transactions", limit=100)).json()
    rows += page["items"]
    while page["next_cursor"] is not None:
        page = (
            await caller.get(f"/wallets/{wallet_id}/transactions", limit=100, cursor=page["next_cursor"])
        ).json()
        rows += page["items"]
    return rows[::-1]


async def rows_follow(caller: Client, wallet_id: str) -> list[dict[str, Any]]:
    """The rows of a wallet, each going on from the one before, up to the balance that the wallet has."""
    rows = await history(caller, wallet_id)
    balance = Decimal(0)
    for version, row in enumerate(rows, start=1):
        assert row["wallet_version"] == version
        assert Decimal(row["balance_before"]) == balance
        balance += Decimal(row["amount"]) * (1 if row["direction"] == "credit" else -1)
        assert Decimal(row["balance_after"]) == balance >= 0
    times = [row["created_at"] for row in rows]
    assert times == sorted(times)
    assert Decimal(await caller.balance(wallet_id)) == balance
    return rows


async def test_opposed_transfers(api: Api) -> None:
    admin = api.admin
    wallets = [(await admin.wallet("20"))["wallet_id"] for _ in range(3)]
    pairs = list(itertools.islice(itertools.cycle(itertools.permutations(wallets, 2)), MANY))
    for _ in range(3):
        answers = await at_once(admin.move("transfer", one, "3", to_wallet_id=other) for one, other in pairs)
        assert set(codes(answers)) <= {"201", "insufficient_funds"}
        assert codes(answers)["201"] >= len(wallets)
    rows = {wallet: await rows_follow(admin, wallet) for wallet in wallets}
    assert sum([Decimal(await admin.balance(wallet)) for wallet in wallets]) == 60
    legs = Counter(row["transaction_id"] for wallet in wallets for row in rows[wallet][1:])
    assert set(legs.values()) == {2}


async def test_debits_of_one_wallet_lose_nothing_and_overdraw_nothing(api: Api) -> None:
    admin = api.admin
    wallet = (await admin.wallet("30.5"))["wallet_id"]
    answers = await at_once(admin.move("consume", wallet, "1") for _ in range(MANY))
    assert codes(answers) == {"201": 30, "insufficient_funds": 20}
    for answer in answers:
        if not answer.is_success:
            assert problem(answer, "insufficient_funds")["shortfall"] == "0.500000"
    assert {posted(answer)["wallet_version"] for answer in answers if answer.is_success} == set(range(2, 32))
    assert len(await rows_follow(admin, wallet)) == 31


async def test_one_keyed_request_many_times(api: Api) -> None:
    admin = api.admin
    wallet = (await admin.wallet("100"))["wallet_id"]
    for kind, members in (
        ("consume", {"reference": "once"}),
        ("transfer", {"to_wallet_id": (await admin.wallet())["wallet_id"]}),
    ):
        key = new_id()
        answers = await at_once(admin.move(kind, wallet, "10", key=key, **members) for _ in range(MANY))
        assert codes(answers) == {"201": MANY}
        assert len({answer.content for answer in answers}) == 1
        replayed = Counter(answer.headers.get("Idempotency-Replayed") for answer in answers)
        assert replayed == {None: 1, "true": MANY - 1}
    assert await admin.balance(wallet) == "80.000000"
    assert len(await rows_follow(admin, wallet)) == 3


async def test_one_keyed_batch_many_times(api: Api) -> None:
    admin = api.admin
    wallet = (await admin.wallet("100"))["wallet_id"]
    operations = [{"type": "consume", "wallet_id": wallet, "amount": "1"} for _ in range(5)]
    key = new_id()
    answers = await at_once(
        admin.batch(*operations, key=key, atomic=bool(number % 2)) for number in range(MANY)
    )
    assert codes(answers) == {"200": MANY}
    assert len({answer.content for answer in answers}) == 1
    assert await admin.balance(wallet) == "95.000000"


async def test_one_key_on_two_wallets(api: Api) -> None:
    """One of them wins; the other is refused, and what else is in its batch is posted all the same."""
    admin = api.admin
    wallets = [(await admin.wallet("100"))["wallet_id"] for _ in range(2)]
    for _ in range(10):
        key = new_id()

        def batch(wallet: str, key: str = key) -> Coroutine[Any, Any, httpx.Response]:
            other_operation = {"type": "consume", "wallet_id": wallet, "amount": "0.5"}
            keyed = {"type": "consume", "wallet_id": wallet, "amount": "1", "idempotency_key": key}
            return admin.batch(other_operation, keyed, other_operation)

        answers = await at_once(batch(wallet) for wallet in wallets)
        results = [answer.json()["results"] for answer in answers]
        middle = [result[1] for result in results]
        assert sorted(each["status"] for each in middle) == ["posted", "refused"]
        lost = next(each for each in middle if each["status"] == "refused")
        assert lost["problem"]["code"] == "idempotency_key_reused"
        assert {each["status"] for result in results for each in (result[0], result[2])} == {"posted"}
    balances = [Decimal(await admin.balance(wallet)) for wallet in wallets]
    assert sum(balances) == 200 - 10 * (4 * Decimal("0.5") + 1)


async def test_a_key_on_many_wallets_by_single_requests(api: Api) -> None:
    admin = api.admin
    wallets = [(await admin.wallet("5"))["wallet_id"] for _ in range(10)]
    key = new_id()
    answers = await at_once(admin.move("consume", wallet, "1", key=key) for wallet in wallets)
    assert codes(answers) == {"201": 1, "idempotency_key_reused": 9}
    assert sum([Decimal(await admin.balance(wallet)) for wallet in wallets]) == 49


async def test_a_key_that_is_refused_goes_to_the_next(api: Api) -> None:
    """The poor wallet's refusal doesn't spend the key, whichever of the two comes first."""
    admin = api.admin
    poor, rich = [(await admin.wallet(balance))["wallet_id"] for balance in (None, "100")]
    for _ in range(10):
        key = new_id()
        first, second = await at_once(admin.move("consume", wallet, "1", key=key) for wallet in (poor, rich))
        assert codes([second]) == {"201": 1}
        assert set(codes([first])) <= {"insufficient_funds", "idempotency_key_reused"}
    assert await admin.balance(rich) == "90.000000"


async def test_refunds_never_give_back_more_than_was_taken(api: Api) -> None:
    admin = api.admin
    wallet, other = [(await admin.wallet("100"))["wallet_id"] for _ in range(2)]
    for move in (
        await admin.move("consume", wallet, "10"),
        await admin.move("transfer", wallet, "10", to_wallet_id=other),
    ):
        name = posted(move)["transaction_id"]
        answers = await at_once(
            admin.refund(name, **({"amount": "3"} if number % 5 else {})) for number in range(MANY)
        )
        assert set(codes(answers)) <= {"201", "refund_exceeds", "insufficient_funds"}
        given_back = [Decimal(posted(answer)["amount"]) for answer in answers if answer.is_success]
        assert sum(given_back) == 10
    assert await admin.balance(wallet) == "100.000000"
    assert await admin.balance(other) == "100.000000"
    await rows_follow(admin, wallet)


async def test_no_money_on_a_closed_wallet(api: Api) -> None:
    admin = api.admin
    outcomes: Counter[str] = Counter()
    for number in range(20):
        wallet = (await admin.wallet())["wallet_id"]
        closed, moved, again = await at_once(
            [
                _later(5 * number, admin.delete(f"/wallets/{wallet}")),
                admin.move("deposit", wallet, "1"),
                _later(8 * number, admin.delete(f"/wallets/{wallet}")),
            ]
        )
        outcomes += codes([closed, moved, again])
        read = await admin.read(wallet)
        if moved.is_success:
            assert codes([closed, again]) == {"wallet_not_empty": 2}
            assert (read["status"], read["balance"]) == ("active", "1.000000")
        else:
            problem(moved, "wallet_closed")
            assert codes([closed, again]) == {"200": 1, "wallet_closed": 1}
            assert (read["status"], read["balance"], read["last_entry"]) == ("closed", "0.000000", 0)
    # Who wins is chance; the next test has both.
    assert outcomes["201"] + outcomes["200"] == 20


async def _later(turns: int, call: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    """The call, begun so many turns of the loop later."""
    for _ in range(turns):
        await asyncio.sleep(0)
    return await call


@pytest.mark.parametrize("deposit_first", [True, False])
async def test_a_close_and_a_deposit_that_wait_for_each_other(
    api: Api, superuser: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, deposit_first: bool
) -> None:
    """Both have begun before either is done: the one that comes second sees what the first did."""
    monkeypatch.setattr(
        locked_wallets, "_CALL_WAIT_MS", 2000
    )  # after a turn a deposit would wait behind the close
    admin = api.admin
    wallet = (await admin.wallet())["wallet_id"]
    calls = [admin.move("deposit", wallet, "1"), admin.delete(f"/wallets/{wallet}")]
    waiting: list[asyncio.Task[httpx.Response]] = []
    async with superuser.transaction():
        await superuser.execute("select from wallet.wallets where wallet_id = $1 for update", wallet)
        for call in calls if deposit_first else calls[::-1]:
            waiting.append(asyncio.create_task(call))
            await wait_for_lock_waiters(superuser, len(waiting))
    first, second = await asyncio.gather(*waiting)
    read = await admin.read(wallet)
    if deposit_first:
        posted(first)
        problem(second, "wallet_not_empty")
        assert (read["status"], read["balance"]) == ("active", "1.000000")
    else:
        assert first.json()["status"] == "closed"
        problem(second, "wallet_closed")
        assert (read["status"], read["balance"]) == ("closed", "0.000000")


async def test_no_debit_after_a_freeze(api: Api) -> None:
    """A debit that was posted came before the freeze: the wallet answered to it has that many rows."""
    admin = api.admin
    wallet = (await admin.wallet("100"))["wallet_id"]
    calls = [admin.move("consume", wallet, "1") for _ in range(20)]
    calls.insert(10, admin.patch(f"/wallets/{wallet}", {"status": "frozen"}))
    answers = await at_once(calls)
    frozen = answers.pop(10).json()
    assert frozen["status"] == "frozen"
    spent = [posted(answer)["wallet_version"] for answer in answers if answer.is_success]
    assert all(version <= frozen["last_entry"] for version in spent)
    assert codes(answers) == +Counter({"201": len(spent), "wallet_frozen": 20 - len(spent)})
    assert (await admin.read(wallet))["last_entry"] == frozen["last_entry"] == 1 + len(spent)


async def test_the_same_wallet_is_made_once(api: Api) -> None:
    admin = api.admin
    body = {"user_id": new_user(), "name": "holidays", "initial_balance": "7"}
    answers = await at_once(admin.post("/wallets", body) for _ in range(MANY))
    assert codes(answers) == {"201": 1, "wallet_exists": MANY - 1}
    (made,) = (answer.json() for answer in answers if answer.is_success)
    others = (answer for answer in answers if not answer.is_success)
    assert {problem(answer, "wallet_exists")["wallet_id"] for answer in others} == {made["wallet_id"]}
    assert await admin.balance(made["wallet_id"]) == "7.000000"


async def test_a_keyed_wallet_is_made_once(api: Api) -> None:
    admin = api.admin
    body, key = {"user_id": new_user(), "initial_balance": "7"}, new_id()
    answers = await at_once(admin.post("/wallets", body, key=key) for _ in range(MANY))
    assert codes(answers) == {"201": MANY}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    listed = (await admin.get(f"/users/{body['user_id']}/wallets")).json()["items"]
    assert [wallet["balance"] for wallet in listed] == ["7.000000"]


async def test_one_of_many_wallets_is_the_primary_one(api: Api) -> None:
    admin, user = api.admin, new_user()
    made = await at_once(
        admin.post("/wallets", {"user_id": user, "name": f"wallet {number}"}) for number in range(10)
    )
    wallets = [answer.json()["wallet_id"] for answer in made]
    await at_once(admin.patch(f"/wallets/{wallet}", {"is_primary": True}) for wallet in wallets)
    listed = (await admin.get(f"/users/{user}/wallets")).json()["items"]
    assert len(listed) == 10
    assert sum(wallet["is_primary"] for wallet in listed) == 1


async def test_credits_are_one_wallet(api: Api) -> None:
    admin, user = api.admin, new_user()
    path = f"/users/{user}/credits"
    first = await at_once(
        admin.get(f"{path}/balance") if number % 2 else admin.post(f"{path}/consume", {"amount": "1"})
        for number in range(MANY)
    )
    assert codes(first) == {"200": MANY // 2, "insufficient_funds": MANY // 2}
    assert len({answer.json()["wallet_id"] for answer in first[0::2]}) == 1
    wallet = (await admin.get(f"{path}/balance")).json()["wallet_id"]
    assert {answer.json()["wallet_id"] for answer in first[1::2]} <= {wallet, None}
    posted(await admin.move("deposit", wallet, "10"))
    spent = await at_once(admin.post(f"{path}/consume", {"amount": "1"}) for _ in range(MANY))
    assert codes(spent) == {"201": 10, "insufficient_funds": MANY - 10}
    assert len((await admin.get(f"/users/{user}/wallets")).json()["items"]) == 1
    await rows_follow(admin, wallet)


async def test_only_one_of_many_changes_finds_the_version_that_it_read(api: Api) -> None:
    admin = api.admin
    wallet = (await admin.wallet())["wallet_id"]
    answers = await at_once(
        admin.patch(f"/wallets/{wallet}", {"name": f"name {number}"}, if_match='"1.0"')
        for number in range(MANY)
    )
    assert codes(answers) == {"200": 1, "version_mismatch": MANY - 1}
    assert (await admin.read(wallet))["version"] == 2
