"""Cuts a streamed body into records: CSV with a header, or JSON lines."""

import csv
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from wallet_service.errors import MalformedRequest, ValidationFailed, WalletError
from wallet_service.http.strict_json import loads
from wallet_service.imports.schemas import ImportLine

LONGEST_RECORD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """A record, or why it can't be read, and the number of the line on which it starts."""

    line: int
    document: Any | WalletError


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    pending = b""
    async for chunk in chunks:
        *complete, pending = (pending + chunk).split(b"\n")
        for line in complete:
            yield line.removesuffix(b"\r")
        if len(pending) > LONGEST_RECORD_BYTES:
            raise MalformedRequest(f"A record has at most {LONGEST_RECORD_BYTES} bytes")
    if pending:
        yield pending.removesuffix(b"\r")


def _text(line: bytes) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest("The body is not UTF-8") from error
    if "\0" in text:
        raise ValidationFailed("A text contains U+0000")
    return text


async def json_records(chunks: AsyncIterator[bytes]) -> AsyncIterator[Record]:
    """The objects of a body of JSON lines; empty lines count and are passed over."""
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
    """The rows of a CSV as objects; an empty field is left out, ``metadata`` is JSON.

    Raises:
        ValidationFailed: the header names a column that no import has.
    """
    header: list[str] | None = None
    async for number, text in _csv_texts(chunks):
        (row,) = csv.reader([text], strict=True)
        if header is None:
            header = _header(row)
            continue
        yield Record(number, _row(header, row))


async def _csv_texts(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, str]]:
    """A record goes on to the next line while a quote is open."""
    number, start, open_text = 0, 0, ""
    async for line in _lines(chunks):
        number += 1
        if not open_text:
            start = number
            if not line.strip():
                continue
        open_text += ("\n" if open_text else "") + _text(line)
        if len(open_text) > LONGEST_RECORD_BYTES:
            raise MalformedRequest(f"A record has at most {LONGEST_RECORD_BYTES} bytes")
        if open_text.count('"') % 2 == 0:
            yield start, open_text
            open_text = ""
    if open_text:
        raise MalformedRequest(f"The quote that opens on line {start} is not closed")


def _header(row: list[str]) -> list[str]:
    names = [name.strip().removeprefix("\ufeff") for name in row]
    unknown = [name for name in names if name not in ImportLine.model_fields]
    if unknown or len(set(names)) != len(names) or "user_id" not in names:
        known = ", ".join(ImportLine.model_fields)
        raise ValidationFailed(
            f"The first line names each column once, user_id among them; columns are {known}"
        )
    return names


def _row(header: list[str], row: list[str]) -> Any | WalletError:
    if len(row) != len(header):
        return ValidationFailed(f"The row has {len(row)} fields, the header {len(header)}")
    document: dict[str, Any] = {name: field for name, field in zip(header, row, strict=True) if field != ""}
    if "metadata" in document:
        try:
            document["metadata"] = loads(document["metadata"].encode())
        except WalletError as error:
            return error
    return document


def outcome_line(line: int, status: str, wallet_id: str | None, problem: dict[str, Any] | None) -> bytes:
    """One line of the answer."""
    outcome = {"line": line, "status": status, "wallet_id": wallet_id, "problem": problem}
    return json.dumps(outcome, separators=(",", ":"), default=str).encode() + b"\n"
