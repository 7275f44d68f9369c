import base64
import hashlib
from collections.abc import AsyncIterator

import pytest

from wallet_service.core.errors import UnsupportedMediaType, ValidationFailed
from wallet_service.platform.files.media import attachment, declared_digest, declared_type, safe_type
from wallet_service.platform.files.service import chunks_of


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        (None, "application/octet-stream"),
        ("", "application/octet-stream"),
        ("Text/CSV; charset=utf-8", "text/csv"),
        ("image/svg+xml", "image/svg+xml"),
    ],
)
def test_a_media_type_is_stored_without_parameters(header: str | None, media_type: str) -> None:
    assert declared_type(header) == media_type


@pytest.mark.parametrize("header", ["text", "text/", "text/a b", "text/html\r\nX: y", "a/" + "b" * 200])
def test_other_headers_are_refused(header: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        declared_type(header)


def test_no_download_runs_in_a_browser() -> None:
    assert safe_type("text/csv") == "text/csv"
    for active in (
        "application/json",
        "text/html",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "text/javascript",
        "x/y",
    ):
        assert safe_type(active) == "application/octet-stream"


def test_names_of_downloads() -> None:
    assert attachment("a b.csv") == "attachment; filename=\"a b.csv\"; filename*=UTF-8''a%20b.csv"
    assert attachment('é";/x') == "attachment; filename=\"____x\"; filename*=UTF-8''%C3%A9%22%3B%2Fx"


DIGEST = hashlib.sha256(b"x")
SENT = f"sha-256=:{base64.b64encode(DIGEST.digest()).decode()}:"


def test_a_digest_is_read() -> None:
    assert declared_digest(SENT) == DIGEST.hexdigest()
    assert declared_digest(f"sha-512=:AAAA:, {SENT}") == DIGEST.hexdigest()
    assert declared_digest(None) is declared_digest("sha-512=:AAAA:") is None


@pytest.mark.parametrize("header", ["sha-256=AAAA", "sha-256=:AAAA:", "sha-256=:A:", SENT[:-1]])
def test_a_digest_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(ValidationFailed, match="Content-Digest"):
        declared_digest(header)


@pytest.mark.parametrize("pieces", [[], [b""], [b"abcdefghij"], [b"a"] * 10, [b"abcd", b"", b"efghi", b"j"]])
async def test_pieces_become_chunks_of_one_size(pieces: list[bytes]) -> None:
    async def content() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    chunks = [chunk async for chunk in chunks_of(content(), 4)]
    assert b"".join(chunks) == b"".join(pieces)
    assert all(len(chunk) == 4 for chunk in chunks[:-1])
    assert all(1 <= len(chunk) <= 4 for chunk in chunks)
