"""The job that deletes old entries."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from wallet_service.delivery.audit.repository import AuditRepository
from wallet_service.delivery.audit.settings import AuditSettings

if TYPE_CHECKING:  # the room's command does not need the HTTP code
    from wallet_service.platform.jobs.context import JobContext


async def delete_old_entries(context: "JobContext") -> None:
    """Delete the entries that are older than the retention."""
    keep_days = context.state.settings[AuditSettings].retention_days
    repository = AuditRepository(context.state.database)
    await delete_all_expired(
        repository, keep_days, lambda done: context.progress(done, note="entries deleted")
    )


async def delete_all_expired(
    repository: AuditRepository, keep_days: int, report: Callable[[int], None]
) -> int:
    """Delete all entries that are older, in short calls. Returns how many.

    Args:
        repository: of the audit trail.
        keep_days: the retention.
        report: is called with the number so far.
    """
    entries, more = 0, True
    while more:
        done, more = await repository.delete_expired(keep_days)
        entries += done
        report(entries)
    return entries
