"""Lists as CSV: whether a client asks for it, and how values are written."""

import csv
import io
from collections.abc import Iterable

from wallet_service.platform.web.accept import accepts

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are =, +, - and @ in full width, which spreadsheets of East Asian languages read as the others."""


def wants_csv(accept: str) -> bool:
    """Whether this Accept header names text/csv, and not JSON with a higher weight."""
    return accepts(accept, "text/csv")


def csv_lines(rows: Iterable[Iterable[str]]) -> bytes:
    """Rows of texts as lines of CSV (RFC 4180)."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def guarded(text: str) -> str:
    """A text of a caller. An apostrophe keeps spreadsheets from running it as a formula."""
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
