# Generated from wallet_client/_async/files.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Files: upload, download, list, delete."""

import base64
import hashlib
from typing import TYPE_CHECKING

from wallet_client._call import (
    PAGE_SIZE,
    ROOT,
    Call,
    Id,
    Moment,
    SuccessResponse,
    change_call,
    get_call,
    is_header,
    moment,
    target,
)
from wallet_client._responses import file_of, files_of
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner
from wallet_client.keys import checked, new_key

if TYPE_CHECKING:
    from wallet_client.models import File, Page


class FilesResource:
    """``client.files``: the files of the caller. Those of other clients and users are not found.

    A file is one request. For large ones give the client more time (``client.with_options(timeout_s=120,
    retry_budget_s=300)``) and, for downloads over 32 MiB, a larger ``max_answer_bytes``.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def upload(
        self,
        name: str,
        content: bytes,
        *,
        media_type: str = "application/octet-stream",
        personal: bool = False,
        expires_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> "File":
        """Store a file. It is refused if it arrives otherwise than it was sent.

        Args:
            name: for people, 1 to 255 characters.
            content: its bytes.
            media_type: such as ``text/csv``.
            personal: encrypt the content in the database; the name is not encrypted.
            expires_at: from then on the file is not found; default: when the service deletes files.
            idempotency_key: the file is stored once per key; default: a new key.

        Raises:
            FileQuotaExceeded: the caller's files would be larger than its quota.
            PayloadTooLarge: the file is larger than the service accepts.
            VaultUnavailable: the file is personal, and the service has no key.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent.
        """
        if not is_header(media_type):
            raise ValueError("media_type can't be sent in a header")
        sent = bytes(content)
        digest = base64.b64encode(hashlib.sha256(sent).digest()).decode()
        query = {
            "name": name,
            "personal": "true" if personal else "false",
            "expires_at": moment(expires_at, "expires_at"),
        }
        call = Call(
            "upload_file",
            "POST",
            f"{ROOT}/files",
            target("/files", query),
            file_of,
            writes=True,
            key=new_key() if idempotency_key is None else checked(idempotency_key),
            body=sent,
            headers=(("Content-Digest", f"sha-256=:{digest}:"),),
            content_type=media_type,
        )
        return self._runner.run(call)

    def get(self, file_id: Id) -> "File":
        """Read a file's description.

        Args:
            file_id: the file.

        Raises:
            FileNotFound: the caller has no such file.
        """
        return self._runner.run(get_call("read_file", "/files/{file_id}", file_of, file_id=file_id))

    def download(self, file_id: Id) -> bytes:
        """Read a file's content.

        Args:
            file_id: the file.

        Raises:
            FileNotFound: the caller has no such file.
            UnexpectedAnswer: the file is larger than the client's ``max_answer_bytes``.
            VaultUnavailable: the file is personal, and the service does not have its key.
        """
        route = "/files/{file_id}/content"
        call = Call(
            "download_file",
            "GET",
            ROOT + route,
            target(route, file_id=file_id),
            _bytes_of,
            reads_bytes=True,
        )
        return self._runner.run(call)

    def delete(self, file_id: Id) -> None:
        """Delete a file.

        The call has no idempotency key: if a first attempt gets no response and a later one does not find the file, the
        error is ``OutcomeUnknown``.

        Args:
            file_id: the file.

        Raises:
            FileNotFound: the caller has no such file.
        """
        call = change_call(
            "delete_file", "DELETE", "/files/{file_id}", _nothing_of, None, None, file_id=file_id
        )
        return self._runner.run(call)

    def list(self, *, page_size: int = PAGE_SIZE) -> "Pages[File]":
        """The caller's files, newest first.

        Args:
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[File]]":
            return get_call("list_files", "/files", files_of, {"limit": page_size, "cursor": cursor})

        return Pages(self._runner, page_after)


def _bytes_of(response: SuccessResponse) -> bytes:
    return response.document


def _nothing_of(response: SuccessResponse) -> None:
    del response
