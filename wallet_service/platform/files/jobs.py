"""The job that removes expired files."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from wallet_service.platform.files.repository import FileRepository

if TYPE_CHECKING:  # the room's command does not need the HTTP code
    from wallet_service.platform.jobs.context import JobContext


async def delete_expired_files(context: "JobContext") -> None:
    """Remove the files that have expired, were deleted, or did not arrive whole."""
    repository = FileRepository(context.state.database)
    await delete_all_expired(repository, lambda done: context.progress(done, note="files removed"))


async def delete_all_expired(repository: FileRepository, report: Callable[[int], None]) -> int:
    """Remove all that has expired, in short calls. Returns how many files.

    Args:
        repository: of the files.
        report: is called with the number so far.
    """
    files, more = 0, True
    while more:
        done, more = await repository.delete_expired()
        files += done
        report(files)
    return files
