"""Declares the room."""

from wallet_service.core.room import EventType, Permission, RecordedRead, Room, VerifyWalk
from wallet_service.finance.labels.problems import (
    LabelCycle,
    LabelDepth,
    LabelExists,
    LabelFixed,
    LabelInUse,
    LabelMerged,
    LabelNotFound,
)

LABELS_READ = Permission("labels:read", "Read the categories, payees and tags of books", is_users=True)
LABELS_WRITE = Permission(
    "labels:write",
    "Create, change, merge and delete categories, payees and tags",
    includes=("labels:read",),
    is_users=True,
)

ROOM = Room(
    name="labels",
    module=__name__,
    summary="labels: the categories, payees and tags of a book, in trees that can be merged and moved",
    routers=("router:categories", "router:payees", "router:tags"),
    tags={
        "categories": "What the money of a book is for. The roots Income, Expense and Transfer say what it counts as.",
        "payees": "The persons and companies that a book pays, or is paid by.",
        "tags": "Free labels, any number of them on each part of an entry.",
    },
    permissions=(LABELS_READ, LABELS_WRITE),
    problems=(LabelNotFound, LabelExists, LabelCycle, LabelDepth, LabelFixed, LabelMerged, LabelInUse),
    schema="finance",
    hooks={"finance.complete_book": "create_system_labels"},
    event_types=tuple(
        EventType(name=f"label.{name}", summary=summary, data="schemas:Label", masked=("name",))
        for name, summary in (
            ("created", "A category, payee or tag was created."),
            ("updated", "A category, payee or tag was changed, moved, archived or taken out of the archive."),
            ("merged", "A category, payee or tag was merged into another one."),
            ("unmerged", "The merge of a category, payee or tag was taken back."),
            ("deleted", "A category, payee or tag was deleted."),
        )
    ),
    recorded_reads={
        f"{verb}_{name}": RecordedRead(action="label.read")
        for verb, name in (
            ("list", "categories"),
            ("list", "payees"),
            ("list", "tags"),
            ("get", "category"),
            ("get", "payee"),
            ("get", "tag"),
        )
    },
    verify_walks=(
        VerifyWalk(
            "verify_labels",
            "books with labels",
            {
                "label circle": "no label is above itself",
                "label depth": "a tree of labels has at most six levels",
                "label root": "a category is under a root",
                "label roots": "a book has the three roots of categories",
            },
        ),
    ),
)
