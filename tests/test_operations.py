"""docs/operations.md: a backup and its restore, with the commands that the page shows."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FreshDatabase
from support.api import open_api
from support.cluster import SUPPORTED, binaries

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "operations.md"


def block(name: str) -> str:
    found = re.search(rf"^<!-- {name} -->\n```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


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
