"""A call of the service before anything is sent: what goes out, and how the answer is read."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from wallet_client.keys import quoted

T = TypeVar("T")

Id: TypeAlias = str | UUID
"""What names a wallet, a transaction or a user."""

ROOT = "/api/v1"

LONGEST_HEADER = 4096

_MARK = os.urandom(16).hex()
"""Stands for a number while JSON is written; nobody else can have it in a text."""

_MARKED = re.compile(rf'"{_MARK}(\d+)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """A success.

    Attributes:
        document: its JSON, numbers with a point as Decimal.
        replayed: the key was spent before, and this is the first answer again.
        earlier_try_open: an earlier try was not answered; what a batch refuses may have been done by it, or may be yet.
    """

    document: Any
    replayed: bool
    earlier_try_open: bool = False


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call, which may be sent more than once.

    Attributes:
        name: for metrics, traces and logs, such as ``consume``.
        route: the path before names are put in; without anybody's data.
        target: path and query.
        read: makes the result of a success; LookupError, TypeError, ValueError or ArithmeticError: it can't be read.
        writes: whether it changes something.
        key: its idempotency key, the same whenever it is sent.
        headers: beside those of every call.
    """

    name: str
    method: str
    route: str
    target: str
    read: Callable[[Answer], T]
    writes: bool = False
    key: str | None = None
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


def get(
    name: str, route: str, read: Callable[[Answer], T], query: Mapping[str, Any] | None = None, **names: Id
) -> Call[T]:
    """A call that reads. Members of the query that are None are left out."""
    return Call(name, "GET", ROOT + route, target(route, query, **names), read)


def post(
    name: str, route: str, read: Callable[[Answer], T], body: Mapping[str, Any], key: str, **names: Id
) -> Call[T]:
    """A call that changes something once for each key. Members of the body that are None are left out."""
    sent = {member: value for member, value in body.items() if value is not None}
    return Call(
        name,
        "POST",
        ROOT + route,
        target(route, None, **names),
        read,
        writes=sent.get("dry_run") is not True,
        key=key,
        body=encode(sent),
    )


def target(route: str, query: Mapping[str, Any] | None = None, **names: Id) -> str:
    """Path and query.

    Raises:
        TypeError: a name is none.
        ValueError: a name is empty or would be taken for a step in the path.
    """
    path = ROOT + route.format_map({name: _segment(value) for name, value in names.items()})
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _segment(name: Id) -> str:
    text = quoted(name)
    if text in {".", ".."}:
        raise ValueError(f"{text!r} can't be a name in a path")
    return text


def is_header(value: str) -> bool:
    """Whether it can be a header's value: printable ASCII characters, no blank at an end."""
    return (
        0 < len(value) <= LONGEST_HEADER
        and value.isascii()
        and value.isprintable()
        and value == value.strip()
    )


def moment(at: datetime | None) -> str | None:
    """A moment as the service reads it.

    Raises:
        ValueError: it has no time zone, so nobody knows which moment it is.
    """
    if at is None:
        return None
    if at.utcoffset() is None:
        raise ValueError("a datetime without a time zone is no moment; use datetime.now(UTC)")
    return at.isoformat()


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON with each Decimal's digits.

    Raises:
        TypeError: something is not JSON.
        ValueError: a number is not finite, or something holds itself.
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
