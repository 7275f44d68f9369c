"""Functions that ``migrate`` writes from the rooms' declarations, for the kernel."""

import re
from collections.abc import Mapping, Sequence
from importlib import resources

from wallet_service.core.room import EventType, OperationType

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
_PLAIN = re.compile(r"[A-Za-z0-9._:_-]+")
_TYPE_NAME = re.compile(r"[a-z][a-z_]{0,39}")
_EVENT_NAME = re.compile(r"[a-z][a-z_]{0,39}\.[a-z][a-z_]{0,39}")


def dispatcher(rules: Sequence[str]) -> str:
    """The definition of the dispatcher that calls these functions, names with their schemas, in this order."""
    calls = "".join(_CALL.format(rule=rule) for rule in rules)
    return _filled("posting_rules.sql", {"{{rules}}\n": calls})


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
    )
    return _filled("masked_members.sql", {"{{types}}": rows})


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
