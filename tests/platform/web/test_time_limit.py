"""How long a caller waits for the beginning of a response."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import httpx
import pytest
from conftest import FreshDatabase, Locate
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs
from support.api import open_api, posted, problem

from wallet_service.platform.web.time_limit import TimeLimit

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}


async def answer_of(
    app: Callable[[Scope, Receive, Send], Awaitable[None]],
    limit_ms: int,
    body: Receive | None = None,
    method: str = "POST",
    **options: list[str],
) -> list[Message]:
    """All messages of the response."""
    sent: list[Message] = []
    unread = [body or empty_body]

    async def receive() -> Message:
        if unread:
            return await unread.pop()()
        return await asyncio.Future()  # it would return when the caller disconnects

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(60):
        await TimeLimit(app, limit_ms, **options)({**SCOPE, "method": method}, receive, send)
    return sent


async def empty_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


async def test_a_request_that_never_ends_is_cancelled_and_gets_a_problem() -> None:
    cancelled = asyncio.Event()
    may_have_been_done = (
        ". The request may have been done: send it again, with the same idempotency key if it has one"
    )

    async def hang(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    for method, more in (("POST", may_have_been_done), ("GET", "")):
        with capture_logs() as log:
            start, body = await answer_of(hang, 20, method=method)
        assert cancelled.is_set()
        assert start["status"] == 503
        assert (b"retry-after", b"2") in start["headers"]
        document = json.loads(body["body"])
        assert document["code"] == "unavailable"
        assert document["detail"] == f"There was no response within 20 ms{more}"
        assert [line["event"] for line in log] == ["request_timed_out"]


async def test_the_time_for_the_body_of_the_request_does_not_count() -> None:
    async def slow() -> Message:
        await asyncio.sleep(1.5)
        return await empty_body()

    start, body = await answer_of(answer, 1000, slow)
    assert (start["status"], body["body"]) == (200, b"done")


async def test_but_the_time_after_it_does() -> None:
    async def read_and_hang(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        await asyncio.Event().wait()

    async def slow() -> Message:
        await asyncio.sleep(0.05)
        return await empty_body()

    start, _ = await answer_of(read_and_hang, 20, slow)
    assert start["status"] == 503


async def test_a_response_that_has_begun_may_take_long() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"1"
        await asyncio.sleep(0.1)
        yield b"2"

    messages = await answer_of(StreamingResponse(chunks()), 50)
    assert b"".join(message.get("body", b"") for message in messages) == b"12"


async def test_a_response_that_begins_when_the_time_ends_is_whole() -> None:
    """The end of the time and the response in one iteration of the event loop."""
    limit: TimeLimit

    async def late(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        (request,) = limit._unanswered
        request.began = 0.0
        limit._check(asyncio.get_running_loop())
        assert not limit._unanswered
        await answer(_scope, receive, send)

    limit = TimeLimit(late, 60_000)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)
        await asyncio.sleep(0.01)

    await limit(dict(SCOPE), empty_body, send)
    assert [message.get("body") for message in sent] == [None, b"done"]


async def test_some_paths_have_no_limit() -> None:
    async def slow(_scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.05)
        await answer(_scope, receive, send)

    start, _ = await answer_of(slow, 1, unlimited_paths=["/"])
    assert start["status"] == 200


async def test_a_timeout_of_the_application_s_own_is_a_fault() -> None:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await answer_of(fail, 60_000)


async def test_a_caller_gets_an_answer_while_the_database_hangs_and_the_key_settles_it(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    """However long the limits of the parts are."""
    made = await fresh_database()
    location = await locate_database(made)
    connection = await asyncpg.connect(made.dsn)
    hasty = open_api(location, request_timeout_ms=500, database_timeout_ms=600_000)
    async with open_api(location) as api, hasty as opened:
        wallet_id = (await api.admin.wallet("10"))["wallet_id"]
        requests: dict[str, Callable[[], Awaitable[httpx.Response]]] = {
            "a read": lambda: opened.admin.get(f"/wallets/{wallet_id}"),
            "a debit": lambda: opened.admin.move("consume", wallet_id, "1", key="debit"),
            "credits": lambda: opened.admin.get("/users/ada/credits/balance"),
            "readiness": lambda: opened.http.get("/health/ready"),
            "a new wallet": lambda: opened.admin.post("/wallets", {"user_id": "ada"}, key="wallet"),
        }
        async with asyncio.timeout(60), connection.transaction():
            await connection.execute("lock table wallet.wallets, wallet.migrations in access exclusive mode")
            for answered in await asyncio.gather(*(send() for send in requests.values())):
                problem(answered, "unavailable")
                assert int(answered.headers["Retry-After"]) > 0
        assert (
            posted(await api.admin.move("consume", wallet_id, "1", key="debit"))["balance_after"]
            == "9.000000"
        )
        assert (await api.admin.post("/wallets", {"user_id": "ada"}, key="wallet")).status_code == 201
        assert await api.admin.balance(wallet_id) == "9.000000"
    await connection.close()
