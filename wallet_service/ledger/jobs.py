"""The job that records what took effect by itself."""

import json
from typing import TYPE_CHECKING, Any

import structlog

from wallet_service.platform.database.gateway import Json

if TYPE_CHECKING:  # commands load the declaration, and need no worker
    from wallet_service.platform.jobs.context import JobContext

_WALLETS_A_CALL = 100

_log = structlog.get_logger(__name__)


class NotSettled(Exception):
    """Wallets could not be settled. The others are; the log names each with its error."""


async def settle_due_wallets(context: "JobContext") -> None:
    """Settle every wallet on which something is due: holds that expired, grants that begin or end.

    Raises:
        NotSettled: some failed.
    """
    done, failed, after = 0, list[dict[str, Any]](), None
    while True:
        params = {"limit": _WALLETS_A_CALL, "after": None if after is None else Json(json.dumps(after))}
        answer = json.loads(await context.state.database.call("settle_due", **params))
        done, after = done + answer["settled"], answer["next"]
        failed += answer["failed"]
        context.progress(done, note="wallets settled")
        if after is None:
            break
    for each in failed:
        _log.error("wallet_not_settled", wallet_id=each["wallet_id"], error=each["error"])
    if failed:
        raise NotSettled(f"{len(failed)} wallets could not be settled")
