"""This instance in a real Consul: what others see, and that it stays there until it leaves."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from aiohttp import web
from support.consul_agent import Checked, ConsulAgent, eventually, secured_agent, token_for
from support.settings import make_settings

from wallet_service import __version__
from wallet_service.core.settings import Settings, SettingsError
from wallet_service.platform.consul.agent import Agent, AgentError, Instance
from wallet_service.platform.consul.metrics import ConsulMetrics
from wallet_service.platform.consul.registration import Registration, describe, registration
from wallet_service.platform.consul.settings import ConsulSettings

NAME = "wallet_service"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there
CAPABILITIES = ("transactions", "wallets")


def settings(agent: ConsulAgent, **more: Any) -> Settings:
    fast = {
        "consul_sync_interval_ms": 100,
        "consul_retry_max_ms": 500,
        "consul_check_interval_ms": 1000,
        "consul_leave_pause_ms": 0,
    }
    return make_settings(**{"consul_url": agent.url, **fast, **more})


@asynccontextmanager
async def joined(given: Settings, port: int) -> AsyncIterator[Registration]:
    async with registration(given, port, CAPABILITIES) as made:
        assert made is not None
        await made.start()
        yield made


def states(agent: ConsulAgent) -> dict[str, str]:
    return agent.states(NAME)


def events(log: list[Any], name: str) -> list[Any]:
    return [line for line in log if line["event"] == name]


async def test_without_an_address_there_is_no_registration() -> None:
    async with registration(make_settings(), 1, CAPABILITIES) as made:
        assert made is None


@pytest.mark.consul
async def test_another_client_sees_where_it_is_and_what_it_can_do(consul: ConsulAgent) -> None:
    with Checked() as here:
        given = settings(consul, consul_tags="http, urlprefix-/wallet ,")
        async with joined(given, here.port):
            name = f"{NAME}-127.0.0.1-{here.port}"
            await eventually(lambda: states(consul) == {name: "passing"})
            assert here.paths == {"/health/ready"}
            [entry] = consul.get(f"health/service/{NAME}", passing="1")
            service, check = entry["Service"], next(c for c in entry["Checks"] if c["ServiceName"] == NAME)
            assert (service["Address"], service["Port"]) == ("127.0.0.1", here.port)
            assert service["Tags"] == ["http", "urlprefix-/wallet"]
            assert service["Meta"] == {"version": __version__, "capabilities": "transactions,wallets"}
            assert check["Output"].startswith(f"HTTP GET http://127.0.0.1:{here.port}/health/ready: 200")
        await eventually(lambda: states(consul) == {})


@pytest.mark.consul
async def test_it_is_critical_while_it_is_not_ready(consul: ConsulAgent) -> None:
    with Checked() as here:
        async with joined(settings(consul), here.port):
            await eventually(lambda: list(states(consul).values()) == ["passing"])
            here.status = 503
            await eventually(lambda: list(states(consul).values()) == ["critical"])
            here.status = 200
            await eventually(lambda: list(states(consul).values()) == ["passing"])


@pytest.mark.consul
async def test_an_agent_that_forgot_it_gets_it_again(consul: ConsulAgent) -> None:
    with Checked() as here:
        async with joined(settings(consul), here.port):
            name = f"{NAME}-127.0.0.1-{here.port}"
            await eventually(lambda: name in states(consul))
            consul.remove(name)
            await eventually(lambda: name in states(consul))


@pytest.mark.consul
async def test_while_the_agent_knows_it_nothing_is_sent_that_would_reset_its_check(
    consul: ConsulAgent,
) -> None:
    with structlog.testing.capture_logs() as log, Checked() as here:
        async with joined(settings(consul), here.port):
            await eventually(lambda: list(states(consul).values()) == ["passing"])
            before = consul.get(f"health/service/{NAME}")[0]["Service"]["ModifyIndex"]
            # The second check comes a second after the first, and ten looks at the agent with it.
            here.paths.clear()
            await eventually(lambda: here.paths == {"/health/ready"})
            assert consul.get(f"health/service/{NAME}")[0]["Service"]["ModifyIndex"] == before
    assert len(events(log, "consul_registered")) == 1


@pytest.mark.consul
async def test_what_a_crashed_one_left_is_replaced(consul: ConsulAgent) -> None:
    with Checked() as here:
        name = f"{NAME}-127.0.0.1-{here.port}"
        old = {
            "ID": name,
            "Name": NAME,
            "Port": 1,
            "Meta": {"version": "0.0.0"},
            "Check": {"TTL": "1h", "CheckID": "old"},
        }
        consul.put("agent/service/register", old)
        async with joined(settings(consul), here.port):
            await eventually(lambda: states(consul) == {name: "passing"})
            [entry] = consul.get(f"health/service/{NAME}")
            assert entry["Service"]["Meta"]["version"] == __version__
            assert "old" not in {check["CheckID"] for check in entry["Checks"]}


@pytest.mark.consul
async def test_an_agent_that_restarts_gets_it_again_and_the_log_has_it_once(own_consul: ConsulAgent) -> None:
    with structlog.testing.capture_logs() as log, Checked() as here:
        async with joined(settings(own_consul), here.port):
            await eventually(lambda: list(states(own_consul).values()) == ["passing"])
            await asyncio.to_thread(own_consul.stop)
            await eventually(lambda: events(log, "consul_unavailable") != [])
            await asyncio.to_thread(own_consul.start)
            await eventually(lambda: list(states(own_consul).values()) == ["passing"])
    assert [line["purpose"] for line in events(log, "consul_unavailable")] == ["registration"]
    assert len(events(log, "consul_available_again")) == 1
    assert len(events(log, "consul_registered")) == 2


@pytest.mark.consul
async def test_an_agent_that_starts_later_gets_it_then(own_consul: ConsulAgent) -> None:
    own_consul.stop()
    with structlog.testing.capture_logs() as log, Checked() as here:
        async with joined(settings(own_consul), here.port):
            await eventually(lambda: events(log, "consul_unavailable") != [])
            await asyncio.to_thread(own_consul.start)
            await eventually(lambda: list(states(own_consul).values()) == ["passing"])
    assert len(events(log, "consul_unavailable")) == 1


@pytest.mark.consul
async def test_where_it_is_required_a_first_attempt_that_fails_is_an_error(own_consul: ConsulAgent) -> None:
    own_consul.stop()
    with pytest.raises(AgentError, match="ClientConnectorError"):
        async with joined(settings(own_consul, consul_required=True), 1):
            pass


def test_required_without_an_address_is_refused() -> None:
    with pytest.raises(SettingsError, match="WALLET_CONSUL_REQUIRED needs WALLET_CONSUL_URL"):
        make_settings(consul_required=True)


@pytest.mark.consul
async def test_leaving_does_not_wait_for_an_unavailable_agent(own_consul: ConsulAgent) -> None:
    with structlog.testing.capture_logs() as log, Checked() as here:
        # A pause would show: the test's time limit is shorter.
        async with joined(settings(own_consul, consul_leave_pause_ms=600_000), here.port) as made:
            await eventually(lambda: states(own_consul) != {})
            await asyncio.to_thread(own_consul.stop)
            await made.leave_and_wait()
    assert len(events(log, "consul_deregistration_failed")) == 1


@pytest.mark.consul
async def test_an_instance_that_left_stays_deregistered(consul: ConsulAgent) -> None:
    with Checked() as here:
        async with joined(settings(consul), here.port) as made:
            await eventually(lambda: states(consul) != {})
            await made.leave_and_wait()
            assert consul.get("agent/services") == {}
            assert not await made.leave()


async def test_a_registration_that_arrives_after_the_farewell_is_taken_back() -> None:
    """The agent answers a registration when it may, which is long after our limit."""
    may, came, done = asyncio.Event(), asyncio.Event(), list[str]()

    async def agent(request: web.Request) -> web.Response:
        what = request.path.split("/")[4]
        if what == "register":
            came.set()
            await may.wait()
        else:
            may.set()
        done.append(what)
        return web.Response()

    app = web.Application()
    app.router.add_put("/v1/agent/service/{tail:.*}", agent)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    given = make_settings(
        consul_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
        consul_timeout_ms=100,
        consul_leave_pause_ms=200,
    )
    async with joined(given, 1) as made:
        await came.wait()
        await made.leave_and_wait()
    assert done == ["deregister", "register", "deregister"]
    await runner.cleanup()


@pytest.mark.consul
async def test_a_token_is_needed_where_the_agent_asks_for_one(
    consul_with_acl: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would go before the token that the constructor is given.
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", consul_with_acl.token)
    writer = token_for(consul_with_acl, f'service "{NAME}" {{ policy = "write" }}')
    with structlog.testing.capture_logs() as log, Checked() as here:
        async with joined(settings(consul_with_acl), here.port):
            await eventually(lambda: events(log, "consul_unavailable") != [])
            assert "ACLPermissionDenied" in events(log, "consul_unavailable")[0]["reason"]
        assert states(consul_with_acl) == {}
        async with joined(settings(consul_with_acl, consul_token=writer), here.port):
            await eventually(lambda: list(states(consul_with_acl).values()) == ["passing"])
        await eventually(lambda: states(consul_with_acl) == {})
    assert len(events(log, "consul_registered")) == 1
    assert writer not in repr(log)


@pytest.mark.consul
async def test_over_https_the_authority_is_checked(own_folder: Path, consul_program: Path) -> None:
    with secured_agent(own_folder, consul_program) as (agent, authority), Checked() as here:
        given = {"consul_url": agent.secure_url, "consul_required": True}
        with pytest.raises(AgentError, match="certificate verify failed"):
            async with joined(settings(agent, **given), here.port):
                pass
        async with joined(settings(agent, **given, consul_ca_file=authority), here.port):
            assert list(agent.get("agent/services")) == [f"{NAME}-127.0.0.1-{here.port}"]


async def test_certificates_that_are_none_are_a_setting_that_is_not_acceptable(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path / "none.pem"):
        (tmp_path / "none.pem").write_text("nothing")
        given = make_settings(consul_url="https://127.0.0.1:1", consul_ca_file=path)
        with pytest.raises(SettingsError, match="WALLET_CONSUL_CA_FILE"):
            await Agent.open(given[ConsulSettings])


@pytest.mark.parametrize(
    ("given", "address", "checked"),
    [
        ({}, "127.0.0.1", "http://127.0.0.1:9/health/ready"),
        ({"host": "wallet.internal"}, "wallet.internal", "http://wallet.internal:9/health/ready"),
        ({"host": "::1"}, "::1", "http://[::1]:9/health/ready"),
        ({"host": EVERYWHERE}, None, "http://127.0.0.1:9/health/ready"),
        ({"host": EVERYWHERE, "advertise_address": "10.1.2.3"}, "10.1.2.3", "http://10.1.2.3:9/health/ready"),
        (
            {"advertise_address": "wallet", "advertise_port": 80},
            "wallet",
            "http://wallet:80/health/ready",
        ),
    ],
)
async def test_the_address_for_others(given: dict[str, Any], address: str | None, checked: str) -> None:
    made = await describe(make_settings(**{"consul_url": "http://127.0.0.1:8500", **given}), 9, CAPABILITIES)
    assert (made.address, made.check_url) == (address, checked)
    assert made.id == f"{NAME}-{address or socket.gethostname()}-{made.port}"


@pytest.mark.parametrize(
    ("agent", "address", "is_told"),
    [
        ("http://192.0.2.1:8500", "127.0.0.1", True),
        ("http://consul:8500", "localhost", True),
        ("http://[2001:db8::1]:8500", "::1", True),
        ("http://192.0.2.1:8500", "10.1.2.3", False),
        ("http://localhost:8500", "127.0.0.1", False),
        ("http://[::1]:8500", "127.0.0.2", False),
    ],
)
async def test_an_unreachable_address_is_reported_once(*, agent: str, address: str, is_told: bool) -> None:
    class Forgetful:
        """Takes every registration, and knows none of them a moment later."""

        taken = 0

        async def register(self, _instance: Instance) -> None:
            self.taken += 1

        async def knows(self, _instance_id: str) -> bool:
            return False

        async def deregister(self, _instance_id: str) -> None: ...

    forgetful = Forgetful()
    given = make_settings(consul_url=agent, advertise_address=address, consul_sync_interval_ms=100)
    made = Registration(given, cast("Agent", forgetful), 9, CAPABILITIES, ConsulMetrics())
    with structlog.testing.capture_logs() as log:
        await made.start()
        await eventually(lambda: forgetful.taken == 2)
        await made.leave()
    told = events(log, "consul_address_is_loopback")
    assert [(line["log_level"], line["address"]) for line in told] == [("warning", address)] * is_told


async def test_an_agent_without_a_route_is_retried_like_an_unavailable_one() -> None:
    given = make_settings(consul_url="http://agent.invalid:8500", host=EVERYWHERE)
    with pytest.raises(AgentError, match=r"no route to agent\.invalid"):
        await describe(given, 9, CAPABILITIES)
    with structlog.testing.capture_logs() as log:
        async with joined(given, 9):
            await eventually(lambda: events(log, "consul_unavailable") != [])


@pytest.mark.parametrize(
    "url", ["http://user:word@c:8500", "http://c:8500/v1", "http://c:8500/?dc=a", "ftp://c", "c:8500"]
)
def test_an_address_of_consul_is_an_address_alone(url: str) -> None:
    with pytest.raises(SettingsError, match="WALLET_CONSUL_URL"):
        make_settings(consul_url=url)
