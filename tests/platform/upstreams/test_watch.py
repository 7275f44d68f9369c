"""Discovery follows what is healthy in a real Consul, and outlives it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import structlog
from support.consul_agent import ConsulAgent, eventually, token_for
from support.settings import make_settings

from wallet_service.core.settings import Settings
from wallet_service.platform.consul.agent import Agent, AgentError
from wallet_service.platform.consul.metrics import ConsulMetrics
from wallet_service.platform.consul.settings import ConsulSettings
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.upstreams import watch as module
from wallet_service.platform.upstreams.discovery import ACCOUNT, AUTH, ORGANIZATION, PAYMENT, NoInstance
from wallet_service.platform.upstreams.watch import Upstreams, only, upstream_discovery
from wallet_service.runtime.application import create_app

NAME = "account_service"


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def settings(agent: ConsulAgent | str, **more: Any) -> Settings:
    address = agent if isinstance(agent, str) else agent.url
    return make_settings(
        **{
            "consul_url": address,
            "environment": "production",
            "consul_retry_max_ms": 500,
            "verify_users": True,
            **more,
        }
    )


def seen(discovery: Upstreams) -> set[str]:
    """Every instance to which calls go now."""
    try:
        return {discovery.instance(ACCOUNT) for _ in range(8)}
    except NoInstance:
        return set()


async def until_seen(discovery: Upstreams, *ports: int) -> None:
    await eventually(lambda: seen(discovery) == {url(port) for port in ports})


def test_without_consul_in_development_the_ports_of_this_machine() -> None:
    discovery = Upstreams(make_settings(environment="development"))
    assert [discovery.instance(service) for service in (ACCOUNT, ORGANIZATION, PAYMENT, AUTH)] == [
        url(8202),
        url(8210),
        url(8207),
        url(8201),
    ]


def test_without_consul_in_production_only_what_is_configured() -> None:
    discovery = Upstreams(
        make_settings(environment="production", account_url="https://accounts.example/base/")
    )
    assert discovery.instance(ACCOUNT) == "https://accounts.example/base"
    for service in (ORGANIZATION, PAYMENT, AUTH):
        with pytest.raises(NoInstance, match=service):
            discovery.instance(service)


@pytest.mark.parametrize(
    ("given", "development"),
    [
        ({}, True),
        ({"database_url": "postgresql://db/x"}, False),
        ({"database_url": "postgresql://db/x", "environment": "development"}, True),
        ({"environment": "production"}, False),
    ],
)
def test_development_is_where_no_database_was_given(given: dict[str, Any], development: bool) -> None:
    assert make_settings(**given)[DatabaseSettings].is_development is development


@pytest.mark.consul
async def test_the_first_list_is_there_when_the_start_is_over(consul: ConsulAgent) -> None:
    consul.add(NAME, 7001)
    async with upstream_discovery(settings(consul, account_url="http://configured:1")) as discovery:
        assert seen(discovery) == {url(7001)}


@pytest.mark.consul
async def test_it_follows_instances_that_come_go_and_fall_ill(consul: ConsulAgent) -> None:
    async with upstream_discovery(settings(consul)) as discovery:
        with pytest.raises(NoInstance):
            discovery.instance(ACCOUNT)
        first = consul.add(NAME, 7001)
        await until_seen(discovery, 7001)
        second = consul.add(NAME, 7002)
        await until_seen(discovery, 7001, 7002)
        consul.turn(first, "critical")
        await until_seen(discovery, 7002)
        consul.turn(first, "passing")
        await until_seen(discovery, 7001, 7002)
        consul.remove(second)
        await until_seen(discovery, 7001)


@pytest.mark.consul
async def test_when_the_last_one_goes_the_old_list_stays_and_is_said(consul: ConsulAgent) -> None:
    first = consul.add(NAME, 7001)
    with structlog.testing.capture_logs() as log:
        async with upstream_discovery(settings(consul)) as discovery:
            consul.turn(first, "critical")
            await eventually(
                lambda: {"upstream_no_healthy_instance", 1} <= {*_values(log, "event"), *_values(log, "kept")}
            )
            assert seen(discovery) == {url(7001)}
            consul.add(NAME, 7002)
            await until_seen(discovery, 7002)


@pytest.mark.consul
async def test_an_agent_that_restarts_is_followed_again_from_its_beginning(own_consul: ConsulAgent) -> None:
    for number in range(50):  # so that the index before is higher than any after
        own_consul.put(f"kv/{number}", number)
    own_consul.add(NAME, 7001)
    with structlog.testing.capture_logs() as log:
        async with upstream_discovery(settings(own_consul)) as discovery:
            await asyncio.to_thread(own_consul.stop)
            await eventually(lambda: "consul_unavailable" in _values(log, "event"))
            assert seen(discovery) == {url(7001)}
            await asyncio.to_thread(own_consul.start)
            assert seen(discovery) == {url(7001)}
            own_consul.add(NAME, 7002)
            await until_seen(discovery, 7002)
            await eventually(lambda: "consul_available_again" in _values(log, "event"))
    assert _values(log, "event").count("consul_unavailable") == 1
    assert _values(log, "event").count("consul_available_again") == 1


@pytest.mark.consul
async def test_an_unavailable_agent_at_the_start_delays_nothing(own_consul: ConsulAgent) -> None:
    own_consul.stop()
    async with upstream_discovery(settings(own_consul, account_url="http://configured:1")) as discovery:
        assert discovery.instance(ACCOUNT) == "http://configured:1"
        await asyncio.to_thread(own_consul.start)
        own_consul.add(NAME, 7001)
        await until_seen(discovery, 7001)


@pytest.mark.consul
async def test_without_the_right_to_read_no_instance_is_found_and_a_token_helps(
    consul_with_acl: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would go before the token that the constructor is given.
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "11111111-1111-4111-8111-111111111111")
    consul_with_acl.add(NAME, 7001)
    reader = token_for(
        consul_with_acl, 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'
    )
    async with upstream_discovery(settings(consul_with_acl)) as discovery:
        assert seen(discovery) == set()
    async with upstream_discovery(settings(consul_with_acl, consul_token=reader)) as discovery:
        assert seen(discovery) == {url(7001)}


@pytest.mark.consul
async def test_the_address_of_the_node_stands_in_for_one_that_is_not_given(consul: ConsulAgent) -> None:
    consul.put("agent/service/register", {"Name": NAME, "Port": 7009})
    async with upstream_discovery(settings(consul)) as discovery:
        assert seen(discovery) == {url(7009)}


@asynccontextmanager
async def pretender(answer: bytes | None) -> AsyncIterator[str]:
    """A port that is no agent: it answers everything with these bytes, or never."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() not in (b"\r\n", b""):
            pass
        if answer is None:
            await reader.read()  # until the other side gives up
        else:
            writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


def http_answer(status: str, body: bytes, *headers: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}".encode(), b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


INDEX = b"X-Consul-Index: 7"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"nonsense\r\n\r\n",
        http_answer("500 Internal Server Error", b"No cluster leader"),
        http_answer("403 Forbidden", b"Permission denied"),
        http_answer("200 OK", b"<html>a proxy</html>", INDEX),
        http_answer("200 OK", b"[]"),
        http_answer("200 OK", b"[]", b"X-Consul-Index: many"),
        http_answer("200 OK", b"[" * 100_000, INDEX),
        http_answer("200 OK", b"7", INDEX),
        http_answer("200 OK", b"null", INDEX),
        http_answer("200 OK", b"\xff\xfe", INDEX),
        http_answer("404 Not Found", b"", INDEX),
    ],
)
async def test_what_is_no_answer_of_an_agent_is_one_kind_of_error(answer: bytes | None) -> None:
    async with (
        pretender(answer) as address,
        await Agent.open(settings(address, consul_timeout_ms=300)[ConsulSettings]) as agent,
    ):
        with pytest.raises(AgentError):
            await agent.healthy(NAME, None)


async def test_entries_that_can_not_be_used_are_left_out() -> None:
    bad = [
        {},
        None,
        {"Service": {}},
        *(
            {"Service": {"Address": address, "Port": port}, "Node": {"Address": ""}}
            for address, port in [
                ("10.0.0.9", "x"),
                ("10.0.0.9", None),
                ("10.0.0.9", 0),
                ("10.0.0.9", 99999),
                ("", 80),
                ("http://x/", 80),
                ("a b", 80),
            ]
        ),
    ]
    good = [{"Service": {"Address": address, "Port": 80}} for address in ("10.0.0.1", "::1", "x.example")]
    body = json.dumps([*bad, *good]).encode()
    with structlog.testing.capture_logs() as log:
        async with (
            pretender(http_answer("200 OK", body, INDEX)) as address,
            await Agent.open(settings(address)[ConsulSettings]) as agent,
        ):
            _, urls = await agent.healthy(NAME, None)
    assert urls == ["http://10.0.0.1:80", "http://[::1]:80", "http://x.example:80"]
    assert _values(log, "event") == ["consul_entry_unusable"] * len(bad)
    assert set(_values(log, "service")) == {NAME}


class Library:
    """Consul's library: answers with these indexes in turn, then never; remembers what it was asked with, and when."""

    def __init__(self, *indexes: int) -> None:
        self.health = self
        self._indexes = iter(indexes)
        self.asked: list[str | None] = []
        self.asked_s: list[float] = []

    async def service(self, _name: str, *, index: str | None, **_: object) -> tuple[str, list[Any]]:
        number = next(self._indexes, None)
        if number is None:
            await asyncio.Event().wait()
        self.asked.append(index)
        self.asked_s.append(asyncio.get_running_loop().time())
        return str(number), []


@asynccontextmanager
async def watching(library: Library) -> AsyncIterator[None]:
    upstreams = Upstreams(settings("http://unused:1"))
    watch = module._Watch(ACCOUNT, NAME, Agent(library, 1), upstreams)
    task = asyncio.create_task(watch.run(module.Outage("discovery", 1, ConsulMetrics())))
    try:
        yield
    finally:
        await module._cancel([task])


async def test_an_index_that_went_back_is_forgotten() -> None:
    library = Library(5, 9, 9, 3, 4, 0, 7)
    async with watching(library):
        await eventually(lambda: len(library.asked) == 7)
    assert library.asked == [None, "5", "9", "9", None, "4", None]


async def test_an_agent_that_never_waits_is_not_asked_without_end() -> None:
    library = Library(*range(1, 5))
    async with watching(library):
        await eventually(lambda: len(library.asked) == 4)
    for before, after in pairwise(library.asked_s):
        assert after - before >= 0.09


async def test_a_watch_that_ends_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RecursionError("a fault of ours")

    monkeypatch.setattr(module.Upstreams, "found", broken)
    with structlog.testing.capture_logs() as log:
        async with (
            pretender(http_answer("200 OK", b"[]", INDEX)) as address,
            upstream_discovery(settings(address)),
        ):
            await eventually(lambda: _values(log, "event").count("discovery_ended") == 3)
    assert all(isinstance(error, RecursionError) for error in _values(log, "exc_info"))


async def test_at_the_stop_a_watch_ends_and_nothing_is_said() -> None:
    with structlog.testing.capture_logs() as log:
        async with pretender(None) as address, upstream_discovery(settings(address)):
            pass
    assert log == []


@pytest.mark.consul
async def test_only_who_is_asked_is_watched(consul: ConsulAgent) -> None:
    consul.add("auth_service", 7001)
    consul.add(NAME, 7002)
    upstreams = {"auth_url": "http://configured:1", "payment_url": "http://configured:2"}
    with structlog.testing.capture_logs() as log:
        async with upstream_discovery(settings(consul, **upstreams)) as discovery:
            assert seen(discovery) == {url(7002)}
            assert discovery.instance(AUTH) == "http://configured:1"
            assert discovery.instance(PAYMENT) == "http://configured:2"
        async with upstream_discovery(settings(consul, **upstreams), only(PAYMENT)) as discovery:
            assert discovery.instance(PAYMENT) == "http://configured:2"
    assert sorted(_values(log, "service")) == [NAME, "organization_service", *["payment_service"] * 2]
    with structlog.testing.capture_logs() as log:
        app = create_app(settings(consul, verify_users=False), "postgresql://unused@127.0.0.1:1/none")
        async with app.router.lifespan_context(app):
            pass
    assert log == []


async def test_a_pretender_costs_the_start_a_second_at_most_and_says_so_once() -> None:
    with structlog.testing.capture_logs() as log:
        async with (
            pretender(None) as address,
            asyncio.timeout(5),
            upstream_discovery(
                settings(address, consul_timeout_ms=60_000, account_url="http://configured:1")
            ) as found,
        ):
            assert found.instance(ACCOUNT) == "http://configured:1"
        assert log == []
        async with (
            pretender(http_answer("500 Internal Server Error", b"No cluster leader")) as address,
            upstream_discovery(settings(address)),
        ):
            await eventually(lambda: log != [])
    assert [line["event"] for line in log] == ["consul_unavailable"]
    assert log[0]["purpose"] == "discovery"


def _values(log: list[Any], name: str) -> list[Any]:
    return [line[name] for line in log if name in line]
