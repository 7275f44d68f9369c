"""Rates from a provider and from the package: what is read, stored once, and reported."""

import asyncio
import io
import json
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from conftest import FreshApi, FreshDatabase
from prometheus_client import CollectorRegistry
from support.api import Api, open_api
from support.clock import SettableClock
from support.database_location import DatabaseLocation
from support.polling import wait_until

from wallet_service.finance.fx.ecb import RatesUnreadableError, history, in_slices, read_rates
from wallet_service.finance.fx.keeper import keep_rates
from wallet_service.finance.fx.repository import RateRepository
from wallet_service.platform.jobs.lifespan import running_worker

from .fx_api import converted, put, rate

CSV = "Date,USD,JPY,RUB,\n2026-02-10,1.0705,172.5,N/A,\n2026-02-09,1.07,172,N/A,\n"
DAILY = "Date, USD, JPY, \n10 February 2026, 1.0705, 172.5, \n"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
  xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <Cube><Cube time="2026-02-10"><Cube currency="USD" rate="1.0705"/><Cube currency="JPY" rate="172.5"/></Cube>
  <Cube time="2026-02-09"><Cube currency="USD" rate="1.07"/><Cube currency="JPY" rate="172"/></Cube></Cube>
</gesmes:Envelope>"""
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
TWO = {"2026-02-10": {"USD": "1.0705", "JPY": "172.5"}, "2026-02-09": {"USD": "1.07", "JPY": "172"}}


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("eurofxref.csv", text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "days"),
    [
        (CSV.encode(), TWO),
        (XML.encode(), TWO),
        (zipped(CSV), TWO),
        (DAILY.encode(), {"2026-02-10": TWO["2026-02-10"]}),
    ],
)
def test_each_form_of_the_central_bank_is_read(content: bytes, days: dict[str, Any]) -> None:
    assert read_rates(content) == days


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>Not found</html>",
        b"<a",
        BOMB.encode(),
        b"\xff\xfe",
        b"PK\x03\x04 no zip",
        b"Date,USD\n2026-13-01,1\n",
        b"Date,USD\n2026-02-10,1e5\n",
        b"Date,USD\n2026-02-10,-1\n",
        b"Day,USD\n2026-02-10,1\n",
        b"Date,USD\n",
    ],
)
def test_what_is_no_list_of_rates_is_refused(content: bytes) -> None:
    with pytest.raises(RatesUnreadableError):
        read_rates(content)


def test_the_package_has_the_history_of_the_central_bank() -> None:
    days = history()
    assert (days["2024-06-28"]["USD"], days["2022-03-01"]["RUB"]) == ("1.0705", "117.201")
    assert "RUB" not in days["2022-03-02"]
    assert min(days) == "1999-01-04"
    slices = list(in_slices(days, 1000))
    assert sum(map(len, slices)) == len(days)
    assert max(slices[0]) < min(slices[1])


@dataclass
class Provider:
    """A real HTTP server: what it sends, and what it was asked."""

    content: bytes = CSV.encode()
    etag: str = '"one"'
    status: int = 200
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers["If-None-Match"]
            found.asked.append(known)
            if known == found.etag:
                self.send_response(304)
                self.end_headers()
                return
            self.send_response(found.status)
            self.send_header("ETag", found.etag)
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        def log_message(self, *_: object) -> None:
            """Nothing: the test's output stays readable."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}/rates?key=secret"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
async def api(
    timed_location: DatabaseLocation, clock: SettableClock, provider: Provider
) -> AsyncIterator[Api]:
    await clock.set(datetime(2026, 2, 11, 12, tzinfo=UTC))
    async with open_api(timed_location, fx_url=provider.url, fx_history=False) as opened:
        yield opened


async def finished(api: Api, job_id: str) -> dict[str, Any]:
    """A job after it has ended, or has to be tried again."""
    while True:
        job = (await api.admin.get(f"/jobs/{job_id}")).json()
        if job["status"] in ("succeeded", "dead") or (job["status"] == "queued" and job["attempts"]):
            return job
        await asyncio.sleep(0.02)


async def refresh(api: Api) -> dict[str, Any]:
    answer = await api.admin.post("/fx/rates/refresh")
    assert answer.status_code == 202, answer.text
    async with running_worker(api.app.state, api.app.state.settings):
        return await finished(api, answer.json()["job_id"])


def counted(api: Api, outcome: str) -> float:
    registry: CollectorRegistry = api.app.state.metrics
    return registry.get_sample_value("wallet_fx_refreshes_total", {"outcome": outcome}) or 0.0


async def test_the_rates_of_a_provider_are_stored_once(api: Api, provider: Provider) -> None:
    await put(api.admin, rate("EUR-JPY", "2026-02-09", "171"))
    job = await refresh(api)
    assert job["result"] == {"days": 2, "rates": 3, "newest": "2026-02-10"}
    items = (await api.admin.get("/fx/rates")).json()["items"]
    assert {(each["day"], each["quote"], each["rate"], each["source"]) for each in items} == {
        ("2026-02-10", "USD", "1.0705", "provider"),
        ("2026-02-10", "JPY", "172.5", "provider"),
        ("2026-02-09", "USD", "1.07", "provider"),
        ("2026-02-09", "JPY", "171", "manual"),  # what an operator has set stays
    }
    assert (await converted(api.user(), "100.00", "USD-EUR"))["converted"] == "93.41"
    job = await refresh(api)
    assert job["result"] == {"days": 0, "rates": 0, "newest": "2026-02-10"}
    assert provider.asked == [None, '"one"']
    provider.etag, provider.content = '"two"', XML.replace("1.0705", "1.0800").encode()
    job = await refresh(api)
    assert job["result"]["rates"] == 1
    assert provider.asked[2:] == ['"one"']
    assert (counted(api, "stored"), counted(api, "unchanged"), counted(api, "failed")) == (2, 1, 0)
    assert (await converted(api.user(), "100.00", "EUR-USD"))["converted"] == "108.00"


async def test_a_provider_that_fails_changes_nothing_and_is_tried_again(api: Api, provider: Provider) -> None:
    for status, content in ((500, b"broken"), (200, b"<html>Maintenance</html>")):
        provider.status, provider.content = status, content
        job = await refresh(api)
        assert (job["status"], job["error"]["code"]) == ("queued", "upstream_unavailable")
        assert "secret" not in json.dumps(job)
    assert counted(api, "failed") == 2
    assert (await api.admin.get("/fx/rates")).json()["items"] == []
    provider.status, provider.content = 200, CSV.encode()
    assert (await refresh(api))["result"]["rates"] == 4  # no ETag was kept


async def test_a_worker_hands_over_the_settings_and_shows_the_age(
    timed_location: DatabaseLocation, clock: SettableClock, provider: Provider
) -> None:
    await clock.set(datetime(2026, 2, 11, 12, tzinfo=UTC))
    stopping = asyncio.Event()
    stopping.set()
    async with open_api(timed_location, fx_max_age_days=1, fx_stale_age_days=3) as api:
        state = api.app.state
        await put(api.admin, rate("EUR-USD", "2026-02-07", "1.05"))
        assert not (await converted(api.user(), "1.00", "EUR-USD", day="2026-02-09"))["stale"]
        await keep_rates(state, stopping)
        found = await converted(api.user(), "1.00", "EUR-USD", day="2026-02-09")
        assert not found["complete"]
        # The history is loaded by one job, whatever is started again.
        await keep_rates(state, stopping)
        jobs = (await api.admin.get("/jobs", type="refresh_rates")).json()["items"]
        assert len(jobs) == 1
    async with open_api(timed_location, fx_url=provider.url, fx_history=False) as api:
        task = asyncio.create_task(keep_rates(api.app.state, stopping := asyncio.Event()))
        registry: CollectorRegistry = api.app.state.metrics
        await wait_until(lambda: registry.get_sample_value("wallet_fx_rates_age_seconds") == 4 * 86_400)
        stopping.set()
        await task


async def test_a_part_of_the_history_is_stored_once(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    rates = RateRepository(api.app.state.database)
    *_, part = in_slices(history(), 200)
    days, stored = await rates.load(part, "ecb_history")
    assert days == len(part)
    assert stored > 20 * days
    assert await rates.load(part, "ecb_history") == (0, 0)
    state = await rates.state()
    assert (state.newest, state.has_history) == (max(part), True)


async def test_a_new_installation_has_the_history_when_its_worker_has_started(
    fresh_database: FreshDatabase,
) -> None:
    """All of it, by the job that the worker's loop enqueues; then G7 and G8 by the central bank's own rates."""
    async with open_api((await fresh_database()).service_dsn) as api:
        stopping = asyncio.Event()
        stopping.set()
        await keep_rates(api.app.state, stopping)
        (job,) = (await api.admin.get("/jobs", type="refresh_rates")).json()["items"]
        async with running_worker(api.app.state, api.app.state.settings):
            ended = await finished(api, job["job_id"])
        assert (ended["status"], ended["result"]["newest"]) == ("succeeded", max(history()))
        assert ended["result"]["rates"] > 150_000
        user = api.user()
        for amount, pair, day, value in (
            ("1000.00", "USD-GBP", "2024-03-30", "790.95"),
            ("1000.00", "USD-JPY", "2024-04-01", "151189"),
            ("500.00", "CHF-USD", "2024-06-30", "555.58"),
            ("100.00", "USD-RUB", "2023-01-10", None),
        ):
            assert (await converted(user, amount, pair, day=day))["converted"] == value
        await keep_rates(api.app.state, stopping)
        assert len((await api.admin.get("/jobs", type="refresh_rates")).json()["items"]) == 1
