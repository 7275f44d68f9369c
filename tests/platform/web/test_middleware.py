import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import structlog
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send
from support.http_app import ADMIN_KEY, api

from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.database.gateway import Database
from wallet_service.platform.telemetry.logging import configure_logging
from wallet_service.platform.web import middleware, problems
from wallet_service.platform.web.middleware import RequestContext

THING = "/api/v1/things/a-person"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the service writes, in its own configuration."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging("info", stream)
    for module in (middleware, problems):  # a logger keeps to the stream of its first line
        monkeypatch.setattr(module, "_log", structlog.get_logger())
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with api(database, ADMIN_KEY) as opened:
        yield opened


@pytest.mark.parametrize("given", ["a", "0190-_.~:+/=@Z", "x" * 128])
async def test_a_safe_request_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get(THING, headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\tb", b'"', b"caf\xc3\xa9", b"a\\n"])
async def test_another_is_replaced(client: httpx.AsyncClient, given: bytes) -> None:
    answer = await client.get(THING, headers={b"X-Request-Id": given})
    assert answer.headers["X-Request-Id"].encode() != given
    assert answer.headers["X-Request-Id"][14] == "7"


async def test_every_answer_has_the_headers(client: httpx.AsyncClient) -> None:
    for path in (THING, "/nothing", f"{THING}/fault", "/openapi.json"):
        answer = await client.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Request-Id"]


async def test_an_answer_s_own_rule_of_caching_is_kept() -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"cache-control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    start, _ = await served(app)
    assert [value for name, value in start["headers"] if name == b"cache-control"] == [b"max-age=60"]
    assert (b"x-content-type-options", b"nosniff") in start["headers"]


async def test_a_request_is_one_line(client: httpx.AsyncClient, log: io.StringIO) -> None:
    answer = await client.get(f"{THING}?limit=7", headers={"X-Request-Id": "r-7"})
    (line,) = lines(log)
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "r-7",
        "client": "admin",
        "method": "GET",
        "route": "/api/v1/things/{thing_id}",
        "status": 200,
        "response_bytes": len(answer.content),
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", f"{THING}/poor", None, "insufficient_funds"),
        ("GET", f"{THING}/busy", None, "wallet_busy"),
        ("GET", f"{THING}/fault", None, "internal_error"),
        ("GET", f"{THING}?limit=x", None, "validation_failed"),
        ("GET", "/nothing", None, "not_found"),
        ("PUT", THING, None, "method_not_allowed"),
        ("POST", f"{THING}/pay", b"x" * 2_000_000, "payload_too_large"),
        ("POST", f"{THING}/pay", b"{", "malformed_request"),
    ],
)
async def test_the_line_of_a_refused_request_has_the_code(
    client: httpx.AsyncClient, log: io.StringIO, method: str, path: str, body: bytes | None, code: str
) -> None:
    answer = await client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert answer.json()["code"] == code
    assert lines(log)[-1] | {"event": "request", "status": answer.status_code, "code": code} == lines(log)[-1]


@pytest.mark.parametrize(
    ("path", "status", "level"),
    [
        ("/health/ready", 200, "debug"),
        ("/health", 200, "debug"),
        ("/health/ready", 503, "info"),
        ("/api/v1/wallets", 200, "info"),
    ],
)
async def test_a_health_check_that_succeeds_is_worth_no_line(
    log: io.StringIO, path: str, status: int, level: str
) -> None:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["route"] = SimpleNamespace(path=path)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    configure_logging("debug", log)
    await served(app)
    assert [line["level"] for line in lines(log)] == [level]


async def test_no_user_and_no_secret_is_logged(database: Database, log: io.StringIO) -> None:
    key = await create_key(database, "billing", ["wallets:read"])
    wrong = key[:-5] + "AAAAA"
    for credentials in (key, wrong, "wsk_garbage-credentials", "garbage.credentials.here", ADMIN_KEY):
        async with api(database, credentials) as client:
            await client.get(f"{THING}/nothing?token={credentials}")
            await client.get(f"{THING}?cursor=a-person")
            await client.post(f"{THING}/pay", json={"amount": "1", "idempotency_key": "a-person"})
    written = log.getvalue()
    assert len(lines(log)) == 15
    assert {line["client"] for line in lines(log)} == {None, "billing", "admin"}
    for secret in (key[-20:], wrong[-20:], "garbage", ADMIN_KEY, "a-person"):
        assert secret not in written


async def test_a_fault_is_logged_and_not_in_the_response(client: httpx.AsyncClient, log: io.StringIO) -> None:
    answer = await client.get(f"{THING}/fault")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "inner workings" not in answer.text
    fault, request = lines(log)
    assert (fault["event"], fault["level"]) == ("request_failed", "error")
    assert "RuntimeError" in fault["exception"]
    assert fault["request_id"] == request["request_id"] == answer.json()["request_id"]
    assert request["status"] == 500


async def served(app: Any, *messages: Message) -> list[Message]:
    waiting, sent = list(messages), []
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestContext(app)(scope, receive, send)
    return sent


async def test_a_fault_after_the_start_cuts_the_answer_off(log: io.StringIO) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        await served(app)
    assert [line["event"] for line in lines(log)] == ["request_failed", "request"]


async def test_a_client_that_disconnected_is_no_fault(log: io.StringIO) -> None:
    async def app(scope: Scope, receive: Receive, _send: Send) -> None:
        await Request(scope, receive).body()

    assert await served(app, {"type": "http.disconnect"}) == []
    (line,) = lines(log)
    assert line["status"] == 499


async def test_the_context_ends_with_the_request(client: httpx.AsyncClient) -> None:
    await client.get(THING)
    assert structlog.contextvars.get_contextvars() == {}


def test_the_standard_library_logs_the_same_way(log: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").warning("started %s", "here")
    logging.getLogger("httpx").info("GET http://issuer/?secret=1")
    logging.getLogger("asyncpg").debug("unseen")
    with structlog.contextvars.bound_contextvars(request_id="r-9"):
        try:
            int("broken")
        except ValueError:
            logging.getLogger("asyncpg").exception("lost")
    first, second = lines(log)
    assert (first["event"], first["level"], first["logger"]) == ("started here", "warning", "uvicorn.error")
    assert (second["event"], second["request_id"]) == ("lost", "r-9")
    assert "ValueError: invalid literal" in second["exception"]


def test_the_level_is_honoured(log: io.StringIO) -> None:
    stream = io.StringIO()
    configure_logging("ERROR", stream)
    structlog.get_logger().warning("unseen")
    logging.getLogger("uvicorn").warning("unseen")
    structlog.get_logger().error("seen")
    assert [line["event"] for line in lines(stream)] == ["seen"]
    assert log.getvalue() == ""


async def test_the_cause_of_a_refusal_of_ours_is_logged(database: Database, log: io.StringIO) -> None:
    async with api(database, ADMIN_KEY) as client:
        answer = await client.get("/api/v1/things/t-1/unreachable")
    assert answer.status_code == 503
    (line,) = (line for line in lines(log) if line["event"] == "problem")
    assert (line["code"], line["request_id"]) == ("unavailable", answer.json()["request_id"])
    assert "the server is gone" in line["cause"]
    assert "exception" not in line, "a stack for each request of an outage"
    assert "the server is gone" not in answer.text
