"""Declares the room."""

from wallet_service.core.room import (
    EventType,
    JobType,
    Permission,
    PostingMembers,
    RecordedRead,
    RequestCost,
    Room,
    VerifyWalk,
)
from wallet_service.finance.books.problems import BookNotFound
from wallet_service.finance.labels.problems import LabelNotFound
from wallet_service.finance.parts.problems import (
    EntryNotFound,
    EntryPending,
    PairExists,
    PairNotFound,
    PartsUnbalanced,
    RunNotFound,
)

PARTS_READ = Permission("parts:read", "Read what the entries of books were for", is_users=True)
PARTS_WRITE = Permission(
    "parts:write",
    "Say what entries of books were for, and take that back; note income and expenses, with the permission to post them",
    includes=("parts:read",),
    is_users=True,
)

ROOM = Room(
    name="parts",
    module=__name__,
    summary="parts: what the entries of a book were for, split by category, payee and tags",
    routers=("router:router", "pairs_router:router", "quick_router:router"),
    tags={
        "parts": "What the entries of a book's wallets were for. An entry has one part or several, which sum to it, each "
        "with a category, a payee, tags and a note. New entries get theirs by themselves."
    },
    permissions=(PARTS_READ, PARTS_WRITE),
    problems=(PartsUnbalanced, EntryNotFound, EntryPending, RunNotFound, PairNotFound, PairExists),
    request_costs={"edit_parts": RequestCost(is_per_operation=True, operations="changes")},
    lifespan="lifespan:open_parts",
    schema="finance",
    hooks={"finance.count_label_uses": "count_parts_of_label", "finance.find_redate_job": "name_redate_job"},
    posting_members=PostingMembers(
        model="schemas:MovementParts",
        permission=PARTS_WRITE.name,
        check="check_posting_parts",
        write="write_posting_parts",
        problems=(PartsUnbalanced, BookNotFound, LabelNotFound),
    ),
    after_posting=("service:note_postings",),
    event_types=(
        EventType(
            name="parts.updated",
            summary="A caller changed the parts of an entry.",
            data="schemas:PartsOfEntry",
            masked=("parts",),
        ),
        EventType(
            name="run.undone",
            summary="A change of parts was taken back as a whole.",
            data="bulk_schemas:Run",
        ),
        EventType(name="pair.created", summary="A caller made two entries a pair.", data="pair_schemas:Pair"),
        EventType(
            name="pair.deleted",
            summary="A caller dissolved a pair, or dismissed a suggestion.",
            data="pair_schemas:Pair",
        ),
    ),
    recorded_reads={
        "list_parts": RecordedRead(action="parts.read"),
        "get_entry_parts": RecordedRead(action="parts.read"),
        "list_pairs": RecordedRead(action="parts.read"),
    },
    jobs=(
        JobType(
            name="catalogue_missed_entries",
            summary="gives parts to entries of books that were posted and have none",
            handler="jobs:catalogue_missed_entries",
            schedule="*/5 * * * *",
        ),
        JobType(
            name="redate_parts",
            summary="gives all entries of a book their day in its time zone again",
            handler="jobs:redate_parts",
        ),
    ),
    verify_walks=(
        VerifyWalk(
            "verify_parts",
            "entries of books",
            {
                "parts of an entry": "an entry up to the one that its wallet is catalogued to has parts, which sum to it",
                "part numbers": "the parts of an entry are numbered from 0, and count on one day",
                "part labels": "the labels of a part are its book's",
                "parts in the book": "the parts of a wallet are in the book of its owner",
                "pairs": "a part names the pair of its entry",
                "catalogued": "no entry has parts beyond the one that its wallet is catalogued to",
            },
        ),
        VerifyWalk(
            "verify_day_sums",
            "sums of days",
            {"day sums": "the sums of a day are those of its parts"},
        ),
        VerifyWalk(
            "verify_catalogued",
            "catalogued wallets",
            {"balance of parts": "the parts of a wallet sum to the balance after its last catalogued entry"},
        ),
    ),
)
