import asyncio
import contextlib
import re
import socket

import httpx
import pytest
from conftest import FreshApi
from support.api import ADMIN_KEY, Api, new_user, problem
from support.polling import wait_until

from wallet_service import __version__
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.keys import create_key
from wallet_service.runtime import metrics
from wallet_service.runtime.metrics import metrics_listener, new_registry
from wallet_service.runtime.settings import MetricsSettings

CONSUME = 'route="/api/v1/wallets/{wallet_id}/consume"'


async def exposed(api: Api) -> str:
    answer = await api.http.get("/metrics", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


async def values(api: Api) -> dict[str, float]:
    """Each series with its value."""
    lines = [line for line in (await exposed(api)).splitlines() if not line.startswith("#")]
    return {series: float(number) for series, _, number in (line.rpartition(" ") for line in lines)}


async def test_prometheus_reads_them(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    wallet = await api.admin.wallet("10")
    for _ in range(3):
        await api.admin.move("consume", wallet["wallet_id"], "1")
    read = await values(api)
    assert read["wallet_commit_batch_operations_sum"] == 3
    assert read["wallet_commit_queued_operations"] == 0
    assert read["wallet_commit_queue_limit_operations"] == 10_000
    assert read[f'wallet_build_info{{version="{__version__}"}}'] == 1
    assert read["process_resident_memory_bytes"] > 0
    assert read['python_gc_collections_total{generation="0"}'] >= 0


@pytest.mark.parametrize("scope", ["wallets:read", "transactions:write", "stats:read"])
async def test_they_are_for_the_operator_only(fresh_api: FreshApi, scope: str) -> None:
    api = await fresh_api()
    key = await create_key(api.app.state.database, "service", [scope])
    problem(await api.http.get("/metrics", headers={"Authorization": f"Bearer {key}"}), "forbidden")
    problem(await api.http.get("/metrics"), "unauthorized")


async def test_requests_by_route_method_and_class_of_status(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    wallet = (await api.admin.wallet("10"))["wallet_id"]
    for amount in ("1", "2", "100", "x"):
        await api.admin.move("consume", wallet, amount)
    read = await values(api)
    assert read[f'wallet_http_requests_total{{method="POST",{CONSUME},status="2xx"}}'] == 2
    assert read[f'wallet_http_requests_total{{method="POST",{CONSUME},status="4xx"}}'] == 2
    assert read[f'wallet_http_request_duration_seconds_count{{method="POST",{CONSUME}}}'] == 4
    # Nothing failed yet; were the series not there, a rate would not see the first that does.
    assert read[f'wallet_http_requests_total{{method="POST",{CONSUME},status="5xx"}}'] == 0
    assert read["wallet_http_requests_in_flight"] == 1  # the one that asks


async def test_postings_by_what_became_of_them_and_what_they_moved(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    wallet, other = [(await api.admin.wallet("10"))["wallet_id"] for _ in range(2)]
    for _ in range(2):
        await api.admin.move("consume", wallet, "2.5", key="once", reference='"currency":"EUR","amount":"7"')
    await api.admin.move("consume", wallet, "1", dry_run=True)
    await api.admin.move("consume", wallet, "1000")
    await api.admin.move("transfer", wallet, "1.25", to_wallet_id=other)
    operations = [{"type": "fee", "wallet_id": wallet, "amount": amount} for amount in ("1", "2", "100")]
    assert (await api.admin.batch(*operations)).status_code == 200
    read = await values(api)
    told = {
        series: value
        for series, value in read.items()
        if series.startswith("wallet_postings_total") and value
    }
    assert told == {
        'wallet_postings_total{outcome="posted",type="consume"}': 1,
        'wallet_postings_total{outcome="replayed",type="consume"}': 1,
        'wallet_postings_total{outcome="dry_run",type="consume"}': 1,
        'wallet_postings_total{outcome="insufficient_funds",type="consume"}': 1,
        'wallet_postings_total{outcome="posted",type="transfer"}': 1,
        'wallet_postings_total{outcome="posted",type="fee"}': 2,
        'wallet_postings_total{outcome="insufficient_funds",type="fee"}': 1,
    }
    moved = {
        series: value for series, value in read.items() if series.startswith("wallet_posted_amount_total")
    }
    assert moved == {
        'wallet_posted_amount_total{currency="CREDIT",type="consume"}': 2.5,
        'wallet_posted_amount_total{currency="CREDIT",type="transfer"}': 1.25,
        'wallet_posted_amount_total{currency="CREDIT",type="fee"}': 3,
    }


async def test_calls_of_the_database(fresh_api: FreshApi) -> None:
    api = await fresh_api(database_pool_size=3)
    await api.admin.read((await api.admin.wallet("10"))["wallet_id"])
    problem(await api.admin.get(f"/wallets/{new_id()}"), "wallet_not_found")
    await wait_until(lambda: api.app.state.database.limit.taken == 0)  # given back after the answer
    read = await values(api)
    assert read['wallet_database_calls_total{function="get_wallet",outcome="answered"}'] == 1
    assert read['wallet_database_calls_total{function="get_wallet",outcome="refused"}'] == 1
    assert read['wallet_database_calls_total{function="get_wallet",outcome="unavailable"}'] == 0
    assert read['wallet_database_call_duration_seconds_count{function="get_wallet"}'] == 2
    assert [read[f"wallet_database_pool_{name}"] for name in ("size", "in_use", "waiting")] == [3, 0, 0]


async def test_unknown_paths_and_callers_add_no_series_and_no_names(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    user = new_user()
    wallet = (await api.admin.wallet("10", user_id=user))["wallet_id"]

    async def be_odd(word: str) -> None:
        for path in (
            f"/{word}",
            f"/api/v1/{word}/x",
            f"/api/v1/wallets/{word}",
            f"/docs/{word}",
            f"/%2e%2e/{word}",
        ):
            for method in ("GET", "POST", "DELETE", word.upper()):
                await api.http.request(method, path, headers={"Authorization": f"Bearer {ADMIN_KEY}"})
        await api.admin.post("/wallets", {"user_id": word, "currency": word.upper()})
        await api.admin.move("consume", wallet, "0.01", reference=word, description=f'"currency":"{word}"')
        await api.admin.move(word, wallet, "1")
        await api.admin.get(f"/users/{word}/wallets")
        await api.admin.batch({"type": word, "wallet_id": wallet, "amount": "1"})

    await be_odd("first")
    await exposed(api)
    before = set(await values(api))
    for index in range(5):
        await be_odd(f"odd{index}x{new_user()}")
    text = await exposed(api)
    # The background finds out which of these wallets have books, sooner or later.
    assert {name for name in await values(api) if "list_books_of_wallets" not in name} <= before
    assert 'route="unmatched"' in text
    assert 'method="other"' in text
    assert not re.search(rf"{user}|{wallet}|odd\d|FIRST", text)


async def test_prometheus_has_a_port_of_its_own_without_a_key() -> None:
    registry = new_registry()
    async with (
        metrics_listener(MetricsSettings(port=0), registry) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as prometheus,
    ):
        answer = await prometheus.get("/metrics")
        assert answer.status_code == 200
        assert f'wallet_build_info{{version="{__version__}"}} 1.0' in answer.text
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_who_says_nothing_to_the_port_holds_no_thread_for_ever(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(metrics, "_TRANSFER_S", 0.1)
    async with metrics_listener(MetricsSettings(port=0), new_registry()) as port, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\n")
        assert await reader.read() == b""
        writer.close()
    assert capfd.readouterr().err == ""


async def test_who_drips_into_the_port_holds_no_thread_for_ever(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(metrics, "_TRANSFER_S", 0.2)
    async with metrics_listener(MetricsSettings(port=0), new_registry()) as port, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        ended = asyncio.create_task(reader.read())
        while not ended.done():
            writer.write(b"x")
            await asyncio.wait([ended], timeout=0.02)
        with contextlib.suppress(ConnectionResetError):  # the last byte came too late to be read
            assert await ended == b""
        writer.close()
    assert capfd.readouterr().err == ""


async def test_without_the_setting_there_is_no_such_port() -> None:
    async with metrics_listener(MetricsSettings(), new_registry()) as port:
        assert port is None


async def test_a_port_in_use_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        opening = metrics_listener(MetricsSettings(port=taken.getsockname()[1]), new_registry())
        with pytest.raises(OSError, match="in use"):
            await opening.__aenter__()
