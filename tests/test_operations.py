"""docs/operations.md: the commands that the page shows, typed as they stand there."""

import asyncio
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import asyncpg
import pytest
import yaml
from conftest import FreshDatabase
from support.api import new_user, open_api, posted
from support.cluster import SUPPORTED, binaries

from wallet_service import __version__

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "operations.md"


def block(name: str) -> str:
    found = re.search(
        rf"^ *<!-- {name} -->\n *```sh\n(.*?)^ *```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return textwrap.dedent(found[1])


def run(script: str, folder: Path, **variables: str) -> str:
    path = f"{folder}:{binaries(SUPPORTED[0])}:{os.environ['PATH']}"
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("WALLET_", "PG"))}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env={**bare, "PATH": path, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(own_folder: Path) -> Path:
    """Where the commands are typed: with ``wallet-service`` on the PATH."""
    script = own_folder / "wallet-service"
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m wallet_service "$@"\n')
    script.chmod(0o755)
    return own_folder


async def test_a_restored_backup_has_the_same_books_and_remembers_its_keys(
    fresh_database: FreshDatabase, folder: Path
) -> None:
    source, target = await fresh_database(), await fresh_database(empty=True)
    async with open_api(source.service_dsn) as before:
        wallet = await before.admin.wallet("100")
        path = f"/wallets/{wallet['wallet_id']}/consume"
        first = await before.admin.post(path, {"amount": "2.5"}, key="invoice-42")
        books = (await before.admin.get("/ledger/trial-balance")).content
    await asyncio.to_thread(run, block("backup"), folder, DATABASE_URL=source.dsn)
    printed = await asyncio.to_thread(run, block("restore"), folder, NEW_DATABASE_URL=target.dsn)
    assert "trial balance" in printed
    async with open_api(target.service_dsn) as after:
        assert (await after.admin.get("/ledger/trial-balance")).content == books
        again = await after.admin.post(path, {"amount": "2.5"}, key="invoice-42")
        assert again.content == first.content
        assert again.headers["Idempotency-Replayed"] == "true"
        spent = await after.admin.post(path, {"amount": "97.5"})
        assert spent.json()["balance_after"] == "0.000000"


async def test_the_balances_of_a_ledger_are_carried_to_a_new_one(
    fresh_database: FreshDatabase, folder: Path
) -> None:
    """The procedure of the page, with each kind of wallet that it names."""
    old, new = await fresh_database(), await fresh_database()
    async with open_api(old.service_dsn) as before:
        admin, user = before.admin, new_user()
        first = (await admin.wallet("12.5", user_id=user, metadata={"of": 'a "quoted", text'}))["wallet_id"]
        second = (await admin.wallet("7", user_id=user, name="second"))["wallet_id"]
        await admin.patch(f"/wallets/{second}", {"is_primary": True})
        await admin.patch(f"/wallets/{first}", {"status": "frozen"})
        owing = (await admin.wallet(currency="USD", credit_limit="100"))["wallet_id"]
        posted(await admin.move("consume", owing, "30.25"))
        await admin.wallet("-4.5", keeping="mirrored", currency="USD", name="bank")
        await admin.delete(f"/wallets/{(await admin.wallet())['wallet_id']}")
    urls = {"DATABASE_URL": old.dsn, "NEW_DATABASE_URL": new.dsn}
    await asyncio.to_thread(run, block("archive-write"), folder, **urls)
    async with open_api(new.service_dsn) as after:
        admin, lines = after.admin, (folder / "wallets.csv").read_bytes()
        answer = await admin.send("POST", "/wallets/import", lines, headers={"Content-Type": "text/csv"})
        outcomes = [json.loads(line) for line in answer.text.splitlines()]
        assert [outcome["status"] for outcome in outcomes] == ["created"] * 4
        for file in ("debts.csv", "frozen.csv"):
            for row in csv.DictReader((folder / file).read_text().splitlines()):
                page = (await admin.get(f"/users/{row['user_id']}/wallets")).json()
                (path,) = [
                    f"/wallets/{each['wallet_id']}" for each in page["items"] if each["name"] == row["name"]
                ]
                if file == "debts.csv":
                    carried = {"balance": row["balance"], "reason": "carried over"}
                    posted(await admin.post(f"{path}/adjust", carried))
                else:
                    assert (await admin.patch(path, {"status": "frozen"})).status_code == 200
    await asyncio.to_thread(run, block("archive-compare"), folder, **urls)


async def test_tables_that_only_grow_are_vacuumed_by_number_of_rows(
    fresh_database: FreshDatabase, folder: Path
) -> None:
    """By the migrations; what the operator sets stays."""
    database = await fresh_database()
    await asyncio.to_thread(run, block("growth-vacuum"), folder, DATABASE_URL=database.dsn)
    again = f'wallet-service migrate --database-url "{database.dsn}"'
    await asyncio.to_thread(run, again, folder)
    connection = await asyncpg.connect(database.dsn)
    rows = await connection.fetch(
        "select oid::regclass::text as name, reloptions from pg_class where reloptions::text like '%insert_threshold=1%'"
    )
    await connection.close()
    options = {row["name"]: dict(option.split("=") for option in row["reloptions"]) for row in rows}
    assert {name: each["autovacuum_vacuum_insert_threshold"] for name, each in options.items()} == {
        "wallet.wallet_transactions": "1000000",
        "wallet.idempotency": "100000",
        "platform.audit_entries": "100000",
        "delivery.events": "100000",
        "billing.grant_usages": "100000",
        "billing.grant_movements": "100000",
        "billing.hold_captures": "100000",
        "billing.usage_events": "100000",
        "platform.request_keys": "100000",
        "finance.parts": "100000",
    }
    assert {each["autovacuum_vacuum_insert_scale_factor"] for each in options.values()} == {"0"}


def test_links_to_the_runbook_get_their_base(own_folder: Path) -> None:
    def links(file: Path) -> list[str]:
        groups = yaml.safe_load(file.read_text())["groups"]
        return [rule["annotations"].pop("runbook_url") for group in groups for rule in group["rules"]]

    base = "https://git.example.com/wallet/blob/main"
    typed = block("runbook-urls").replace("/etc/prometheus", str(own_folder))
    subprocess.run(["bash", "-euc", typed], cwd=ROOT, env={**os.environ, "REPOSITORY_URL": base}, check=True)
    bare = links(ROOT / "monitoring" / "alerts.yml")
    assert bare
    assert links(own_folder / "alerts.yml") == [f"{base}/{link}" for link in bare]


@pytest.mark.wheel
def test_a_wheel_is_made_and_installed(own_folder: Path) -> None:
    """Its environments see the packages of this one: pip finds what it is asked for, and fetches nothing."""
    clone = own_folder / "clone"
    for name in ("wallet_service", "requirements"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    python = own_folder / "python3"
    these = sysconfig.get_path("purelib")
    packages = f"lib/python{sysconfig.get_python_version()}/site-packages"
    python.write_text(
        f'#!/bin/sh -e\n"{sys.executable}" "$@" --without-pip\necho "{these}" >"$3/{packages}/these.pth"\n'
    )
    python.chmod(0o755)
    typed = block("wheel").replace("/opt/", f"{own_folder}/opt/")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", typed],
        cwd=clone,
        env={"PATH": f"{own_folder}:{os.environ['PATH']}", "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == __version__
    installed = own_folder / "opt" / "wallet-service"
    where = [installed / "bin" / "python", "-c", "import wallet_service; print(wallet_service.__file__)"]
    found = subprocess.run(where, cwd=own_folder, capture_output=True, text=True, check=True).stdout
    assert Path(found).is_relative_to(installed)
