"""The command ``wallets show``, as an operator uses it."""

import json
import os
import pwd
from pathlib import Path

import pytest
from support.api import Api, new_user
from support.service import command, refused

from wallet_service.core.identifiers import new_id
from wallet_service.money.wallets.commands import described, listed

WALLET = {
    "wallet_id": "w",
    "user_id": "ada",
    "organization_id": None,
    "name": "main",
    "currency": "USD",
    "balance": "97.50",
    "available_balance": "97.50",
    "status": "active",
    "is_primary": True,
    "version": 1,
    "metadata": {"team": "blue"},
}


def test_a_wallet_is_a_member_a_line() -> None:
    assert described(WALLET).splitlines() == [
        "wallet_id          w",
        "user_id            ada",
        "name               main",
        "currency           USD",
        "balance            97.50",
        "available_balance  97.50",
        "status             active",
        "is_primary         yes",
        "version            1",
        'metadata           {"team": "blue"}',
    ]


def test_wallets_are_a_table() -> None:
    other = WALLET | {"name": "travel", "balance": "1000.00", "is_primary": False}
    assert listed([WALLET, other]).splitlines() == [
        "wallet_id  currency  name    balance  available_balance  status  primary",
        "w          USD       main      97.50              97.50  active  yes",
        "w          USD       travel  1000.00              97.50  active  no",
    ]


@pytest.mark.parametrize("driver", ["postgres"], indirect=True)  # the command's, whichever the service has
async def test_a_wallet_and_a_user_s_wallets(api: Api, service_dsn: str, own_folder: Path) -> None:
    user_id = new_user()
    wallets = [await api.admin.wallet("5", user_id=user_id, name=name) for name in ("one", "two")]
    wallet_id = wallets[0]["wallet_id"]

    def show(*arguments: str) -> str:
        done = command(own_folder, "wallets", "show", *arguments, WALLET_DATABASE_URL=service_dsn)
        assert done.returncode == 0, done
        return done.stdout

    assert f"wallet_id          {wallet_id}\n" in show(wallet_id)
    assert [json.loads(line) for line in show("--user", user_id, "--json").splitlines()] == wallets
    named = command(own_folder, "wallets", "show", "ada", WALLET_DATABASE_URL=service_dsn)
    assert (named.returncode, "--user ada" in named.stderr) == (2, True)
    unknown = command(own_folder, "wallets", "show", new_id(), WALLET_DATABASE_URL=service_dsn)
    assert "There is no wallet" in refused(unknown)
    user = pwd.getpwuid(os.getuid()).pw_name
    for object_id, action in ((wallet_id, "wallet.read"), (user_id, "user_wallets.read")):
        (entry,) = (await api.admin.get("/audit", object_id=object_id, action=action)).json()["items"]
        assert (entry["actor"], entry["user_id"]) == (f"command:{user}", user_id)
