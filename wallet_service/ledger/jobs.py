"""The job that records what took effect by itself."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands load the declaration, and need no worker
    from wallet_service.platform.jobs.context import JobContext

_WALLETS_A_CALL = 100


async def settle_due_wallets(context: "JobContext") -> None:
    """Settle every wallet on which something is due: holds that expired, grants that begin or end."""
    done, more = 0, True
    while more:
        answer = json.loads(await context.state.database.call("settle_due", limit=_WALLETS_A_CALL))
        done, more = done + answer["settled"], answer["more"]
        context.progress(done, note="wallets settled")
