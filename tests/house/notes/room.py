"""What the sample room declares: one of everything."""

from wallet_service.core.room import Permission, PostingMembers, RequestCost, Room, VerifyWalk

from .problems import NoteTooLong
from .settings import NotesSettings

NOTES_READ = Permission("notes:read", "Read notes")
NOTES_WRITE = Permission("notes:write", "Write notes")

ROOM = Room(
    name="notes",
    module=__name__,
    summary="notes about wallets",
    routers=("router:router",),
    tags={"notes": "What people should know about a wallet."},
    settings=NotesSettings,
    permissions=(NOTES_READ, NOTES_WRITE),
    problems=(NoteTooLong,),
    request_costs={"write_note": RequestCost(3)},
    lifespan="lifespan:open_counter",
    schema="samples",
    verify_walks=(VerifyWalk("verify_notes", "notes", {"note text": "a note has a text"}),),
    commands="commands:add_commands",
    posting_rules=("refuse_noted",),
    posting_members=PostingMembers(
        model="schemas:NotedMovement",
        permission="notes:write",
        check="check_movement_note",
        write="write_movement_note",
        problems=(NoteTooLong,),
    ),
    caller_checks=("hooks:check_caller",),
    posting_checks=("hooks:check_posting",),
    after_posting=("hooks:count_posting",),
)
