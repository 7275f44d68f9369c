"""Functions that ``migrate`` writes from the rooms' declarations, for the kernel."""

import re
from collections.abc import Mapping, Sequence
from importlib import resources

from wallet_service.core.room import EventType, OperationType, PostingPart

CLOCK = "wallet.clock"
"""The function that has the time for every row."""

DISPATCHER = "wallet.apply_posting_rules"
"""The ledger's function that step 4 of the kernel calls. Without rules it stays as the ledger has it."""

_CALL = """\
  v_refusal := {rule}(p_operation, p_decision, p_decisions);
  if v_refusal.code is not null then
    return wallet.build_refusal(v_refusal.code, coalesce(v_refusal.facts, '{{}}'));
  end if;
"""
OPEN, FOLLOW, DECIDE, WRITE = (
    "wallet.open_room_state",
    "wallet.follow_posting",
    "wallet.decide_by_room",
    "wallet.write_room_state",
)
"""The ledger's functions by which rooms take part in postings (``ledger/sql/open_room_state.sql``)."""

MEMBER_NAMES, CHECK_MEMBERS, WRITE_MEMBERS = (
    "wallet.list_posting_members",
    "wallet.check_posting_members",
    "wallet.write_posting_members",
)
"""The ledger's functions for members that rooms add to requests (``ledger/sql/keep_posting_members.sql``)."""

_CHECK_MEMBERS = """\
  if p_operation.terms ?| {names} then
    v_refusal := {check}(p_operation, p_decision);
    if v_refusal.code is not null then
      return wallet.build_refusal(v_refusal.code, coalesce(v_refusal.facts, '{{}}'));
    end if;
  end if;
"""
_WRITE_MEMBERS = """\
  if p_operation.terms ?| {names} then
    perform {write}(p_operation, p_entries);
  end if;
"""

_PLAIN = re.compile(r"[A-Za-z0-9._:_-]+")
_TYPE_NAME = re.compile(r"[a-z][a-z_]{0,39}")
_MEMBER = re.compile(r"[a-z][a-z_]{0,39}")
_EVENT_NAME = re.compile(r"[a-z][a-z_]{0,39}\.[a-z][a-z_]{0,39}")


def dispatcher(rules: Sequence[str]) -> str:
    """The definition of the dispatcher that calls these functions, names with their schemas, in this order."""
    calls = "".join(_CALL.format(rule=rule) for rule in rules)
    return _filled("posting_rules.sql", {"{{rules}}\n": calls})


def posting_parts(parts: Sequence[tuple[str, PostingPart]], deciding: Mapping[str, str]) -> Mapping[str, str]:
    """The definitions of the functions by which these rooms take part in postings, by qualified name.

    Args:
        parts: the schema and the declaration of each room, from the lowest room to the highest.
        deciding: by type of operations, the function that decides it, with its schema.

    Raises:
        ValueError: a mark is not a bit, or used twice.
    """
    marks = [part.mark for _, part in parts]
    if any(mark.bit_count() != 1 for mark in marks) or len(set(marks)) < len(marks):
        raise ValueError(f"the marks of the rooms are not different powers of two: {marks}")

    def calls(name: str, call: str, *, of: str, reverse: bool = False) -> str:
        found = [
            (part.mark, f"{schema}.{getattr(part, name)}")
            for schema, part in (reversed(parts) if reverse else parts)
            if getattr(part, name) is not None
        ]
        return "".join(
            f"  if (({of}).marks & {mark}) <> 0 then\n    {call.format(function)}\n  end if;\n"
            for mark, function in found
        )

    settles = calls(
        "settle",
        "p_settlement := {}(p_settlement, p_now);",
        of="p_settlement.state",
        reverse=True,
    )
    follows = calls(
        "follow",
        "p_step := {}(p_operation, p_step, p_now);\n"
        "    if (p_step.decision).status <> 'posted' then\n      return p_step;\n    end if;",
        of="p_step.state",
    )
    decides = "".join(
        f"  when {_literal(name)} then\n    p_step := {function}(p_operation, p_step, p_now);\n"
        for name, function in deciding.items()
    )
    opens = calls("open", "p_settlement := {}(p_settlement, p_now);", of="p_settlement.state")
    writes = calls("write", "perform {}(p_decided, p_operations);", of="p_decided.state")
    return {
        OPEN: _filled("open_room_state.sql", {"{{settles}}\n": settles, "{{opens}}\n": opens}),
        FOLLOW: _filled("follow_posting.sql", {"{{follows}}\n": follows}),
        DECIDE: _filled("decide_by_room.sql", {"{{decides}}\n": decides}),
        WRITE: _filled("write_room_state.sql", {"{{writes}}\n": writes}),
    }


def posting_members(parts: Sequence[tuple[str, str, Sequence[str]]]) -> Mapping[str, str]:
    """The definitions of the functions for members of requests, by qualified name.

    Args:
        parts: the function that checks, the one that writes, and the names of the members, of each room.

    Raises:
        ValueError: a name is not one, is used twice, or is one of the kernel's.
    """
    names = [name for _, _, each in parts for name in each]
    wrong = [name for name in names if _MEMBER.fullmatch(name) is None or names.count(name) > 1]
    if wrong or "defaults" in names:
        raise ValueError(
            f"not a name of one member of requests: {', '.join(sorted({*wrong} or {'defaults'}))}"
        )

    def array(members: Sequence[str]) -> str:
        return f"'{{{','.join(members)}}}'::text[]"

    checks = "".join(_CHECK_MEMBERS.format(names=array(each), check=check) for check, _, each in parts)
    writes = "".join(_WRITE_MEMBERS.format(names=array(each), write=write) for _, write, each in parts)
    return {
        MEMBER_NAMES: _filled("posting_member_names.sql", {"{{names}}": array(names)}),
        CHECK_MEMBERS: _filled("check_posting_members.sql", {"{{checks}}\n": checks}),
        WRITE_MEMBERS: _filled("write_posting_members.sql", {"{{writes}}\n": writes}),
    }


def hook(name: str, functions: Sequence[str]) -> str:
    """The definition of a function of an earlier room that calls these, qualified names, in this order."""
    calls = "".join(f" || {function}(p_id)" for function in functions)
    return _filled("hook.sql", {"{{name}}": name, "{{calls}}": calls})


def test_clock_function() -> str:
    """The definition of the clock that can be set."""
    return _filled("test_clock.sql", {})


def operation_types(types: Sequence[OperationType]) -> str:
    """The definitions of the functions that find and list these types.

    Raises:
        ValueError: a name is not one, or used twice.
    """
    names = [each.name for each in types]
    wrong = [name for name in names if _TYPE_NAME.fullmatch(name) is None or names.count(name) > 1]
    if wrong:
        raise ValueError(f"not a name of one type of operation: {', '.join(sorted(set(wrong)))}")
    rows = ",\n".join(f"    {_literal(_record(each))}" for each in types)
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
    array = f"'{{{','.join(names)}}}'::text[]"
    return _filled(
        "operation_types.sql", {"{{types}}": rows, "{{array}}": array, "{{names}}": _literal(listed)}
    )


def masked_members(types: Sequence[EventType]) -> str:
    """The definition of the function that lists which members of a type's events the audit trail masks.

    Raises:
        ValueError: a name is not one, or used twice.
    """
    names = [each.name for each in types]
    wrong = [name for name in names if _EVENT_NAME.fullmatch(name) is None or names.count(name) > 1]
    if wrong:
        raise ValueError(f"not a name of one type of events: {', '.join(sorted(set(wrong)))}")
    rows = "\n".join(
        f"    when {_literal(each.name)} then array[{', '.join(map(_literal, each.masked))}]::text[]"
        for each in types
        if each.masked
    )
    return _filled("masked_members.sql", {"{{types}}": rows or "    when '' then '{}'::text[]"})


def _record(kind: OperationType) -> str:
    """The text of a value of the type ``wallet.operation_type``: its members, in their order."""
    members = (
        kind.name,
        kind.form,
        kind.direction,
        kind.counter_account,
        kind.mirrored,
        kind.mirrored_account,
        kind.users_operating,
        kind.users_mirrored,
        kind.refundable,
    )
    return f"({','.join(map(_member, members))})"


def _member(value: str | bool | None) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if _PLAIN.fullmatch(value) is None:
        raise ValueError(f"not a member of an operation type: {value!r}")
    return value


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _filled(name: str, parts: Mapping[str, str]) -> str:
    template = resources.files("wallet_service.platform.database") / "runner" / name
    text = template.read_text(encoding="utf-8").replace("\r\n", "\n")
    for place, part in parts.items():
        text = text.replace(place, part)
    return text
