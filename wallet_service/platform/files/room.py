"""Declares the room."""

from wallet_service.core.room import EventType, JobType, Permission, RequestCost, Room, SealedRows, VerifyWalk
from wallet_service.platform.files.problems import FileIncomplete, FileNotFound, FileQuotaExceeded
from wallet_service.platform.files.settings import FilesSettings

PATH = "/api/v1/files"

FILES_READ = Permission(
    "files:read", "List and download the caller's own files", is_users=True, spans_wallets=True
)
FILES_WRITE = Permission(
    "files:write", "Upload and delete the caller's own files", is_users=True, spans_wallets=True
)


def _event(name: str, summary: str) -> EventType:
    return EventType(name=name, summary=summary, data="schemas:OwnedFile", masked=("name",))


ROOM = Room(
    name="files",
    module=__name__,
    summary="files in chunks: owners, quota, expiry; personal ones are encrypted by the vault",
    routers=("router:router",),
    tags={"files": "Files of the caller: upload them in pieces, download them, and let them expire."},
    settings=FilesSettings,
    permissions=(FILES_READ, FILES_WRITE),
    problems=(FileNotFound, FileIncomplete, FileQuotaExceeded),
    # Each is many calls of the database; how many is not known before the end of the body.
    request_costs={"upload_file": RequestCost(10), "download_file": RequestCost(10)},
    body_limits={PATH: lambda settings: settings[FilesSettings].max_bytes},
    lifespan="lifespan:open_files",
    commands="commands:add_commands",
    schema="platform",
    verify_walks=(
        VerifyWalk(
            "verify_files",
            "files",
            {
                "file chunks": "a file's chunks are complete, and together as long as the file",
                "file charge": "a file counts its size for the quota, or nothing once it was deleted",
            },
        ),
        VerifyWalk("verify_file_chunks", "chunks", {"file of chunk": "a chunk belongs to a file"}),
        VerifyWalk(
            "verify_file_usage",
            "owners",
            {"file quota": "an owner's quota counts what the owner's files count"},
        ),
    ),
    event_types=(
        _event("file.created", "A file was uploaded."),
        _event("file.deleted", "A file was deleted by its owner."),
        _event("file.expired", "A file that had expired was removed by the service."),
    ),
    jobs=(
        JobType(
            name="delete_expired_files",
            summary="removes files that have expired, were deleted, or did not arrive whole",
            handler="jobs:delete_expired_files",
            schedule="37 * * * *",
        ),
    ),
    sealed_rows=SealedRows("list_sealed_chunks", "replace_sealed_chunk", page_rows=2),
)
