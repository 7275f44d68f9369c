"""A worker as a process, killed while it sends."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
from aiohttp import web
from conftest import FreshDatabase
from support.api import open_api
from support.service import ROOT, environment
from support.webhook_receiver import Receiver

from wallet_service.platform.vault.keys import generate_key

from .conftest import LOCAL, Hooks, until, working

TYPES = ["transaction.posted"]


async def test_a_worker_that_is_killed_while_it_sends_loses_nothing(
    fresh_database: FreshDatabase, receiver: Receiver, tmp_path: Path
) -> None:
    made = await fresh_database()
    keys = generate_key("k1")
    held = asyncio.Event()

    async def hold(_: web.Request) -> web.Response:
        await held.wait()
        return web.Response()

    receiver.handler = hold
    async with open_api(made.service_dsn, webhooks_allowed_networks=LOCAL, credential_keys=keys) as api:
        hooks = Hooks(api)
        endpoint = await hooks.create(receiver.url, event_types=TYPES)
        wallets = [await api.admin.wallet("5") for _ in range(3)]
        for wallet in wallets:
            await api.admin.move("consume", wallet["wallet_id"], "1")
        variables = environment(
            tmp_path,
            WALLET_DATABASE_URL=made.service_dsn,
            WALLET_WEBHOOKS_ALLOWED_NETWORKS=LOCAL,
            WALLET_CREDENTIAL_KEYS=keys,
        )
        variables["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        log = tmp_path / "worker.log"
        with log.open("wb") as output:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "support.job_process"),
                env=variables,
                stdout=output,
                stderr=output,
            )
        try:
            await until(lambda: len(receiver.seen) == 3)
        finally:
            worker.kill()
            await worker.wait()
        assert [each["attempts"] for each in await hooks.deliveries(endpoint)] == [0] * 6
        # The leases of the killed worker end, which would take half a minute.
        connection = await asyncpg.connect(made.dsn)
        ended = await connection.execute(
            "update delivery.webhook_deliveries set lease_until = clock_timestamp() where lease_id is not null"
        )
        await connection.close()
        assert ended == "UPDATE 3"
        receiver.handler = None
        held.set()
        async with working(api):
            await hooks.until_states(endpoint, *["delivered"] * 6)
        assert endpoint["secret"] not in log.read_text()
    sent_twice = [each for each in {*receiver.ids} if receiver.ids.count(each) == 2]
    assert (len(receiver.ids), len({*receiver.ids}), len(sent_twice)) == (9, 6, 3)
    assert len(receiver.verified(endpoint["secret"])) == 9
    for wallet in wallets:
        versions = [e["walletversion"] for e in receiver.events if e["walletid"] == wallet["wallet_id"]]
        assert versions == ["1", "1", "2"]
