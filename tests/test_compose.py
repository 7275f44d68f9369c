"""docker-compose.yml as docker compose reads it, and its profile ``full`` run for real, without containers."""

import asyncio
import json
import runpy
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import httpx
import jwt
import pytest
from support.api import new_user
from support.callers import NAME, WALLET, Callers, ends, followed
from support.compose import Replay, gateway_command, new_secrets, read
from support.consul_agent import eventually
from support.external_programs import RunningProgram, free_port, program, status
from support.service import ROOT, WAIT_S
from support.supabase_project import create_project, project_cluster

from wallet_service.platform.vault.keys import parse_keys
from wallet_service.platform.vault.settings import VaultSettings

CALLERS = 4
CHANGED = {"WALLET_CONSUL_CHECK_INTERVAL_MS": "1000", "WALLET_REDIS_TIMEOUT_MS": "5000"}
"""Checked more often; and Redis, which is there, is not taken for away on a busy machine."""

STOP_S = 25
"""The longest that an orchestrator has to wait after SIGTERM."""


@pytest.fixture
async def replay(own_folder: Path, compose_programs: None) -> AsyncIterator[Replay]:
    del compose_programs
    cluster = await project_cluster(15)
    made = Replay(own_folder, cluster, await create_project(cluster))
    started = made.started()
    await asyncio.to_thread(started.__enter__)
    yield made
    await asyncio.to_thread(started.__exit__, None, None, None)


def passing(replay: Replay) -> list[str]:
    return [state for state in replay.consul.states(NAME).values() if state == "passing"]


@pytest.mark.consul
@pytest.mark.redis
@pytest.mark.supabase
async def test_two_instances_among_their_upstreams(replay: Replay) -> None:
    first, second = [
        await asyncio.to_thread(replay.instance, name, **CHANGED) for name in ("wallet-1", "wallet-2")
    ]
    headers = {"Authorization": f"Bearer {replay.secrets['WALLET_ADMIN_KEY']}"}
    async with (
        followed(replay.consul) as discovery,
        httpx.AsyncClient(headers=headers, timeout=WAIT_S) as client,
    ):
        await eventually(lambda: len(passing(replay)) == 2)
        await eventually(lambda: {discovery.instance(WALLET) for _ in range(4)} == {first.url, second.url})

        async def new_wallet(user: str, at: str = first.url) -> httpx.Response:
            opening = {"user_id": user, "currency": "CREDIT", "initial_balance": "100000"}
            return await client.post(f"{at}/api/v1/wallets", json=opening)

        # The upstreams are found through Consul, and asked.
        unknown = await new_wallet("unknown-user")
        assert (unknown.status_code, unknown.json()["code"]) == (422, "user_unknown")
        opened = await new_wallet(new_user())
        assert opened.status_code == 201, opened.text
        # Both have the vault's keys: one opens what the other sealed.
        sealed = await client.post(f"{first.url}/api/v1/files?name=a.txt&personal=true", content=b"a secret")
        assert sealed.status_code == 201, sealed.text
        content = await client.get(f"{second.url}{sealed.headers['Location']}/content")
        assert content.content == b"a secret"
        # Both count in one Redis.
        assert opened.headers["RateLimit-Policy"] == '"client";q=100000;w=60'
        for instance in (first, second):
            metrics = (await client.get(f"{instance.url}/metrics")).text
            assert "\nwallet_rate_limit_shared 1.0\n" in metrics
        up = {"wallet-1:9208": "up", "wallet-2:9208": "up"}
        await eventually(lambda: replay.targets().items() >= up.items())
        assert replay.targets().keys() - up.keys() == {"worker-1:9208"}  # not started here
        # Without them what exists goes on, and nobody new is taken in.
        await client.put(f"{replay.stand_in}/stand-in/fault", content="503")
        refused = await new_wallet(new_user(), second.url)
        assert (refused.status_code, refused.json()["code"]) == (503, "upstream_unavailable")
        assert refused.headers["Retry-After"]

        callers = Callers(discovery, client, opened.json()["wallet_id"])
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(callers.call(number))
            await callers.more(20)
            asked = time.monotonic()
            second.process.send_signal(signal.SIGTERM)
            await eventually(ends(second))
            took = time.monotonic() - asked
            await callers.more(20)
            callers.stopping = True
        assert second.process.returncode == 0
        assert took < STOP_S
        wallet = await client.get(f"{first.url}/api/v1/wallets/{callers.wallet}/balance")
        assert Decimal(wallet.json()["balance"]) == 100_000 - callers.done
    assert "trial balance" in await asyncio.to_thread(replay.command, "verify")  # it fails unless all is well


class Names(asyncio.DatagramProtocol):
    """A name server: every name has the one address."""

    address = "127.0.0.2"

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = data[12 : data.index(b"\0", 12) + 5]
        answer = b"\xc0\x0c\0\1\0\1\0\0\x02\x58\0\4" + socket.inet_aton(self.address)  # for ten minutes
        self._transport.sendto(data[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + answer, addr)


def stand_in(status: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """CachedResponses any request with it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()
        await writer.wait_closed()

    return answer


@pytest.mark.usefixtures("compose_programs")
async def test_the_gateway_finds_a_postgrest_that_has_another_address_now(own_folder: Path) -> None:
    names, gateway = Names(), free_port()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: names, local_addr=("127.0.0.1", 0)
    )
    old = await asyncio.start_server(stand_in(200), "127.0.0.2", 0)
    port = old.sockets[0].getsockname()[1]
    new = await asyncio.start_server(stand_in(204), "127.0.0.3", port)
    text = (ROOT / "deploy" / "gateway.conf").read_text()
    for there, here in (
        ("127.0.0.11 valid=10s", f"127.0.0.1:{transport.get_extra_info('sockname')[1]} valid=1s"),
        ("postgrest:3000", f"postgrest:{port}"),
    ):
        assert there in text
        text = text.replace(there, here)
    running = RunningProgram(f"gateway-{gateway}", *map(str, gateway_command(own_folder, text, gateway)))
    try:
        await eventually(lambda: status(gateway, "/rest/v1/x") == 200)
        names.address = "127.0.0.3"
        await eventually(lambda: status(gateway, "/rest/v1/x") == 204)
    finally:
        running.stop()
        transport.close()
        for server in (old, new):
            server.close()
            await server.wait_closed()


@pytest.mark.usefixtures("compose_programs")
def test_the_default_profile_is_the_service_its_worker_and_its_database() -> None:
    secrets = {
        name: value for name, value in new_secrets().items() if not name.startswith(("SUPABASE", "GRAFANA"))
    }
    services = read(secrets)["services"]
    assert services.keys() == {"wallet", "worker", "postgres"}
    assert services["worker"]["command"] == ["wallet-service", "worker"]
    assert services["wallet"]["environment"]["WALLET_WORKER"] == "false"


@pytest.mark.usefixtures("compose_programs")
def test_the_vault_has_its_keys_from_the_environment_or_from_a_file(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, file = new_secrets(), own_folder / "keys"
    instances = {"wallet", "wallet-1", "wallet-2"}

    def chosen(variables: dict[str, str], name: str) -> tuple[str, str, str]:
        service = read(variables, "full")["services"][name]
        (mounted,) = [each for each in service["volumes"] if each["target"] == "/run/credential.keys"]
        assert mounted["read_only"]
        settings = service["environment"]
        return (
            settings["WALLET_CREDENTIAL_KEYS"],
            settings["WALLET_CREDENTIAL_KEYS_FILE"],
            mounted["source"],
        )

    keys = made.pop("WALLET_CREDENTIAL_KEYS")
    assert [key.key_id for key in parse_keys(keys)] == ["k1"]
    for name in instances:
        assert chosen(made | {"WALLET_CREDENTIAL_KEYS": keys}, name) == (keys, "", "/dev/null")
        from_file = {"WALLET_CREDENTIAL_KEYS_FILE": str(file)}
        assert chosen(made | from_file, name) == ("", "/run/credential.keys", str(file))
        assert chosen(made, name) == ("", "", "/dev/null")  # an .env of an earlier release
    for name in ("WALLET_CREDENTIAL_KEYS", "WALLET_CREDENTIAL_KEYS_FILE"):
        monkeypatch.setenv(name, "")
    assert VaultSettings().keys is None


@pytest.mark.usefixtures("compose_programs")
def test_a_missing_secret_is_named() -> None:
    with pytest.raises(AssertionError, match="POSTGRES_PASSWORD"):
        read({"WALLET_ADMIN_KEY": "x" * 32})


@pytest.mark.supabase
async def test_without_a_secret_no_caller_is_let_in(compose_programs: None) -> None:
    """An empty key signs too: it must open nothing."""
    del compose_programs
    cluster = await project_cluster(15)
    dsn = cluster.dsn(await create_project(cluster), "authenticator")
    secrets = {name: value for name, value in new_secrets().items() if not name.startswith("SUPABASE")}
    services = read(secrets, "full")["services"]
    assert services["wallet-1"]["environment"]["SUPABASE_SERVICE_ROLE_KEY"] == ""  # with the URL: no start
    settings = {
        **services["postgrest"]["environment"],
        "PGRST_DB_URI": dsn,
        "PGRST_DB_SCHEMAS": "public",
        "PGRST_SERVER_HOST": "127.0.0.1",
        "PGRST_SERVER_PORT": str(port := free_port()),
    }
    assert settings["PGRST_JWT_SECRET"] == ""
    named = [f"{name}={value}" for name, value in settings.items()]
    running = RunningProgram(f"postgrest-{port}", "env", *named, str(program("postgrest")))
    try:
        await eventually(lambda: status(port, "/") == 200)
        make = runpy.run_path(str(ROOT / "scripts" / "compose_env.py"))["service_role_key"]
        forged = make("", int(time.time()))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            refused = await client.get("/", headers={"Authorization": f"Bearer {forged}"})
        assert (refused.status_code, refused.json()["code"]) == (500, "PGRST300"), refused.text
    finally:
        running.stop()


def test_the_key_of_the_service_role_is_one() -> None:
    made = new_secrets()
    claims = jwt.decode(made["SUPABASE_SERVICE_ROLE_KEY"], made["SUPABASE_JWT_SECRET"], ["HS256"])
    assert claims["role"] == "service_role"
    assert claims["exp"] > time.time() + 86_400
    assert made != new_secrets()
    assert json.dumps(made).isascii()
