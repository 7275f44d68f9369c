"""Currencies and exact amounts, moments, and JSON with exact numbers."""

import json
from datetime import UTC, datetime
from decimal import Context, Decimal
from difflib import get_close_matches
from typing import Any, cast

from wallet_client.testing.problems import Refusal

_CURRENCIES: dict[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
    CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD
    KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO
    NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL THB
    TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD XCG YER ZAR ZMW ZWG
    """,
    3: "BHD IQD JOD KWD LYD OMR TND",
    6: "CREDIT TOKEN USDT USDC",
    8: "BTC",
    18: "ETH",
}

EXPONENTS: dict[str, int] = {code: digits for digits, codes in _CURRENCIES.items() for code in codes.split()}
"""How many decimals an amount of each currency may have."""

MAX_WHOLE_DIGITS = 20
"""Digits before the point that an amount or a balance may have."""

_EXACT = Context(prec=100)


def trimmed(amount: str) -> str:
    """Plain decimal text without the zeros that do not change the number."""
    return format(_EXACT.normalize(Decimal(amount)), "f")


def units_of(amount: str, currency: str) -> int:
    """The amount in the smallest unit of its currency, or the refusal ``amount_precision``."""
    units = _EXACT.scaleb(Decimal(amount), EXPONENTS[currency])
    if units != int(units):
        raise Refusal("amount_precision", currency=currency, exponent=EXPONENTS[currency])
    return int(units)


def closest_to(currency: str) -> dict[str, str]:
    """The fact which currency is the closest to an unknown one; empty if none is close."""
    similar = [code for code in EXPONENTS if code[0] == currency[0] or code[-1] == currency[-1]]
    closest = get_close_matches(currency, similar, n=1)
    return {"closest": closest[0]} if closest else {}


def text_of(units: int, currency: str) -> str:
    """The amount with exactly its currency's decimals."""
    return format(_EXACT.scaleb(Decimal(units), -EXPONENTS[currency]), "f")


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: the order of such texts is the order of their moments."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dumps(value: Any) -> str:
    """The value as JSON: members in the order of their names, each Decimal with all its digits."""
    match value:
        case dict():
            members = sorted(cast("dict[str, Any]", value).items())
            return "{" + ", ".join(f"{dumps(name)}: {dumps(item)}" for name, item in members) + "}"
        case list():
            return "[" + ", ".join(map(dumps, cast("list[Any]", value))) + "]"
        case Decimal():
            return format(value, "f")
        case _:
            return json.dumps(value, ensure_ascii=False)
