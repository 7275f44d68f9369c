"""Functions that ``migrate`` writes from the rooms' declarations, for the kernel."""

import re
from collections.abc import Mapping, Sequence
from importlib import resources

from wallet_service.core.room import OperationType

DISPATCHER = "wallet.apply_posting_rules"
"""The ledger's function that step 4 of the kernel calls. Without rules it stays as the ledger has it."""

_CALL = """\
  v_refusal := {rule}(p_operation, p_decision, p_decisions);
  if v_refusal.code is not null then
    return wallet.build_refusal(v_refusal.code, coalesce(v_refusal.facts, '{{}}'));
  end if;
"""
_TYPE_NAME = re.compile(r"[a-z][a-z_]{0,39}")


def dispatcher(rules: Sequence[str]) -> str:
    """The definition of the dispatcher that calls these functions, names with their schemas, in this order."""
    calls = "".join(_CALL.format(rule=rule) for rule in rules)
    return _filled("posting_rules.sql", {"{{rules}}\n": calls})


def operation_types(types: Sequence[OperationType]) -> str:
    """The definitions of the functions that find and list these types.

    Raises:
        ValueError: a name is not one, or used twice.
    """
    names = [each.name for each in types]
    wrong = [name for name in names if _TYPE_NAME.fullmatch(name) is None or names.count(name) > 1]
    if wrong:
        raise ValueError(f"not a name of one type of operation: {', '.join(sorted(set(wrong)))}")
    rows = "".join(
        f"    when {_literal(each.name)} then\n      return row({', '.join(_values(each))})::wallet.operation_type;\n"
        for each in types
    )
    listed = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)
    return _filled("operation_types.sql", {"{{types}}\n": rows, "{{names}}": _literal(listed)})


def _values(kind: OperationType) -> list[str]:
    """In the order of the members of the type ``wallet.operation_type``."""
    return [
        _literal(kind.name),
        _literal(kind.form),
        _literal(kind.direction),
        _literal(kind.counter_account),
        str(kind.mirrored).lower(),
        _literal(kind.mirrored_account),
        str(kind.users_operating).lower(),
        str(kind.users_mirrored).lower(),
        str(kind.refundable).lower(),
    ]


def _literal(text: str | None) -> str:
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def _filled(name: str, parts: Mapping[str, str]) -> str:
    template = resources.files("wallet_service.platform.database") / "runner" / name
    text = template.read_text(encoding="utf-8").replace("\r\n", "\n")
    for place, part in parts.items():
        text = text.replace(place, part)
    return text
