"""Headers of uploads and downloads: media types, digests, names."""

import base64
import binascii
import re
from urllib.parse import quote

from wallet_service.core.errors import UnsupportedMediaType, ValidationFailed

OCTETS = "application/octet-stream"

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")

SAFE_TYPES = frozenset(
    {
        "application/gzip",
        "application/pdf",
        "application/x-ndjson",
        "application/zip",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/csv",
        "text/plain",
    }
)
"""Media types that a download may have: no browser runs one, and no client takes the bytes for a response in JSON."""

_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]{1,100}):\s*(?=,|$)")
_DIGEST_BYTES = 32
_PLAIN_NAME = re.compile(r"[^A-Za-z0-9._ -]")


def declared_type(content_type: str | None) -> str:
    """The media type of an upload, without parameters; without a header that of arbitrary bytes.

    Raises:
        UnsupportedMediaType: the header has something else than a media type.
    """
    declared = (content_type or OCTETS).partition(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(declared) is None:
        raise UnsupportedMediaType("Content-Type should be a media type, such as text/csv")
    return declared


def safe_type(media_type: str) -> str:
    """The media type of a download: the file's own if it is one of ``SAFE_TYPES``, else that of arbitrary bytes."""
    return media_type if media_type in SAFE_TYPES else OCTETS


def declared_digest(content_digest: str | None) -> str | None:
    """The SHA-256 of a header Content-Digest (RFC 9530), hexadecimal; None if it names none.

    Raises:
        ValidationFailed: its SHA-256 can't be one.
    """
    if content_digest is None or "sha-256=" not in content_digest:
        return None
    found = _DIGEST.search(content_digest)
    try:
        digest = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        digest = b""
    if len(digest) != _DIGEST_BYTES:
        detail = "should be sha-256=:…: with 32 bytes in base64"
        error = {"in": "header", "pointer": "/Content-Digest", "detail": detail, "code": "digest_invalid"}
        raise ValidationFailed(f"Content-Digest {detail}", errors=[error])
    return digest.hex()


def digest_header(sha256: str) -> str:
    """The header Content-Digest of a content with this SHA-256, hexadecimal."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def attachment(name: str) -> str:
    """The header Content-Disposition: a download under this name, also where it is not ASCII (RFC 6266)."""
    return f"attachment; filename=\"{_PLAIN_NAME.sub('_', name)}\"; filename*=UTF-8''{quote(name, safe='')}"
