"""Wallets are made for those who exist."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from support.access_checks import UNAVAILABLE, OpenApi, restore_upstreams, unverified_ids
from support.api import Api, created, new_user, posted, problem
from support.stand_in import StandIn

from wallet_service.core.identifiers import new_id
from wallet_service.platform.telemetry.logging import configure_logging
from wallet_service.platform.upstreams import client
from wallet_service.platform.upstreams.breaker import FAILURES
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.web import middleware, problems


async def test_a_user_who_exists_gets_a_wallet(api: Api, upstreams: StandIn) -> None:
    user_id = new_user()
    wallet = await api.admin.wallet("5", user_id=user_id)
    await api.admin.wallet(user_id=user_id, name="second")
    assert upstreams.paths() == [f"/api/v1/accounts/{user_id}"], "asked once"
    assert wallet["wallet_id"] not in await unverified_ids(api.admin)


async def test_a_user_who_does_not_gets_none(api: Api, upstreams: StandIn) -> None:
    user_id = f"unknown-{new_id()}"
    for caller in (api.admin, api.user(user_id)):
        problem(await caller.post("/wallets", {"user_id": user_id}, key=new_id()), "user_unknown")
    for caller in (api.admin, api.user(user_id)):
        answer = await caller.post(f"/users/{user_id}/credits/consume", {"amount": "1"})
        problem(answer, "user_unknown")
    assert len(upstreams.questions) == 1
    assert (await api.admin.get(f"/users/{user_id}/credits/balance")).json()["wallet_id"] is None
    assert (await api.admin.get(f"/users/{user_id}/wallets")).json()["items"] == []


async def test_an_organization_must_exist_too(api: Api, upstreams: StandIn) -> None:
    user_id = new_user()
    answer = await api.admin.post("/wallets", {"user_id": user_id, "organization_id": "unknown-o"})
    problem(answer, "organization_unknown")
    await api.admin.wallet(user_id=user_id, organization_id="org-1")
    assert "/api/v1/organizations/org-1" in upstreams.paths()


@pytest.mark.parametrize("user_id", ["a/organizations/x", "Ümläut 名前/☃", "%2e%2e", "a?b#c"])
async def test_strange_users_are_asked_for_by_their_id(api: Api, upstreams: StandIn, user_id: str) -> None:
    user_id = f"{user_id}{new_id()}"
    await api.admin.wallet(user_id=user_id)
    (path,) = upstreams.paths()
    assert path.startswith("/api/v1/accounts/")
    assert path.count("/") == 4


@pytest.mark.parametrize("user_id", [".", "..", "a/../../organizations/x"])
async def test_users_who_can_not_be_asked_for_are_refused(api: Api, upstreams: StandIn, user_id: str) -> None:
    problem(await api.admin.post("/wallets", {"user_id": user_id}), "validation_failed")
    assert upstreams.questions == []


@pytest.mark.parametrize("fault", ["html", "500", "hang", "redirect", "big", "html_404", "drop", "401"])
async def test_without_an_answer_no_wallet_is_made(open_api: OpenApi, upstreams: StandIn, fault: str) -> None:
    upstreams.fault = fault
    user_id = new_user()
    policy = "deny" if fault == "500" else None
    timeout_ms = 400 if fault == "hang" else 5000
    async with open_api(upstream_unavailable_policy=policy, upstream_timeout_ms=timeout_ms) as api:
        answer = await api.admin.post("/wallets", {"user_id": user_id})
        assert problem(answer, "upstream_unavailable")["upstream"] == "account"
        assert answer.headers["Retry-After"] == str(UpstreamUnavailable.retry_after_s)
        assert (await api.admin.get(f"/users/{user_id}/wallets")).json()["items"] == []
    asked = {f"/api/v1/accounts/{user_id}"}
    if fault == "hang":  # on a slow machine the time may be over before a question has left
        assert set(upstreams.paths()) <= asked
    else:
        assert set(upstreams.paths()) == asked


async def test_an_unknown_upstream_is_reported_as_unavailable(open_api: OpenApi) -> None:
    nowhere = {"account_url": None, "consul_url": "http://127.0.0.1:9", "environment": "production"}
    async with open_api(**nowhere) as api:
        refusal = problem(await api.admin.post("/wallets", {"user_id": new_user()}), "upstream_unavailable")
    assert refusal["upstream"] == "account"
    missing = "The account service can't be found: no healthy instance and no WALLET_ACCOUNT_URL"
    assert refusal["detail"] == missing


async def test_an_id_that_the_upstream_refuses_is_unknown_and_stops_no_other(
    lenient: Api, upstreams: StandIn
) -> None:
    upstreams.fault = "422"
    odd = await lenient.service("wallets:write")
    for _ in range(2 * FAILURES):
        problem(await odd.post("/wallets", {"user_id": new_user()}), "user_unknown")
    upstreams.fault = None
    user_id = new_user()
    wallet = await lenient.admin.wallet(user_id=user_id)
    assert f"/api/v1/accounts/{user_id}" in upstreams.paths()
    assert wallet["wallet_id"] not in await unverified_ids(lenient.admin)


async def test_an_answer_of_no_use_is_as_none(lenient: Api, upstreams: StandIn) -> None:
    for upstreams.fault in ("401", "403", "gateway_404", "another_id"):
        wallet_id = (await lenient.admin.wallet())["wallet_id"]
        assert wallet_id in await unverified_ids(lenient.admin), upstreams.fault


async def test_while_it_is_unavailable_the_log_has_one_line_and_names_no_user(
    api: Api, upstreams: StandIn, log: io.StringIO
) -> None:
    user_id = "ada@example.org"
    upstreams.fault = "wrong_types"
    problem(await api.admin.post("/wallets", {"user_id": user_id}), "upstream_unavailable")
    upstreams.fault = "500"
    while "upstream_breaker_opened" not in log.getvalue():
        problem(await api.admin.post("/wallets", {"user_id": user_id}), "upstream_unavailable")
    before = len(log.getvalue())
    for _ in range(5):
        problem(await api.admin.post("/wallets", {"user_id": user_id}), "upstream_unavailable")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["event"] for line in lines} == {
        "upstream_response_unusable",
        "upstream_unavailable",
        "upstream_breaker_opened",
        "request",
    }
    assert [line["event"] for line in lines].count("upstream_breaker_opened") == 1
    rest = [json.loads(line)["event"] for line in log.getvalue()[before:].splitlines()]
    assert rest == ["request"] * 5
    assert user_id not in log.getvalue()
    assert "Traceback" not in log.getvalue()
    assert not any("exception" in line for line in lines)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the service writes, in its own configuration."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging("info", stream)
    for module in (client, middleware, problems):  # a logger keeps to the stream of its first line
        monkeypatch.setattr(module, "_log", structlog.get_logger())
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_credits_are_spent_without_an_answer_and_not_begun(api: Api, upstreams: StandIn) -> None:
    old, new = new_user(), new_user()
    wallet = await api.admin.wallet("10", user_id=old)
    upstreams.fault = UNAVAILABLE
    asked = len(upstreams.questions)
    for caller in (api.admin, api.user(old)):
        found = await caller.get(f"/users/{old}/credits/balance")
        assert found.json()["wallet_id"] == wallet["wallet_id"]
        posted(await caller.post(f"/users/{old}/credits/consume", {"amount": "1"}))
    for caller in (api.admin, api.user(new)):
        assert (await caller.get(f"/users/{new}/credits/balance")).json()["wallet_id"] is None
    assert len(upstreams.questions) == asked
    for caller in (api.admin, api.user(new)):
        answer = await caller.post(f"/users/{new}/credits/consume", {"amount": "1"})
        problem(answer, "upstream_unavailable")
    restore_upstreams(api, upstreams)
    answer = await api.admin.post(f"/users/{new}/credits/consume", {"amount": "1"})
    problem(answer, "insufficient_funds")
    assert (await api.admin.get(f"/users/{new}/credits/balance")).json()["wallet_id"] is not None


async def test_a_repeat_gets_its_response_whatever_upstream_is_unavailable(
    api: Api, upstreams: StandIn
) -> None:
    user_id, key = new_user(), new_id()
    body = {"user_id": user_id, "initial_balance": "3"}
    first = await api.admin.post("/wallets", body, key=key)
    api.app.state.clients.accounts._accounts._cached.clear()
    for fault in (UNAVAILABLE, None):
        upstreams.fault = fault
        upstreams.unknown.add(user_id)
        again = await api.admin.post("/wallets", body, key=key)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        other = await api.admin.post("/wallets", body | {"name": "x"}, key=key)
        problem(other, "idempotency_key_reused")
    restore_upstreams(api, upstreams)
    problem(await api.admin.post("/wallets", body | {"name": "x"}, key=new_id()), "user_unknown")


async def test_a_refused_key_can_be_used_again(api: Api, upstreams: StandIn) -> None:
    body, key = {"user_id": new_user()}, new_id()
    upstreams.fault = UNAVAILABLE
    problem(await api.admin.post("/wallets", body, key=key), "upstream_unavailable")
    restore_upstreams(api, upstreams)
    created(await api.admin.post("/wallets", body, key=key))
