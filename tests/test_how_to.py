"""docs/how-to.md: its commands and configurations, as they are pasted. tests/test_readme.py runs those with output."""

import asyncio
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from conftest import FreshDatabase, program_or_skip
from support.api import open_api
from support.certificates import write_certificate
from support.cluster import SUPPORTED, binaries
from support.external_programs import RunningProgram, free_port
from support.service import serving, wait_for
from support.supabase_gateway import as_root

from wallet_service import __version__

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "how-to.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def blocks(heading: str, language: str = "sh") -> list[str]:
    """The blocks of a section, in order."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None
    return re.findall(rf"^```{language}\n((?:(?!```).*\n)*)```$", section[1], re.MULTILINE)


@pytest.fixture
def folder(own_folder: Path) -> Path:
    """A clone, as far as the commands use it."""
    command = own_folder / "scripts" / "wallet-service"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m wallet_service "$@"\n')
    command.chmod(0o755)
    return own_folder


def environment(**variables: str) -> dict[str, str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("WALLET_", "PG"))}
    return {**bare, "PATH": f"{binaries(SUPPORTED[0])}:{os.environ['PATH']}", **variables}


def run(script: str, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment(**variables), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def status(client: httpx.Client, path: str) -> int | None:
    """The status of a GET; None while no server listens."""
    try:
        return client.get(path).status_code
    except httpx.TransportError:
        return None


@contextmanager
def pasted(script: str, folder: Path, **variables: str) -> Generator[Iterator[str]]:
    """A script that goes on running, and the lines that it prints."""
    shell = subprocess.Popen(
        ["bash", "-euc", script],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert shell.stdout is not None
        yield iter(shell.stdout)
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.communicate(timeout=60)


async def test_two_instances(fresh_database: FreshDatabase, folder: Path) -> None:
    made = await fresh_database()
    await asyncio.to_thread(share_a_database, made.dsn, folder)


def share_a_database(dsn: str, folder: Path) -> None:
    (script,) = blocks("Run two instances")
    ports = [free_port(), free_port()]
    for shown, port in zip(("8208", "8209"), ports, strict=True):
        assert f"WALLET_PORT={shown}" in script
        script = script.replace(shown, str(port))
    script += 'echo "$WALLET_ADMIN_KEY"\nwait\n'
    body = {"user_id": "ada", "initial_balance": "5"}
    with pasted(script, folder, DATABASE_URL=dsn) as printed:
        key = next(line for line in printed if re.fullmatch("[0-9a-f]{64}\n", line)).strip()
        answers: list[httpx.Response] = []
        for port in ports:
            headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "order-1"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
                wait_for(lambda client=client: status(client, "/health/ready") == 200)
                answers.append(client.post("/api/v1/wallets", json=body))
    created, again = answers
    assert created.status_code == 201
    assert again.content == created.content
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_spending_in_a_transaction_of_its_own_on_any_postgres(
    fresh_database: FreshDatabase, folder: Path
) -> None:
    made = await fresh_database()
    role = f"shop_{made.name}"  # roles belong to the whole server
    (command,) = blocks("Spend inside your own SQL transaction")
    (statements,) = blocks("Spend inside your own SQL transaction", "sql")
    example = folder / "docs" / "examples" / "orders.sql"
    example.parent.mkdir(parents=True)
    example.write_text(_named((ROOT / "docs" / "examples" / "orders.sql").read_text(), role))
    (folder / "pasted.sql").write_text(_named(statements, role))

    async def paste(script: str) -> str:
        return await asyncio.to_thread(run, script, folder, DATABASE_URL=made.dsn)

    assert "70.000000" in await paste(command)
    assert '"status":"posted"' in await paste('psql -X "$DATABASE_URL" --file pasted.sql')
    async with open_api(made.service_dsn) as api:
        assert await api.admin.balance("0199f0a0-0000-7000-8000-000000000001") == "40.000000"
    await paste(f'psql -X "$DATABASE_URL" -c "drop owned by {role} cascade" -c "drop role {role}"')


def _named(sql: str, role: str) -> str:
    """The statements with another role than ``shop``."""
    return re.sub(r"\b(role|to|authorization|grant) shop\b", rf"\1 {role}", sql)


def test_backup_and_restore_are_those_of_operations() -> None:
    """tests/test_operations.py runs them there."""
    for script, name in zip(blocks("Back up and restore"), ("backup", "restore"), strict=True):
        tested = re.search(rf"^<!-- {name} -->\n```sh\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
        assert tested is not None
        assert script.replace("scripts/wallet-service", "wallet-service") == tested[1]


async def test_an_upgrade(fresh_database: FreshDatabase, folder: Path) -> None:
    (script,) = blocks("Upgrade")
    made = await fresh_database(empty=True)
    printed = await asyncio.to_thread(run, script, folder, DATABASE_URL=made.dsn)
    assert printed.splitlines()[-1] == __version__
    async with open_api(made.dsn) as api:
        assert (await api.http.get("/health/ready")).status_code == 200


async def test_while_the_database_is_unavailable(fresh_database: FreshDatabase, folder: Path) -> None:
    (script,) = blocks("When PostgreSQL is unavailable")
    made = await fresh_database()
    server = await asyncpg.connect(made.cluster.dsn("postgres"))

    async def shows(expected: str) -> None:
        def printed() -> bool:
            return run(script, folder, WALLET_URL=service.url) == expected

        await asyncio.to_thread(wait_for, printed)

    with serving(folder / "data", WALLET_DATABASE_URL=made.dsn) as service:
        await shows("200\n")
        await server.execute(f"alter database {made.name} allow_connections false")
        await server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", made.name
        )
        await shows("503\n")
        with httpx.Client(base_url=service.url) as client:
            assert status(client, "/health/live") == 200
        await server.execute(f"alter database {made.name} allow_connections true")
        await shows("200\n")
    await server.close()


@contextmanager
def nginx(server: str, folder: Path, port: int) -> Generator[str]:
    """nginx with this server on this port."""
    configuration = "\n".join(
        [
            f"daemon off; master_process off; {as_root()} pid {folder}/pid; events {{}}",
            "http { access_log off;",
            *(f"{kind}_temp_path {folder};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
            server,
            "}",
        ]
    )
    (folder / "nginx.conf").write_text(configuration)
    command = (program_or_skip("nginx"), "-c", folder / "nginx.conf", "-e", folder / "errors.log")
    running = RunningProgram(f"nginx-tls-{port}", *command)
    try:
        yield f"https://localhost:{port}"
    finally:
        running.stop()


@pytest.mark.programs("nginx")
def test_behind_a_proxy_with_tls(own_folder: Path) -> None:
    (server,) = blocks("Run behind a proxy with TLS", "nginx")
    certificate = write_certificate(own_folder / "certificate.pem")
    port = free_port()
    with serving(own_folder / "data") as service:
        for shown, actual in {
            "443": f"127.0.0.1:{port}",
            "/etc/ssl/wallet.pem": str(certificate),
            "/etc/ssl/wallet.key": str(certificate),
            "http://127.0.0.1:8208": service.url,
        }.items():
            assert shown in server
            server = server.replace(shown, actual)
        with (
            nginx(server, own_folder, port) as url,
            httpx.Client(
                base_url=url,
                verify=ssl.create_default_context(cafile=certificate),
                headers={"Authorization": f"Bearer {service.key}"},
            ) as client,
        ):
            wait_for(lambda: status(client, "/health/ready") == 200)
            created = client.post("/api/v1/wallets", json={"user_id": "ada", "initial_balance": "5"})
            assert created.status_code == 201
            assert client.get(created.headers["Location"]).json()["balance"] == "5.000000"
            assert client.get("/", follow_redirects=True).url == f"{url}/docs"
            refused = client.post("/api/v1/wallets", content=b" " * 2_000_000)
            assert refused.json()["code"] == "payload_too_large"
            assert client.get("/metrics").status_code == 404
