"""Problems of files."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class FileNotFound(WalletError):
    """The file does not exist, has expired, or belongs to another owner."""

    code, status, title = "file_not_found", 404, "File not found"


class FileIncomplete(WalletError):
    """The bytes that arrived are not those that the caller declared. Nothing is stored."""

    code, status, title = "file_incomplete", 422, "File incomplete"
    example_facts: ClassVar[Mapping[str, Any]] = {"size_bytes": 1048576}


class FileQuotaExceeded(WalletError):
    """The files of the owner would be larger than its quota. Nothing is stored."""

    code, status, title = "file_quota_exceeded", 409, "File quota exceeded"
    details = (
        "The owner's files may have {quota_bytes} bytes together; those before this one have {used_bytes}",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {"quota_bytes": 1073741824, "used_bytes": 1073000000}
