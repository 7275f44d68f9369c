"""The jobs of webhooks."""

from wallet_service.platform.jobs.context import JobContext

DELETED_AT_ONCE = 1000


async def delete_old(context: JobContext) -> None:
    """Remove deliveries that ended some days ago, and what belonged to deleted endpoints, piece by piece."""
    parts = context.state.webhook_deliveries
    done, more = 0, True
    while more:
        deleted, more = await parts.repository.delete_old(
            parts.webhooks.settings.retention_days, DELETED_AT_ONCE
        )
        done += deleted
        context.progress(done, None, "deliveries removed")
        await context.heartbeat()
