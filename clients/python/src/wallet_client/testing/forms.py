"""The forms of requests: what each member must be, and what is said of one that is not."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias, cast
from uuid import UUID

from wallet_client.testing.problems import KINDS, Refusal, fault
from wallet_client.testing.store import MOST_METADATA_BYTES
from wallet_client.testing.values import MOST_UNITS_DIGITS, dumps

_LINE = re.compile(r"[^\u0000-\u001f\u007f-\u009f]*")
_LINES = re.compile(r"[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*")
_PRINTABLE = re.compile(r"[ -~]*")
_CODE = re.compile(r"[A-Z0-9]+")
_COUNTER = re.compile(r"(promotions|(revenue|external|promotions|expense):[A-Za-z0-9._:\-]{1,100})")
_PAIR = re.compile(r"[^=\u0000-\u001f\u007f-\u009f]+=[^\u0000-\u001f\u007f-\u009f]*")
_AMOUNT = re.compile(r"[0-9]{1,38}(\.[0-9]{1,38})?", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_WORDS = {"true": True, "1": True, "on": True, "t": True, "y": True, "yes": True} | {
    "false": False,
    "0": False,
    "off": False,
    "f": False,
    "n": False,
    "no": False,
}

MOST_ERRORS = 20


class Misfit(Exception):
    """A value that is not acceptable: a code, why, and where in the value."""

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer


Reader: TypeAlias = Callable[[Any], Any]
"""Makes of a value what is kept of it, or raises Misfit."""


@dataclass(frozen=True, slots=True)
class Member:
    """What a member of a form must be. ``nullable``: null is as good as absent."""

    read: Reader
    required: bool = False
    nullable: bool = True


Form: TypeAlias = Mapping[str, Member]


def read(form: Form, given: Mapping[str, Any], place: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The members that were given, without those that are null, and what is wrong with them."""
    members: dict[str, Any] = {}
    errors: list[dict[str, str]] = []
    for name, member in form.items():
        if name not in given:
            if member.required:
                errors.append(fault(place, f"/{name}", "missing", "Field required"))
            continue
        if given[name] is None and member.nullable:
            continue
        try:
            members[name] = member.read(given[name])
        except Misfit as misfit:
            errors.append(fault(place, f"/{name}{misfit.pointer}", misfit.code, misfit.detail))
    errors += [
        fault(place, f"/{_escaped(name)}", "extra_forbidden", "Extra inputs are not permitted")
        for name in given
        if name not in form
    ]
    return members, errors


def refusal_of(errors: Sequence[Mapping[str, str]]) -> Refusal:
    """The problem for what is wrong; one whose code is a problem's makes the whole that problem."""
    items = list(errors[:MOST_ERRORS])
    named = next((item for item in items if item["code"] in KINDS), None)
    if named is None:
        return Refusal("validation_failed", errors=items)
    return Refusal(named["code"], named["detail"], errors=items)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


# Readers of one value


def text(longest: int, pattern: re.Pattern[str], shortest: int = 0) -> Reader:
    """A string of such a length, of which all matches the pattern."""

    def reader(value: Any) -> str:
        if not isinstance(value, str):
            raise Misfit("string_type", "Input should be a valid string")
        for wrong, bound, code, least in (
            (len(value) < shortest, shortest, "string_too_short", "at least"),
            (len(value) > longest, longest, "string_too_long", "at most"),
        ):
            if wrong:
                plural = "" if bound == 1 else "s"
                raise Misfit(code, f"String should have {least} {bound} character{plural}")
        if not pattern.fullmatch(value):
            raise Misfit("string_pattern_mismatch", f"String should match pattern '^{pattern.pattern}$'")
        return value

    return reader


def choice(*values: str) -> Reader:
    """One of these strings."""
    *others, last = (f"'{value}'" for value in values)
    detail = f"Input should be {', '.join(others)} or {last}"

    def reader(value: Any) -> str:
        if value not in values:
            raise Misfit("literal_error", detail)
        return value

    return reader


def amount(value: Any) -> str:
    """More than 0, as plain decimal text with the digits that were given."""
    found = amount_or_zero(value)
    if Decimal(found) == 0:
        raise Misfit("amount_invalid", "an amount is more than 0")
    return found


def amount_or_zero(value: Any) -> str:
    """0 or more."""
    digits = value
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise Misfit("amount_invalid", "an amount is a decimal string")
        number = Decimal(value)
        if not number.is_finite() or abs(number.adjusted()) > 2 * MOST_UNITS_DIGITS:
            raise _too_large()
        digits = format(number, "f")
    if not _AMOUNT.fullmatch(digits):
        raise Misfit("amount_invalid", "an amount is a positive decimal number in ASCII digits")
    if Decimal(digits) != 0 and Decimal(digits).adjusted() >= MOST_UNITS_DIGITS:
        raise _too_large()
    return digits


def _too_large() -> Misfit:
    detail = f"an amount has at most {MOST_UNITS_DIGITS} digits before the point"
    return Misfit("amount_invalid", detail)


def boolean(value: Any) -> bool:
    """JSON's true or false."""
    if not isinstance(value, bool):
        raise Misfit("bool_type", "Input should be a valid boolean")
    return value


def word(value: Any) -> bool:
    """True or false, as a query writes it."""
    found = _WORDS.get(str(value).lower())
    if found is None:
        raise Misfit("bool_parsing", "Input should be a valid boolean, unable to interpret input")
    return found


def limit(value: Any) -> int:
    """How many items a page has."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", str(value)):
        detail = "Input should be a valid integer, unable to parse string as an integer"
        raise Misfit("int_parsing", detail)
    if int(value) < 1:
        raise Misfit("greater_than_equal", "Input should be greater than or equal to 1")
    if int(value) > 100:  # noqa: PLR2004 - said in the next line
        raise Misfit("less_than_equal", "Input should be less than or equal to 100")
    return int(value)


def uuid(value: Any) -> str:
    """A UUID, as the service writes it."""
    if not isinstance(value, str):
        raise Misfit("uuid_type", "UUID input should be a string, bytes or UUID object")
    try:
        return str(UUID(value))
    except ValueError:
        raise Misfit("uuid_parsing", "Input should be a valid UUID") from None


def timestamp(value: Any) -> str:
    """RFC 3339 with an offset, put into UTC."""
    if not isinstance(value, str):
        raise Misfit("string_type", "Input should be a valid string")
    if not _TIMESTAMP.fullmatch(value):
        raise Misfit("timestamp_invalid", "must be RFC 3339 with an offset from UTC")
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper())).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Misfit("timestamp_invalid", "there is no such moment") from None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def metadata(value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Misfit("dict_type", "Input should be a valid dictionary")
    if len(dumps(value).encode()) > MOST_METADATA_BYTES:
        raise Misfit("too_long", "metadata has at most 16 KiB as JSON")
    return cast("dict[str, Any]", value)


def pairs(value: Any) -> list[list[str]]:
    """``key=value`` texts, of a member of a query that can come several times."""
    if len(value) > MOST_PAIRS:
        detail = f"List should have at most {MOST_PAIRS} items after validation, not {len(value)}"
        raise Misfit("too_long", detail)
    found: list[list[str]] = []
    for index, each in enumerate(value):
        try:
            found.append(list(_pair(each).partition("=")[::2]))
        except Misfit as misfit:
            raise Misfit(misfit.code, misfit.detail, f"/{index}") from None
    return found


def operations(value: Any) -> list[Any]:
    """Those of a batch; each is read by itself."""
    if not isinstance(value, list):
        raise Misfit("list_type", "Input should be a valid list")
    found = cast("list[Any]", value)
    if not found:
        detail = "List should have at least 1 item after validation, not 0"
        raise Misfit("too_short", detail)
    if len(found) > MOST_OPERATIONS:
        detail = f"List should have at most {MOST_OPERATIONS} items after validation, not {len(found)}"
        raise Misfit("too_long", detail)
    return found


MOST_OPERATIONS = 500
MOST_PAIRS = 10

_pair = text(512, _PAIR)

line = text(255, _LINE, 1)
lines = text(1000, _LINES)
key = text(255, _PRINTABLE, 1)
currency = text(32, _CODE, 1)
counter_account = text(1000, _COUNTER)
network = text(64, _LINE, 1)
cursor = text(1024, re.compile(r"(?s).*"))
wallet_type = choice("fiat", "crypto", "hybrid")
kind = choice("deposit", "withdraw", "consume", "transfer", "reward", "fee", "refund")

# The forms, their members in the order in which the service reports them.

_KEYED: Form = {"dry_run": Member(boolean, nullable=False), "idempotency_key": Member(key)}
_DETAILS: Form = {
    "description": Member(lines),
    "reference": Member(line),
    "metadata": Member(metadata),
    "effective_at": Member(timestamp),
}
_NEEDED = Member(amount, required=True, nullable=False)
_A_WALLET = Member(uuid, required=True, nullable=False)
_MONEY: Form = {**_DETAILS, "amount": _NEEDED, "counter_account": Member(counter_account)}
_TRANSFER: Form = {**_DETAILS, "amount": _NEEDED, "to_wallet_id": _A_WALLET}
_REFUND: Form = {**_DETAILS, "amount": Member(amount)}

MONEY: Form = {**_KEYED, **_MONEY}
TRANSFER: Form = {**_KEYED, **_TRANSFER}
REFUND: Form = {**_KEYED, **_REFUND}


def _in_batch(form: Form, place: str) -> Form:
    return {**form, "type": Member(kind), place: _A_WALLET, "idempotency_key": Member(key)}


OF_A_BATCH: Mapping[str, Form] = {
    **dict.fromkeys(("deposit", "withdraw", "consume", "reward", "fee"), _in_batch(_MONEY, "wallet_id")),
    "transfer": _in_batch(_TRANSFER, "wallet_id"),
    "refund": _in_batch(_REFUND, "original_transaction_id"),
}
BATCH: Form = {
    "operations": Member(operations, required=True, nullable=False),
    "atomic": Member(boolean, nullable=False),
    "dry_run": Member(boolean, nullable=False),
}

WALLET: Form = {
    "user_id": Member(line, required=True, nullable=False),
    "wallet_type": Member(wallet_type, nullable=False),
    "currency": Member(currency, nullable=False),
    "name": Member(line, nullable=False),
    "organization_id": Member(line),
    "network": Member(network),
    "address": Member(line),
    "initial_balance": Member(amount_or_zero),
    "credit_limit": Member(amount_or_zero),
    "metadata": Member(metadata),
    "idempotency_key": Member(key),
}
PATCH: Form = {
    "name": Member(line, nullable=False),
    "metadata": Member(lambda value: None if value is None else metadata(value), nullable=False),
    "status": Member(choice("active", "frozen"), nullable=False),
    "is_primary": Member(boolean, nullable=False),
    "credit_limit": Member(amount_or_zero, nullable=False),
}

_PAGE: Form = {"cursor": Member(cursor), "limit": Member(limit)}
NO_QUERY: Form = {}
USER_WALLETS: Form = {
    "wallet_type": Member(wallet_type),
    "currency": Member(currency),
    "status": Member(choice("active", "frozen", "closed")),
    **_PAGE,
}
ALL_WALLETS: Form = {"verified": Member(word), **_PAGE}
BALANCE: Form = {"at": Member(timestamp)}
PERIOD: Form = {
    "from": Member(timestamp),
    "to": Member(timestamp),
    "interval": Member(choice("day", "month")),
}
HISTORY: Form = {
    "type": Member(kind),
    "from": Member(timestamp),
    "to": Member(timestamp),
    "min_amount": Member(amount_or_zero),
    "max_amount": Member(amount_or_zero),
    "reference": Member(line),
    "counter_account": Member(line),
    "metadata": Member(pairs),
    **_PAGE,
}
