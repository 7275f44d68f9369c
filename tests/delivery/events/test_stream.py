"""Streams of events: each event once and in order, also after a lost connection; rights are checked meanwhile."""

import asyncio
import json
import time
from typing import Any

import asyncpg
import pytest
from conftest import FreshApi, FreshDatabase
from support.api import Api, Client, open_api, problem
from support.event_stream import streaming
from support.polling import wait_until

from wallet_service.core.errors import Unavailable
from wallet_service.delivery.events import feed, service, stream
from wallet_service.platform.auth import tokens
from wallet_service.platform.auth.keys import create_key, revoke_key
from wallet_service.platform.auth.restrictions import Restriction


@pytest.fixture
async def own(fresh_api: FreshApi) -> Api:
    """An application on a database of the test, through each driver."""
    return await fresh_api(events_poll_ms=20, key_cache_ms=100)


def amounts(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["amount"].rstrip("0").rstrip(".") for event in events]


async def test_a_stream_resumes_after_its_last_event(own: Api) -> None:
    wallet = await own.admin.wallet("9", currency="USD")
    name = wallet["wallet_id"]
    async with streaming(own.admin, types="transaction.posted") as reader:
        assert reader.headers["content-type"].startswith("text/event-stream")
        await own.admin.move("consume", name, "1")
        await own.admin.move("consume", name, "2")
        assert amounts(await reader.events(1)) == ["1"]  # the second may have arrived, too
        last_id = reader.last_id
    await own.admin.move("consume", name, "3")
    async with streaming(own.admin, last_id=last_id, types="transaction.posted") as again:
        await own.admin.move("deposit", name, "4")
        assert amounts(await again.events(3)) == ["2", "3", "4"]
    async with streaming(own.admin, after=last_id, types="transaction.posted") as third:
        assert amounts(await third.events(3)) == ["2", "3", "4"]
    # A cursor of a stream is one of a page, and the other way round.
    page = await own.admin.get("/events", after=last_id, types="transaction.posted")
    assert amounts(page.json()["items"]) == ["2", "3", "4"]


async def test_a_stream_without_a_cursor_begins_with_what_is_new(own: Api) -> None:
    wallet = await own.admin.wallet("9")
    async with streaming(own.admin) as reader:
        place = reader.last_id
        await own.admin.move("consume", wallet["wallet_id"], "2")
        assert amounts([await reader.event()]) == ["2"]
    # Cut off before the first event, it continues where it began.
    async with streaming(own.admin, last_id=place) as again:
        assert amounts([await again.event()]) == ["2"]


async def test_readers_see_what_they_may(own: Api) -> None:
    ann = own.user()
    mine, other = await own.admin.wallet(user_id=ann.user_id), await own.admin.wallet()
    key = await own.service(
        "events:read", restriction=Restriction(wallet_ids=frozenset({other["wallet_id"]}))
    )
    async with streaming(ann) as as_user, streaming(key) as as_key:
        for amount in ("1", "2"):
            await own.admin.move("deposit", mine["wallet_id"], amount)
            await own.admin.move("deposit", other["wallet_id"], amount)
        for reader, name in ((as_user, mine["wallet_id"]), (as_key, other["wallet_id"])):
            events = await reader.events(2)
            assert amounts(events) == ["1", "2"]
            assert {event["walletid"] for event in events} == {name}
    problem(await ann.get("/events/stream", wallet_id=other["wallet_id"]), "wallet_not_found")
    problem(await key.get("/events/stream", wallet_id=mine["wallet_id"]), "wallet_not_found")


async def test_many_readers_cost_one_query(own: Api) -> None:
    readers_of_database: set[object] = set()
    database = own.app.state.database
    read = database.read

    async def counted(function: str, /, **params: Any) -> bytes:
        if function == "read_events":
            readers_of_database.add(asyncio.current_task())
        return await read(function, **params)

    wallet = await own.admin.wallet("100")
    events_feed: feed.EventFeed = own.app.state.events.feed
    async with asyncio.TaskGroup() as group:
        ready, level = asyncio.Barrier(21), asyncio.Barrier(21)
        done = asyncio.Barrier(21)

        async def follow() -> None:
            async with streaming(own.admin, types="transaction.posted") as reader:
                await ready.wait()
                await reader.events(1)
                await level.wait()
                await reader.events(5)
                await done.wait()

        for _ in range(20):
            group.create_task(follow())
        await ready.wait()
        assert events_feed.readers == 20
        await wait_until(lambda: events_feed.since(10**9) is not None)
        await own.admin.move("consume", wallet["wallet_id"], "1")
        await level.wait()  # from here on, no reader is behind
        database.read = counted
        for _ in range(5):
            await own.admin.move("consume", wallet["wallet_id"], "1")
        await done.wait()
        database.read = read
    assert len(readers_of_database) == 1  # of 20 readers it would be 20 tasks
    await wait_until(lambda: events_feed.readers == 0)


async def test_a_reader_that_is_behind_reads_pages(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_KEPT", 3)
    monkeypatch.setattr(feed, "READ_AT_ONCE", 2)
    monkeypatch.setattr(stream, "PAGE_EVENTS", 2)
    wallet = await own.admin.wallet("1000", currency="USD")
    async with streaming(own.admin, types="transaction.posted") as reader:
        reader.paused.clear()
        operations = [
            {"type": "consume", "wallet_id": wallet["wallet_id"], "amount": str(n)} for n in range(1, 31)
        ]
        assert (await own.admin.batch(*operations)).status_code == 200
        events_feed: feed.EventFeed = own.app.state.events.feed
        latest = 31
        await wait_until(
            lambda: events_feed.since(latest) is not None and events_feed.since(latest - 5) is None
        )
        reader.paused.set()
        assert amounts(await reader.events(30)) == [str(n) for n in range(1, 31)]


async def test_a_stream_ends_when_its_key_is_revoked(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "RECHECK_S", 0.05)
    database = own.app.state.database
    key = await create_key(database, "reader", ["events:read"])
    client = Client(own.app, own.http, key)
    async with streaming(client) as reader:
        await revoke_key(database, key.split("_")[1])
        await reader.end()
    problem(await client.get("/events/stream"), "unauthorized")


async def test_a_stream_ends_when_its_token_expires(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "RECHECK_S", 0.05)
    user = own.user(exp=int(time.time()) - 5)  # within the leeway
    async with streaming(user) as reader:
        monkeypatch.setattr(tokens, "LEEWAY_S", 0)
        await reader.end()


async def test_streams_end_when_the_service_stops(own: Api) -> None:
    async with streaming(own.admin) as first, streaming(own.admin) as second:
        for stop in own.app.state.when_stopping:
            stop()
        await first.end()
        await second.end()


async def test_a_quiet_stream_names_its_place(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.1)
    wallet = await own.admin.wallet("3")
    async with streaming(own.admin, types="wallet.closed") as reader:
        first = reader.last_id
        await own.admin.move("consume", wallet["wallet_id"], "1")
        while (block := await reader.next()) is not None and block.id == first:
            assert (block.data, block.comment) == (None, "heartbeat")
        assert block is not None  # it names the place after the event that this reader does not want
    page = await own.admin.get("/events", after=block.id, types="wallet.closed")
    assert page.json()["items"] == []


async def test_streams_are_bounded_and_are_no_long_requests(fresh_api: FreshApi) -> None:
    own = await fresh_api(events_max_streams=1)
    metrics = own.app.state.metrics
    began = time.perf_counter()
    async with streaming(own.admin):
        problem(await own.admin.get("/events/stream"), "overloaded")
        assert metrics.get_sample_value("wallet_events_streams") == 1
        assert metrics.get_sample_value("wallet_http_requests_in_flight") == 0
        await asyncio.sleep(0.05)
    open_s = time.perf_counter() - began
    route = {"route": "/api/v1/events/stream", "method": "GET"}
    longest = metrics.get_sample_value("wallet_http_request_duration_seconds_sum", route)
    assert longest is not None
    assert longest < open_s - 0.05  # the time to its beginning
    assert metrics.get_sample_value("wallet_events_streams") == 0
    await wait_until(lambda: own.app.state.events.feed.readers == 0)


async def test_no_more_streams_open_at_once_than_may_be_open(
    fresh_api: FreshApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await fresh_api(events_max_streams=2)
    async with streaming(own.admin) as reader:
        place = reader.last_id
    events: service.EventLog = own.app.state.events.events
    page, together = events.page, asyncio.Barrier(5)

    async def page_of_all(*args: Any) -> Any:
        await together.wait()  # each has passed the first look
        return await page(*args)

    monkeypatch.setattr(service.EventLog, "page", lambda _, *args: page_of_all(*args))
    done = asyncio.Barrier(5)
    statuses: list[int | None] = []

    async def open_one() -> None:
        async with streaming(own.admin, last_id=place) as reader:
            statuses.append(reader.status)
            await done.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(open_one())
    assert sorted(statuses, key=str) == [200, 200, 503, 503, 503]
    await wait_until(lambda: own.app.state.events.feed.readers == 0)
    monkeypatch.undo()
    async with streaming(own.admin, last_id=place) as one, streaming(own.admin, last_id=place) as two:
        assert (one.status, two.status) == (200, 200)


async def test_an_outage_does_not_end_a_stream(own: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_PAUSE_S", 0.01)
    wallet = await own.admin.wallet("3")
    failures = 0

    async def unavailable(*_: object, **__: object) -> None:
        nonlocal failures
        failures += 1
        raise Unavailable

    async with streaming(own.admin) as reader:
        with monkeypatch.context() as patched:
            patched.setattr(service.EventLog, "read", unavailable)
            await wait_until(lambda: failures > 2)
            await own.admin.move("consume", wallet["wallet_id"], "1")
        assert amounts([await reader.event()]) == ["1"]


@pytest.mark.parametrize("later", [1, 2, 3])
async def test_a_stream_goes_on_after_a_failover_that_lost_events(
    fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    monkeypatch.setattr(feed, "_PAUSE_S", 0.01)
    made = await fresh_database()
    database = await asyncpg.connect(made.dsn)
    failures = 0

    async def unavailable(*_: object, **__: object) -> None:
        nonlocal failures
        failures += 1
        raise Unavailable

    async with open_api(made.service_dsn, events_poll_ms=20) as api, streaming(api.admin) as reader:
        wallet = (await api.admin.wallet("90"))["wallet_id"]
        await api.admin.move("consume", wallet, "1")
        events = await reader.events(3)
        for amount in ("2", "3"):
            await api.admin.move("consume", wallet, amount)
        events += await reader.events(2)
        assert amounts(events[1:]) == ["90", "1", "2", "3"]
        with monkeypatch.context() as patched:
            patched.setattr(service.EventLog, "read", unavailable)
            await wait_until(lambda: failures > 2)
            # The standby that becomes the primary has neither 2 nor 3, and others get their numbers.
            await database.execute("delete from delivery.events where number > 3")
            await database.execute("update delivery.numbering set last_number = 3")
            await api.admin.move("consume", wallet, "4")
            for amount in range(5, 4 + later):
                await api.admin.move("consume", wallet, str(amount))
            await api.app.state.events.events.number()
        assert amounts(await reader.events(later)) == [str(4 + each) for each in range(later)]
        last = reader.last_id
        await api.admin.move("consume", wallet, "9")
        assert amounts(await reader.events(1)) == ["9"]
        async with streaming(api.admin, last_id=last) as again:
            assert amounts(await again.events(1)) == ["9"]
    await database.close()


async def test_a_fault_of_a_read_does_not_stop_all_streams(
    own: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(feed, "_PAUSE_S", 0.01)
    wallet = await own.admin.wallet("3")
    failures = 0

    async def broken(*_: object, **__: object) -> None:
        nonlocal failures
        failures += 1
        raise ConnectionResetError

    async with streaming(own.admin) as reader:
        with monkeypatch.context() as patched:
            patched.setattr(own.app.state.events.events._repository, "read", broken)
            await wait_until(lambda: failures > 2)
        await own.admin.move("consume", wallet["wallet_id"], "1")
        assert amounts([await reader.event()]) == ["1"]
    assert "ConnectionResetError" in capsys.readouterr().out


async def test_the_data_of_a_block_is_the_event_of_the_page(own: Api) -> None:
    wallet = await own.admin.wallet()
    async with streaming(own.admin) as reader:
        await own.admin.move("deposit", wallet["wallet_id"], "1", metadata={"line": "a\nb", "é": "ü"})
        event = await reader.event()
    page = await own.admin.get("/events", wallet_id=wallet["wallet_id"], types="transaction.posted")
    assert page.json()["items"] == [event]
    assert json.loads(json.dumps(event))["data"]["metadata"] == {"line": "a\nb", "é": "ü"}
