import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_service.core.errors import MalformedRequest, ValidationFailed, WalletError
from wallet_service.money.opening_balances.records import (
    LONGEST_RECORD_BYTES,
    Record,
    csv_records,
    json_records,
    outcome_line,
)


async def pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def rows(body: bytes, size: int = 7) -> list[tuple[int, Any]]:
    return _plain([record async for record in csv_records(pieces(body, size))])


async def lines(body: bytes, size: int = 7) -> list[tuple[int, Any]]:
    return _plain([record async for record in json_records(pieces(body, size))])


def _plain(records: Iterable[Record]) -> list[tuple[int, Any]]:
    return [
        (record.line, record.document.code if isinstance(record.document, WalletError) else record.document)
        for record in records
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b", [(2, {"user_id": "a", "name": "b"})]),
        ('"a","b"', [(2, {"user_id": "a", "name": "b"})]),
        ('a,"b, c"', [(2, {"user_id": "a", "name": "b, c"})]),
        ('a,"say ""hi"""', [(2, {"user_id": "a", "name": 'say "hi"'})]),
        ('a,"two\nlines"', [(2, {"user_id": "a", "name": "two\nlines"})]),
        (
            'a,"two\n\n""\n,lines"\nc,d',
            [(2, {"user_id": "a", "name": 'two\n\n"\n,lines'}), (6, {"user_id": "c", "name": "d"})],
        ),
        ('a,"one ""\nb"', [(2, {"user_id": "a", "name": 'one "\nb'})]),
        ('a,6" pipe\nb,x', [(2, {"user_id": "a", "name": '6" pipe'}), (3, {"user_id": "b", "name": "x"})]),
        ('O"Neil,b\nc,d', [(2, {"user_id": 'O"Neil', "name": "b"}), (3, {"user_id": "c", "name": "d"})]),
        ('a,"x"y"\nc,d', [(2, "validation_failed"), (3, {"user_id": "c", "name": "d"})]),
        ('a,"x" \nc,d', [(2, "validation_failed"), (3, {"user_id": "c", "name": "d"})]),
        ("a,", [(2, {"user_id": "a"})]),
        (",", [(2, {})]),
        ('""\nc,d', [(2, "validation_failed"), (3, {"user_id": "c", "name": "d"})]),
        ("a", [(2, "validation_failed")]),
        ("a,b,c", [(2, "validation_failed")]),
        ("a,\0\nc,d", [(2, "validation_failed"), (3, {"user_id": "c", "name": "d"})]),
        ("\n\n  \na,b\n\n", [(5, {"user_id": "a", "name": "b"})]),
        ("", []),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
async def test_rows(text: str, found: list[tuple[int, Any]], end: str) -> None:
    quoted_ends = '"two\n' in text or '""\nb' in text
    body = f"user_id,name\n{text}\n"
    if not quoted_ends:
        body = body.replace("\n", end)
    for size in (1, 5, 1000):
        assert await rows(body.encode(), size) == found
    assert await rows(body.rstrip("\r\n").encode()) == found


@given(
    st.lists(st.tuples(*[st.text(alphabet='ab,"\n é', min_size=1, max_size=8)] * 2), min_size=1, max_size=5)
)
async def test_what_is_quoted_comes_back(table: list[tuple[str, str]]) -> None:
    quoted = [",".join('"' + field.replace('"', '""') + '"' for field in row) for row in table]
    body = "\n".join(["user_id,name", *quoted]).encode()
    assert [document for _, document in await rows(body)] == [
        {"user_id": user_id, "name": name} for user_id, name in table
    ]


@given(st.binary(max_size=60))
async def test_any_bytes_are_records_or_refused(body: bytes) -> None:
    try:
        found = await rows(b"user_id,name\n" + body)
    except MalformedRequest:
        return
    assert all(isinstance(document, dict | str) for _, document in found)


@pytest.mark.parametrize("row", [b"\xff,a", b'a,"\xc3"'])
async def test_a_row_that_is_not_utf8(row: bytes) -> None:
    assert await rows(b"user_id,name\n" + row + b"\nc,d\n") == [
        (2, "malformed_request"),
        (3, {"user_id": "c", "name": "d"}),
    ]


async def test_metadata_is_json_with_exact_numbers() -> None:
    ((_, good), bad) = await rows(b'user_id,metadata\na,"{""n"": 1.10}"\nb,{\n')
    assert str(good["metadata"]["n"]) == "1.10"
    assert bad == (3, "malformed_request")


@pytest.mark.parametrize(
    "header", ["name", "user_id,user_id", "user_id,x", '"user_id"x', "user_id,na\rme", "user_id,\0"]
)
async def test_a_header_that_is_none(header: str) -> None:
    with pytest.raises(ValidationFailed):
        await rows(f"{header}\na,b\n".encode())


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("user,balance", '; there is no column "user", the closest one is user_id.'),
        ("user_id,Betrag", '; there is no column "Betrag".'),
        ("user_id,\x1b[31m", '; there is no column "\\u001b[31m".'),
        ("name", "user_id among them."),
    ],
)
async def test_the_problem_names_the_unknown_column(header: str, said: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await rows(f"{header}\na,b\n".encode())
    assert said in refused.value.detail


async def test_a_header_with_a_byte_order_mark_and_blanks() -> None:
    assert await rows("\ufeffuser_id , name\na,b\n".encode()) == [(2, {"user_id": "a", "name": "b"})]


async def test_lines_of_json() -> None:
    body = b'{"a": 1}\r\n\n[]\nx\n{"a": 1, "a": 2}\n"last"'
    for size in (1, 5, 1000):
        assert await lines(body, size) == [
            (1, {"a": 1}),
            (3, []),
            (4, "malformed_request"),
            (5, "malformed_request"),
            (6, "last"),
        ]


@pytest.mark.parametrize("read", [rows, lines])
@pytest.mark.parametrize("size", [1000, 10_000_000])
@pytest.mark.parametrize("ending", [b"\n", b""])
async def test_a_record_has_its_limit(read: Any, size: int, ending: bytes) -> None:
    start = b'user_id\n"' if read is rows else b'"'
    body = start + b"x" * (LONGEST_RECORD_BYTES - 2) + b'"' + ending
    assert len(await read(body, size)) == 1
    with pytest.raises(MalformedRequest):
        await read(start + b"xx" + body.removeprefix(start), size)


async def test_a_record_of_many_lines_has_its_limit() -> None:
    with pytest.raises(MalformedRequest, match="at most"):
        await rows(b'user_id\n"' + b"x\n" * LONGEST_RECORD_BYTES + b'"\n')


async def test_a_quote_that_is_never_closed_is_found() -> None:
    with pytest.raises(MalformedRequest, match="line 3"):
        await rows(b'user_id\na\n"b\nc\n')


def test_an_outcome_is_one_line() -> None:
    line = outcome_line(7, "refused", None, {"detail": "two\nlines"})
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "line": 7,
        "status": "refused",
        "wallet_id": None,
        "problem": {"detail": "two\nlines"},
    }
