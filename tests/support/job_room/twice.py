"""A job that two workers do, because the first one hung until its lease had passed to the second one."""

import asyncio
import json
from typing import Any

from support.api import Api
from wallet_service.core.identifiers import new_id
from wallet_service.platform.jobs.attempt import Attempt
from wallet_service.platform.jobs.metrics import JobMetrics
from wallet_service.platform.jobs.repository import Claimed


async def do_twice(api: Api, kind: str, arguments: dict[str, Any], *, is_at_once: bool) -> dict[str, Any]:
    """Enqueue a job of the operator, and do it twice. Returns it as it is afterwards; one that failed is cancelled.

    Args:
        api: of the application, without a worker.
        kind: its type, of which no other job is due.
        arguments: of the job.
        is_at_once: both do it at the same time; otherwise the first one ends before the second one begins.
    """
    jobs = api.app.state.jobs
    creator = {"client_id": "admin"}
    job_id = json.loads(await jobs.repository.enqueue(new_id(), kind, arguments, creator=creator))["job_id"]

    async def claim(lease_s: int) -> Claimed:
        types = [{"type": kind, "lease_s": lease_s, "max_attempts": 10}]
        (claimed,) = (await jobs.repository.claim("tests", types, 1)).jobs
        assert claimed.job_id == job_id
        return claimed

    async def do(claimed: Claimed) -> None:
        now = asyncio.get_running_loop().time()
        attempt = Attempt(
            claimed, jobs.types[kind], api.app.state, jobs.repository, JobMetrics(), leased_at=now
        )
        await attempt.run()

    first = await claim(0)
    second = await claim(60)
    if is_at_once:
        await asyncio.gather(do(first), do(second))
    else:
        await do(first)
        await do(second)
    done = json.loads(await jobs.repository.get(job_id, None))
    if done["status"] != "succeeded":
        await jobs.repository.cancel(job_id, None)
    return done
