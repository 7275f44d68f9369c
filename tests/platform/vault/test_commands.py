"""The commands, as an operator calls them."""

import asyncio
import base64
import os
import re
import stat
import subprocess
from pathlib import Path

import asyncpg
import httpx
import pytest
from conftest import FreshDatabase
from support.api import ADMIN_KEY
from support.cluster import binaries
from support.service import ROOT, command, serving

from wallet_service.platform.vault.keys import generate_key

SECRET = "a personal text that no log and no dump may show"
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "text/plain"}


async def test_a_key_is_replaced_and_no_value_is_shown(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    made = await fresh_database()
    await asyncio.to_thread(replace_key, made.dsn, tmp_path)
    connection = await asyncpg.connect(made.dsn)
    await connection.execute("update platform.files set expires_at = now()")
    removing = ("files", "delete-expired")
    done = await asyncio.to_thread(command, tmp_path, *removing, WALLET_DATABASE_URL=made.dsn)
    assert done.stdout == "2 files removed\n", done.stderr
    assert await connection.fetchval("select count(*) from platform.file_chunks") == 0
    await connection.close()


def replace_key(dsn: str, folder: Path) -> None:
    old = command(folder, "credentials", "generate-key", "--id", "old").stdout.strip()
    assert re.fullmatch(r"old:[A-Za-z0-9+/]{43}=", old)
    new = generate_key("new")
    base = {"WALLET_DATABASE_URL": dsn, "WALLET_ADMIN_KEY": ADMIN_KEY, "WALLET_LOG_LEVEL": "debug"}
    outputs: list[str] = []

    def credentials(name: str, keys: str, status: int = 0) -> list[str]:
        done = command(folder, "credentials", name, **base, WALLET_CREDENTIAL_KEYS=keys)
        assert done.returncode == status, done.stdout + done.stderr
        outputs.append(done.stdout + done.stderr)
        return done.stdout.splitlines()

    with serving(folder, **base, WALLET_CREDENTIAL_KEYS=old) as service:
        for _ in range(2):
            target = f"{service.url}/api/v1/files?name=a.txt&personal=true"
            answer = httpx.post(target, content=SECRET, headers=HEADERS)
            assert answer.status_code == 201, answer.text
            outputs.append(answer.text)
        content = f"{service.url}{answer.headers['Location']}/content"
        assert httpx.get(content, headers=HEADERS).text == SECRET
        outputs.append(service.printed + service.errors)

    assert credentials("status", old) == ["keys: old", "files  old  2", "every value has the first key, old"]
    assert credentials("verify", new, status=1)[-1] == "2 values, 2 faults"
    assert credentials("rotate", f"{new},{old}") == [
        "files: 2 values sealed with new",
        "webhooks: 0 values sealed with new",
    ]
    assert credentials("status", old) == ["keys: old", "files  new  2  (key is missing)"]
    assert credentials("verify", new) == ["2 values, 0 faults"]

    dump = subprocess.run([binaries(18) / "pg_dump", dsn], capture_output=True, text=True, check=True).stdout
    assert "COPY platform.file_chunks" in dump
    for text in [*outputs, dump]:
        for form in (SECRET, SECRET.encode().hex(), base64.b64encode(SECRET.encode()).decode()[:40]):
            assert form not in text
        for key in (old, new):
            assert key.partition(":")[2] not in text


def test_keys_that_are_not_acceptable_are_refused_without_their_text(tmp_path: Path) -> None:
    done = command(tmp_path, "credentials", "status", WALLET_CREDENTIAL_KEYS="k1:secret-text")
    assert done.returncode == 1
    assert "WALLET_CREDENTIAL_KEYS should be id:base64" in done.stderr
    assert "secret-text" not in done.stdout + done.stderr


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_file_without_keys_is_refused_as_a_setting(tmp_path: Path, text: str) -> None:
    """The operator meant to have keys, so this is not the same as no setting."""
    (tmp_path / "empty.keys").write_text(text)
    path = str(tmp_path / "empty.keys")
    done = command(tmp_path, "credentials", "status", WALLET_CREDENTIAL_KEYS_FILE=path)
    assert done.returncode == 1
    assert "WALLET_CREDENTIAL_KEYS should be id:base64" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_start_creates_a_key_in_the_data_folder(tmp_path: Path) -> None:
    """With a program in the place of Python that prints what the service would get."""
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        '  "-P -m wallet_service credentials generate-key") echo "made:$$" ;;\n'
        '  "-P -m wallet_service "*) echo "keys ${WALLET_CREDENTIAL_KEYS_FILE-none}" ;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    keys = tmp_path / "data" / "credential.keys"

    def started(*arguments: str, **settings: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "WALLET_VENV": str(tmp_path),
            "WALLET_DATA_DIR": str(keys.parent),
        }
        done = subprocess.run(
            [ROOT / "scripts" / "wallet-service", *arguments],
            env=environment | settings,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()[-1]

    assert started("version") == "keys none"
    assert started("serve", WALLET_DATABASE_URL="postgresql://elsewhere") == "keys none"
    assert started("serve", SUPABASE_URL="https://elsewhere") == "keys none"
    assert started("serve", WALLET_CREDENTIAL_KEYS="k:x") == "keys none"
    assert not keys.parent.exists()
    assert started("serve") == f"keys {keys}"
    made = keys.read_text()
    assert made.startswith("made:")
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert started("serve") == started("credentials", "status") == f"keys {keys}"
    assert keys.read_text() == made
    assert [path.name for path in keys.parent.iterdir()] == [keys.name]
