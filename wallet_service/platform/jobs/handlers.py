"""The jobs of the room itself."""

from wallet_service.platform.jobs.context import JobContext
from wallet_service.platform.jobs.settings import JobsSettings

_SECONDS_PER_DAY = 86_400
_PIECE = 500


async def delete_finished(context: JobContext) -> None:
    """Remove jobs that ended some days ago, in short calls."""
    own = context.state.settings[JobsSettings]
    deleted = 0
    while True:
        piece = await context.state.jobs.repository.delete_finished(
            own.jobs_keep_days * _SECONDS_PER_DAY, own.jobs_keep_dead_days * _SECONDS_PER_DAY, _PIECE
        )
        deleted += piece
        context.progress(deleted, note="jobs removed")
        if piece < _PIECE:
            return
