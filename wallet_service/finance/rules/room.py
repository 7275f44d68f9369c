"""Declares the room."""

from wallet_service.core.room import EventType, JobType, Permission, RecordedRead, Room, VerifyWalk
from wallet_service.finance.rules.problems import RuleLimit, RuleNotFound, RulesChanged

PATH = "/api/v1/rules"

RULES_READ = Permission("rules:read", "Read the rules of books, and try rules", is_users=True)
RULES_WRITE = Permission(
    "rules:write",
    "Create, change, order and delete rules of books, and apply them",
    includes=("rules:read",),
    is_users=True,
)

ROOM = Room(
    name="rules",
    module=__name__,
    summary="rules: set categories, payees, tags and notes of parts by conditions, and split them",
    routers=("router:router",),
    tags={
        "rules": "What sets the categories, payees, tags and notes of new entries by itself. The rules of a book are one "
        "list, applied in its order."
    },
    permissions=(RULES_READ, RULES_WRITE),
    problems=(RuleNotFound, RuleLimit, RulesChanged),
    lifespan="lifespan:open_rules",
    schema="finance",
    hooks={"finance.count_label_uses": "count_rules_of_label"},
    event_types=(
        *(
            EventType(
                name=f"rule.{name}",
                summary=summary,
                data="schemas:Rule",
                masked=("name", "conditions", "actions"),
            )
            for name, summary in (
                ("created", "A rule was created."),
                ("updated", "A rule was changed."),
                ("deleted", "A rule was deleted."),
            )
        ),
        EventType(
            name="rule_order.updated",
            summary="The order of the rules of a book was changed.",
            data="schemas:RuleOrder",
        ),
        EventType(
            name="rules.applied", summary="Rules changed parts of entries.", data="schemas:RulesApplied"
        ),
    ),
    recorded_reads={
        "list_rules": RecordedRead(action="rule.read"),
        "get_rule": RecordedRead(action="rule.read"),
        "test_rule": RecordedRead(action="parts.read"),
    },
    jobs=(
        JobType(
            name="apply_rules",
            summary="applies rules to entries of a book that a caller names, or says what they would change",
            handler="jobs:apply_rules",
            permission=RULES_WRITE.name,
            timeout_s=3600,
        ),
        JobType(
            name="apply_missed_rules",
            summary="applies the rules of books to entries that were catalogued and not ruled",
            handler="jobs:apply_missed_rules",
            schedule="*/5 * * * *",
        ),
    ),
    verify_walks=(
        VerifyWalk(
            "verify_rules",
            "books with rules",
            {
                "rule labels": "a rule names labels of its book, and the list of those in use is complete",
                "ruled entries": "rules are not applied beyond what is catalogued",
            },
        ),
    ),
)
