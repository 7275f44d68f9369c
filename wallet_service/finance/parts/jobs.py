"""The jobs of parts."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands load the declaration, and need no worker
    from wallet_service.platform.jobs.context import JobContext


async def catalogue_missed_entries(context: "JobContext") -> None:
    """Catalogue what was posted and not catalogued: the process died, or the posting came from SQL or an import."""
    await context.state.cataloguing.catalogue_missed(
        lambda done: context.progress(done, note="entries catalogued")
    )


async def redate_parts(context: "JobContext") -> None:
    """Give the entries of a book their day in its time zone, in short transactions."""
    await context.state.cataloguing.redate(
        context.arguments["book_id"],
        context.job.job_id,
        lambda done: context.progress(done, note="entries moved"),
    )
