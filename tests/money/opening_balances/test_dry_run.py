"""A dry run of an import has the outcomes of the import, and keeps nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.api import new_user

from wallet_service.core.identifiers import new_id
from wallet_service.money.opening_balances import service as service_module
from wallet_service.money.opening_balances.records import csv_records
from wallet_service.money.opening_balances.repository import ImportRepository
from wallet_service.money.opening_balances.service import ImportService
from wallet_service.platform.database.gateway import Database


async def imported(database: Database, body: str, *, dry_run: bool) -> list[dict[str, Any]]:
    """The outcomes of the lines."""

    async def chunks() -> AsyncIterator[bytes]:
        yield body.encode()

    service = ImportService(ImportRepository(database), "importer", dry_run=dry_run)
    return [
        json.loads(line)
        async for lines in service.outcomes(csv_records(chunks()))
        for line in lines.splitlines()
    ]


def told(outcomes: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """For each line its number, and its status or the code of its problem."""
    return [
        (each["line"], each["problem"]["code"] if each["problem"] else each["status"]) for each in outcomes
    ]


@pytest.mark.parametrize("group", [2, 100])
async def test_the_outcomes_are_those_of_the_import(
    database: Database, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    monkeypatch.setattr(service_module, "GROUP", group)
    a, b, c, key = new_user(), new_user(), new_user(), new_id()
    body = f"""user_id,currency,balance,credit_limit,name,key
{a},CREDIT,5,2,main,
{a},CREDIT,5.00,02,main,
{a},CREDIT,5.000,2.0,main,
{a},CREDIT,6,2,main,
{a},CREDIT,5,3,main,
{a},CREDIT,5,2,main,{new_id()}
{a},CREDIT,5,2,other,
{b},CREDITS,5,,main,{key}
{b},USD,0,,main,{key}
{b},USD,0.00,,main,{key}
{c},USD,0,,main,{key}
{c},USD,0.001,,main,
{c},USD,1,,main,
"""
    expected = [
        (2, "created"),
        (3, "replayed"),
        (4, "replayed"),
        (5, "idempotency_key_reused"),
        (6, "idempotency_key_reused"),
        (7, "wallet_exists"),
        (8, "created"),
        (9, "currency_unknown"),
        (10, "created"),
        (11, "replayed"),
        (12, "idempotency_key_reused"),
        (13, "amount_precision"),
        (14, "created"),
    ]
    for dry_run in (True, True, False):
        found = await imported(database, body, dry_run=dry_run)
        assert told(found) == expected
        # No id of a wallet that is not kept, neither as the result nor in a problem.
        assert ('"wallet_id":"' in json.dumps(found, separators=(",", ":"))) == (not dry_run)


async def test_what_was_imported_before_is_known(database: Database) -> None:
    user_id = new_user()
    (first,) = await imported(database, f"user_id,balance\n{user_id},5\n", dry_run=False)
    body = f"user_id,balance\n{user_id},5\n{user_id},6\n{new_user()},1\n"
    for _ in range(2):
        found = await imported(database, body, dry_run=True)
        assert told(found) == [(2, "replayed"), (3, "idempotency_key_reused"), (4, "created")]
        assert [each["wallet_id"] for each in found] == [first["wallet_id"], None, None]
