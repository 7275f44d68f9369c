"""The handlers of the jobs of tests."""

import asyncio
from pathlib import Path

from wallet_service.money.schemas import MoneyRequest
from wallet_service.money.transactions.in_jobs import transactions_of
from wallet_service.platform.jobs.context import JobContext, JobRefused


async def deposit_slowly(context: JobContext) -> None:
    """Deposit 1, say so in a file, and wait for another file."""
    wallet_id = context.arguments["wallet_id"]
    service = await transactions_of(context, wallet_id)
    posted = await service.move("deposit", wallet_id, MoneyRequest(amount="1"), context.idempotency_key())
    folder = Path(context.arguments["folder"])
    (folder / f"posted-{context.job.attempt}").touch()
    context.progress(1, 2, "deposited")
    while not (folder / "go").exists():  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.02)
    context.finish_with({"transaction_id": posted.transaction_id})


async def deposit_once(context: JobContext) -> None:
    """Deposit the amount of the arguments, and end ``pause_s`` later: until then it is not known that it was done."""
    wallet_id = context.arguments["wallet_id"]
    service = await transactions_of(context, wallet_id)
    request = MoneyRequest(amount=context.arguments["amount"])
    posted = await service.move("deposit", wallet_id, request, context.idempotency_key())
    await asyncio.sleep(context.arguments["pause_s"])
    context.finish_with({"transaction_id": posted.transaction_id})


async def count(context: JobContext) -> None:
    """Count to the number of the arguments."""
    most = context.arguments["to"]
    for number in range(1, most + 1):
        context.progress(number, most)
        await context.heartbeat()
    context.finish_with({"counted": most})


async def fail(context: JobContext) -> None:
    """Fail as the arguments say."""
    if context.arguments.get("for_good"):
        raise JobRefused("not_possible", "This can't succeed")
    raise RuntimeError("a secret of the inside")
