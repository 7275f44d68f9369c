"""The members of requests: one table of what each must be."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from wallet_client.testing.problems import NotInFakeWallet, Refusal
from wallet_client.testing.values import MAX_WHOLE_DIGITS, dumps, moment_text, trimmed

MAX_METADATA_BYTES = 16 * 1024
MAX_OPERATIONS = 500


def _text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


_LINE = _text(r"[^\0-\x1f\x7f-\x9f]{1,255}")
_ID = _text(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AMOUNT = rf"0{{0,18}}[0-9]{{1,{MAX_WHOLE_DIGITS}}}(\.[0-9]{{1,38}})?"

FIELDS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("address", "name", "organization_id", "reference"), _LINE),
    "user_id": lambda value: _LINE(value) and not {".", ".."} & set(value.split("/")),
    **dict.fromkeys(("original_transaction_id", "to_wallet_id", "transaction_id", "wallet_id"), _ID),
    **dict.fromkeys(("atomic", "dry_run", "is_primary"), lambda value: isinstance(value, bool)),
    **dict.fromkeys(("credit_limit", "initial_balance"), _text(_AMOUNT)),
    "amount": _text(rf"(?=.*[1-9]){_AMOUNT}"),
    "counter_account": _text(
        r"promotions|breakage|(revenue|external|promotions|expense|fx):[A-Za-z0-9._:\-]{1,100}"
    ),
    "currency": _text(r"[A-Z0-9]{1,32}"),
    "description": _text(r"[^\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]{0,1000}"),
    "effective_at": _text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"),
    "idempotency_key": _text(r"[ -~]{1,255}"),
    "keeping": _text(r"operating|mirrored"),
    "metadata": lambda value: isinstance(value, dict) and len(dumps(value).encode()) <= MAX_METADATA_BYTES,
    "network": _text(r"[^\0-\x1f\x7f-\x9f]{1,64}"),
    "operations": lambda value: (
        isinstance(value, list) and 1 <= len(cast("list[Any]", value)) <= MAX_OPERATIONS
    ),
    "status": _text(r"active|frozen"),
    "wallet_type": _text(r"fiat|crypto|hybrid"),
}
"""Whether the value of a member is acceptable."""

_CONVERSIONS: Mapping[str, Callable[[Any], str]] = {
    **dict.fromkeys(("amount", "credit_limit", "initial_balance"), trimmed),
    "effective_at": lambda value: moment_text(datetime.fromisoformat(value)),
}


def read(given: Mapping[str, Any], place: str, required: str = "", optional: str = "") -> dict[str, Any]:
    """The members of a request that have a value, amounts and moments in the form in which they are kept.

    Raises Refusal of members that are missing or not acceptable, and NotInFakeWallet of any that has no name in
    ``required`` and ``optional``, which have blanks between names.
    """
    unknown = given.keys() - {*required.split(), *optional.split()}
    if unknown:
        raise NotInFakeWallet(f"{' and '.join(sorted(unknown))} in the {place} of this request")
    present = {name: value for name, value in given.items() if value is not None}
    faults = {name: "missing" for name in required.split() if name not in present}
    for name, value in present.items():
        if not FIELDS[name](value):
            faults[name] = "amount_invalid" if _CONVERSIONS.get(name) is trimmed else "not_acceptable"
    if faults:
        raise invalid(place, faults)
    return {
        name: _CONVERSIONS[name](value) if name in _CONVERSIONS else value for name, value in present.items()
    }


def invalid(place: str, faults: Mapping[str, str]) -> Refusal:
    """The refusal of these members, each for a code; the name "" stands for all of the body."""
    errors = [
        {"in": place, "pointer": f"/{name}" if name else "", "detail": code, "code": code}
        for name, code in faults.items()
    ]
    code = "amount_invalid" if "amount_invalid" in faults.values() else "validation_failed"
    return Refusal(code, errors=errors)
