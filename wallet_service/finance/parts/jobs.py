"""The jobs of parts."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands load the declaration, and need no worker
    from wallet_service.finance.parts.service import Cataloguing
    from wallet_service.platform.jobs.context import JobContext


async def catalogue_missed_entries(context: "JobContext") -> None:
    """Catalogue what was posted and not catalogued: the process died, or the posting came from SQL or an import."""

    def report(done: int) -> None:
        context.progress(done, note="entries catalogued")

    cataloguing: Cataloguing = context.state.cataloguing
    await cataloguing.catalogue_missed(report)


async def redate_parts(context: "JobContext") -> None:
    """Give the entries of a book their day in its time zone, in short transactions."""

    def report(done: int) -> None:
        context.progress(done, note="entries moved")

    cataloguing: Cataloguing = context.state.cataloguing
    await cataloguing.redate(context.arguments["book_id"], context.job.job_id, report)
