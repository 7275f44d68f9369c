"""One call of the service, before anything is sent: the request, and how its response is read."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from wallet_client.keys import checked, new_key, quoted

T = TypeVar("T")

Id: TypeAlias = str | UUID
"""Names a wallet, a transaction or a user."""

Moment: TypeAlias = datetime | str
"""A point in time: a datetime with a time zone, or text such as ``2026-11-01T00:00:00Z``."""

By: TypeAlias = Literal["posted", "effective"]
"""Which moment of an entry counts: when it was posted, or when it happened."""

EntryType: TypeAlias = Literal[
    "deposit",
    "withdraw",
    "consume",
    "transfer",
    "reward",
    "fee",
    "refund",
    "adjustment",
    "exchange",
    "payment",
]
"""The types of entries that a list can be asked for."""

JobState: TypeAlias = Literal["due", "queued", "running", "paused", "succeeded", "dead", "cancelled"]
"""What a list of jobs can be asked for: a status, or ``due``."""

ROOT = "/api/v1"

PAGE_SIZE = 100
"""The number of items in the largest page that the service returns."""

LONGEST_HEADER = 4096

_MARK = os.urandom(16).hex()
"""Stands for a number while JSON is written. It is random, so no text of the caller can contain it."""

_RIGHT_MOMENTS = (
    'Give text such as "2026-11-01T00:00:00Z", or a datetime with a time zone, such as datetime.now(UTC)'
)

_MARKED = re.compile(rf'"{_MARK}(\d+)"')


class Unset(Enum):
    """The type of ``UNSET``."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""The default of an argument for which None has a meaning of its own: "leave this member as it is"."""


@dataclass(frozen=True, slots=True)
class SuccessResponse:
    """A response with a status from 200 to 299.

    Attributes:
        document: its JSON, in which numbers with a decimal point are Decimal; of a call with ``reads_bytes``, its bytes;
            None of a response without a body.
        replayed: the idempotency key was used before, and this is the first response again.
        earlier_attempt_open: an earlier attempt got no response. What a batch refuses may have been done by that attempt,
            or may still be done by it.
    """

    document: Any
    replayed: bool
    earlier_attempt_open: bool = False


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call, which may be sent more than once.

    Attributes:
        name: for metrics, traces and logs, such as ``consume``.
        route: the path before ids are filled in, so it holds no personal data.
        target: path and query.
        read: converts a success into the result. It raises LookupError, TypeError, ValueError or ArithmeticError if
            the response can't be read.
        writes: whether the call changes something.
        key: the idempotency key, the same for every attempt.
        headers: sent in addition to the headers of every call.
        content_type: of the body.
        reads_bytes: whether the response is no JSON.
    """

    name: str
    method: str
    route: str
    target: str
    read: Callable[[SuccessResponse], T]
    writes: bool = False
    key: str | None = None
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    reads_bytes: bool = False


def get_call(
    name: str,
    route: str,
    read: Callable[[SuccessResponse], T],
    query: Mapping[str, Any] | None = None,
    **ids: Id | int,
) -> Call[T]:
    """A call that reads. Query parameters that are None are left out."""
    return Call(name, "GET", ROOT + route, target(route, query, **ids), read)


def post_call(
    name: str,
    route: str,
    read: Callable[[SuccessResponse], T],
    body: Mapping[str, Any],
    key: str | None,
    **ids: Id | int,
) -> Call[T]:
    """A call that changes something once per idempotency key. Members of the body that are None are left out.

    Without a key of the caller, the call gets a new one here: before its first attempt, so that all attempts share it.

    Raises:
        TypeError: the body is not JSON, or an id is not a name.
        ValueError: the key can't be sent in a header, a number is not finite, or an id is empty.
    """
    sent = {member: value for member, value in body.items() if value is not None}
    return Call(
        name,
        "POST",
        ROOT + route,
        target(route, None, **ids),
        read,
        writes=sent.get("dry_run") is not True,
        key=new_key() if key is None else checked(key),
        body=encode(sent),
    )


def change_call(
    name: str,
    method: str,
    route: str,
    read: Callable[[SuccessResponse], T],
    body: bytes | None,
    if_version: int | str | None,
    **ids: Id | int,
) -> Call[T]:
    """A call without an idempotency key, which changes something only while it has the version or etag that is given."""
    headers = () if if_version is None else (("If-Match", f'"{if_version}"'),)
    return Call(
        name, method, ROOT + route, target(route, None, **ids), read, writes=True, body=body, headers=headers
    )


def target(route: str, query: Mapping[str, Any] | None = None, **ids: Id | int) -> str:
    """Path and query.

    Raises:
        TypeError: an id is not a str, an int or a UUID.
        ValueError: an id is empty, or ``.`` or ``..``, which are steps in a path.
    """
    path = ROOT + route.format_map({name: _segment(value) for name, value in ids.items()})
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _segment(name: Id | int) -> str:
    text = quoted(name)
    if text in {".", ".."}:
        raise ValueError(f"{text!r} can't be a name in a path")
    return text


def is_header(value: str) -> bool:
    """Whether the value can be sent in a header: printable ASCII characters, no blank at either end."""
    return (
        0 < len(value) <= LONGEST_HEADER
        and value.isascii()
        and value.isprintable()
        and value == value.strip()
    )


def day_text(day: date | str | None) -> str | None:
    """A day as the service reads it, which refuses a text that is none."""
    return day.isoformat() if isinstance(day, date) else day


def moment(at: Moment | None, argument: str) -> str | None:
    """A point in time as the service reads it.

    Raises:
        TypeError: it is not a datetime or a text, such as a date.
        ValueError: the text can't be read, or there is no time zone, so that the point in time is not known.
    """
    if at is None:
        return None
    read = at
    if isinstance(read, str):
        try:
            read = datetime.fromisoformat(read.upper())
        except ValueError:
            raise ValueError(f"{argument} can't be read: {at!r:.60}. {_RIGHT_MOMENTS}") from None
    if not isinstance(read, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]  # for callers without a type checker
        raise TypeError(f"{argument} is of the type {type(at).__name__}. {_RIGHT_MOMENTS}")
    if read.utcoffset() is None:
        raise ValueError(
            f"{argument} has no time zone, so it is not a point in time: {at!r:.60}. {_RIGHT_MOMENTS}"
        )
    return read.isoformat()


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON in which a Decimal keeps its digits.

    Raises:
        TypeError: a value is not JSON.
        ValueError: a number is not finite, or a value contains itself.
    """
    numbers: list[str] = []

    def default(value: Any) -> str:
        if not isinstance(value, Decimal):
            raise TypeError(f"{type(value).__name__} is not JSON")
        if not value.is_finite():
            raise ValueError(f"{value} is not JSON")
        numbers.append(str(value))
        return f"{_MARK}{len(numbers) - 1}"

    text = json.dumps(body, default=default, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    if numbers:
        text = _MARKED.sub(lambda found: numbers[int(found[1])], text)
    return text.encode()
