"""verify finds each kind of corruption, names the wallets, and never takes a posting in flight for one."""

import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from support.cluster import VERSIONS, Cluster, cluster, create_database, drop_database
from support.kernel.harness import Kernel, op, refund, transfer

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import LEDGER_WALKS, verify
from wallet_service.platform.database.postgres import PostgresDatabase

UNEQUAL = ("balance", "totals", "trial balance")


@dataclass(frozen=True)
class Sample:
    """A database to copy, and what is in it: wallets big, mid, low, other, and some postings by name."""

    cluster: Cluster
    database: str
    names: dict[str, str]


async def _fill(kernel: Kernel) -> dict[str, str]:
    big, mid, low, other = [await kernel.wallet("1000", user="owner" if n < 2 else None) for n in range(4)]
    spent, sent, back = op("consume", mid, "9"), transfer(mid, low, "10"), None
    back = refund(spent, "5")
    paid = op("deposit", other, "1")
    names = {
        "spent": spent["transaction_id"],
        "sent": sent["transaction_id"],
        "back": back["transaction_id"],
        "paid": paid["transaction_id"],
    }
    await kernel.all(spent, back, sent, op("deposit", mid, "1"), refund(sent, "2"), op("deposit", other, "1"))
    await kernel.all(*(op("deposit", big, "1") for _ in range(2100)))
    await kernel.all(op("deposit", other, "1"), transfer(mid, low, "3"))
    await kernel.one(paid)
    return names | {"big": big, "mid": mid, "low": low, "other": other}


@pytest.fixture(scope="module")
async def sample() -> AsyncIterator[Sample]:
    server = await cluster(VERSIONS[0])
    database = f"sample_{secrets.token_hex(8)}"
    await create_database(server, database)
    kernel = await Kernel.open(server.dsn(database))
    names = await _fill(kernel)
    await kernel.close()
    yield Sample(server, database, names)
    await drop_database(server, database)


_ROW = "update wallet.wallet_transactions set"
_NEWEST = "wallet_id = '{other}' and wallet_version = 4"

CORRUPTIONS: dict[str, tuple[str, set[str], set[str]]] = {
    "balance": (
        "update wallet.wallets set balance = balance + 1 where wallet_id = '{low}'",
        {*UNEQUAL},
        {"low"},
    ),
    "balances swapped": (
        (
            "update wallet.wallets set balance = case wallet_id when '{low}' then balance + 1 else balance - 1 end "
            "where wallet_id in ('{low}', '{mid}')"
        ),
        {"balance", "totals"},
        {"low", "mid"},
    ),
    "amount": (
        f"{_ROW} amount = amount + 1 where wallet_id = '{{other}}' and wallet_version = 2",
        {"chain", "totals", "trial balance"},
        {"other"},
    ),
    "amount below a checkpoint": (
        f"{_ROW} amount = amount + 1 where wallet_id = '{{big}}' and wallet_version = 1500",
        {"chain", "checkpoints"},
        {"big"},
    ),
    "balance of a moment": (
        (
            f"{_ROW} balance_after = balance_after + 1 where wallet_id = '{{other}}' and wallet_version = 2;"
            f"{_ROW} balance_before = balance_before + 1 where wallet_id = '{{other}}' and wallet_version = 3"
        ),
        {"chain"},
        {"other"},
    ),
    "row lost": (
        "delete from wallet.wallet_transactions where wallet_id = '{other}' and wallet_version = 2",
        {"versions", "chain", "totals", "trial balance", "keys"},
        {"other"},
    ),
    "newest row lost": (
        f"delete from wallet.wallet_transactions where {_NEWEST}",
        {"last entry", "last time", *UNEQUAL, "keys"},
        {"other"},
    ),
    "row numbered anew": (
        f"{_ROW} wallet_version = 5 where {_NEWEST}",
        {"versions", "last entry"},
        {"other"},
    ),
    "time": (
        f"{_ROW} created_at = created_at + interval '1 day' where wallet_id = '{{other}}' and wallet_version = 2",
        {"time"},
        {"other"},
    ),
    "last time": (
        "update wallet.wallets set last_posted_at = last_posted_at - interval '1 s' where wallet_id = '{big}'",
        {"last time"},
        {"big"},
    ),
    "overdrawn": (
        (
            "alter table wallet.wallets drop constraint wallets_available;"
            "update wallet.wallets set locked_balance = 1010 where wallet_id = '{other}'"
        ),
        {"available"},
        {"other"},
    ),
    "negative amount": (
        (
            "alter domain wallet.amount drop constraint amount_check;"
            f"{_ROW} amount = -amount, direction = 'debit' where {_NEWEST}"
        ),
        {"amounts", "legs"},
        {"other"},
    ),
    "too fine": (
        (
            f"{_ROW} amount = amount + 0.001, balance_after = balance_after + 0.001 where {_NEWEST};"
            "update wallet.wallets set balance = balance + 0.001 where wallet_id = '{other}'"
        ),
        {"amounts"},
        {"other"},
    ),
    "not a number": (
        f"{_ROW} amount = 'NaN' where {_NEWEST}",
        {"amounts", "chain", "totals", "trial balance"},
        {"other"},
    ),
    "user of a row": (f"{_ROW} user_id = 'thief' where {_NEWEST}", {"owner"}, {"other"}),
    "currency of a row": (f"{_ROW} currency = 'EUR' where {_NEWEST}", {"owner"}, {"other"}),
    "currency of a leg": (
        f"{_ROW} currency = 'EUR' where transaction_id = '{{sent}}' and leg = 1",
        {"owner", "legs"},
        {"low", "mid"},
    ),
    "wallet lost": ("delete from wallet.wallets where wallet_id = '{other}'", {"owner"}, {"other"}),
    "name of the other side": (
        f"{_ROW} counter_account = 'wallet:{{big}}' where transaction_id = '{{sent}}' and leg = 1",
        {"legs"},
        {"low", "mid"},
    ),
    "transfer that makes money": (
        (
            f"{_ROW} amount = amount + 1, balance_after = balance_after + 1 "
            "where wallet_id = '{low}' and wallet_version = 4;"
            "update wallet.wallets set balance = balance + 1 where wallet_id = '{low}'"
        ),
        {"legs"},
        {"low", "mid"},
    ),
    "direction of a type": (f"{_ROW} transaction_type = 'fee' where {_NEWEST}", {"legs"}, {"other"}),
    "too much refunded": (
        (
            f"{_ROW} amount = 4.99, balance_after = balance_before - 4.99 where transaction_id = '{{spent}}';"
            f"{_ROW} balance_before = balance_before + 4.01, balance_after = balance_after + 4.01 "
            "where wallet_id = '{mid}' and wallet_version > 2;"
            "update wallet.wallets set balance = balance + 4.01 where wallet_id = '{mid}'"
        ),
        {"refunds"},
        {"mid"},
    ),
    "refund of another wallet": (
        f"{_ROW} original_transaction_id = '{{paid}}' where transaction_id = '{{back}}'",
        {"refunds"},
        {"mid"},
    ),
    "refund of a refund": (
        f"{_ROW} original_transaction_id = '{{back}}' where transaction_id = '{{back}}'",
        {"refunds"},
        {"mid"},
    ),
    "refund of nothing": (
        f"{_ROW} original_transaction_id = gen_random_uuid() where transaction_id = '{{back}}'",
        {"refunds"},
        {"mid"},
    ),
    "key without posting": (
        "update wallet.idempotency set transaction_id = gen_random_uuid() where transaction_id = '{paid}'",
        {"keys", "one key"},
        {"other"},
    ),
    "key lost": (
        "delete from wallet.idempotency where transaction_id = '{sent}'",
        {"one key"},
        {"low", "mid"},
    ),
    "key of another client": (
        "update wallet.idempotency set client_id = 'thief' where transaction_id = '{paid}'",
        {"keys"},
        {"other"},
    ),
    "two keys": (
        (
            "insert into wallet.idempotency "
            "select client_id, 'second', kind, transaction_id, request_hash, answer, created_at "
            "from wallet.idempotency where transaction_id = '{sent}'"
        ),
        {"one key"},
        {"low", "mid"},
    ),
    "checkpoint": (
        "update wallet.checkpoints set amount = amount + 1 where wallet_id = '{big}' and wallet_version = 2000",
        {"checkpoints", "totals", "trial balance"},
        {"big"},
    ),
    "checkpoint's count": (
        "update wallet.checkpoints set transactions = 1 where wallet_id = '{big}' and wallet_version = 2000",
        {"checkpoints"},
        {"big"},
    ),
    "last checkpoint lost": (
        "delete from wallet.checkpoints where wallet_id = '{big}' and wallet_version = 2000",
        {"checkpoints"},
        {"big"},
    ),
    "checkpoint lost": (
        "delete from wallet.checkpoints where wallet_id = '{big}' and wallet_version = 1000",
        {"checkpoints"},
        {"big"},
    ),
    "two primaries": (
        (
            "drop index if exists wallet.wallets_primary_of_keeping;"
            "update wallet.wallets set is_primary = true where wallet_id in ('{big}', '{mid}')"
        ),
        {"primary"},
        {"big", "mid"},
    ),
    "posted though superseded": (
        "insert into wallet.tombstones values ('{paid}', now())",
        {"tombstones"},
        {"other"},
    ),
}


async def _verify(dsn: str) -> tuple[bool, list[str]]:
    database = await PostgresDatabase.connect(dsn)
    lines: list[str] = []
    try:
        return await verify(database, lines.append), lines
    finally:
        await database.close()


@pytest.mark.parametrize("name", CORRUPTIONS)
async def test_corruption_is_named(sample: Sample, name: str) -> None:
    statements, kinds, wallets = CORRUPTIONS[name]
    database = f"corrupt_{secrets.token_hex(8)}"
    await create_database(sample.cluster, database, template=sample.database)
    try:
        superuser = await asyncpg.connect(sample.cluster.dsn(database))
        await superuser.execute("set session_replication_role = replica")
        await superuser.execute(statements.format(**sample.names))
        await superuser.close()
        clean, lines = await _verify(sample.cluster.dsn(database))
    finally:
        await drop_database(sample.cluster, database)
    faults = [line for line in lines if line.startswith("FAULT")]
    assert not clean
    assert {line.removeprefix("FAULT ").partition(":")[0] for line in faults} == kinds, faults
    named = {
        wallet for wallet in ("big", "mid", "low", "other") for line in faults if sample.names[wallet] in line
    }
    assert named == wallets, faults


async def test_clean_says_what_was_checked(sample: Sample) -> None:
    clean, lines = await _verify(sample.cluster.dsn(sample.database))
    assert clean, lines
    assert {line.partition(":")[0] for line in lines} == {
        "trial balance",
        *(check for walk in LEDGER_WALKS for check in walk.checks),
    }
    assert [line for line in lines if not line.endswith(": ok")] == []
    counts = {line.partition(":")[0]: re.findall(r"(\d+) (\w+): ok", line)[0] for line in lines}
    assert counts["balance"] == ("4", "wallets")
    assert counts["chain"] == ("2116", "entries")
    assert counts["legs"] == ("2113", "postings")
    assert counts["keys"] == ("2113", "keys")
    assert counts["checkpoints"] == ("2", "checkpoints")
    assert counts["trial balance"] == ("1", "currencies")


async def test_service_role_verifies_on_every_version(any_service_dsn: str, any_postgres_dsn: str) -> None:
    kernel = await Kernel.open(any_postgres_dsn)
    source, target = await kernel.wallet("5"), await kernel.wallet()
    sent = transfer(source, target, "2")
    await kernel.all(sent, refund(sent, "1"), op("consume", source, new_id()))
    await kernel.close()
    clean, lines = await _verify(any_service_dsn)
    assert clean, lines


@pytest.mark.parametrize(
    "function", ["verify_wallets", "verify_entries", "verify_postings", "verify_keys", "verify_checkpoints"]
)
async def test_pages_meet_without_a_gap(sample: Sample, function: str) -> None:
    """However small the pages are, each thing is looked at once."""
    database = await PostgresDatabase.connect(sample.cluster.dsn(sample.database))
    totals = set[int]()
    for limit in (7, 1000):
        total, place = 0, {}
        while place is not None:
            page = json.loads(await database.call(function, **place, limit=limit))
            assert page["faults"] == []
            total, place = total + page["checked"], page["next"]
        totals.add(total)
    await database.close()
    assert len(totals) == 1
    assert totals != {0}
