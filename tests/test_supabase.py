"""The service on a Supabase project whose REST API fails in many ways: nothing is posted twice, nothing is lost."""

import asyncio
import copy
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import httpx
import jwt
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from support import http_faults as faults
from support.api import Api, new_user, open_api, posted, problem
from support.cluster import create_database, drop_database
from support.database_location import connect, open_location
from support.http_faults import DelayedResponse, Fault, FaultyProxy, Forward, faulty_proxy, refuse_with
from support.load import Load, assert_verified, funded_wallets, postings_of, until_ready
from support.supabase import WRONG_KEY, Project

from wallet_service.core.errors import Unavailable
from wallet_service.core.identifiers import new_id
from wallet_service.platform.auth.keys import create_first_admin_key
from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.database.supabase import RELOAD_EVERY_S
from wallet_service.rooms import ROOMS

pytestmark = [pytest.mark.supabase, pytest.mark.parametrize("driver", ["supabase"], indirect=True)]

OPENING = "100.000000"
TAKEN = "99.000000"


@dataclass
class Scene:
    """The application over a proxy that can fail, a wallet with 100 credits, and an idempotency key."""

    api: Api
    proxy: FaultyProxy
    wallet_id: str
    key: str = field(default_factory=new_id)

    async def consume(self) -> Any:
        """Consume 1 under the key."""
        return await self.api.admin.move("consume", self.wallet_id, "1", key=self.key)

    async def balance(self) -> str:
        """The balance of the wallet."""
        return await self.api.admin.balance(self.wallet_id)


@pytest.fixture(scope="module")
async def project(driver: str, postgres: TestDatabase) -> AsyncIterator[Project]:
    """A project that tests share; at the end its ledger is verified."""
    name = f"supabase_{secrets.token_hex(8)}"
    await create_database(postgres.cluster, name)
    async with open_location(driver, postgres.cluster, name) as found:
        assert isinstance(found, Project)
        yield found
        async with open_api(found) as api:
            await assert_verified(api)
    await drop_database(postgres.cluster, name)


@pytest.fixture
async def own_project(fresh_database: FreshDatabase, locate_database: Locate) -> Project:
    """A project of one test, which can restart it."""
    found = await locate_database(await fresh_database())
    assert isinstance(found, Project)
    return found


def changed(project: Project, **attributes: str) -> Project:
    """The same project under another address, or with other keys."""
    other = copy.copy(project)
    for name, value in attributes.items():
        setattr(other, name, value)
    return other


@asynccontextmanager
async def scene_on(project: Project, **settings: Any) -> AsyncIterator[Scene]:
    async with (
        faulty_proxy(project.url) as proxy,
        open_api(changed(project, url=proxy.url), **settings) as api,
    ):
        wallet_id = (await api.admin.wallet("100"))["wallet_id"]
        proxy.requests = 0
        yield Scene(api, proxy, wallet_id)


@pytest.fixture(scope="module")
async def shared_scene(project: Project) -> AsyncIterator[Scene]:
    async with scene_on(project) as opened:
        yield opened


@pytest.fixture
async def scene(shared_scene: Scene) -> Scene:
    """The shared application without faults, with a new wallet and key."""
    shared_scene.proxy.always = None
    shared_scene.proxy.next()
    wallet_id = (await shared_scene.api.admin.wallet("100"))["wallet_id"]
    shared_scene.proxy.requests = 0
    return replace(shared_scene, wallet_id=wallet_id, key=new_id())


async def assert_posted_once(scene: Scene) -> None:
    """Without faults, a repetition of the request gets its response: it had one effect."""
    scene.proxy.always = None
    scene.proxy.next()
    answer = posted(await scene.consume())
    assert answer["balance_after"] == TAKEN
    assert await scene.balance() == TAKEN


PASSING: dict[str, Fault] = {
    "lost before": faults.lost_before,
    "lost after": faults.lost_after,
    "cut": faults.cut,
    "cut unseen": faults.cut_unseen,
    "a page": faults.html_instead,
    "a page called JSON": faults.html_as_json,
    "garbled": faults.garbled,
    "packed wrongly": faults.packed_wrongly,
    "chunked wrongly": faults.chunked_wrongly,
    "a control character": faults.control_character,
    "a cut refusal": faults.cut_refusal,
    **{f"refused {status}": refuse_with(status) for status in (500, 502, 503, 504, 520)},
    **{
        f"failed {status}": faults.fail_with(status)
        for status in (402, 408, 425, 499, 500, 502, 503, 504, 520)
    },
    "PostgREST has no connection": refuse_with(503, b'{"code":"PGRST000","message":"-"}', "application/json"),
    "the server is starting": refuse_with(503, b'{"code":"57P03","message":"-"}', "application/json"),
    "a long page": refuse_with(500, b"x" * 10_000_000),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
async def test_a_passing_fault_is_not_heard_of(scene: Scene, fault: Fault) -> None:
    scene.proxy.next(fault)

    assert posted(await scene.consume())["balance_after"] == TAKEN

    assert scene.proxy.requests == 2  # what failed, and the same again
    await assert_posted_once(scene)


@pytest.mark.parametrize("name", ["lost before", "lost after", "cut", "a page", "refused 503", "failed 520"])
async def test_a_lasting_fault_is_reported_and_the_key_settles_it(scene: Scene, name: str) -> None:
    scene.proxy.always = PASSING[name]

    answer = await scene.consume()
    problem(answer, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert scene.proxy.requests > 2
    not_ready = await scene.api.http.get("/health/ready")
    assert not_ready.status_code == 503

    await assert_posted_once(scene)


@pytest.mark.parametrize(
    ("fault", "balance"),
    [(refuse_with(429, b'{"message":"-"}', "application/json"), OPENING), (faults.fail_with(429), TAKEN)],
    ids=["not passed on", "passed on"],
)
async def test_a_gateway_that_takes_no_more_is_left_alone_and_nothing_is_claimed(
    scene: Scene, fault: Fault, balance: str
) -> None:
    """It may have passed the request on: only the key settles it."""
    scene.proxy.next(fault)

    answer = await scene.consume()

    document = problem(answer, "unavailable")
    assert "accepts no more requests" in document["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert scene.proxy.requests == 1
    assert await scene.balance() == balance
    await assert_posted_once(scene)


@pytest.mark.parametrize(
    "fault",
    [refuse_with(307, more="Location: https://elsewhere.example/\r\n"), refuse_with(404), refuse_with(405)],
    ids=["redirect", "404", "405"],
)
async def test_a_wrong_address_is_named_at_once(scene: Scene, fault: Fault) -> None:
    scene.proxy.always = fault

    document = problem(await scene.consume(), "unavailable")

    assert "SUPABASE_URL" in document["detail"]
    assert scene.proxy.requests == 1
    await assert_posted_once(scene)


@pytest.mark.parametrize("status", [403, 413])
async def test_a_gateway_that_dislikes_one_body_is_not_the_key(scene: Scene, status: int) -> None:
    scene.proxy.next(refuse_with(status))

    problem(await scene.consume(), "internal_error")

    assert await scene.balance() == OPENING
    await assert_posted_once(scene)


async def test_what_may_have_happened_is_never_reported_as_nothing_done(scene: Scene) -> None:
    """A wallet and its deposit are made, the answer is lost, and then the gateway takes no more."""
    wallet = {"user_id": new_user(), "initial_balance": "5"}
    too_many = refuse_with(429, b'{"message":"-"}', "application/json")
    scene.proxy.next(faults.lost_after, too_many, *[faults.lost_before] * 20)

    problem(await scene.api.admin.post("/wallets", wallet, key=scene.key), "unavailable")

    scene.proxy.next()
    made = await scene.api.admin.post("/wallets", wallet, key=scene.key)
    assert made.status_code == 201
    assert made.json()["balance"] == "5.000000"


async def test_the_first_key_is_printed_though_its_response_was_lost(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    location = await locate_database(await fresh_database())
    assert isinstance(location, Project)
    async with faulty_proxy(location.url) as proxy:
        database = await connect(changed(location, url=proxy.url))
        proxy.next(faults.lost_after)
        key = await create_first_admin_key(database)
        assert key is not None
        assert await create_first_admin_key(database) is None
        await database.close()
    async with open_api(location, admin_key=None) as api:
        answer = await api.http.get(
            "/api/v1/ledger/trial-balance", headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 200, answer.text


async def test_an_answer_that_drips_ends_with_the_timeout(project: Project) -> None:
    async with scene_on(project, database_timeout_ms=500) as scene:
        scene.proxy.next(faults.dripping)
        async with asyncio.timeout(10):
            problem(await scene.consume(), "unavailable")
        assert scene.proxy.requests == 1
        assert posted(await scene.consume())["balance_after"] == TAKEN
        await assert_posted_once(scene)


async def test_an_answer_that_comes_after_the_timeout(project: Project) -> None:
    """What was done and what the caller sends again are one: the second is answered with the first's result."""
    async with scene_on(project, database_timeout_ms=500) as scene:
        delayed = DelayedResponse()
        scene.proxy.next(delayed.fault)
        problem(await scene.consume(), "unavailable")
        assert delayed.forwarded.is_set()
        # The time of a call is over: the service does not send it again.
        assert scene.proxy.requests == 1
        assert posted(await scene.consume())["balance_after"] == TAKEN
        delayed.release()
        await assert_posted_once(scene)


async def test_a_cookie_of_a_gateway_is_not_sent_back(project: Project) -> None:
    async with faulty_proxy(project.url) as proxy:
        # By name: aiohttp takes no cookie from an address.
        database = await connect(changed(project, url=proxy.url.replace("127.0.0.1", "localhost")))
        proxy.always = faults.with_cookie
        for _ in range(2):
            assert await database.call("read_health")
        assert proxy.requests == 2
        assert not [head for head in proxy.heads if "\r\ncookie:" in head.lower()]
        await database.close()


@pytest.mark.parametrize(
    "key",
    [
        jwt.encode({"role": "service_role"}, "the-secret-of-another-project-of-many-characters"),
        WRONG_KEY,
    ],
    ids=["legacy", "secret"],
)
async def test_a_wrong_key_is_named(project: Project, key: str) -> None:
    async with (
        open_api(project) as right,
        open_api(changed(project, service_role_key=key)) as wrong,
    ):
        wallet_id, consume_key = (await right.admin.wallet("100"))["wallet_id"], new_id()
        for answer in (
            await wrong.http.get("/health/ready"),
            await wrong.admin.move("consume", wallet_id, "1", key=consume_key),
        ):
            document = problem(answer, "unavailable")
            assert "SUPABASE_SERVICE_ROLE_KEY" in document["detail"]
            assert key not in answer.text
        assert (await wrong.http.get("/health/live")).is_success
        assert await right.admin.balance(wallet_id) == OPENING
        posted(await right.admin.move("consume", wallet_id, "1", key=consume_key))


async def test_an_expired_key_is_named(scene: Scene) -> None:
    """The gateway knows it, PostgREST refuses it as expired."""
    scene.proxy.always = refuse_with(401, b'{"code":"PGRST303","message":"JWT expired"}', "application/json")

    document = problem(await scene.consume(), "unavailable")

    assert "SUPABASE_SERVICE_ROLE_KEY" in document["detail"]
    await assert_posted_once(scene)


async def test_a_secret_key_goes_where_the_gateway_looks_for_it(project: Project) -> None:
    async with faulty_proxy(project.url) as proxy:
        for key, has_token in ((project.secret_key, False), (project.service_role_key, True)):
            location = changed(project, url=proxy.url, service_role_key=key)
            proxy.heads.clear()
            async with open_api(location) as api:
                assert (await api.http.get("/health/ready")).is_success
            assert proxy.heads
            for head in proxy.heads:
                assert f"apikey: {key}".lower() in head.lower()
                assert ("authorization: bearer" in head.lower()) == has_token


async def test_keys_that_everybody_has_open_nothing(project: Project) -> None:
    async with httpx.AsyncClient(base_url=project.url) as http:
        for key in (project.anon_key, project.publishable_key, WRONG_KEY):
            for method, path, schema in (
                ("POST", "/rest/v1/rpc/read_health", "wallet_api"),
                ("POST", "/rest/v1/rpc/list_keys", "wallet_api"),
                ("POST", "/rest/v1/rpc/post_transactions", "wallet_api"),
                ("GET", "/rest/v1/wallets", "wallet_api"),
                ("GET", "/rest/v1/wallets", "wallet"),
            ):
                headers = {"apikey": key, "Accept-Profile": schema, "Content-Profile": schema}
                if not key.startswith("sb_"):
                    headers["Authorization"] = f"Bearer {key}"
                body = {"p_units": []} if path.endswith("post_transactions") else {}
                answer = await http.request(method, path, headers=headers, json=body)
                assert answer.status_code in {401, 403, 404, 406}, answer.text
                assert "wallet_id" not in answer.text


@asynccontextmanager
async def superuser_of(database: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn)
    yield connection
    await connection.close()


async def test_a_schema_that_is_not_exposed_is_named(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    """PostgREST's settings in the database, as a project has them: changed while everything runs."""
    made = await fresh_database()
    async with superuser_of(made) as superuser, open_api(await locate_database(made)) as api:
        wallet_id = (await api.admin.wallet("100"))["wallet_id"]

        async def expose(schemas: str) -> None:
            await superuser.execute(
                f"alter role authenticator in database {made.name} set pgrst.db_schemas = '{schemas}'"
            )
            await superuser.execute("notify pgrst, 'reload config'")

        async def ready() -> bool:
            return (await api.http.get("/health/ready")).is_success

        await expose("public")
        async with asyncio.timeout(20):
            while await ready():
                pass
        document = problem(await api.admin.move("consume", wallet_id, "1", key="key"), "unavailable")
        assert "exposed schemas" in document["detail"]
        await expose("public, wallet_api")
        async with asyncio.timeout(20):
            while not await ready():
                pass
        posted(await api.admin.move("consume", wallet_id, "1", key="key"))
        assert await api.admin.balance(wallet_id) == TAKEN
        await assert_verified(api)


async def test_before_and_after_the_migration(fresh_database: FreshDatabase, locate_database: Locate) -> None:
    """Without a restart: PostgREST is notified, and the service finds the functions."""
    made = await fresh_database(empty=True)
    async with open_api(await locate_database(made)) as api:
        document = problem(await api.http.get("/health/ready"), "unavailable")
        assert "run wallet-service migrate" in document["detail"]
        document = problem(
            await api.admin.post("/wallets", {"user_id": "ada", "initial_balance": "100"}), "unavailable"
        )
        assert "run wallet-service migrate" in document["detail"]
        await migrate(made.dsn, ROOMS)
        assert (await api.http.get("/health/ready")).is_success
        wallet_id = (await api.admin.wallet("100"))["wallet_id"]
        posted(await api.admin.move("consume", wallet_id, "1"))
        await assert_verified(api)


async def test_a_function_newer_than_what_postgrest_has_read(
    fresh_database: FreshDatabase, locate_database: Locate
) -> None:
    made = await fresh_database()
    async with superuser_of(made) as superuser, open_api(await locate_database(made)) as api:
        # PostgREST is not notified and uses the parameters that it has read.
        await superuser.execute(
            "alter function wallet_api.post_transactions rename to the_one;"
            " create function wallet_api.post_transactions(p_units jsonb, p_wait_ms integer default 2000,"
            "  p_wait_for uuid default null) returns text language sql security definer"
            "  as 'select wallet_api.the_one(p_units, p_wait_ms, p_wait_for)';"
            " create function wallet_api.t_newer(p_text text default 'new') returns text language sql as"
            "  'select p_text';"
            " grant execute on function wallet_api.post_transactions, wallet_api.t_newer to service_role"
        )
        database = api.app.state.database
        assert await database.call("t_newer") == b"new"
        assert await database.call("t_newer", text="x") == b"x"
        wallet_id = (await api.admin.wallet("100"))["wallet_id"]
        posted(await api.admin.move("consume", wallet_id, "1"))


async def test_many_who_miss_a_function_ask_for_it_once(project: Project) -> None:
    async with faulty_proxy(project.url) as proxy:
        database = await connect(changed(project, url=proxy.url))
        missing = [database.read("t_nobody_made") for _ in range(20)]
        began = time.monotonic()
        outcomes = await asyncio.gather(*missing, return_exceptions=True)
        passed_s = time.monotonic() - began
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        # One asks again after a while, which passes more often on a busy machine.
        assert sum("reload_rest" in head for head in proxy.heads) <= 2 + passed_s / RELOAD_EVERY_S
        # 20 first attempts, and those of the one that looks again every 50 ms.
        assert proxy.requests < 20 + max(1.5, passed_s) / 0.05 + 10
        await database.close()


async def test_calls_that_wait_for_a_reload_that_hangs_have_no_more_time_than_others(
    project: Project,
) -> None:
    unknown = refuse_with(404, b'{"code":"PGRST202","message":"-"}', "application/json")
    delayed, calls = DelayedResponse(), 10
    async with faulty_proxy(project.url) as proxy:

        async def fault(forward: Forward) -> bytes | None:
            return await (delayed.fault if "reload_rest" in proxy.heads[-1] else unknown)(forward)

        proxy.always = fault
        database = await connect(changed(project, url=proxy.url), pool_size=calls, timeout_ms=1000)
        # One after the other they would take ten seconds.
        async with asyncio.timeout(7):
            outcomes = await asyncio.gather(
                *(database.call("read_health") for _ in range(calls)), return_exceptions=True
            )
        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        delayed.release()
        await database.close()


async def test_closing_twice_and_giving_up_closing(project: Project) -> None:
    database = await connect(project, pool_size=2)
    await asyncio.gather(database.close(), database.close())
    with pytest.raises(Unavailable):
        await database.call("read_health")

    async with faulty_proxy(project.url) as proxy:
        database = await connect(changed(project, url=proxy.url), pool_size=2)
        delayed = DelayedResponse()
        proxy.next(delayed.fault)
        under_way = asyncio.create_task(database.call("read_health"))
        await delayed.forwarded.wait()
        closing = asyncio.create_task(database.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        delayed.release()
        await asyncio.gather(under_way, return_exceptions=True)
        await database.close()


def _stop(project: Project) -> None:
    os.kill(project.rest_pid, signal.SIGTERM)


def _kill(project: Project) -> None:
    os.kill(project.rest_pid, signal.SIGKILL)


@pytest.mark.parametrize("end", [_stop, _kill])
async def test_postgrest_restarts_under_load(own_project: Project, end: Callable[[Project], None]) -> None:
    async with open_api(own_project) as api:
        wallets = await funded_wallets(api.admin)
        load = Load.on(wallets)
        restarted: list[asyncio.Task[None]] = []

        def restart() -> None:
            end(own_project)
            restarted.append(asyncio.create_task(own_project.restart_rest()))

        await load.send(api.admin.post, len(load.requests) // 4, restart)
        await asyncio.gather(*restarted)
        assert restarted
        load.assert_posted_or_unavailable()
        await until_ready(api)
        kept, _ = await postings_of(api.admin, wallets)
        assert load.posted_ids <= kept
        for _ in range(2):
            await load.send(api.admin.post)
        names = load.assert_each_posted_once()
        kept, balance = await postings_of(api.admin, wallets)
        assert kept == names
        assert balance == load.expected_total
        await assert_verified(api)


async def test_every_kind_of_key_of_the_service(project: Project) -> None:
    for key in (project.service_role_key, project.secret_key):
        async with open_api(changed(project, service_role_key=key)) as api:
            wallet_id = (await api.admin.wallet("100"))["wallet_id"]
            posted(await api.admin.move("consume", wallet_id, "1", key=new_id()))
