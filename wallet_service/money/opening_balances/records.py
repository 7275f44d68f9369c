"""Divides a streamed body into records: CSV with a header, or JSON lines."""

import csv
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from wallet_service.core.errors import MalformedRequest, ValidationFailed, WalletError
from wallet_service.money.opening_balances.schemas import ImportLine
from wallet_service.platform.web.strict_json import loads

LONGEST_RECORD_BYTES = 64 * 1024
LONGEST_NAME = 64
"""Most characters of an unknown column's name in a problem."""

# A quote opens a field only at the start of the field; elsewhere it is an ordinary character.
_FIELD = rb'(?:"(?:[^"]|"")*+"|(?!"))[^,]*+'
_WHOLE = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+")
"""A line that starts and ends outside of quotes."""
_CONTINUES = re.compile(rb'(?:[^"]|"")*+"[^,]*+(?:,' + _FIELD + rb")*+")
"""A line that starts within quotes and ends outside of them."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record, or the error why it can't be read, and the number of the line on which it starts."""

    line: int
    document: Any | WalletError


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    pending = b""
    async for chunk in chunks:
        *complete, pending = (pending + chunk).split(b"\n")
        for line in complete:
            yield _bounded(line.removesuffix(b"\r"))
        _bounded(pending)
    if pending:
        yield pending.removesuffix(b"\r")


def _bounded(record: bytes) -> bytes:
    if len(record) > LONGEST_RECORD_BYTES:
        raise MalformedRequest(f"A record has at most {LONGEST_RECORD_BYTES} bytes")
    return record


async def json_records(chunks: AsyncIterator[bytes]) -> AsyncIterator[Record]:
    """The objects of a body of JSON lines; empty lines are counted and skipped."""
    number = 0
    async for line in _lines(chunks):
        number += 1
        if not line.strip():
            continue
        try:
            yield Record(number, loads(line))
        except WalletError as error:
            yield Record(number, error)


async def csv_records(chunks: AsyncIterator[bytes]) -> AsyncIterator[Record]:
    """The rows of a CSV as objects; an empty field but the balance is left out, ``metadata`` is JSON.

    Raises:
        ValidationFailed: the header has an unknown column, a column twice, or no user_id.
        MalformedRequest: a record is too long, or a quoted field is not closed.
    """
    header: list[str] | None = None
    async for number, record in _csv_records(chunks):
        row = _fields(record)
        if header is None:
            header = _header(row)
        else:
            yield Record(number, _row(header, row))


async def _csv_records(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """The records with their first line. While a quoted field is open, a record continues on the next line."""
    number, start, record = 0, 0, b""
    async for line in _lines(chunks):
        number += 1
        if record:
            record, whole = _bounded(record + b"\n" + line), _CONTINUES
        elif line.strip():
            start, record, whole = number, line, _WHOLE
        else:
            continue
        if whole.fullmatch(line):
            yield start, record
            record = b""
    if record:
        raise MalformedRequest(f"The quote that opens on line {start} is not closed")


def _fields(record: bytes) -> list[str] | WalletError:
    try:
        text = record.decode()
        (row,) = csv.reader([text], strict=True)
    except UnicodeDecodeError:
        return MalformedRequest("The row is not UTF-8")
    except csv.Error:
        return ValidationFailed("The row has quotes or line ends that are not valid in CSV")
    return ValidationFailed("A text contains U+0000") if "\0" in text else row


def _header(row: list[str] | WalletError) -> list[str]:
    if isinstance(row, WalletError):
        raise row
    names = [name.strip().removeprefix("\ufeff") for name in row]
    unknown = [name for name in names if name not in ImportLine.model_fields]
    if unknown or len(set(names)) != len(names) or "user_id" not in names:
        known = ", ".join(ImportLine.model_fields)
        raise ValidationFailed(
            f"The first line must name each column once, and user_id among them{_no_column(unknown)}."
            f" Columns are {known}"
        )
    return names


def _no_column(unknown: list[str]) -> str:
    """The first unknown column, with the closest known one."""
    if not unknown:
        return ""
    closest = get_close_matches(unknown[0][:LONGEST_NAME], ImportLine.model_fields, n=1)
    hint = f", the closest one is {closest[0]}" if closest else ""
    return f"; there is no column {json.dumps(unknown[0][:LONGEST_NAME])}{hint}"


def _row(header: list[str], row: list[str] | WalletError) -> Any | WalletError:
    if isinstance(row, WalletError):
        return row
    if len(row) != len(header):
        return ValidationFailed(f"The row has {len(row)} fields, the header {len(header)}")
    # An empty balance is a gap in the export rather than 0, and 0 could not be corrected by another import.
    document: dict[str, Any] = {
        name: field for name, field in zip(header, row, strict=True) if field != "" or name == "balance"
    }
    if "metadata" in document:
        try:
            document["metadata"] = loads(document["metadata"].encode())
        except WalletError as error:
            return error
    return document


def outcome_line(line: int, status: str, wallet_id: str | None, problem: dict[str, Any] | None) -> bytes:
    """One line of the response."""
    outcome = {"line": line, "status": status, "wallet_id": wallet_id, "problem": problem}
    return json.dumps(outcome, separators=(",", ":"), default=str).encode() + b"\n"


READERS: Mapping[str, Callable[[AsyncIterator[bytes]], AsyncIterator[Record]]] = {
    "text/csv": csv_records,
    "application/x-ndjson": json_records,
    "application/jsonl": json_records,
}
"""What reads the records of a body or file, by its media type."""
