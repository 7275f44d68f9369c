#!/usr/bin/env python3
"""Prints the migration that fills wallet.currencies: today's legal tenders by babel, and our own units.

Run it again when babel learns a new currency, into a new migration; a released one is never edited:
scripts/currencies.py > wallet_service/ledger/sql/migrations/NNNN_ledger_currencies.sql
"""

import sys
from collections.abc import Iterator

from babel import Locale
from babel.core import get_global

# ISO 4217's decimals where they are not 2. CLDR's digits are those that shops show: 0 for the forint.
ISO_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
ISO_EXPONENTS = {code: exponent for exponent, codes in ISO_DECIMALS.items() for code in codes.split()}

OWN = (
    ("CREDIT", 6, "credit", "Credit"),
    ("TOKEN", 6, "credit", "Token"),
    ("BTC", 8, "crypto", "Bitcoin"),
    ("ETH", 18, "crypto", "Ether"),
    ("USDT", 6, "crypto", "Tether USD"),
    ("USDC", 6, "crypto", "USD Coin"),
)


def legal_tenders() -> list[str]:
    """The ISO 4217 codes that are legal tender somewhere today."""
    territories = get_global("territory_currencies").values()
    return sorted({code for uses in territories for code, _, end, tender in uses if end is None and tender})


def currencies() -> Iterator[tuple[str, int, str, str]]:
    """Code, exponent, kind and English name of every currency."""
    names = Locale("en").currencies
    for code in legal_tenders():
        yield code, ISO_EXPONENTS.get(code, 2), "fiat", names[code]
    yield from OWN


def migration() -> str:
    """The SQL text."""
    rows = (
        "  ('{}', {}, '{}', '{}')".format(code, exponent, kind, name.replace("'", "''"))
        for code, exponent, kind, name in currencies()
    )
    return "\n".join(
        (
            "-- ISO 4217's legal tenders with ISO 4217's exponents, and our own units.",
            "-- Made by scripts/currencies.py.",
            "",
            "insert into wallet.currencies (code, exponent, kind, name) values",
            ",\n".join(rows),
            "on conflict (code) do nothing;",
            "",
        )
    )


if __name__ == "__main__":
    sys.stdout.write(migration())
