"""Types of request members that several rooms share."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import simplejson
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_METADATA_BYTES = 16 * 1024

NO_CONTROL = r"^[^\u0000-\u001f\u007f-\u009f]*$"
"""A pattern: one line, without control characters."""
_NO_CONTROL_BUT_LINES = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)

Line = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NO_CONTROL)]
"""A name or reference: one line of 1 to 255 characters."""

_DOT_PART = re.compile(r"(?:.*/)?\.{1,2}(?:/.*)?", re.DOTALL)


def _reachable(user_id: str) -> str:
    if _DOT_PART.fullmatch(user_id):
        raise PydanticCustomError(
            "user_id_unreachable",
            "must not be . or .., nor have them between slashes: clients and proxies remove these from a path",
        )
    return user_id


UserId = Annotated[
    Line,
    AfterValidator(_reachable),
    Field(json_schema_extra={"not": {"pattern": r"^(.*/)?\.{1,2}(/.*)?$"}}),
]
"""The user of a new wallet: a line that is reachable as a segment of every path. Paths that read accept any ``Line``, so
that wallets of an earlier release stay readable."""

Text = Annotated[str, StringConstraints(max_length=1000, pattern=_NO_CONTROL_BUT_LINES)]
"""A description: at most 1000 characters; tabs and line ends are allowed."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[ -~]*$")]
"""An idempotency key in a body: 1 to 255 printable ASCII characters."""

_CURRENCY = r"^[A-Z0-9]+$"


def _in_capitals(code: str) -> str:
    if re.fullmatch(_CURRENCY, code) is None:
        raise PydanticCustomError(
            "string_pattern_mismatch", "a currency is capital letters and digits, such as USD"
        )
    return code


CurrencyCode = Annotated[
    str,
    StringConstraints(min_length=1, max_length=32),
    AfterValidator(_in_capitals),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 32, "pattern": _CURRENCY}),
]
"""The code of a currency; GET /api/v1/currencies lists them."""


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    text = simplejson.dumps(metadata, use_decimal=True, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MAX_METADATA_BYTES:
        raise PydanticCustomError("too_long", "metadata has at most 16 KiB as JSON")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_small), Field(examples=[{"model": "small"}])]
"""A JSON object of the caller, at most 16 KiB."""


def _moment(text: str) -> str:
    if not _TIMESTAMP.fullmatch(text):
        # In a query, a + stands for a blank.
        if _TIMESTAMP.fullmatch(re.sub(r" (?=\d{2}:\d{2}$)", "+", text)):
            raise PydanticCustomError(
                "timestamp_invalid", "has a blank before its offset from UTC: in a URL, + is written %2B"
            )
        raise PydanticCustomError(
            "timestamp_invalid", "must be RFC 3339 with an offset from UTC, such as 2026-01-31T12:00:00Z"
        )
    try:
        # Cut to six digits of a second, as the database stores them: it would round up, even past the year 9999.
        # In UTC, because the database accepts offsets up to 15:59 only.
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper())).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("timestamp_invalid", "there is no such moment") from None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


Timestamp = Annotated[
    str,
    AfterValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]}),
]
"""An RFC 3339 timestamp with an offset, converted to UTC. It stays text on its way to the database."""


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _existing_day(text: str) -> str:
    if not _DAY.fullmatch(text):
        raise PydanticCustomError("day_invalid", "must be a day, such as 2026-01-31")
    try:
        date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("day_invalid", "there is no such day") from None
    return text


Day = Annotated[
    str,
    AfterValidator(_existing_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-01-31"]}),
]
"""A day of the years 1 to 9999, as text on its way to the database."""


def each_once(ids: list[UUID]) -> list[UUID]:
    """The ids of a list that has none twice.

    Raises:
        PydanticCustomError: it has; the error's type is ``ids_repeated``.
    """
    if len(set(ids)) < len(ids):
        raise PydanticCustomError("ids_repeated", "an id is given once")
    return ids


TimeZone = Annotated[
    str,
    StringConstraints(
        max_length=64, pattern=r"^(UTC|[A-Za-z_]+(/[A-Za-z_\-]+){1,2}|Etc/GMT[+\-][0-9]{1,2})$"
    ),
    Field(examples=["Europe/Berlin"]),
]
"""A name of the IANA time zone database. The database checks that there is one of this name (``wallet.is_time_zone``)."""


def whole(value: Any) -> Any:
    """A number without decimals, such as 60.0, as an integer: it is one in JSON Schema. For ``BeforeValidator``."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() < 10**9 else value


By = Annotated[
    Literal["posted", "effective"],
    Field(
        description="Which moment of an entry counts. `posted` (the default): when it was posted, so the result never "
        "changes afterwards. `effective`: when it happened (`effective_at`), so what is entered late is included.",
    ),
]
"""The parameter ``by``."""

WalletAccount = Annotated[
    str,
    StringConstraints(pattern=r"^wallet:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
    Field(examples=["wallet:0199d0a8-0000-7000-8000-0000000000bb"]),
]
"""A wallet as the other side of an entry."""

CounterAccount = Annotated[
    str,
    StringConstraints(
        pattern=r"^(promotions|breakage|(revenue|external|promotions|expense|fx|mirrored):[A-Za-z0-9._:\-]{1,100})$",
    ),
    Field(examples=["revenue:usage:model-small"]),
]
"""The counter account of an entry: revenue:…, external:…, promotions, promotions:…, expense:…, breakage or fx:…, and
mirrored:… for a mirrored wallet. SQL has the same rule (``wallet.is_counter_account``)."""
