"""A job that SQL enqueues belongs to the transaction: it exists if, and only if, the posting does."""

import json

import asyncpg
import pytest
from conftest import Locate, TestDatabase
from support.api import open_api

from wallet_service.core.identifiers import new_id

POST = "select wallet_api.post_transactions($1::jsonb)"
ENQUEUE = "select platform.enqueue_job($1::uuid, 'follow_up', $2::jsonb)"


@pytest.mark.parametrize("driver", ["postgres"], indirect=True)  # SQL alone
@pytest.mark.parametrize("commits", [True, False])
async def test_a_job_is_enqueued_in_the_transaction_of_a_posting(
    made: TestDatabase, superuser: asyncpg.Connection, locate_database: Locate, commits: bool
) -> None:
    async with open_api(await locate_database(made)) as api:
        wallet = (await api.admin.wallet("10"))["wallet_id"]
        job, moved = new_id(), new_id()
        operation = {"type": "consume", "wallet_id": wallet, "amount": "4", "transaction_id": moved}
        units = [{"operations": [operation | {"client_id": "room"}]}]
        transaction = superuser.transaction()
        await transaction.start()
        posted = await superuser.fetchval(POST, json.dumps(units))
        assert json.loads(posted)[0][0]["status"] == "posted"
        await superuser.fetchval(ENQUEUE, job, json.dumps({"transaction_id": moved}))
        await (transaction.commit() if commits else transaction.rollback())
        rows = await superuser.fetch("select arguments from platform.jobs where job_id = $1::uuid", job)
        assert [json.loads(row["arguments"]) for row in rows] == [{"transaction_id": moved}][: int(commits)]
        assert await api.admin.balance(wallet) == ("6.000000" if commits else "10.000000")
