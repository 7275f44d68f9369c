"""Ids of the loaded wallets and postings. Python, SQL and pgbench compute the same ones, so no lists are passed."""

FIRST = 0x0190_0000_0000
"""The milliseconds of the first UUIDv7: earlier than any id that is created while the bench runs."""

_WALLET_TAIL = "70008000000000000000"
_POSTING_TAIL = "7000a000000000000000"


def wallet_id(number: int) -> str:
    """The id of wallet ``number``, from 0, as text with hyphens."""
    return _text(number, _WALLET_TAIL)


def posting_id(number: int) -> str:
    """The transaction_id of loaded entry ``number``, as text with hyphens."""
    return _text(number, _POSTING_TAIL)


def wallet_id_sql(number: str) -> str:
    """The same as an SQL expression. ``number`` is an SQL expression too."""
    return _sql(number, _WALLET_TAIL)


def posting_id_sql(number: str) -> str:
    """The transaction_id of loaded entry ``number`` as an SQL expression."""
    return _sql(number, _POSTING_TAIL)


def _text(number: int, tail: str) -> str:
    digits = f"{FIRST + number:012x}{tail}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _sql(number: str, tail: str) -> str:
    return f"(lpad(to_hex({FIRST}::bigint + {number}), 12, '0') || '{tail}')::uuid"
