"""Ids of the wallets and postings that are loaded: made alike by Python, SQL and pgbench, so nobody passes lists."""

FIRST = 0x0190_0000_0000
"""In the place of a UUIDv7's milliseconds: before any id that is made while the bench runs."""

_WALLET_TAIL = "70008000000000000000"
_POSTING_TAIL = "7000a000000000000000"


def wallet_id(number: int) -> str:
    """The id of wallet ``number``, from 0, as text with hyphens."""
    digits = f"{FIRST + number:012x}{_WALLET_TAIL}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def wallet_id_sql(number: str) -> str:
    """The same as an SQL expression; ``number`` is an SQL expression too."""
    return _sql(number, _WALLET_TAIL)


def posting_id_sql(number: str) -> str:
    """The transaction_id of loaded row ``number`` as an SQL expression."""
    return _sql(number, _POSTING_TAIL)


def _sql(number: str, tail: str) -> str:
    return f"(lpad(to_hex({FIRST}::bigint + {number}), 12, '0') || '{tail}')::uuid"
